"""The command line: parse, call one workflow, render. Nothing heavy is imported before it is needed."""

import errno
import os
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from metagan_cli import __version__
from metagan_cli.config import (
    ALGORITHMS,
    DEPTHS,
    INNER_LOSSES,
    LEARNERS,
    PRECISIONS,
    AdaptConfig,
    DataConfig,
    EvaluateConfig,
    ModelConfig,
    Recipe,
    SampleConfig,
    TrainConfig,
    read_recipe,
)
from metagan_cli.console import Console, error_line, plain_lines
from metagan_cli.errors import ExitCode, MetaganError, UsageError

if TYPE_CHECKING:
    from metagan_cli.data.folders import Support
    from metagan_cli.evaluation.gain import Gain
    from metagan_cli.workflows.adapt import Adapted
    from metagan_cli.workflows.evaluate import Evaluated, Row
    from metagan_cli.workflows.learning_curve import CurvePoint
    from metagan_cli.workflows.leave_one_out import LeftOut
    from metagan_cli.workflows.meta_train import Progress
    from metagan_cli.workflows.sample import Sampled

app = typer.Typer(
    name="metagan",
    help="Few-shot image generation: a folder of a few images in, new ones out, in seconds, without a GPU.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _seed(given: str | int) -> int:
    """What --seed says, or the default, which Typer has read as well."""
    text = str(given)
    if not text.isdigit() or int(text) >= 2**64:
        raise UsageError(f"--seed {text}: a whole number from 0 to 2^64 - 1")
    return int(text)


ADAPT, SAMPLE, TRAIN, EVALUATE = AdaptConfig(), SampleConfig(), TrainConfig(), EvaluateConfig()
ADAPTING = ("base", "steps", "depth", "fit", "skip_bad")  # options of sample that a folder is adapted by
KEPT = ("count", "seed", "seeds", "interpolate", "steps", "depth", "fit")  # and those that the picture of --like answers

Device = Annotated[str, typer.Option("--device", metavar="NAME", help="auto, cpu, cuda, cuda:0 or mps.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Say no more than results and warnings.")]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Say more.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace files that metagan did not write.")]
Seed = Annotated[int, typer.Option("--seed", metavar="S", parser=_seed, help="Where randomness starts.")]
SkipBad = Annotated[bool, typer.Option("--skip-bad", help="Go on without images that cannot be read.")]
Base = Annotated[str, typer.Option("--from", metavar="NAME|FILE", help="The base model; auto chooses by what the folder holds.")]
Fit = Annotated[str, typer.Option("--fit", metavar="HOW", help="Images that are not square: pad, or crop to their middle.")]
Depth = Annotated[
    str,
    typer.Option(
        "--depth", metavar="NAME", help=f"What may change: {', '.join(DEPTHS)}; auto opens more for folders far from the base's."
    ),
]
Steps = Annotated[int, typer.Option("--steps", metavar="N", min=0, max=1000, help="Inner steps after the feed-forward one.")]


def _version(asked: bool) -> None:
    if asked:
        print(f"metagan {__version__}")
        raise typer.Exit()


@app.callback()
def _root(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    pass


@app.command(epilog="Example: metagan adapt ./my_samples/ -o runes.safetensors")
def adapt(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A folder of a few images.")],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FILE", help="The adapted model.")] = Path("adapted.safetensors"),
    base: Base = ADAPT.base,
    steps: Steps = ADAPT.steps,
    budget: Annotated[
        str | None, typer.Option("--budget", metavar="TIME", help="Begin no inner step after this, as 10s.")
    ] = None,
    learner: Annotated[str | None, typer.Option("--learner", metavar="NAME", help="Refuse a base with another learner.")] = None,
    depth: Depth = ADAPT.depth,
    fit: Fit = ADAPT.fit,
    skip_bad: SkipBad = False,
    standalone: Annotated[bool, typer.Option("--standalone", help="Embed the base model in the file.")] = False,
    seed: Seed = ADAPT.seed,
    device: Device = "auto",
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    overwrite: Overwrite = False,
) -> None:
    """Learn what the images of a folder have in common."""
    console = Console(as_json=as_json, quiet=quiet, verbose=verbose)
    settings = AdaptConfig(
        base,
        learner,
        steps,
        depth=depth,
        budget=_seconds(budget),
        fit=fit,
        skip_bad=skip_bad,
        standalone=standalone,
        seed=seed,
    )
    from metagan_cli.workflows import adapt as workflow

    adapted = workflow.adapt(folder, out, settings, device=device, overwrite=overwrite)
    _tell_support(console, adapted.support)
    for warning in adapted.warnings:
        console.warn(warning)
    values = {"out": str(out), "base": adapted.base.name, "seconds": round(adapted.seconds, 2)} | adapted.metadata
    values["skipped"] = [list(pair) for pair in adapted.support.skipped]
    console.result("adapt", values, _adapt_lines(adapted, out))


