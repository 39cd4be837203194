"""metagan adapt."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from metagan_cli.cli.console import Console, Fact
from metagan_cli.cli.options import (
    LEARNING,
    OUTPUT,
    AsJson,
    Base,
    Depth,
    Device,
    Fit,
    Frames,
    Overwrite,
    Quiet,
    Seed,
    SkipBad,
    Steps,
    Threads,
    Verbose,
    read_seconds,
)
from metagan_cli.config import DEPTHS, AdaptConfig

if TYPE_CHECKING:
    from metagan_cli.workflows.adapt import Adapted, Learned

EXAMPLE = "metagan adapt ./my_samples/ -o runes.safetensors"
ADAPT = AdaptConfig()


def adapt(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A folder of a few images.")],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FILE", help="The adapted model.", rich_help_panel=OUTPUT)] = Path(
        "adapted.safetensors"
    ),
    base: Base = ADAPT.base,
    steps: Steps = ADAPT.steps,
    budget: Annotated[
        str | None,
        typer.Option("--budget", metavar="TIME", help="Begin no inner step after this, as 10s.", rich_help_panel=LEARNING),
    ] = None,
    learner: Annotated[
        str | None,
        typer.Option("--learner", metavar="NAME", help="Refuse a base with another learner.", rich_help_panel=LEARNING),
    ] = None,
    depth: Depth = ADAPT.depth,
    fit: Fit = ADAPT.fit,
    skip_bad: SkipBad = False,
    frames: Frames = False,
    standalone: Annotated[
        bool, typer.Option("--standalone", help="Embed the base model in the file.", rich_help_panel=OUTPUT)
    ] = False,
    compact: Annotated[
        bool, typer.Option("--compact", help="Keep the examples at the model's size only.", rich_help_panel=OUTPUT)
    ] = False,
    strip: Annotated[
        bool, typer.Option("--strip", help="Leave names and paths out of the file.", rich_help_panel=OUTPUT)
    ] = False,
    seed: Seed = ADAPT.seed,
    device: Device = "auto",
    threads: Threads = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    overwrite: Overwrite = False,
) -> None:
    """Learn what the images of a folder have in common."""
    console = Console(as_json=as_json, quiet=quiet, verbose=verbose, brief=True)
    settings = AdaptConfig(
        base,
        learner,
        steps,
        depth=depth,
        budget=read_seconds(budget),
        fit=fit,
        skip_bad=skip_bad,
        frames=frames,
        standalone=standalone,
        compact=compact,
        strip=strip,
        seed=seed,
    )
    from metagan_cli.workflows import adapt as workflow

    adapted = workflow.adapt(folder, out, settings, device=device, overwrite=overwrite, report=console.progress)
    learned = adapted.learned
    workflow.tell_support(learned.support, console.note, console.detail)
    for warning in adapted.warnings:
        console.warn(warning)
    values = {"out": str(out), "base": learned.base.name, "seconds": round(adapted.seconds, 2)} | adapted.metadata
    values["skipped"] = [list(pair) for pair in learned.support.skipped]
    values["notes"] = list(learned.support.notes)
    console.facts("adapt", values, _facts(adapted, out))


def _facts(adapted: "Adapted", out: Path) -> list[Fact]:
    learned, report, support = adapted.learned, adapted.copies, adapted.learned.support
    shots = len(learned.images)
    used = f"{shots} of {support.found} images" if shots < support.found else f"{shots} images"
    look = "light on dark" if support.light_on_dark else "dark on light"
    near = f"median distance to the nearest example {report.nearest:.3f}"
    if report.examples_nearest is not None:
        near += f" (between the examples themselves {report.examples_nearest:.3f})"
    return [
        ("read", f"{used}, {support.form.words}, {look}; {support.passed_over} skipped"),
        ("base", f"{learned.base.name} ({learned.reason}), feed-forward step and {learned.inner_steps} inner steps"),
        *_depth_fact(learned),
        ("motifs", adapted.family.words),
        ("copies", f"{report.copies} of {report.samples} test samples; {near}"),
        ("wrote", f"{out} in {adapted.seconds:.1f} s"),
    ]


def _depth_fact(learned: "Learned") -> list[Fact]:
    tried = learned.deepened
    if tried is None:
        return []
    opened = "nothing but the state, more did not help" if tried.depth == DEPTHS[0] else tried.depth
    return [("opened", f"{opened}: {tried.steps} steps, judged by {tried.held_out} held-out images")]
