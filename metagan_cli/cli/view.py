"""metagan view."""

from pathlib import Path
from typing import Annotated, Any

import typer

from metagan_cli import cores
from metagan_cli.cli.console import Console, Fact
from metagan_cli.cli.options import (
    DRAWING,
    OUTPUT,
    AsJson,
    Base,
    Device,
    FirstSeed,
    Motifs,
    Overwrite,
    Quiet,
    Seeds,
    Size,
    SkipBad,
    Threads,
    Truncation,
    Variants,
    Verbose,
    given_in,
)
from metagan_cli.config import AdaptConfig, SampleConfig
from metagan_cli.errors import UsageError

EXAMPLE = "metagan view ./my_samples/ --serve"
ADAPT, SAMPLE = AdaptConfig(), SampleConfig()
OF_FOLDERS = ("base", "skip_bad")  # options that a folder is read and adapted by
OF_SAMPLES = ("seed", "seeds", "truncation", "size", "motifs", "variants", "base")  # and that have no part in results


def view(
    context: typer.Context,
    source: Annotated[
        Path,
        typer.Argument(
            metavar="[MODEL|FOLDER|OUT]",
            help="An adapted model, a folder to adapt to first, or one that augment or sample --each filled.",
        ),
    ] = Path("adapted.safetensors"),
    count: Annotated[
        int | None,
        typer.Option(
            "-n",
            "--count",
            metavar="N",
            min=1,
            max=10**9,
            help=f"How many, at most 1,000.  [default: {SAMPLE.count}, one of each of --motifs, or all of OUT]",
            rich_help_panel=DRAWING,
        ),
    ] = None,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FILE", help="The page: .html", rich_help_panel=OUTPUT)] = Path(
        "view.html"
    ),
    serve: Annotated[
        bool,
        typer.Option(
            "--serve", help="Serve the page to this machine's browser, and write what is picked.", rich_help_panel=OUTPUT
        ),
    ] = False,
    port: Annotated[
        int,
        typer.Option("--port", metavar="P", min=0, max=65535, help="Of --serve; 0 takes a free one.", rich_help_panel=OUTPUT),
    ] = 0,
    each: Annotated[
        Path, typer.Option("--each", metavar="DIR", help="Where what is picked goes.", rich_help_panel=OUTPUT)
    ] = Path("picked"),
    seed: FirstSeed = SAMPLE.seed,
    seeds: Seeds = None,
    truncation: Truncation = SAMPLE.truncation,
    size: Size = SAMPLE.size,
    motifs: Motifs = None,
    variants: Variants = False,
    base: Base = ADAPT.base,
    skip_bad: SkipBad = False,
    device: Device = "auto",
    threads: Threads = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    overwrite: Overwrite = False,
) -> None:
    """Look at samples on a page, and pick from them."""
    console = Console(as_json=as_json, quiet=quiet, verbose=verbose, brief=True)
    given = given_in(context)
    for first, second in (("count", "seeds"), ("seed", "seeds"), ("out", "serve")):
        if first in given and second in given:
            raise UsageError(f"{given[first]} and {given[second]}: give one of them")
    if "port" in given and not serve:
        raise UsageError("--port: of the page that --serve serves; leave it out, or give both")
    for option in (given[name] for name in OF_FOLDERS if source.is_file() and name in given):
        raise UsageError(f"{option}: goes with a folder of images; {source} is adapted already")
    from metagan_cli.sampling.seeds import parse_seeds
    from metagan_cli.workflows.adapt import tell_support
    from metagan_cli.workflows.sample import SampleRequest
    from metagan_cli.workflows.view import looking
    from metagan_cli.workflows.view.page import check_page, write_page
    from metagan_cli.workflows.view.results import results_in
    from metagan_cli.workflows.view.serve import PageServer

    if not serve:
        check_page(out, overwrite)
    results = results_in(source)
    for option in (given[name] for name in OF_SAMPLES if results is not None and name in given):
        raise UsageError(f"{option}: goes with a model or examples; {source} holds results already")
    if results is not None:
        looked = looking.look_at_results(source, results, each, count, skip_bad, overwrite, console.progress)
    else:
        chosen = parse_seeds(seeds) if seeds is not None else range(seed, seed + (count or SAMPLE.count))
        inputs = source if source.is_dir() else None
        if inputs is None:
            cores.use_what_is_free()
        request = SampleRequest(
            chosen,
            None,
            each,
            truncation,
            size=size,
            motifs=motifs,
            variants=variants,
            overwrite=overwrite,
            inputs=inputs,
        )
        settings, one_each = AdaptConfig(base=base, skip_bad=skip_bad), count is None and seeds is None
        looked = looking.look_at_samples(source, request, settings, device, one_each, console.progress)
    if looked.support is not None:
        tell_support(looked.support, console.note, console.detail)
    for warning in looked.view.warnings:
        console.warn(warning)
    server = PageServer(looked.view, looked.write, each, port, console.note) if serve else None
    content = server.page if server else write_page(out, looked.view)
    values: dict[str, Any] = {"count": len(looked.view.choices), "examples": len(looked.view.examples), "bytes": len(content)}
    values |= {"out": None if server else str(out), "url": server.url if server else None, "each": str(each)}
    near = looked.view.nearest
    values |= {"compared": len(looked.view.distances), "copies": looked.view.copies, "nearest": near and round(near, 4)}
    values["seconds"] = round(looked.seconds, 2)
    values["skipped"] = [list(pair) for pair in looked.support.skipped] if looked.support else []
    values["notes"] = list(looked.support.notes) if looked.support else []
    console.facts("view", values, _facts(values))
    if server is not None:
        console.note("open it in a browser; its button Done or Ctrl-C ends it")
        server.serve()


def _facts(values: dict[str, Any]) -> list[Fact]:
    facts = [("page", values["url"] or f"{values['out']}, {values['bytes'] / 1e6:.1f} MB")]
    facts.append(("shows", f"images: {values['count']}, examples: {values['examples']}"))
    if values["copies"] is not None:
        near = f"median distance to the nearest example {values['nearest']:.3f}"
        facts.append(("copies", f"{values['copies']} of {values['compared']}; {near}"))
    return facts