def _adapt_lines(adapted: "Adapted", out: Path) -> list[str]:
    report, support = adapted.copies, adapted.support
    used = f"{adapted.shots} of {support.found} images" if adapted.shots < support.found else f"{adapted.shots} images"
    look = "light on dark" if support.light_on_dark else "dark on light"
    near = f"median distance to the nearest example {report.nearest:.3f}"
    if report.examples_nearest is not None:
        near += f" (between the examples themselves {report.examples_nearest:.3f})"
    return [
        f"read     {used}, {support.form.words}, {look}; {len(support.skipped)} skipped",
        f"base     {adapted.base.name} ({adapted.reason}), feed-forward step and {adapted.inner_steps} inner steps",
        *_depth_line(adapted),
        f"copies   {report.copies} of {report.samples} test samples; {near}",
        f"wrote    {out} in {adapted.seconds:.1f} s",
    ]


def _depth_line(adapted: "Adapted") -> list[str]:
    if adapted.deepened is None:
        return []
    tried = adapted.deepened
    opened = "nothing but the state, more did not help" if tried.depth == DEPTHS[0] else tried.depth
    return [f"opened   {opened}: {tried.steps} steps, judged by {tried.held_out} held-out images"]


def _tell_support(console: Console, support: "Support") -> None:
    support.tell_skipped(console.note)
    for note in support.notes:
        console.note(note)
    for first, second in support.duplicates:
        console.detail(f"nearly the same: {first} and {second}")


