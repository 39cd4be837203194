"""What new members of a set are worth: by whose hand they look drawn, what they show, how far they are from that hand's own."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from metagan_cli.evaluation.metrics import FEWEST_TASKS, by_task, neighbour_accuracy, recognizability
from metagan_cli.evaluation.outside import FEATURES, OutsideNet, side_for
from metagan_cli.evaluation.scores import Score
from metagan_cli.images.copies import are_copies, distances, thresholds
from metagan_cli.images.distance import distance_field
from metagan_cli.images.ink import ink_of
from metagan_cli.images.shifts import placed
from metagan_cli.networks.hand_net import FEATURES as FEATURES_OF_HANDS
from metagan_cli.networks.hand_net import HandNet

THINNEST, WIDEST, HALVINGS = -3.0, 4.0, 12  # pixels that an edge is moved at most, and steps of the search between


class MemberRuler:
    """What new members of T hands' sets are measured by, made once."""

    def __init__(
        self, judge: HandNet, support: Tensor, truths: Tensor, others: Tensor, outside: OutsideNet | None = None
    ) -> None:
        """Of support [T, K, C, S, S], what each hand drew [T, N, C, S, S], and the same motifs by third hands, in [-1, 1]."""
        self.judge, self.support, self.truths = judge, support, truths
        hands, _ = self._see(support)
        self.prototypes = F.normalize(hands.mean(1), dim=1)
        self.motifs = self._see(others)[1].flatten(0, 1)
        self.known = torch.cat(self._see(truths), 2)
        self.outside, self.side = outside, side_for(truths.shape[-1])
        self.real = None if outside is None else self._look(truths)

    def measure(self, images: Tensor) -> Score:
        """Figures, one a hand [T], of images [T, N, C, S, S] of the motifs of the truths.

        `hand` and `motif` are shares recognised among twenty, the former of FEWEST_TASKS hands or more. `pixels`, `own` and
        `outside` are distances from the truths: of pixels in [0, 1] after the best shift, of the judge's features, of the
        outside net's. `apart` and `outside apart` are shares told from truths of other motifs, by hand and by the outside net;
        `copies` the share that the copy test takes for copies of a support image.
        """
        tasks, count = images.shape[:2]
        hand, motif = self._see(images)
        seen, values = torch.cat([hand, motif], 2), dict[str, Tensor]()
        if tasks >= FEWEST_TASKS:
            values["hand"] = recognizability(self.prototypes, hand, torch.arange(tasks))
        found = recognizability(self.motifs, motif.flatten(0, 1)[:, None], torch.arange(tasks * count))
        values["motif"] = found.unflatten(0, (tasks, count)).mean(1)
        moved = placed(self.truths.flatten(0, 1), images.flatten(0, 1)).unflatten(0, (tasks, count))
        values["pixels"] = (images - moved).abs().mean((1, 2, 3, 4)) / 2
        values["own"] = (seen - self.known).norm(dim=2).mean(1)
        values["apart"] = _told_apart(self.known[..., :FEATURES_OF_HANDS], hand)
        pairs = zip(images, self.support, strict=True)
        copied = [are_copies(distances(some, examples), thresholds(examples)) for some, examples in pairs]
        values["copies"] = torch.stack(copied).float().mean(1)
        if self.real is not None:
            looked = self._look(images)
            values["outside"] = (looked - self.real).norm(dim=2).mean(1) / math.sqrt(FEATURES)
            values["outside apart"] = _told_apart(F.normalize(self.real, dim=2), F.normalize(looked, dim=2))
        return Score.of({name: value.float() for name, value in values.items()})

    @torch.no_grad()
    def _see(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """What tells the hand and what tells the motif of images [T, N, C, S, S], unit vectors [T, N, 128] each."""
        hand, motif = self.judge(images.flatten(0, 1))
        return hand.unflatten(0, images.shape[:2]), motif.unflatten(0, images.shape[:2])

    def _look(self, images: Tensor) -> Tensor:
        assert self.outside is not None
        outside, side = self.outside, self.side
        return by_task(lambda some: outside.describe(some, side), images)


def _told_apart(real: Tensor, drawn: Tensor) -> Tensor:
    """Share told apart [T] of features [T, N, D]: half of the real ones, and what was drawn of the other half's motifs."""
    half = real.shape[1] // 2
    return neighbour_accuracy(real[:, :half], drawn[:, half : 2 * half])


def with_weight_matched(guests: Tensor, support: Tensor) -> Tensor:
    """Guests [N, C, S, S] in [-1, 1], grown or shrunk until they have as much ink as support images [K, C, S, S] have.

    What a person would do in an editor, with the ink's own colour in folders that have one.
    """
    field = distance_field((ink_of(guests) + 1) / 2)
    wanted, low, high = ((ink_of(support) + 1) / 2).mean(), THINNEST, WIDEST
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if _cover(field, middle).mean() < wanted else (low, middle)
    cover = _cover(field, low)
    if guests.shape[1] == 1:
        return 2 * cover - 1
    ink = _mean_colour(support, ink_of(support) > 0)
    return torch.lerp(_mean_colour(support, ink_of(support) < 0).expand_as(guests), ink.expand_as(guests), cover)


def nearest_examples(guests: Tensor, support: Tensor) -> Tensor:
    """For each guest [N, C, S, S] the support image of [K, C, S, S] that has the most nearly its pixels."""
    return support[torch.cdist(guests.flatten(1), support.flatten(1)).argmin(1)]


def _cover(field: Tensor, grown: float) -> Tensor:
    return (field + grown + 0.5).clamp(0, 1)


def _mean_colour(images: Tensor, where: Tensor) -> Tensor:
    """The mean colour [1, C, 1, 1] of images [K, C, S, S] at places bool [K, 1, S, S]."""
    share = where.float()
    return ((images * share).sum((0, 2, 3)) / share.sum().clamp(min=1)).view(1, -1, 1, 1)
