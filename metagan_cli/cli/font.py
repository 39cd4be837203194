"""metagan font."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from metagan_cli.cli.console import Console, Fact
from metagan_cli.cli.options import DRAWING, OUTPUT, AsJson, Base, Device, Overwrite, Quiet, SkipBad, Threads, Verbose
from metagan_cli.config import DEPTHS, AdaptConfig

if TYPE_CHECKING:
    from metagan_cli.workflows.font import Made

EXAMPLE = "metagan font ./letters/ -o mine.ttf"
ADAPT = AdaptConfig()


def font(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Drawn letters, each called as it is: a.png, upper-a.png, 0.png, comma.png.")
    ],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FILE", help="The font: .ttf", rich_help_panel=OUTPUT)] = Path(
        "font.ttf"
    ),
    family: Annotated[
        str | None,
        typer.Option("--family", metavar="NAME", help="What it is called.  [default: as the folder]", rich_help_panel=OUTPUT),
    ] = None,
    no_new: Annotated[bool, typer.Option("--no-new", help="Only what was drawn.", rich_help_panel=DRAWING)] = False,
    base: Base = ADAPT.base,
    skip_bad: SkipBad = False,
    device: Device = "auto",
    threads: Threads = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    overwrite: Overwrite = False,
) -> None:
    """Make a font of drawn letters, the missing ones in the same hand."""
    console = Console(as_json=as_json, quiet=quiet, verbose=verbose, brief=True)
    settings = AdaptConfig(base=base, steps=0, depth=DEPTHS[0], fit="pad", skip_bad=skip_bad, compact=True)
    from metagan_cli.workflows import font as workflow
    from metagan_cli.workflows.adapt import tell_support

    request = workflow.FontRequest(folder, out, family, not no_new, overwrite)
    made = workflow.font(request, settings, device, console.progress)
    tell_support(made.support, console.note, console.detail)
    for warning in made.warnings:
        console.warn(warning)
    values: dict[str, Any] = {"out": str(out), "family": made.family, "base": made.base, "seconds": round(made.seconds, 2)}
    values |= {"drawn": list(made.drawn), "new": list(made.new), "missing": [list(pair) for pair in made.missing]}
    values["skipped"] = [list(pair) for pair in made.support.skipped]
    values["notes"] = list(made.support.notes)
    console.facts("font", values, _facts(made))


def _facts(made: "Made") -> list[Fact]:
    reasons: dict[str, list[str]] = {}
    for name, reason in made.missing:
        reasons.setdefault(reason, []).append(name)
    missing = [f"{len(names)}: {' '.join(names)} ({reason})" for reason, names in reasons.items()]
    return [
        ("drawn", f"{len(made.drawn)}: {' '.join(made.drawn)}"),
        ("new", f"{len(made.new)}: {' '.join(made.new)}" if made.new else "none"),
        *[("missing" if number == 0 else "", text) for number, text in enumerate(missing)],
        ("wrote", f"{made.out}, family {made.family}, in {made.seconds:.1f} s"),
    ]