@app.command(epilog="Example: metagan sample -n 64 -o out.png --with-support")
def sample(
    context: typer.Context,
    model: Annotated[
        Path, typer.Argument(metavar="[MODEL|FOLDER]", help="An adapted model, or a folder to adapt to first.")
    ] = Path("adapted.safetensors"),
    count: Annotated[
        int | None, typer.Option("-n", "--count", metavar="N", min=1, help=f"How many.  [default: {SAMPLE.count}]")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="FILE", help="A grid: .png .webp .jpg  [default: out.png]")
    ] = None,
    each: Annotated[Path | None, typer.Option("--each", metavar="DIR", help="Single files, also or instead.")] = None,
    seed: Annotated[
        int,
        typer.Option("--seed", metavar="S", parser=_seed, help="Images S, S+1, ...; each is the same whatever -n is."),
    ] = SAMPLE.seed,
    seeds: Annotated[str | None, typer.Option("--seeds", metavar="LIST", help="Just these images, as 0,4-9.")] = None,
    truncation: Annotated[
        float, typer.Option("--truncation", metavar="T", min=0, max=1, help="Less is tamer.")
    ] = SAMPLE.truncation,
    columns: Annotated[int | None, typer.Option("--columns", metavar="C", min=1, max=10000, help="Of the grid.")] = None,
    size: Annotated[
        str, typer.Option("--size", metavar="SIZE", help="Of an image: model, folder, 128, 48x64; auto is folder for pixel art.")
    ] = SAMPLE.size,
    scale: Annotated[int, typer.Option("--scale", metavar="K", min=1, max=16, help="Pixels a pixel, unsmoothed.")] = SAMPLE.scale,
    with_support: Annotated[bool, typer.Option("--with-support", help="The examples beside the samples.")] = False,
    interpolate: Annotated[bool, typer.Option("--interpolate", help="A walk between seeds; .gif and .webp animate.")] = False,
    like: Annotated[Path | None, typer.Option("--like", metavar="FILE", help="Again, with the settings in a picture.")] = None,
    base: Base = ADAPT.base,
    steps: Steps = ADAPT.steps,
    depth: Depth = ADAPT.depth,
    fit: Fit = ADAPT.fit,
    skip_bad: SkipBad = False,
    device: Device = "auto",
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    overwrite: Overwrite = False,
) -> None:
    """Draw new images."""
    console = Console(as_json=as_json, quiet=quiet, verbose=verbose)
    given = _given(context)
    if seeds is not None and count is not None and not interpolate:
        raise UsageError("-n and --seeds: give one of them")
    if "seed" in given and "seeds" in given:
        raise UsageError("--seed and --seeds: give one of them")
    for option in (given[name] for name in KEPT if like is not None and name in given):
        raise UsageError(f"--like and {option}: the picture keeps its own; leave one of them out")
    for option in (given[name] for name in ADAPTING if model.is_file() and name in given):
        raise UsageError(f"{option}: goes with a folder of images; {model} is adapted already")
    from metagan_cli.workflows import sample as workflow

    wanted = count or SAMPLE.count
    chosen: Any = workflow.parse_seeds(seeds) if seeds is not None else range(seed, seed + (2 if interpolate else wanted))
    if chosen[-1] >= 2**64:
        raise UsageError(f"--seed {seed}: the last seed would pass 2^64")
    if out is None and each is None:
        out = Path("out.png")
    inputs = model if model.is_dir() else None
    request = workflow.SampleRequest(
        chosen, out, each, truncation, columns, size, scale, with_support, wanted if interpolate else None, overwrite, inputs
    )
    settings = AdaptConfig(base=base, steps=steps, depth=depth, fit=fit, skip_bad=skip_bad)
    kept = workflow.like(like) if like is not None else None
    if kept is not None:
        request, settings = workflow.requested(kept, request, given), workflow.adapted_by(kept, settings)
    workflow.check_request(request)
    ready = workflow.load_ready(model, device, settings)
    if kept is not None:
        workflow.check_same_model(kept, ready)
    if ready.support is not None:
        _tell_support(console, ready.support)
    done = workflow.sample(ready, request)
    for warning in done.warnings:
        console.warn(warning)
    values: dict[str, Any] = {
        "count": done.count,
        "out": _text(done.out),
        "each": _text(done.each),
        "seconds": round(done.seconds, 2),
    }
    values["copies"] = done.copies.as_dict() if done.copies else None
    values["skipped"] = [list(pair) for pair in ready.support.skipped] if ready.support else []
    console.result("sample", values, _sample_lines(done))


def _given(context: typer.Context) -> dict[str, str]:
    """The names of the parameters that stand on the command line, and what they are called there."""
    there = [p for p in context.command.params if getattr(context.get_parameter_source(str(p.name)), "name", "") == "COMMANDLINE"]
    return {str(parameter.name): max(parameter.opts, key=len) for parameter in there}


def _sample_lines(done: "Sampled") -> list[str]:
    places = " and ".join(str(place) for place in (done.out, done.each) if place is not None)
    lines = [f"wrote    {done.count} images to {places} in {done.seconds:.1f} s"]
    if done.copies:
        report = done.copies
        lines.append(f"copies   {report.copies} of {report.samples}; median distance to the nearest example {report.nearest:.3f}")
    return lines


