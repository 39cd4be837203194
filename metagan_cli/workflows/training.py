"""What a run of meta-training trains: a model by tasks, or the painter of guests in one that is trained already."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from metagan_cli.config import Recipe, same_networks
from metagan_cli.data.episodes import Episodes, draw_task
from metagan_cli.data.guests import GuestEpisodes
from metagan_cli.data.sources.hands import Hands, for_training, of_names, open_hands
from metagan_cli.data.sources.open import open_source
from metagan_cli.data.sources.tasks import Say, TaskSource
from metagan_cli.devices import choose_precision
from metagan_cli.errors import InputError, UsageError
from metagan_cli.evaluation.domain import fit_domain
from metagan_cli.learners.base import Learner
from metagan_cli.learners.build import build_learner
from metagan_cli.networks.bundle import Networks, build_networks
from metagan_cli.networks.generator.guests import GuestPainter
from metagan_cli.networks.widen import in_colour, painter_in_colour
from metagan_cli.ranks import ALONE, Ranks
from metagan_cli.rng import generator_for
from metagan_cli.store.features import load_perceptual_net
from metagan_cli.store.kinship import load_kinship
from metagan_cli.store.models import BaseModel, load_model
from metagan_cli.store.shipped import find_features, find_model
from metagan_cli.store.tensors import TensorFile
from metagan_cli.training.guests import GuestLoop
from metagan_cli.training.outer_loop import OuterLoop, StepStats
from metagan_cli.training.previews import SHOTS, TRUTH, GuestPreview, Preview

PREVIEWS, PREVIEWED = 12, SHOTS + TRUTH  # tasks that previews show, and images of each
DOMAIN_TASKS = 480  # tasks that say what the training images look like
PREVIEW: dict[str, Any] = {"shots": (6,), "queries": 8, "tasks_per_batch": PREVIEWS, "program": 0.0}  # of guests
KNOWN = ("domain", "data", "shots", "variation")  # what a model with guests says as the one did that they came to


class Loop(Protocol):
    """One update of all that a run trains."""

    device: torch.device
    tasks: Sequence[int]  # of a batch, those that its steps are given

    @property
    def precision(self) -> str:
        """What networks compute in, by its name in recipes."""

    @property
    def step(self) -> Callable[..., StepStats]:
        """Outer step of a number, and of an episode's images."""

    def averaged(self) -> tuple[Networks, Learner]:
        """Networks and learner as they ship."""

    def tensors(self) -> dict[str, Tensor]:
        """All that a resumed run needs, by name."""

    def figures(self) -> dict[str, Any]:
        """The rest of the state: plain values."""

    def load(self, tensors: dict[str, Tensor], figures: dict[str, Any]) -> None:
        """Puts both back."""


class Drawing(Protocol):
    """What draws episodes."""

    def stream(self, first: int, last: int, workers: int, tasks: Sequence[int] | None = None) -> Iterable[Any]:
        """Those of some outer steps, and of these tasks."""


@dataclass(frozen=True)
class Training:
    """A run's parts, at the step that comes next."""

    loop: Loop
    episodes: Drawing
    preview: Preview | GuestPreview
    about: str  # the sources, in words
    known: dict[str, Any]  # what the model's file says beside its recipe
    step: int = 0
    seconds: float = 0.0  # spent before


@dataclass(frozen=True)
class Wanted:
    """What a run begins from, and where it computes."""

    recipe: Recipe
    device: torch.device
    precision: torch.dtype
    state: TensorFile | None
    start_from: str | None
    say: Say
    ranks: Ranks


def prepare(
    recipe: Recipe, device: torch.device, state: TensorFile | None, start_from: str | None, say: Say, ranks: Ranks = ALONE
) -> Training:
    """The parts of a run from its state, from another model or from the start, the same for all ranks.

    Raises UsageError, InputError, CheckpointError.
    """
    if device.type == "cuda" and device.index is not None:
        torch.cuda.set_device(device)  # or memory would be pinned by way of the first
    measured = "auto" if state is None else str(state.metadata.get("precision", "auto"))  # once for all of a run
    wanted = measured if recipe.train.precision == "auto" else recipe.train.precision
    precision = ranks.of_first(choose_precision(wanted, device))
    paints = {bool(source.shows) for source in recipe.data}
    if len(paints) > 1 or paints != {recipe.model.guests}:
        raise UsageError("guests = true in [model] goes with sources that all say what they show, and with no others")
    make = _of_guests if recipe.model.guests else _of_tasks
    training = make(Wanted(recipe, device, precision, state, start_from, say, ranks))
    if ranks.count > 1:  # machines of another kind draw and load weights that may differ in their last bits
        training.loop.load(*ranks.of_first((training.loop.tensors(), training.loop.figures())))
    return training


