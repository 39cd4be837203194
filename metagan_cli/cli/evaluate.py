"""metagan evaluate."""

import shutil
from collections.abc import Sequence
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
from metagan_cli.config import AdaptConfig, DataConfig, EvaluateConfig
from metagan_cli.errors import UsageError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from metagan_cli.evaluation.gain import Gain
    from metagan_cli.workflows.evaluate.learning_curve import CurvePoint
    from metagan_cli.workflows.evaluate.leave_one_out import LeftOut
    from metagan_cli.workflows.evaluate.scoring import Evaluated, Row

EXAMPLE = "metagan evaluate glyph --data ./task_folders --shots 1,5 --report report.html"
EVALUATE = EvaluateConfig()
MEASURED = "What is measured"  # a panel of --help
COLUMNS = {  # of the table at a terminal, and the width that each is shown from
    "recognised, %": 0,
    "diversity": 0,
    "kernel": 60,
    "precision": 110,
    "coverage": 110,
    "told apart": 70,
    "copies": 0,
    "verdict": 90,
}
FIGURES = (("kernel", 7), ("precision", 9), ("coverage", 8), ("neighbour", 10))  # columns of the table, and their widths


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
    settings = replace(EVALUATE, shots=tuple(sorted(set(chosen))), tasks=tasks, steps=steps, exemplar=exemplar, seed=seed)
    source = DataConfig(data, only=tuple(only or ()), skip_bad=skip_bad, shows=shows)
    if shows:
        tasks_alone = {"--exemplar": exemplar != EVALUATE.exemplar, "--skip-bad": skip_bad}
        others = {"--report": report is not None, "--learning-curve": learning_curve, "--gain": gain}
        for option in (name for name, value in (tasks_alone | others).items() if value):
            raise UsageError(f"{option}: has no part in judging new members; leave it or --shows out")
        judge_members(console, tuple(model or ["glyph"]), source, settings, device, features)
        return
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
    further = _further_lines(evaluated, curve, gains)
    console.result("evaluate", values, [*_table_lines(evaluated), *further], lambda: _shown(evaluated, further))


def _left_out_facts(left: "LeftOut") -> list[Fact]:
    to_sample = f"distance of a left-out one to the nearest sample {left.to_sample:.3f}"
    return [
        ("images", f"{left.images}; {to_sample}, to the nearest other example {left.to_example:.3f}"),
        ("copies", f"{100 * left.copies:.0f} % of the samples"),
        ("verdict", left.verdict),
    ]


def _table_lines(evaluated: "Evaluated") -> list[str]:
    lines: list[str] = []
    head = "recognizability %        diversity  kernel  precision  coverage  told apart  copies"
    for shots in _all_shots(evaluated):
        lines += ["" if lines else f"{evaluated.source}: {len(evaluated.tasks)} tasks", f"{f'{shots} shots':24} {head}"]
        for row in evaluated.rows:
            if row.shots == shots:
                known, diversity, *figures, copies = _cells(evaluated, row)
                padded = [f"{figure:>{width}}" for figure, (_, width) in zip(figures, FIGURES, strict=True)]
                cells = "  ".join([f"{known:22}", f"{diversity:>9}", *padded, f"{copies:>6}"])
                lines.append(f"{_name(evaluated, row):24} {cells}  {row.score.verdict}")
    return lines