@app.command("meta-train", epilog="Example: metagan meta-train runs/mine --data ./task_folders --image-size 64 --budget 2h")
def meta_train(
    outdir: Annotated[Path, typer.Argument(metavar="[OUTDIR]", help="The run's folder.")] = Path("metagan-run"),
    data: Annotated[
        list[str] | None,
        typer.Option(
            "--data",
            metavar="SOURCE",
            help="Repeatable: a folder of task folders, .npz, doodles, omniglot, mnist, mnist-styles, fonts.  [default: doodles]",
        ),
    ] = None,
    skip_bad: SkipBad = False,
    learner: Annotated[
        str | None, typer.Option("--learner", metavar="NAME", help=f"{', '.join(LEARNERS)}.  [default: {ModelConfig.learner}]")
    ] = None,
    algorithm: Annotated[
        str | None,
        typer.Option(
            "--algorithm",
            metavar="NAME",
            help=f"Of the gradient learner: {', '.join(ALGORITHMS)}.  [default: {ModelConfig.algorithm}]",
        ),
    ] = None,
    image_size: Annotated[int | None, typer.Option("--image-size", metavar="S", help="32, 64 or 128.  [default: 32]")] = None,
    channels: Annotated[int | None, typer.Option("--channels", metavar="C", help="1 gray, 3 colour.  [default: 1]")] = None,
    shots: Annotated[
        str | None, typer.Option("--shots", metavar="LIST", help="Support sizes, as 1,2,3,5.  [default: 1,2,3,5]")
    ] = None,
    queries: Annotated[
        int | None, typer.Option("--queries", metavar="N", help=f"Held-out images a task.  [default: {TRAIN.queries}]")
    ] = None,
    tasks_per_batch: Annotated[
        int | None, typer.Option("--tasks-per-batch", metavar="N", help=f"[default: {TRAIN.tasks_per_batch}]")
    ] = None,
    inner_steps: Annotated[
        int | None, typer.Option("--inner-steps", metavar="N", help=f"At most.  [default: {TRAIN.inner_steps}]")
    ] = None,
    inner_loss: Annotated[
        str | None,
        typer.Option("--inner-loss", metavar="NAME", help=f"{', '.join(INNER_LOSSES)}.  [default: {ModelConfig.inner_loss}]"),
    ] = None,
    steps: Annotated[int | None, typer.Option("--steps", metavar="N", help=f"Outer steps.  [default: {TRAIN.steps}]")] = None,
    budget: Annotated[str | None, typer.Option("--budget", metavar="TIME", help="Stop after this time, as 20m.")] = None,
    start_from: Annotated[str | None, typer.Option("--from", metavar="MODEL", help="Start from its weights.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with OUTDIR, bit for bit.")] = False,
    every: Annotated[
        int | None, typer.Option("--every", metavar="N", help=f"Steps between checkpoints.  [default: {TRAIN.every}]")
    ] = None,
    keep: Annotated[int | None, typer.Option("--keep", metavar="N", help=f"Checkpoints kept.  [default: {TRAIN.keep}]")] = None,
    config: Annotated[Path | None, typer.Option("--config", metavar="FILE", help="A recipe; options override it.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and stop.")] = False,
    precision: Annotated[
        str | None, typer.Option("--precision", metavar="NAME", help=f"{', '.join(PRECISIONS)}.  [default: auto]")
    ] = None,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Write its event files into OUTDIR too.")] = False,
    seed: Annotated[int | None, typer.Option("--seed", metavar="S", parser=_seed, help=f"[default: {TRAIN.seed}]")] = None,
    device: Device = "auto",
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    overwrite: Overwrite = False,
) -> None:
    """Meta-train a base model over many tasks."""
    console = Console(as_json=as_json, quiet=quiet, verbose=verbose)
    stored = outdir / "config.toml"
    recipe = read_recipe(config) if config else read_recipe(stored) if resume and stored.is_file() else Recipe()
    model = _changed(
        recipe.model, image_size=image_size, channels=channels, learner=learner, algorithm=algorithm, inner_loss=inner_loss
    )
    train = _changed(
        recipe.train,
        shots=_numbers("--shots", shots),
        queries=queries,
        tasks_per_batch=tasks_per_batch,
        inner_steps=inner_steps,
        steps=steps,
        every=every,
        keep=keep,
        precision=precision,
        seed=seed,
    )
    sources = tuple(DataConfig(source) for source in data) if data else recipe.data
    if skip_bad:
        sources = tuple(replace(source, skip_bad=True) for source in sources)
    recipe = Recipe(recipe.name or outdir.name, model, train, sources)
    seconds = _seconds(budget)
    if dry_run:
        _show_plan(console, recipe, outdir)
        return
    from metagan_cli.workflows.meta_train import meta_train as workflow

    result = workflow(
        recipe,
        outdir,
        device=device,
        resume=resume,
        overwrite=overwrite,
        budget=seconds,
        start_from=start_from,
        tensorboard=tensorboard,
        report=lambda progress: _tell_progress(console, progress),
        say=console.note,
    )
    values = {"out": str(result.folder), "step": result.step, "steps": result.steps, "finished": result.finished}
    state = "finished" if result.finished else "stopped; --resume goes on"
    lines = [
        f"trained  {result.step} of {result.steps} steps in {result.seconds / 60:.1f} min, {state}",
        f"model    {result.folder / 'model.safetensors'}",
    ]
    console.result("meta-train", values | {"seconds": round(result.seconds, 1)}, lines)
    raise typer.Exit(int(result.code))