def _of_tasks(wanted: Wanted) -> Training:
    recipe, state = wanted.recipe, wanted.state
    fewest = min(recipe.train.shots) + recipe.train.queries
    splits = [open_source(d, recipe.model.image_size, recipe.model.channels, fewest, wanted.say) for d in recipe.data]
    episodes = Episodes([split.train for split in splits], [source.weight for source in recipe.data], recipe.train)
    listens = recipe.train.perception or recipe.model.inner_perception
    perceptual_net = load_perceptual_net(find_features("perceiver", recipe.model.channels))[0] if listens else None
    loop, step, seconds = OuterLoop(recipe, wanted.device, wanted.precision, perceptual_net, wanted.ranks), 0, 0.0
    if state is not None:
        loop.load(state.tensors, state.metadata)
        step, seconds = int(state.metadata["step"]), float(state.metadata["seconds"])
    elif wanted.start_from is not None:
        model = load_model(find_model(wanted.start_from))
        wider = model.config.channels < recipe.model.channels
        nets = in_colour(model.nets, generator_for(recipe.train.seed, "colour")) if wider else model.nets
        if not same_networks(nets.config, recipe.model):
            raise UsageError(f"--from {wanted.start_from}: has another architecture than this run")
        loop.begin_from(nets, model.learner)
    preview = Preview(_preview_tasks([split.held_out for split in splits], recipe.train.seed), recipe)
    known = {
        "domain": fit_domain(list(_some_tasks(episodes))).as_dict(),
        "data": _data(recipe),
        "shots": list(recipe.train.shots),
    }
    return Training(loop, episodes, preview, _describe([split.train for split in splits]), known, step, seconds)


def _of_guests(wanted: Wanted) -> Training:
    recipe, state = wanted.recipe, wanted.state
    machine = wanted.device, wanted.precision
    every = open_hands(recipe.data, recipe.model.image_size, recipe.model.channels)
    hands = for_training(every)
    net = load_kinship(find_features("kinship", recipe.model.channels)).net
    episodes, step, seconds = GuestEpisodes(hands, recipe.train), 0, 0.0
    if state is not None:
        nets, learner = build_networks(recipe.model), build_learner(recipe.model)
        loop = GuestLoop(recipe, *machine, nets, learner, net, wanted.ranks)
        loop.load(state.tensors, state.metadata)
        known, step, seconds = state.metadata["known"], int(state.metadata["step"]), float(state.metadata["seconds"])
    elif wanted.start_from is not None:
        model = load_model(find_model(wanted.start_from))
        if replace(model.config, guests=True) != recipe.model:  # all of it but its painter stays, and the file says what it is
            raise UsageError(f"--from {wanted.start_from}: guests come to a model as it is; give [model] what its recipe says")
        if recipe.train.painter and model.nets.guests is None:
            model.nets.guests = _painter(recipe.train.painter, recipe)
        loop = GuestLoop(recipe, *machine, model.nets, model.learner, net, wanted.ranks)
        known = _known(model, recipe)
    else:
        raise UsageError("guests come to a model that is trained already: name one with --from")
    about = f"{len(hands.by_hand)} hands, {len(hands.by_motif)} motifs"
    return Training(loop, episodes, _guest_preview(every, recipe), about, known, step, seconds)


def _painter(name: str, recipe: Recipe) -> GuestPainter:
    """The painter of a gray model, in colour. Raises UsageError."""
    model = load_model(find_model(name))
    if model.nets.guests is None or model.config.channels != 1 or recipe.model.channels != 3:
        raise UsageError(f"painter = {name}: a painter in colour begins as one of a gray model that paints guests")
    return painter_in_colour(model.nets.guests, recipe.model.image_size)


def _guest_preview(every: Hands, recipe: Recipe) -> GuestPreview:
    """Of fixed held-out hands, or of none where none draws enough."""
    try:
        return GuestPreview(GuestEpisodes(of_names(every, ()), replace(recipe.train, **PREVIEW)).draw(0).images)
    except InputError:
        return GuestPreview(None)


def _known(model: BaseModel, recipe: Recipe) -> dict[str, Any]:
    """What a model's file says that stays true with guests, and their sources beside its own."""
    known = {name: model.metadata[name] for name in KNOWN if name in model.metadata}
    before = known.get("data", [])
    return known | {"data": [*before, *(one for one in _data(recipe) if one not in before)]}


def _data(recipe: Recipe) -> list[dict[str, str]]:
    return [{"name": Path(d.source).stem, "licence": d.licence} for d in recipe.data]


def _some_tasks(episodes: Episodes) -> Iterator[Tensor]:
    """Training tasks as they are met, for the measures of what the model knows."""
    for step in range(-math.ceil(DOMAIN_TASKS / episodes.config.tasks_per_batch), 0):
        episode = episodes.draw(step)
        yield from torch.cat([episode.support, episode.query], 1)


def _preview_tasks(held_out: Sequence[TaskSource], seed: int) -> Tensor | None:
    """Images of fixed held-out tasks, from all sources in turn: [T, N, C, S, S], or nothing where none holds enough."""
    able = [source for source in held_out if source.tasks(PREVIEWED)]
    rng = generator_for(seed, "preview")
    tasks = [draw_task(able[i % len(able)], PREVIEWED, rng) for i in range(PREVIEWS)] if able else []
    return torch.stack(tasks) if tasks else None


def _describe(sources: Sequence[TaskSource]) -> str:
    return ", ".join(f"{source.name} ({source.tasks(2)} tasks)" for source in sources)
