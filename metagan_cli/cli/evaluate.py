"""metagan evaluate."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from metagan_cli.cli.console import Console, Fact
from metagan_cli.cli.members import judge_members
from metagan_cli.cli.options import (
    DATA,
    OUTPUT,
    AsJson,
    Device,
    Overwrite,
    Quiet,
    Seed,
    SkipBad,
    Steps,
    Threads,
    Verbose,
    read_numbers,
)
from metagan_cli.cli.score_tables import further_lines, shown, table_lines
from metagan_cli.config import AdaptConfig, DataConfig, EvaluateConfig
from metagan_cli.errors import UsageError

if TYPE_CHECKING:
    from metagan_cli.evaluation.gain import Gain
    from metagan_cli.workflows.evaluate.learning_curve import CurvePoint
    from metagan_cli.workflows.evaluate.leave_one_out import LeftOut

EXAMPLE = "metagan evaluate glyph --data ./task_folders --shots 1,5 --report report.html"
EVALUATE = EvaluateConfig()
MEASURED = "What is measured"  # a panel of --help


def evaluate(
    model: Annotated[
        list[str] | None,
        typer.Argument(metavar="[MODEL...]", help="Names or files.  [default: for a folder what suits it, else glyph]"),
    ] = None,
    data: Annotated[
        str,
        typer.Option(
            "--data",
            metavar="SOURCE",
            help="A folder of task folders, or of images; .npz, or a built-in source.",
            rich_help_panel=DATA,
        ),
    ] = "doodles",
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="NAME", help="Repeatable: just tasks whose names start so.", rich_help_panel=DATA),
    ] = None,
    shows: Annotated[
        str,
        typer.Option(
            "--shows", metavar="KEY", help="Of an .npz by hands, what is drawn: judges new members.", rich_help_panel=DATA
        ),
    ] = "",
    guests: Annotated[
        str,
        typer.Option(
            "--guests",
            metavar="WHOSE",
            help="With --shows: what they start from is drawn by others, or by the bank.",
            rich_help_panel=DATA,
        ),
    ] = EVALUATE.guests,
    skip_bad: SkipBad = False,
    shots: Annotated[str, typer.Option("--shots", metavar="LIST", help="Support sizes.", rich_help_panel=DATA)] = "1,5",
    tasks: Annotated[
        int, typer.Option("--tasks", metavar="N", min=2, help="At most so many tasks.", rich_help_panel=DATA)
    ] = EVALUATE.tasks,
    exemplar: Annotated[
        str,
        typer.Option(
            "--exemplar",
            metavar="KIND",
            help="First support image: prototype (the most typical one) or random.",
            rich_help_panel=DATA,
        ),
    ] = EVALUATE.exemplar,
    steps: Steps = AdaptConfig.steps,
    learning_curve: Annotated[
        bool,
        typer.Option(
            "--learning-curve",
            help="Also quality against inner steps, beside training from scratch.",
            rich_help_panel=MEASURED,
        ),
    ] = False,
    features: Annotated[
        str,
        typer.Option(
            "--features",
            metavar="NAME",
            help="Nets that judge: own, or imagenet as well, a net that others trained on photographs.",
            rich_help_panel=MEASURED,
        ),
    ] = "own",
    gain: Annotated[
        bool,
        typer.Option("--gain", help="Also what a classifier gains from generated images.", rich_help_panel=MEASURED),
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option("--report", metavar="FILE", help="All of it as one page: .html", rich_help_panel=OUTPUT),
    ] = None,
    seed: Seed = EVALUATE.seed,
    device: Device = "auto",
    threads: Threads = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    overwrite: Overwrite = False,
) -> None:
    """Score models on tasks that they have not seen."""
    console = Console(as_json=as_json, quiet=quiet, verbose=verbose)
    chosen = read_numbers("--shots", shots) or ()
    if not chosen or not all(1 <= k <= 32 for k in chosen):
        raise UsageError(f"--shots {shots}: numbers from 1 to 32")
    settings = replace(
        EVALUATE, shots=tuple(sorted(set(chosen))), tasks=tasks, steps=steps, exemplar=exemplar, guests=guests, seed=seed
    )
    source = DataConfig(data, only=tuple(only or ()), skip_bad=skip_bad, shows=shows)
    if shows:
        tasks_alone = {"--exemplar": exemplar != EVALUATE.exemplar, "--skip-bad": skip_bad}
        others = {"--report": report is not None, "--learning-curve": learning_curve, "--gain": gain}
        for option in (name for name, value in (tasks_alone | others).items() if value):
            raise UsageError(f"{option}: has no part in judging new members; leave it or --shows out")
        judge_members(console, tuple(model or ["glyph"]), source, settings, device, features)
        return
    if guests != EVALUATE.guests:
        raise UsageError("--guests: goes with --shows, which judges new members")
    from metagan_cli.workflows.evaluate.leave_one_out import is_single_folder, leave_one_out
    from metagan_cli.workflows.evaluate.report import check_report
    from metagan_cli.workflows.evaluate.scoring import evaluate as workflow
    from metagan_cli.workflows.evaluate.scoring import usual_cache
    from metagan_cli.workflows.evaluate.setup import default_model, ready_model, set_up

    if report is not None:
        check_report(report, overwrite)
    names = tuple(model or [default_model(data)])
    if is_single_folder(data):
        asked = {
            "--report": report,
            "--learning-curve": learning_curve,
            "--gain": gain,
            "--only": only,
            "another model": names[1:],
            "--features": features != "own",
        }
        for option in (name for name, value in asked.items() if value):
            raise UsageError(f"{option}: goes with a folder of task folders; {data} is one folder of images")
        left = leave_one_out(source, ready_model(names[0], device), settings, console.progress, console.note)
        console.facts("evaluate", {"left_out": left.as_dict()}, _left_out_facts(left))
        return
    setup = set_up(names, source, settings, device, console.note, features)
    evaluated = workflow(setup, usual_cache(), console.progress)
    curve: list[CurvePoint] = []
    gains: list[Gain] = []
    if learning_curve:
        from metagan_cli.workflows.evaluate.learning_curve import learning_curve as measure_curve

        curve = measure_curve(setup, evaluated, console.progress)
    if gain:
        from metagan_cli.workflows.evaluate.augmentation_gain import augmentation_gains

        gains = augmentation_gains(setup, console.progress)
    if report is not None:
        from metagan_cli.workflows.evaluate.report import write_report

        write_report(report, evaluated, curve, gains)
        console.note(f"wrote {report}")
    values = evaluated.as_dict() | {"curve": [p.as_dict() for p in curve], "gains": [asdict(g) for g in gains]}
    further = further_lines(evaluated, curve, gains)
    console.result("evaluate", values, [*table_lines(evaluated), *further], lambda: shown(evaluated, further))


def _left_out_facts(left: "LeftOut") -> list[Fact]:
    to_sample = f"distance of a left-out one to the nearest sample {left.to_sample:.3f}"
    return [
        ("images", f"{left.images}; {to_sample}, to the nearest other example {left.to_example:.3f}"),
        ("copies", f"{100 * left.copies:.0f} % of the samples"),
        ("verdict", left.verdict),
    ]