def _changed(config: Any, **changes: Any) -> Any:
    return replace(config, **{name: value for name, value in changes.items() if value is not None})


def _show_plan(console: Console, recipe: Recipe, outdir: Path) -> None:
    from metagan_cli.config import to_dict, to_toml
    from metagan_cli.data.sources import check_source

    for source in recipe.data:
        check_source(source)
    console.result("meta-train", {"out": str(outdir), "recipe": to_dict(recipe), "dry_run": True}, [to_toml(recipe).rstrip()])


def _tell_progress(console: Console, progress: "Progress") -> None:
    stats = progress.stats
    left = progress.seconds_left
    console.progress(
        f"step {stats.step + 1}/{progress.steps}  {progress.images_per_second:.0f} images/s  "
        f"left {timedelta(seconds=round(left))}  critic {stats.critic_loss:.3f}  "
        f"generator {'waits' if stats.generator_loss is None else f'{stats.generator_loss:.3f}'}  "
        f"margin {progress.margin:.3f}  spread {progress.spread:.3f}"
    )
    if progress.warning:
        console.warn(progress.warning)


@app.command(epilog="Example: metagan evaluate glyph --data ./task_folders --shots 1,5 --report report.html")
def evaluate(
    model: Annotated[
        list[str] | None,
        typer.Argument(metavar="[MODEL...]", help="Names or files.  [default: for a folder what suits it, else glyph]"),
    ] = None,
    data: Annotated[
        str, typer.Option("--data", metavar="SOURCE", help="A folder of task folders, or of images; .npz, or a built-in source.")
    ] = "doodles",
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="NAME", help="Repeatable: just tasks whose names start so.")
    ] = None,
    skip_bad: SkipBad = False,
    shots: Annotated[str, typer.Option("--shots", metavar="LIST", help="Support sizes.")] = "1,5",
    tasks: Annotated[int, typer.Option("--tasks", metavar="N", min=2, help="At most so many tasks.")] = EVALUATE.tasks,
    exemplar: Annotated[
        str, typer.Option("--exemplar", metavar="KIND", help="First support image: prototype (the most typical one) or random.")
    ] = EVALUATE.exemplar,
    steps: Steps = ADAPT.steps,
    learning_curve: Annotated[
        bool, typer.Option("--learning-curve", help="Also quality against inner steps, beside training from scratch.")
    ] = False,
    gain: Annotated[bool, typer.Option("--gain", help="Also what a classifier gains from generated images.")] = False,
    report: Annotated[Path | None, typer.Option("--report", metavar="FILE", help="All of it as one page: .html")] = None,
    seed: Seed = EVALUATE.seed,
    device: Device = "auto",
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    overwrite: Overwrite = False,
) -> None:
    """Score models on tasks that they have not seen."""
    console = Console(as_json=as_json, quiet=quiet, verbose=verbose)
    chosen = _numbers("--shots", shots) or ()
    if not chosen or not all(1 <= k <= 32 for k in chosen):
        raise UsageError(f"--shots {shots}: numbers from 1 to 32")
    settings = replace(EVALUATE, shots=tuple(sorted(set(chosen))), tasks=tasks, steps=steps, exemplar=exemplar, seed=seed)
    source = DataConfig(data, only=tuple(only or ()), skip_bad=skip_bad)
    from metagan_cli.workflows import evaluate as workflow
    from metagan_cli.workflows.leave_one_out import is_single_folder, leave_one_out

    def tell(what: str, done: int, whole: int) -> None:
        console.progress(f"{what}: {done} of {whole} tasks")

    if report is not None:
        workflow.check_report(report, overwrite)
    names = tuple(model or [workflow.default_model(data)])
    if is_single_folder(data):
        asked = {
            "--report": report,
            "--learning-curve": learning_curve,
            "--gain": gain,
            "--only": only,
            "another model": names[1:],
        }
        for option in (name for name, value in asked.items() if value):
            raise UsageError(f"{option}: goes with a folder of task folders; {data} is one folder of images")
        left = leave_one_out(source, workflow.ready_model(names[0], device), settings, tell, console.note)
        console.result("evaluate", {"left_out": left.as_dict()}, _left_out_lines(left))
        return
    setup = workflow.set_up(names, source, settings, device, console.note)
    evaluated = workflow.evaluate(setup, workflow.usual_cache(), tell)
    curve: list[CurvePoint] = []
    gains: list[Gain] = []
    if learning_curve:
        from metagan_cli.workflows.learning_curve import learning_curve as measure_curve

        curve = measure_curve(setup, evaluated, tell)
    if gain:
        from metagan_cli.workflows.gains import augmentation_gains

        gains = augmentation_gains(setup, tell)
    if report is not None:
        from metagan_cli.workflows.report import write_report

        write_report(report, evaluated, curve, gains)
        console.note(f"wrote {report}")
    values = evaluated.as_dict() | {"curve": [p.as_dict() for p in curve], "gains": [asdict(g) for g in gains]}
    console.result("evaluate", values, _evaluate_lines(evaluated, curve, gains))


