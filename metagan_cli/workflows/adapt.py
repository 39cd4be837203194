"""adapt: a folder of a few images to an adapted model."""

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from metagan_cli.config import AdaptConfig
from metagan_cli.data.folders import Support, read_folder
from metagan_cli.devices import choose_device
from metagan_cli.errors import OutputError, UsageError
from metagan_cli.evaluation.copies import CopyReport, copy_report
from metagan_cli.evaluation.domain import domain_from_dict
from metagan_cli.learners.base import inner_game
from metagan_cli.rng import generator_for
from metagan_cli.sampling import Sampler
from metagan_cli.state import TaskState
from metagan_cli.store.models import BaseModel, load_model, save_adapted
from metagan_cli.store.pictures import check_target
from metagan_cli.store.shipped import choose_model, find_model

MOST_SHOTS = 32  # images that the state holds; of larger folders this many are used
TRIED = 32  # samples that the copy test looks at


@dataclass(frozen=True)
class Adapted:
    """An adapted model and everything worth saying about it."""

    state: TaskState
    base: BaseModel
    support: Support
    shots: int
    inner_steps: int
    copies: CopyReport
    distance: float | None  # from the base's training tasks; above 1 is far
    seconds: float
    warnings: tuple[str, ...]
    metadata: dict[str, Any] = field(default_factory=dict)


def adapt_folder(folder: Path, settings: AdaptConfig, device: str = "auto") -> Adapted:
    """Reads a folder, picks the base model and adapts it.

    Raises InputError for the images, CheckpointError for the model.
    """
    start = time.monotonic()
    chosen = choose_device(device)
    base, support = _read(folder, settings)
    images = support.images[:MOST_SHOTS]
    base.nets.to(chosen)
    base.learner.to(chosen)
    state, taken = _adapt(base, images.to(chosen), settings, start)
    report = copy_report(Sampler(base.nets, state).draw(range(TRIED)), images)
    distance = domain_from_dict(base.metadata["domain"]).distance(images) if "domain" in base.metadata else None
    warnings = (*support.warnings, *_domain_warning(distance, base.name), *_copy_warning(report))
    metadata = {
        "support": {"found": support.found, "used": len(images), "light_on_dark": support.light_on_dark},
        "inner_steps": taken,
        "seed": settings.seed,
        "copies": report.as_dict(),
        "distance": distance,
    }
    return Adapted(
        state, base, support, len(images), taken, report, distance, time.monotonic() - start, tuple(warnings), metadata
    )


def adapt(folder: Path, out: Path, settings: AdaptConfig, *, device: str = "auto", overwrite: bool = False) -> Adapted:
    """`adapt_folder`, then writes the adapted model. Raises OutputError before any work where it may not be written."""
    check_target(out, (".safetensors",), overwrite)
    if out.exists() and settings.base != "auto" and out.resolve() == find_model(settings.base).resolve():
        raise OutputError(f"{out}: is the base model itself; name another file with -o")
    adapted = adapt_folder(folder, settings, device)
    save_adapted(out, adapted.state, adapted.base, adapted.metadata, settings.standalone)
    return adapted


def _read(folder: Path, settings: AdaptConfig) -> tuple[BaseModel, Support]:
    """The base model and the folder's images in its format."""
    if settings.base != "auto":
        base = _load(find_model(settings.base), settings)
        return base, _support(folder, base, settings)
    first = choose_model(colourful=False)
    base = _load(first.path, settings)
    support = _support(folder, base, settings)
    better = choose_model(colourful=support.colourful)
    if better.path != first.path:
        base = _load(better.path, settings)
        support = _support(folder, base, settings)
    return base, support


def _load(path: Path, settings: AdaptConfig) -> BaseModel:
    base = load_model(path)
    if settings.learner not in (None, base.config.learner):
        raise UsageError(f"--learner {settings.learner}: '{base.name}' was trained with {base.config.learner}")
    return base


def _support(folder: Path, base: BaseModel, settings: AdaptConfig) -> Support:
    return read_folder(folder, size=base.config.image_size, channels=base.config.channels, skip_bad=settings.skip_bad)


def _adapt(base: BaseModel, images: torch.Tensor, settings: AdaptConfig, start: float) -> tuple[TaskState, int]:
    """The adapted state and the inner steps taken: fewer where the budget ends, or where there are too few images."""
    game = inner_game(base.config, settings.packs)
    with torch.no_grad():
        state = base.learner.begin(base.nets, images[None])
        if len(images) < game.fewest:
            return state, 0
        for step in range(settings.steps):
            if settings.budget is not None and time.monotonic() - start > settings.budget:
                return state, step
            state = base.learner.refine(base.nets, state, step, game, generator_for(settings.seed, "inner", step))
    return state, settings.steps


def _domain_warning(distance: float | None, name: str) -> list[str]:
    if distance is None or distance <= 1:
        return []
    return [
        f"these images are far from what '{name}' was trained on ({distance:.1f} times the usual limit): look before you trust"
    ]


def _copy_warning(report: CopyReport) -> list[str]:
    if report.copies * 4 < report.samples:
        return []
    return [f"{report.copies} of {report.samples} test samples are close to copies of an example"]
