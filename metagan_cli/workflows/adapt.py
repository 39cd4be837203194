"""adapt: a folder of a few images to an adapted model."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from metagan_cli.config import DEPTHS, AdaptConfig
from metagan_cli.data.readers.geometry import Array, Form
from metagan_cli.data.readers.support import Support
from metagan_cli.devices import choose_device
from metagan_cli.errors import OutputError, UsageError
from metagan_cli.evaluation.domain import domain_from_dict
from metagan_cli.images.copies import CopyReport, copy_report
from metagan_cli.images.natives import Natives, natives_of
from metagan_cli.learners.base import adaptation_game
from metagan_cli.learners.fine_tuning import Deepened, can_deepen, deepen
from metagan_cli.learners.game import inner_game
from metagan_cli.learners.hands import refine_hand
from metagan_cli.networks.state import TaskState
from metagan_cli.networks.weights import flat
from metagan_cli.rng import generator_for
from metagan_cli.sampling.sampler import Sampler
from metagan_cli.store.models import BaseModel, check_strip, load_model, save_adapted
from metagan_cli.store.pictures import check_target
from metagan_cli.store.shipped import find_model
from metagan_cli.values import to_dict
from metagan_cli.workflows.kinship import Family, family_of
from metagan_cli.workflows.plain import plain_drawings
from metagan_cli.workflows.progress import Report, silent
from metagan_cli.workflows.suited import Source, read_for, suited_model

MOST_SHOTS = 32  # images that the state holds; of larger folders this many are used
TRIED = 32  # samples that the copy test looks at


Check = Callable[[torch.Tensor, Form], object]  # images [K, C, S, S] and their form; raises MetaganError
Load = Callable[[Path], BaseModel]  # a base model from its file


def any_images(images: torch.Tensor, form: Form) -> None:
    """Refuses none."""


@dataclass(frozen=True)
class Learned:
    """What came of a few images."""

    state: TaskState
    base: BaseModel
    reason: str  # why this base
    support: Support
    inner_steps: int
    deepened: Deepened | None  # where more than the state was opened
    distance: float | None  # from the base's training tasks; above 1 is far
    warnings: tuple[str, ...]
    natives: Natives | None  # the examples at their own size, where that is larger than the model's and wanted

    @property
    def images(self) -> torch.Tensor:
        """Those that were used [K, C, S, S] in [-1, 1]."""
        return self.support.images[:MOST_SHOTS]


@dataclass(frozen=True)
class Adapted:
    """An adapted model and everything worth saying about it."""

    learned: Learned
    copies: CopyReport
    family: Family  # what the images are to each other
    seconds: float
    warnings: tuple[str, ...]
    metadata: dict[str, Any] = field(default_factory=dict)


def adapt_images(
    source: Source, settings: AdaptConfig, device: str = "auto", report: Report = silent, check: Check = any_images
) -> Adapted:
    """`learn`, and what a person should know of the result. Raises InputError for the images, CheckpointError for the model."""
    start = time.monotonic()
    learned = learn(source, settings, device, report, check)
    support, images = learned.support, learned.images
    report("test samples", 0, TRIED)
    copies = copy_report(Sampler(learned.base.nets, learned.state).draw(range(TRIED)), images)
    family = family_of(images)
    metadata = {
        "support": {"found": support.found, "used": len(images), "light_on_dark": support.light_on_dark},
        "form": to_dict(support.form),
        "inner_steps": learned.inner_steps,
        "depth": learned.deepened.as_dict() if learned.deepened else {"depth": "state"},
        "seed": settings.seed,
        "copies": copies.as_dict(),
        "distance": learned.distance,
        "family": asdict(family),
    }
    warnings = (*learned.warnings, *_copy_warning(copies))
    return Adapted(learned, copies, family, time.monotonic() - start, warnings, metadata)


def learn(
    source: Source,
    settings: AdaptConfig,
    device: str = "auto",
    report: Report = silent,
    check: Check = any_images,
    load: Load = load_model,
) -> Learned:
    """Reads a folder or images, picks the base model and adapts it, unless `check` refuses the images before.

    `load` is for callers that have base models already. Raises InputError for the images, CheckpointError for the model.
    """
    start = time.monotonic()
    chosen = choose_device(device)
    base, support, reason = read_examples(source, settings, report, load)
    images = support.images[:MOST_SHOTS]
    check(images, support.form)
    natives = None if settings.compact else _natives(support, images, report)
    settings = replace(settings, steps=inner_game(base.config).allowed(settings.steps, len(images)))
    base.nets.to(chosen)
    base.learner.to(chosen)
    distance = domain_from_dict(base.metadata["domain"]).distance(images) if "domain" in base.metadata else None
    is_far = distance is not None and distance > 1
    state, taken, deepened = _adapt(base, images.to(chosen), settings, start, is_far, report)
    warnings = (
        *support.warnings,
        *_budget_warning(taken, settings.steps),
        *_depth_warning(settings.depth, deepened),
        *domain_warning(distance, base.name),
    )
    return Learned(state, base, reason, support, taken, deepened, distance, warnings, natives)


def adapt(
    source: Source,
    out: Path,
    settings: AdaptConfig,
    *,
    device: str = "auto",
    overwrite: bool = False,
    report: Report = silent,
) -> Adapted:
    """`adapt_images`, then writes the adapted model. Raises OutputError before any work where it may not be written."""
    check_target(out, (".safetensors",), overwrite)
    if settings.strip and settings.base != "auto":
        check_strip(find_model(settings.base), settings.standalone)
    if out.exists() and settings.base != "auto" and out.resolve() == find_model(settings.base).resolve():
        raise OutputError(f"{out}: is the base model itself; name another file with -o")
    adapted = adapt_images(source, settings, device, report)
    save(out, adapted, settings.standalone, settings.strip)
    return adapted


def save(out: Path, adapted: Adapted, standalone: bool, strip: bool = False) -> None:
    """Writes what was adapted, where `standalone` with its base, with `strip` without names. Raises OutputError, UsageError."""
    learned = adapted.learned
    save_adapted(out, learned.state, learned.base, adapted.metadata, standalone, learned.natives, strip)


def tell_support(support: Support, note: Callable[[str], None], detail: Callable[[str], None]) -> None:
    """Says what was skipped of a folder, what was done to its images, and, as a detail, which are nearly the same."""
    support.tell_skipped(note)
    for line in support.notes:
        note(line)
    for first, second in support.duplicates:
        detail(f"nearly the same: {first} and {second}")


def read_examples(
    source: Source, settings: AdaptConfig, report: Report, load: Load = load_model
) -> tuple[BaseModel, Support, str]:
    """The base model, the images in its format, and why it was chosen.

    Raises InputError for the images, CheckpointError for the model.
    """
    if settings.base != "auto":
        base = _checked(load(find_model(settings.base)), settings)
        return base, read_for(source, base.config, settings, report), "as asked"
    suited = suited_model(source, settings, report)
    return _checked(load(suited.model.path), settings), suited.support, suited.reason


def _natives(support: Support, images: torch.Tensor, report: Report) -> Natives | None:
    """The images [K, C, S, S] that are used of a support at their own size, where that is larger. Raises InputError."""
    count, channels = images.shape[:2]
    side = support.native_side
    if not side:
        return None

    def read(number: int) -> Array:
        report("images kept", number + 1, count)
        return support.at_side(number, side)

    return natives_of(map(read, range(count)), side, channels)


def _checked(base: BaseModel, settings: AdaptConfig) -> BaseModel:
    if settings.learner not in (None, base.config.learner):
        raise UsageError(f"--learner {settings.learner}: '{base.name}' was trained with {base.config.learner}")
    return base


def _adapt(
    base: BaseModel, images: torch.Tensor, settings: AdaptConfig, start: float, is_far: bool, report: Report
) -> tuple[TaskState, int, Deepened | None]:
    """The adapted state, the inner steps taken, and how more than the state was opened.

    Steps are fewer where the budget ends.
    """

    def out_of_time() -> bool:
        return settings.budget is not None and time.monotonic() - start > settings.budget

    game = adaptation_game(base.config, base.learner, settings.packs)
    deepest = settings.depth if settings.depth != "auto" else DEPTHS[-1] if is_far else DEPTHS[0]
    nets, deepened = base.nets, None
    if deepest != DEPTHS[0] and can_deepen(game, base.learner, len(images)) and not out_of_time():
        deepened = deepen(nets, base.learner, images, game, deepest, settings.seed, out_of_time, partial(report, "deeper steps"))
        nets = deepened.nets
    with torch.no_grad():
        state, taken = base.learner.begin(nets, images[None]), 0
        while taken < settings.steps and not out_of_time():
            state = base.learner.refine(nets, state, taken, game, generator_for(settings.seed, "inner", taken))
            taken += 1
            report("inner steps", taken, settings.steps)
    if nets.guests is not None and taken > AdaptConfig.steps:  # a few steps bring too little for their time
        state = refine_hand(nets, state, plain_drawings(base.config).to(images.device), taken)
    if deepened is not None and deepened.depth != DEPTHS[0]:
        state = replace(state, weights=flat(nets.generator)[None])
    return state, taken, deepened


def _budget_warning(taken: int, steps: int) -> list[str]:
    return [f"--budget: {taken} of {steps} inner steps were taken, then time was up"] if taken < steps else []


def _depth_warning(depth: str, deepened: Deepened | None) -> list[str]:
    if depth in ("auto", DEPTHS[0]) or deepened is not None:
        return []
    return ["--depth: only the state was adapted: too few images to hold one out, no time, or a learner that opens all itself"]


def domain_warning(distance: float | None, name: str) -> list[str]:
    """What to say of images that are so far from a model's training tasks, if it is far."""
    if distance is None or distance <= 1:
        return []
    return [
        f"these images are far from what '{name}' was trained on ({distance:.1f} times the usual limit): look before you trust"
    ]


def _copy_warning(report: CopyReport) -> list[str]:
    if report.copies * 4 < report.samples:
        return []
    few = f"{report.copies} of {report.samples} test samples are close to copies of an example"
    return [f"{few}: more examples, or such as differ more, would show what may vary"]