def _left_out_lines(left: "LeftOut") -> list[str]:
    return [
        f"images   {left.images}; distance of a left-out one to the nearest sample {left.to_sample:.3f}, "
        f"to the nearest other example {left.to_example:.3f}",
        f"copies   {100 * left.copies:.0f} % of the samples",
        f"verdict  {left.verdict}",
    ]


def _evaluate_lines(evaluated: "Evaluated", curve: "Sequence[CurvePoint]", gains: "Sequence[Gain]") -> list[str]:
    lines: list[str] = []
    for shots in sorted({row.shots for row in evaluated.rows}):
        head = "recognizability %        diversity  kernel  precision  coverage  told apart  copies"
        lines += ["" if lines else f"{evaluated.source}: {len(evaluated.tasks)} tasks", f"{f'{shots} shots':24} {head}"]
        for row in evaluated.rows:
            if row.shots == shots:
                fewer = "" if row.tasks == len(evaluated.tasks) else f" ({row.tasks} tasks)"
                lines.append(f"{row.name + fewer:24} {_evaluate_cells(evaluated, row)}  {row.score.verdict}")
    for row in evaluated.rows:
        if row.pooled:
            found = ", ".join(f"{name.upper()} {value:.4g}" for name, value in row.pooled.items())
            lines.append(f"inception {row.name}, {row.shots} shots: {found}")
    for point in curve:
        kernel = point.score.figures["kernel"].mean
        lines.append(f"curve    {point.name}, {point.steps} steps, {point.seconds:.2f} s a task: kernel {kernel:.3f}")
    for g in gains:
        lines.append(
            f"gain     {g.shots} real images a class: {100 * g.real:.1f} % alone, {100 * g.augmented:.1f} % with turned copies, "
            f"{100 * g.generated:.1f} % with generated ones"
        )
    return lines


def _evaluate_cells(evaluated: "Evaluated", row: "Row") -> str:
    f, cells = row.score.figures, []
    known = f.get("recognizability")
    cells.append(f"{100 * known.mean:5.1f} ({100 * known.low:5.1f} to {100 * known.high:5.1f})" if known else f"{'-':22}")
    cells.append(f"{evaluated.relative_diversity(row):9.2f}")
    for name, width in (("kernel", 7), ("precision", 9), ("coverage", 8), ("neighbour", 10)):
        cells.append(f"{f[name].mean:{width}.3f}" if name in f else f"{'-':>{width}}")
    return "  ".join([*cells, f"{100 * f['copies'].mean:4.0f} %"])


@app.command(epilog="Example: metagan inspect adapted.safetensors")
def inspect(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A model, a run, a picture or a folder of images.")],
    seed: Seed = 0,
    device: Device = "auto",
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    overwrite: Overwrite = False,
) -> None:
    """Say what a file or folder is, without changing anything."""
    from metagan_cli.workflows.inspect import inspect as workflow

    found = workflow(path)
    Console(as_json=as_json).result("inspect", found, plain_lines(found))


