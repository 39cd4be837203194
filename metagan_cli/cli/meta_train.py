"""metagan meta-train."""

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from metagan_cli.cli.console import Console
from metagan_cli.cli.options import (
    DATA,
    GENERAL,
    LEARNING,
    RUN,
    AsJson,
    Device,
    Overwrite,
    Quiet,
    SkipBad,
    Threads,
    Verbose,
    read_numbers,
    read_seconds,
    read_seed,
)
from metagan_cli.cli.signals import Interrupts
from metagan_cli.config import ALGORITHMS, INNER_LOSSES, LEARNERS, PRECISIONS, DataConfig, ModelConfig, TrainConfig

if TYPE_CHECKING:
    from metagan_cli.workflows.meta_train import Progress, TrainResult

EXAMPLE = "metagan meta-train runs/mine --data ./task_folders --image-size 64 --budget 2h"
TRAIN = TrainConfig()


def meta_train(
    outdir: Annotated[Path, typer.Argument(metavar="[OUTDIR]", help="The run's folder.")] = Path("metagan-run"),
    data: Annotated[
        list[str] | None,
        typer.Option(
            "--data",
            metavar="SOURCE",
            help="Repeatable: a folder of task folders, .npz, doodles, omniglot, mnist, mnist-styles, fonts.  [default: doodles]",
            rich_help_panel=DATA,
        ),
    ] = None,
    skip_bad: SkipBad = False,
    learner: Annotated[
        str | None,
        typer.Option(
            "--learner",
            metavar="NAME",
            help=f"{', '.join(LEARNERS)}.  [default: {ModelConfig.learner}]",
            rich_help_panel=LEARNING,
        ),
    ] = None,
    algorithm: Annotated[
        str | None,
        typer.Option(
            "--algorithm",
            metavar="NAME",
            help=f"Of the gradient learner: {', '.join(ALGORITHMS)}.  [default: {ModelConfig.algorithm}]",
            rich_help_panel=LEARNING,
        ),
    ] = None,
    image_size: Annotated[
        int | None,
        typer.Option("--image-size", metavar="S", help="32, 64 or 128.  [default: 32]", rich_help_panel=DATA),
    ] = None,
    channels: Annotated[
        int | None, typer.Option("--channels", metavar="C", help="1 gray, 3 colour.  [default: 1]", rich_help_panel=DATA)
    ] = None,
    shots: Annotated[
        str | None,
        typer.Option("--shots", metavar="LIST", help="Support sizes, as 1,2,3,5.  [default: 1,2,3,5]", rich_help_panel=DATA),
    ] = None,
    queries: Annotated[
        int | None,
        typer.Option("--queries", metavar="N", help=f"Held-out images a task.  [default: {TRAIN.queries}]", rich_help_panel=DATA),
    ] = None,
    tasks_per_batch: Annotated[
        int | None,
        typer.Option("--tasks-per-batch", metavar="N", help=f"[default: {TRAIN.tasks_per_batch}]", rich_help_panel=LEARNING),
    ] = None,
    inner_steps: Annotated[
        int | None,
        typer.Option("--inner-steps", metavar="N", help=f"At most.  [default: {TRAIN.inner_steps}]", rich_help_panel=LEARNING),
    ] = None,
    inner_loss: Annotated[
        str | None,
        typer.Option(
            "--inner-loss",
            metavar="NAME",
            help=f"{', '.join(INNER_LOSSES)}.  [default: {ModelConfig.inner_loss}]",
            rich_help_panel=LEARNING,
        ),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option("--steps", metavar="N", help=f"Outer steps.  [default: {TRAIN.steps}]", rich_help_panel=RUN),
    ] = None,
    budget: Annotated[
        str | None, typer.Option("--budget", metavar="TIME", help="Stop after this time, as 20m.", rich_help_panel=RUN)
    ] = None,
    start_from: Annotated[
        str | None, typer.Option("--from", metavar="MODEL", help="Start from its weights.", rich_help_panel=RUN)
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with OUTDIR, bit for bit.", rich_help_panel=RUN)] = False,
    every: Annotated[
        int | None,
        typer.Option("--every", metavar="N", help=f"Steps between checkpoints.  [default: {TRAIN.every}]", rich_help_panel=RUN),
    ] = None,
    keep: Annotated[
        int | None,
        typer.Option("--keep", metavar="N", help=f"Checkpoints kept.  [default: {TRAIN.keep}]", rich_help_panel=RUN),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", metavar="FILE", help="A recipe; options override it.", rich_help_panel=RUN),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and stop.", rich_help_panel=RUN)] = False,
    precision: Annotated[
        str | None,
        typer.Option("--precision", metavar="NAME", help=f"{', '.join(PRECISIONS)}.  [default: auto]", rich_help_panel=GENERAL),
    ] = None,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Write its event files into OUTDIR too.", rich_help_panel=RUN)
    ] = False,
    seed: Annotated[
        int | None,
        typer.Option("--seed", metavar="S", parser=read_seed, help=f"[default: {TRAIN.seed}]", rich_help_panel=GENERAL),
    ] = None,
    device: Device = "auto",
    threads: Threads = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    overwrite: Overwrite = False,
) -> None:
    """Meta-train a base model over many tasks."""
    console = Console(as_json=as_json, quiet=quiet, verbose=verbose)
    from metagan_cli.ranks import joined
    from metagan_cli.workflows import recipe as recipes

    with joined() as ranks, Interrupts(patient=ranks.count > 1) as interrupts:
        recipe = recipes.recipe_to_begin_with(outdir, config, resume)
        model = _changed(
            recipe.model, image_size=image_size, channels=channels, learner=learner, algorithm=algorithm, inner_loss=inner_loss
        )
        train = _changed(
            recipe.train,
            shots=read_numbers("--shots", shots),
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
        recipe = replace(
            recipe, name=recipe.name or os.fsencode(outdir.name).decode(errors="replace"), model=model, train=train, data=sources
        )
        seconds = read_seconds(budget)
        if dry_run:
            planned, toml = recipes.plan(recipe)
            if ranks.first:
                console.result("meta-train", {"out": str(outdir), "recipe": planned, "dry_run": True}, [toml.rstrip()])
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
            stopped=lambda: interrupts.received is not None,
            ranks=ranks,
        )
    if ranks.first:
        _tell_result(console, result)
    raise typer.Exit(int(interrupts.exit_code))


def _tell_result(console: Console, result: "TrainResult") -> None:
    values = {"out": str(result.folder), "step": result.step, "steps": result.steps, "finished": result.finished}
    state = "finished" if result.finished else "stopped; --resume goes on"
    facts = [
        ("trained", f"{result.step} of {result.steps} steps in {result.seconds / 60:.1f} min, {state}"),
        ("model", f"{result.folder / 'model.safetensors'}"),
    ]
    console.facts("meta-train", values | {"seconds": round(result.seconds, 1)}, facts)


def _changed(config: Any, **changes: Any) -> Any:
    return replace(config, **{name: value for name, value in changes.items() if value is not None})


def _tell_progress(console: Console, progress: "Progress") -> None:
    stats = progress.stats
    figures = (
        f"{progress.images_per_second:.0f} images/s  critic {stats.critic_loss:.3f}  "
        f"generator {'waits' if stats.generator_loss is None else f'{stats.generator_loss:.3f}'}  "
        f"margin {progress.margin:.3f}  spread {progress.spread:.3f}"
    )
    console.progress("outer steps", stats.step + 1, progress.steps, figures)
    if progress.warning:
        console.warn(progress.warning)
