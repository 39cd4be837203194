"""New members of a set, judged: guests painted by a model in unseen hands, beside what else one might put into the set."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor

from metagan_cli.config import DataConfig, EvaluateConfig
from metagan_cli.data.guests import Members, draw_members
from metagan_cli.data.readers.geometry import Form
from metagan_cli.data.sources.hands import of_names, open_hands
from metagan_cli.evaluation.members import MemberRuler, nearest_examples, with_weight_matched
from metagan_cli.evaluation.outside import OutsideNet
from metagan_cli.evaluation.scores import Score
from metagan_cli.images.drawings import draw_svg
from metagan_cli.images.ink import ink_of
from metagan_cli.images.shape import keeps_shape
from metagan_cli.learners.hands import refine_hand
from metagan_cli.networks.state import TaskState
from metagan_cli.store.features import load_hand_net
from metagan_cli.store.models import BaseModel
from metagan_cli.store.motifs import bank
from metagan_cli.store.shipped import find_features
from metagan_cli.workflows.guests import is_type, members_of, of_bank
from metagan_cli.workflows.kinship import is_written
from metagan_cli.workflows.nearing import Nearing
from metagan_cli.workflows.plain import plain_drawings
from metagan_cli.workflows.progress import Report
from metagan_cli.workflows.ready import Ready

REAL, GUEST, MATCHED, NEAREST = "held-out members", "guest as it is", "guest, weight matched", "nearest example"
QUERIES = 12  # motifs of a hand

Draw = Callable[[Members], Tensor]


@dataclass(frozen=True)
class MemberRow:
    """What one way of making new members is worth at one number of shots."""

    name: str
    shots: int
    score: Score
    images: Tensor  # [T, N, C, S, S]

    def as_dict(self) -> dict[str, Any]:
        """Plain values, without the images."""
        figures = {name: {k: round(v, 6) for k, v in asdict(f).items()} for name, f in self.score.figures.items()}
        return {"name": self.name, "shots": self.shots, "figures": figures}


def evaluate_members(
    models: Sequence[BaseModel], data: DataConfig, settings: EvaluateConfig, outside: OutsideNet | None, report: Report
) -> list[MemberRow]:
    """Rows for each number of shots, of the hands that the source's `only` names, or else of those of families held out.

    Guests are by all others, or the bank's, as far as it has their motifs. Raises InputError for the source.
    """
    config = models[0].config
    hands = of_names(open_hands([replace(data, only=())], config.image_size, config.channels), data.only)
    judge, _ = load_hand_net(find_features("judges-hands", config.channels))
    rows = []
    for shots in settings.shots:
        known = None if settings.guests == "others" else {motif.name for motif in bank().motifs}
        tasks = draw_members(hands, shots, QUERIES, settings.tasks, settings.seed, known)
        if known is not None:
            tasks = [replace(task, guests=in_bank(task)) for task in tasks]
        support, truths, others = (torch.stack([getattr(t, name) for t in tasks]) for name in ("support", "truths", "others"))
        ruler = MemberRuler(judge, support, truths, others, outside)
        ways: dict[str, Draw] = {
            REAL: lambda task: task.truths,
            GUEST: lambda task: task.guests,
            MATCHED: lambda task: with_weight_matched(task.guests, task.support),
            NEAREST: lambda task: nearest_examples(task.guests, task.support),
        }
        for model in models:
            for steps in dict.fromkeys((0, settings.steps) if model.nets.guests else (0,)):
                name = f"{model.name}, {steps} inner steps" if model.nets.guests else model.name
                ways[name] = in_hand(model, steps) if known is None else from_bank(model, steps)
        for name, draw in ways.items():
            images = []
            for number, task in enumerate(tasks):
                report(name, number, len(tasks))
                images.append(draw(task))
            whole = torch.stack(images)
            rows.append(MemberRow(name, shots, ruler.measure(whole), whole))
    return rows


def in_hand(model: BaseModel, steps: int) -> Draw:
    """What a model makes of guests, each brought near by program, and all of a hand's painted unless that leads away from it."""

    @torch.no_grad()
    def draw(task: Members) -> Tensor:
        written = is_written(task.support)
        near = [Nearing(task.support, [ink_of(guest[None])], written).search() for guest in task.guests]
        images = torch.cat([one.draw(one.manner) for one in near])
        if model.nets.guests is None:
            return images
        state = _state(model, task.support, steps)
        whole, _ = model.nets.paint_guests(images[None].to(state.hand.device), state, model.nets.hand_in(state))
        painted = whole[0].float().clamp(-1, 1).cpu()
        if (written and is_type(near[0], state)) or not near[0].are_nearer(painted, images):
            return images
        kept = keeps_shape(images, painted, near[0].paints.own)
        return torch.where(kept[:, None, None, None], painted, images)

    return draw


def in_bank(task: Members) -> Tensor:
    """The bank's first drawings of a task's motifs, black on white in colour: [N, C, S, S] in [-1, 1]."""
    channels, side = task.support.shape[-3], task.support.shape[-1]
    ink = torch.stack([draw_svg(bank().named(name).drawings[0].body, side) for name in task.motifs])
    return ink if channels == 1 else -ink.expand(-1, channels, -1, -1)


def from_bank(model: BaseModel, steps: int) -> Draw:
    """What `sample --motifs` draws of a task's motifs."""

    @torch.no_grad()
    def draw(task: Members) -> Tensor:
        ready = Ready(_state(model, task.support, steps), model, "", light_on_dark=False, form=Form())
        guests = of_bank(ready, [bank().named(name) for name in task.motifs])
        return torch.cat([drawn.images for drawn in members_of(ready, guests).stream(range(len(task.motifs)))])

    return draw


@torch.no_grad()
def _state(model: BaseModel, support: Tensor, steps: int) -> TaskState:
    """The state of support images [K, C, S, S] after so many inner steps of its hand."""
    device = next(model.nets.parameters()).device
    state = model.learner.begin(model.nets, support[None].to(device))
    if model.nets.guests is None:
        return state
    return refine_hand(model.nets, state, plain_drawings(model.config).to(device), steps)