@app.command(epilog="Example: metagan models")
def models(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Just this one.")] = None,
    seed: Seed = 0,
    device: Device = "auto",
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    overwrite: Overwrite = False,
) -> None:
    """List the shipped models with their cards: data, licences, figures, and what they cannot do."""
    from metagan_cli.store.shipped import shipped_models

    found = [model for model in shipped_models() if name in (None, model.name)]
    if name and not found:
        raise UsageError(f"models {name}: ships not; metagan models lists those that do")
    values = [
        {"name": m.name, "path": str(m.path), "card": str(m.card), "size": m.image_size, "channels": m.channels, "text": m.text}
        for m in found
    ]
    lines = [f"{m.name:<10} {m.image_size} px, {'gray' if m.channels == 1 else 'colour'}: {m.about}\n\n{m.text}" for m in found]
    Console(as_json=as_json).result("models", {"models": values}, lines or ["no models are shipped with this installation"])


@app.command(epilog="Example: metagan doctor")
def doctor(
    seed: Seed = 0,
    device: Device = "auto",
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    overwrite: Overwrite = False,
) -> None:
    """Check the installation, the devices and the models, offline."""
    from metagan_cli.workflows.doctor import doctor as workflow

    checks = workflow(device)
    values = {"checks": [{"name": c.name, "ok": c.ok, "detail": c.detail} for c in checks], "ok": all(c.ok for c in checks)}
    Console(as_json=as_json).result("doctor", values, [f"{'ok  ' if c.ok else 'FAIL'} {c.name:<10} {c.detail}" for c in checks])
    raise typer.Exit(int(ExitCode.OK if values["ok"] else ExitCode.FAILED))


def _numbers(option: str, text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdigit() for part in parts):
        raise UsageError(f"{option} {text}: numbers with commas between them")
    return tuple(map(int, parts))


def _seconds(text: str | None) -> float | None:
    """A time like 90, 10s, 20m or 2h in seconds."""
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


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def main() -> NoReturn:
    """The `metagan` command: runs a command and ends with its exit code."""
    try:
        _check_surroundings()
        code = app(standalone_mode=False)
    except MetaganError as error:
        error_line(str(error))
        code = error.code
    except (KeyboardInterrupt, typer.Abort):
        error_line("interrupted")
        code = ExitCode.INTERRUPTED
    except BrokenPipeError:
        _close_stdout()
        code = ExitCode.OK
    except Exception as error:
        code = _report(error)
    sys.exit(int(code or 0))


def _close_stdout() -> None:
    """What could not be written there is not tried again at the end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _check_surroundings() -> None:
    """Refuses empty arguments, as of a shell's unset variables, and a working folder that is gone, where torch cannot compute."""
    if "" in sys.argv[1:]:
        raise UsageError(f"nothing after {sys.argv[sys.argv.index('') - 1]}: an empty argument")
    try:
        Path.cwd()
    except OSError as error:
        raise UsageError(f"the working folder cannot be used ({error.strerror}); cd to one that exists") from error


def _report(error: Exception) -> ExitCode:
    """A mistake on the command line in one line; anything else is a bug, whose traceback is kept in a file."""
    if hasattr(error, "format_message") and hasattr(error, "exit_code"):  # what Typer's parser raises
        message = error.format_message()
        error_line(f"{message or 'give a command'} (see metagan --help)")
        return ExitCode.USAGE
    if isinstance(error, MemoryError) or "out of memory" in str(error) or "can't allocate memory" in str(error):
        error_line("out of memory; use fewer images or a smaller batch")
        return ExitCode.DEVICE
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        error_line(f"{error.filename or 'the output'}: {error.strerror}")
        _close_stdout()
        return ExitCode.OUTPUT
    import tempfile

    trace = Path(tempfile.gettempdir()) / f"metagan-{int(time.time())}-{os.getpid()}.txt"
    try:
        trace.write_text("".join(traceback.format_exception(error)))
        kept = f"; the traceback is in {trace}"
    except OSError:
        kept = ""
    error_line(f"a bug in metagan: {type(error).__name__}: {error}{kept}")
    return ExitCode.BUG
