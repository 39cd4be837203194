"""metagan sample."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from metagan_cli import cores
from metagan_cli.cli.console import Console, Fact
from metagan_cli.cli.options import (
    DRAWING,
    OUTPUT,
    AsJson,
    Base,
    Depth,
    Device,
    FirstSeed,
    Fit,
    Motifs,
    Overwrite,
    Quiet,
    Seeds,
    Size,
    SkipBad,
    Steps,
    Threads,
    Truncation,
    Variants,
    Verbose,
    given_in,
    text_of,
)
from metagan_cli.config import FORMATS, AdaptConfig, SampleConfig
from metagan_cli.errors import UsageError

if TYPE_CHECKING:
    from metagan_cli.workflows.sample import Sampled

EXAMPLE = "metagan sample -n 64 -o out.png --with-support"
ADAPT, SAMPLE = AdaptConfig(), SampleConfig()
ADAPTING = ("base", "steps", "depth", "fit", "skip_bad")  # options that a folder is adapted by
KEPT = (
    "count",
    "seed",
    "seeds",
    "interpolate",
    "motifs",
    "variants",
    "steps",
    "depth",
    "fit",
)  # and those that the picture of --like answers


def sample(
    context: typer.Context,
    model: Annotated[
        Path, typer.Argument(metavar="[MODEL|FOLDER]", help="An adapted model, or a folder to adapt to first.")
    ] = Path("adapted.safetensors"),
    count: Annotated[
        int | None,
        typer.Option(
            "-n",
            "--count",
            metavar="N",
            min=1,
            max=10**9,
            help=f"How many.  [default: {SAMPLE.count}, or one of each of --motifs]",
            rich_help_panel=DRAWING,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="FILE", help="A grid: .png .webp .jpg  [default: out.png]", rich_help_panel=OUTPUT),
    ] = None,
    each: Annotated[
        Path | None,
        typer.Option("--each", metavar="DIR", help="Single files, also or instead.", rich_help_panel=OUTPUT),
    ] = None,
    file_format: Annotated[
        str,
        typer.Option("--format", metavar="NAME", help=f"Of single files: {', '.join(FORMATS)}.", rich_help_panel=OUTPUT),
    ] = SAMPLE.format,
    seed: FirstSeed = SAMPLE.seed,
    seeds: Seeds = None,
    truncation: Truncation = SAMPLE.truncation,
    columns: Annotated[
        int | None,
        typer.Option("--columns", metavar="C", min=1, max=10000, help="Of the grid.", rich_help_panel=OUTPUT),
    ] = None,
    size: Size = SAMPLE.size,
    scale: Annotated[
        int,
        typer.Option("--scale", metavar="K", min=1, max=16, help="Pixels a pixel, unsmoothed.", rich_help_panel=OUTPUT),
    ] = SAMPLE.scale,
    with_support: Annotated[
        bool, typer.Option("--with-support", help="The examples beside the samples.", rich_help_panel=OUTPUT)
    ] = False,
    motifs: Motifs = None,
    variants: Variants = False,
    interpolate: Annotated[
        bool,
        typer.Option("--interpolate", help="A walk between seeds; .gif and .webp animate.", rich_help_panel=DRAWING),
    ] = False,
    like: Annotated[
        Path | None,
        typer.Option("--like", metavar="FILE", help="Again, with the settings in a picture.", rich_help_panel=DRAWING),
    ] = None,
    base: Base = ADAPT.base,
    steps: Steps = ADAPT.steps,
    depth: Depth = ADAPT.depth,
    fit: Fit = ADAPT.fit,
    skip_bad: SkipBad = False,
    device: Device = "auto",
    threads: Threads = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    overwrite: Overwrite = False,
) -> None:
    """Draw new images."""
    console = Console(as_json=as_json, quiet=quiet, verbose=verbose, brief=True)
    given = given_in(context)
    if seeds is not None and count is not None and not interpolate:
        raise UsageError(f"{given['count']} and --seeds: give one of them")
    if "seed" in given and "seeds" in given:
        raise UsageError("--seed and --seeds: give one of them")
    if "file_format" in given and each is None:
        raise UsageError("--format: of single files; goes with --each DIR, and -o has the format of its ending")
    for option in (given[name] for name in KEPT if like is not None and name in given):
        raise UsageError(f"--like and {option}: the picture keeps its own; leave one of them out")
    for option in (given[name] for name in ADAPTING if model.is_file() and name in given):
        raise UsageError(f"{option}: goes with a folder of images; {model} is adapted already")
    from metagan_cli.sampling.seeds import parse_seeds
    from metagan_cli.workflows import ready, repeat
    from metagan_cli.workflows import sample as workflow
    from metagan_cli.workflows.adapt import tell_support

    wanted = count or SAMPLE.count
    chosen: Any = parse_seeds(seeds) if seeds is not None else range(seed, seed + (2 if interpolate else wanted))
    if chosen[-1] >= 2**64:
        raise UsageError(f"--seed {seed}: the last seed would pass 2^64")
    if out is None and each is None:
        out = Path("out.png")
    inputs = model if model.is_dir() else None
    request = workflow.SampleRequest(
        chosen,
        out,
        each,
        truncation,
        columns,
        size,
        scale,
        with_support,
        wanted if interpolate else None,
        overwrite,
        inputs,
        file_format,
        motifs,
        variants,
    )
    settings = AdaptConfig(base=base, steps=steps, depth=depth, fit=fit, skip_bad=skip_bad)
    kept = repeat.like(like) if like is not None else None
    if kept is not None:
        request, settings = repeat.requested(kept, request, given), repeat.adapted_by(kept, settings)
    workflow.check_request(request)
    if inputs is None:
        cores.use_what_is_free()
    source = ready.load_ready(model, device, settings, console.progress, partial(workflow.check_images, request))
    if kept is not None:
        repeat.check_same_model(kept, source)
    if source.support is not None:
        tell_support(source.support, console.note, console.detail)
    if request.motifs is not None and count is None and seeds is None and kept is None:
        request = replace(request, seeds=range(seed, seed + workflow.motif_count(source, request.motifs)))
    done = workflow.sample(source, request, console.progress)
    for warning in done.warnings:
        console.warn(warning)
    values: dict[str, Any] = {
        "count": done.count,
        "out": text_of(done.out),
        "each": text_of(done.each),
        "seconds": round(done.seconds, 2),
    }
    values["copies"] = done.copies.as_dict() if done.copies else None
    values["skipped"] = [list(pair) for pair in source.support.skipped] if source.support else []
    values["notes"] = list(source.support.notes) if source.support else []
    console.facts("sample", values, _facts(done))


def _facts(done: "Sampled") -> list[Fact]:
    places = " and ".join(str(place) for place in (done.out, done.each) if place is not None)
    facts = [("wrote", f"{done.count} images to {places} in {done.seconds:.1f} s")]
    if done.copies:
        near = f"median distance to the nearest example {done.copies.nearest:.3f}"
        facts.append(("copies", f"{done.copies.copies} of {done.copies.samples}; {near}"))
    return facts
