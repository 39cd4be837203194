"""metagan augment."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from metagan_cli.cli.console import Console, Fact
from metagan_cli.cli.options import (
    DATA,
    DRAWING,
    OUTPUT,
    AsJson,
    Base,
    Depth,
    Device,
    FirstSeed,
    Fit,
    Frames,
    Overwrite,
    Quiet,
    SkipBad,
    Steps,
    Threads,
    Truncation,
    Verbose,
    given_in,
)
from metagan_cli.config import FORMATS, AdaptConfig, AugmentConfig
from metagan_cli.errors import UsageError

if TYPE_CHECKING:
    from metagan_cli.evaluation.metrics import Figure
    from metagan_cli.workflows.augment.check import Checked
    from metagan_cli.workflows.augment.run import Augmented

EXAMPLE = "metagan augment ./animals -n 50 -o ./more-animals"
ADAPT, AUGMENT = AdaptConfig(depth="state"), AugmentConfig()
KEPT = ("count", "per_class", "seed", "truncation", "size", "file_format", "drop_copies", "least", "new_only", "base", "steps",
        "depth", "fit", "skip_bad", "frames")  # fmt: skip  # options that the manifest of --like answers


def augment(
    context: typer.Context,
    tree: Annotated[Path, typer.Argument(metavar="TREE", help="A folder of class folders.")],
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="OUT", help="A folder for the results.", rich_help_panel=OUTPUT)
    ] = None,
    count: Annotated[
        int,
        typer.Option("-n", "--count", metavar="N", min=0, max=1_000_000, help="New ones of each class.", rich_help_panel=DRAWING),
    ] = AUGMENT.count,
    per_class: Annotated[
        int | None,
        typer.Option(
            "--per-class", metavar="N", min=1, max=1_000_000, help="Fill each class up to so many.", rich_help_panel=DRAWING
        ),
    ] = None,
    new_only: Annotated[bool, typer.Option("--new-only", help="Without the originals.", rich_help_panel=OUTPUT)] = False,
    drop_copies: Annotated[
        bool, typer.Option("--drop-copies", help="Others for what is nearly an original.", rich_help_panel=DRAWING)
    ] = False,
    seed: FirstSeed = AUGMENT.seed,
    truncation: Truncation = AUGMENT.truncation,
    size: Annotated[
        str,
        typer.Option(
            "--size", metavar="SIZE", help="model, folder, 128, 48x64; auto is the class's, at most 1024.", rich_help_panel=OUTPUT
        ),
    ] = AUGMENT.size,
    file_format: Annotated[
        str, typer.Option("--format", metavar="NAME", help=f"{', '.join(FORMATS[:-1])}.", rich_help_panel=OUTPUT)
    ] = AUGMENT.format,
    least: Annotated[
        float,
        typer.Option(
            "--least", metavar="SHARE", min=0, max=1, help="Of a labelled thing, else it is dropped.", rich_help_panel=DATA
        ),
    ] = AUGMENT.least,
    check: Annotated[
        bool,
        typer.Option("--check", help="Only say whether new images help to tell the classes.", rich_help_panel=OUTPUT),
    ] = False,
    shard: Annotated[
        str | None,
        typer.Option("--shard", metavar="I/N", help="One of N parts of the classes.", rich_help_panel=DATA),
    ] = None,
    like: Annotated[
        Path | None,
        typer.Option("--like", metavar="FILE", help="Again, with the settings in a manifest.jsonl.", rich_help_panel=DRAWING),
    ] = None,
    base: Base = ADAPT.base,
    steps: Steps = ADAPT.steps,
    depth: Depth = ADAPT.depth,
    fit: Fit = ADAPT.fit,
    skip_bad: SkipBad = False,
    frames: Frames = False,
    device: Device = "auto",
    threads: Threads = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    overwrite: Overwrite = False,
) -> None:
    """Add new images to a tree of class folders, with their labels."""
    console = Console(as_json=as_json, quiet=quiet, verbose=verbose, brief=True)
    given = given_in(context)
    if "count" in given and "per_class" in given:
        raise UsageError(f"{given['count']} and {given['per_class']}: give one of them")
    for option in (given[name] for name in KEPT if like is not None and name in given):
        raise UsageError(f"--like and {option}: the manifest keeps its own; leave one of them out")
    if out is None and not check:
        raise UsageError("-o OUT: name a folder for the results")
    if out is not None and check:
        raise UsageError("-o and --check: the check writes no images; leave one of them out")
    from metagan_cli.workflows.augment import check as checking
    from metagan_cli.workflows.augment import run
    from metagan_cli.workflows.augment.request import AugmentRequest, requested_again

    wanted = AugmentConfig(count, per_class, seed, truncation, size, file_format, drop_copies, least)
    settings = AdaptConfig(base=base, steps=steps, depth=depth, fit=fit, skip_bad=skip_bad, frames=frames)
    request = AugmentRequest(tree, out or Path(), wanted, settings, new_only, _read_shard(shard), overwrite)
    if like is not None:
        request = requested_again(like, request)
    if check:
        _tell(console, checking.check(request, device, console.progress))
        return
    done = run.augment(request, device, console.progress, console.warn)
    for name, reason in done.skipped:
        console.note(f"skipped {name}: {reason}")
    values: dict[str, Any] = {"out": str(out), "classes": done.classes, "originals": done.originals, "new": done.new}
    values |= {"copies": done.copies, "labels": list(done.labels), "finished": done.finished, "seconds": round(done.seconds, 2)}
    values["skipped"] = [list(pair) for pair in done.skipped]
    console.facts("augment", values, _facts(done))


def _tell(console: Console, checked: "Checked") -> None:
    """The table of a check, and what follows from it."""
    rows = [(method, *(_percent(checked.accuracy(c, method)) for c in checked.classifiers)) for method in checked.methods]
    heads = ("learned from", *checked.classifiers)
    widths = [max(len(row[column]) for row in (heads, *rows)) for column in range(len(heads))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in (heads, *rows)]
    about = f"{checked.images} originals of {checked.classes} classes, tested in {checked.folds} parts; {checked.new} new a class"
    verdicts = [f"{classifier}: {checked.verdict(classifier)}" for classifier in checked.classifiers]
    console.result("augment", checked.as_dict(), [about, "right, %", *lines, *verdicts])


def _percent(figure: "Figure") -> str:
    return f"{100 * figure.mean:.1f} ({100 * figure.low:.0f} to {100 * figure.high:.0f})"


def _read_shard(text: str | None) -> tuple[int, int]:
    if text is None:
        return 1, 1
    number, slash, count = text.partition("/")
    if not slash or not number.isdigit() or not count.isdigit():
        raise UsageError(f"--shard {text}: a part as 2/8")
    return int(number), int(count)


def _facts(done: "Augmented") -> list[Fact]:
    originals = f" beside {done.originals} originals" if done.originals else ""
    more = "" if done.finished else "; other parts are still to come"
    facts = [("wrote", f"{done.new} new images of {done.classes} classes{originals} to {done.out} in {done.seconds:.1f} s{more}")]
    facts.append(("copies", f"{done.copies} of {done.new}"))
    if done.labels:
        facts.append(("labels", ", ".join(done.labels)))
    if done.skipped:
        facts.append(("skipped", str(len(done.skipped))))
    return facts