def _shown(evaluated: "Evaluated", further: list[str]) -> "RenderableType":
    """A table for each number of shots, the models' rows in bold, with as many columns as the terminal has room for."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    width = shutil.get_terminal_size().columns
    chosen = [head for head, least in COLUMNS.items() if width >= least]
    tables = []
    for shots in _all_shots(evaluated):
        title = f"{evaluated.source}: {len(evaluated.tasks)} tasks, {shots} shots"
        table = Table(title=Text(title), title_justify="left", box=None, padding=(0, 1, 0, 0))
        table.add_column("who draws")
        for head in chosen:
            table.add_column(head, justify="left" if head == "verdict" else "right")
        for row in evaluated.rows:
            if row.shots == shots:
                cells = dict(zip(COLUMNS, (*_cells(evaluated, row), row.score.verdict), strict=True))
                cells["recognised, %"] = _recognised(row)
                shown = (_name(evaluated, row), *(cells[head] for head in chosen))
                table.add_row(*map(Text, shown), style="bold" if row.kind == "model" else "")
        tables.append(table)
    return Group(*tables, *map(Text, further))


def _recognised(row: "Row") -> str:
    """Recognizability with half its interval."""
    known = row.score.figures.get("recognizability")
    return f"{100 * known.mean:.1f} ± {50 * (known.high - known.low):.1f}" if known else "-"


def _all_shots(evaluated: "Evaluated") -> list[int]:
    return sorted({row.shots for row in evaluated.rows})


def _name(evaluated: "Evaluated", row: "Row") -> str:
    return row.name if row.tasks == len(evaluated.tasks) else f"{row.name} ({row.tasks} tasks)"


def _cells(evaluated: "Evaluated", row: "Row") -> list[str]:
    """The row's figures as text, without padding but of those that have parts."""
    f = row.score.figures
    known = f.get("recognizability")
    cells = [f"{100 * known.mean:5.1f} ({100 * known.low:5.1f} to {100 * known.high:5.1f})" if known else "-"]
    cells.append(f"{evaluated.relative_diversity(row):.2f}")
    cells += [f"{f[name].mean:.3f}" if name in f else "-" for name, _ in FIGURES]
    return [*cells, f"{100 * f['copies'].mean:.0f} %"]


def _looks(row: "Row") -> str:
    """How clean samples are, in units of the examples."""
    f = row.score.figures
    names = {"flatness": "flatness", "gradient": "gradient energy", "orientations": "orientations", "halftones": "half-tones"}
    return ", ".join(f"{text} {f[name].mean:.2f}" for name, text in names.items()) + " of the examples'"


def _outside(row: "Row", side: int | None) -> str:
    """What the outside net says, of images of so many pixels a side."""
    f = row.score.figures
    known = f.get("outside recognizability")
    return (
        f"recognised {f'{100 * known.mean:.1f} %' if known else '-'}, diversity {f['outside diversity'].mean:.2f}, "
        f"MMD x 1000 {1000 * f['outside mmd'].mean:.0f}, told apart {100 * f['outside neighbour'].mean:.0f} %, "
        f"distance from the examples {f['outside distance'].mean:.2f} of held-out images'; seen at {side} px"
    )


def _further_lines(evaluated: "Evaluated", curve: "Sequence[CurvePoint]", gains: "Sequence[Gain]") -> list[str]:
    """What is not in the table: figures on Inception features, the learning curve, the augmentation gain."""
    lines = []
    for row in evaluated.rows:
        if row.pooled:
            found = ", ".join(f"{name.upper()} {value:.4g}" for name, value in row.pooled.items())
            lines.append(f"inception {row.name}, {row.shots} shots: {found}")
    for row in evaluated.rows:
        if row.kind == "model":
            lines += [f"looks    {_name(evaluated, row)}, {row.shots} shots: {_looks(row)}"]
        if "outside mmd" in row.score.figures:
            lines += [f"outside  {_name(evaluated, row)}, {row.shots} shots: {_outside(row, evaluated.outside_side)}"]
    for point in curve:
        kernel = point.score.figures["kernel"].mean
        lines.append(f"curve    {point.name}, {point.steps} steps, {point.seconds:.2f} s a task: kernel {kernel:.3f}")
    for g in gains:
        lines.append(
            f"gain     {g.shots} real images a class: {100 * g.real:.1f} % alone, {100 * g.augmented:.1f} % with turned copies, "
            f"{100 * g.generated:.1f} % with generated ones"
        )
    return lines
