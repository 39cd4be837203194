"""Options that several commands share, declared once; and how their values are read."""

from pathlib import Path
from typing import Annotated

import typer

from metagan_cli import cores
from metagan_cli.config import DEPTHS
from metagan_cli.errors import UsageError

LEARNING, DRAWING, DATA, RUN, OUTPUT, GENERAL = (  # panels of --help
    "How it is learned",
    "What is drawn",
    "What it is made from",
    "The run",
    "Where it goes",
    "Messages and machine",
)


def read_seed(given: str | int) -> int:
    """What --seed says, or the default, which Typer has read as well. Raises UsageError."""
    text = str(given)
    if not text.isdigit() or int(text) >= 2**64:
        raise UsageError(f"--seed {text}: a whole number from 0 to 2^64 - 1")
    return int(text)


def read_numbers(option: str, text: str | None) -> tuple[int, ...] | None:
    """Numbers with commas between them. Raises UsageError."""
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdigit() for part in parts):
        raise UsageError(f"{option} {text}: numbers with commas between them")
    return tuple(map(int, parts))


def read_seconds(text: str | None) -> float | None:
    """A time like 90, 10s, 20m or 2h in seconds. Raises UsageError."""
    if text is None:
        return None
    number, unit = (text[:-1], text[-1]) if text[-1:] in ("s", "m", "h") else (text, "s")
    try:
        seconds = float(number) * {"s": 1, "m": 60, "h": 3600}[unit]
    except ValueError:
        seconds = -1
    if not 0 < seconds < 1e9:
        raise UsageError(f"--budget {text}: a time like 10s, 20m or 2h")
    return seconds


def text_of(path: Path | None) -> str | None:
    """A path as JSON holds it."""
    return None if path is None else str(path)


def given_in(context: typer.Context) -> dict[str, str]:
    """The names of the parameters that stand on the command line, and all that they may be called there."""
    there = [p for p in context.command.params if getattr(context.get_parameter_source(str(p.name)), "name", "") == "COMMANDLINE"]
    return {str(parameter.name): " / ".join(parameter.opts) for parameter in there}


def _compute_with(threads: int | None) -> int | None:
    if threads is not None:
        cores.use(threads)
    return threads


Device = Annotated[str, typer.Option("--device", metavar="NAME", help="auto, cpu, cuda, cuda:0 or mps.", rich_help_panel=GENERAL)]
Threads = Annotated[
    int | None,
    typer.Option(
        "--threads",
        metavar="N",
        min=1,
        max=1024,
        callback=_compute_with,
        help="To compute with.  [default: those of all cores, or of free ones]",
        rich_help_panel=GENERAL,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.", rich_help_panel=GENERAL)]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Say no more than results and warnings.", rich_help_panel=GENERAL)]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Say more.", rich_help_panel=GENERAL)]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace files that metagan did not write.", rich_help_panel=GENERAL)
]
Seed = Annotated[
    int,
    typer.Option("--seed", metavar="S", parser=read_seed, help="Where randomness starts.", rich_help_panel=GENERAL),
]
SkipBad = Annotated[bool, typer.Option("--skip-bad", help="Go on without images that cannot be read.", rich_help_panel=DATA)]
Frames = Annotated[bool, typer.Option("--frames", help="All frames of animations, not the first of each.", rich_help_panel=DATA)]
Base = Annotated[
    str,
    typer.Option(
        "--from",
        metavar="NAME|FILE",
        help="The base model; auto chooses by what the folder holds.",
        rich_help_panel=LEARNING,
    ),
]
Fit = Annotated[
    str,
    typer.Option(
        "--fit",
        metavar="HOW",
        help="Images that are not square: pad, crop to their middle, fill (cut to one shape, stretched), or auto.",
        rich_help_panel=DATA,
    ),
]
Depth = Annotated[
    str,
    typer.Option(
        "--depth",
        metavar="NAME",
        help=f"What may change: {', '.join(DEPTHS)}; auto opens more for folders far from the base's.",
        rich_help_panel=LEARNING,
    ),
]
Steps = Annotated[
    int,
    typer.Option(
        "--steps",
        metavar="N",
        min=0,
        max=1000,
        help="Inner steps after the feed-forward one.",
        rich_help_panel=LEARNING,
    ),
]
FirstSeed = Annotated[
    int,
    typer.Option(
        "--seed",
        metavar="S",
        parser=read_seed,
        help="Images S, S+1, ...; each is the same whatever -n is.",
        rich_help_panel=DRAWING,
    ),
]
Seeds = Annotated[
    str | None,
    typer.Option("--seeds", metavar="LIST", help="Just these images, as 0,4-9.", rich_help_panel=DRAWING),
]
Truncation = Annotated[
    float,
    typer.Option("--truncation", metavar="T", min=0, max=1, help="Less is tamer.", rich_help_panel=DRAWING),
]
Motifs = Annotated[
    str | None,
    typer.Option(
        "--motifs",
        metavar="NAMES",
        help="New members that show these: home,camera; digits, latin, icons, symbols or all; a folder of drawings.",
        rich_help_panel=DRAWING,
    ),
]
Variants = Annotated[
    bool, typer.Option("--variants", help="Variants of the examples, and no new members.", rich_help_panel=DRAWING)
]
Size = Annotated[
    str,
    typer.Option(
        "--size",
        metavar="SIZE",
        help="Of an image: model, folder, 128, 48x64; auto is the folder's, at most 1024, in a grid or a page 256.",
        rich_help_panel=OUTPUT,
    ),
]
