"""Episodes of hand and motif: a hand's drawings, guests by other hands, and the truths, what this hand makes of their motifs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from metagan_cli.config import TrainConfig
from metagan_cli.data.episodes import stream
from metagan_cli.data.program_hands import draw_hand, styled
from metagan_cli.data.sources.hands import Hands
from metagan_cli.errors import InputError
from metagan_cli.images.ink import ink_of
from metagan_cli.rng import generator_for

OWN = 0.6  # share of the hands drawn by program whose guests are what the program started from
KIN = 0.35  # share of the guests that are by a hand of the same family, where there is one


@dataclass(frozen=True)
class GuestEpisode:
    """Images in [-1, 1] of B hands: support [B, K, C, S, S], guests and truths [B, N, C, S, S]."""

    support: Tensor
    guests: Tensor
    truths: Tensor

    @property
    def images(self) -> tuple[Tensor, ...]:
        """All of them, as an outer loop takes them."""
        return self.support, self.guests, self.truths


class GuestEpisodes:
    """Draws them, by the step's number alone."""

    def __init__(self, hands: Hands, config: TrainConfig) -> None:
        """Raises InputError where no hand has so many drawings of what others draw as well."""
        self.hands, self.config = hands, config
        shared = np.array([len(np.unique(hands.hand[group])) > 1 for group in hands.by_motif])
        able = [int(shared[hands.motif[members]].sum()) for members in hands.by_hand]
        fewest = max(config.shots) + config.queries
        self.weights = hands.weights * (torch.tensor(able) >= fewest)
        if not self.weights.any():
            raise InputError(f"no hand has {fewest} drawings of motifs that others draw as well")

    def draw(self, step: int) -> GuestEpisode:
        """The episode of an outer step."""
        rng = generator_for(self.config.seed, "guests", step)
        shots = self.config.shots[_below(len(self.config.shots), rng)]
        found: list[tuple[Tensor, Tensor, Tensor]] = []
        while len(found) < self.config.tasks_per_batch:
            task = self._task(int(torch.multinomial(self.weights, 1, generator=rng)), shots, rng)
            found += [task] if task else []
        return GuestEpisode(*(torch.stack(part) for part in zip(*found, strict=True)))

    def stream(self, first: int, last: int, workers: int) -> Iterable[GuestEpisode]:
        """The episodes of outer steps `first` to `last` - 1, drawn ahead by so many processes, or as they are asked for."""
        return stream(self.draw, range(first, last), workers)

    def _task(self, hand: int, shots: int, rng: torch.Generator) -> tuple[Tensor, Tensor, Tensor] | None:
        """Of one hand: its drawings, guests and truths; nothing where it has too few motifs that others draw as well."""
        hands = self.hands
        members = hands.by_hand[hand]
        order = members[torch.randperm(len(members), generator=rng).numpy()]
        program = draw_hand(rng, hands.images.shape[1]) if float(torch.rand((), generator=rng)) < self.config.program else None
        own = program is not None and float(torch.rand((), generator=rng)) < OWN
        shown, guests, truths = set(hands.motif[order[:shots]].tolist()), list[int](), list[int]()
        for number in order[shots:].tolist():
            if len(truths) == self.config.queries:
                break
            motif = int(hands.motif[number])
            guest = number if own else self._guest(hand, motif, rng)
            if guest is not None and motif not in shown:
                shown.add(motif)
                guests.append(guest)
                truths.append(number)
        if len(truths) < self.config.queries:
            return None
        support, seen, wanted = (self._images(numbers) for numbers in (order[:shots], guests, truths))
        if program is not None:
            both = styled((ink_of(torch.cat([support, wanted])) + 1) / 2, program, rng)
            support, wanted = both[:shots], both[shots:]
        return support, seen, wanted

    def _guest(self, hand: int, motif: int, rng: torch.Generator) -> int | None:
        """Another hand's drawing of a motif, if there is one."""
        others = self.hands.by_motif[motif]
        others = others[self.hands.hand[others] != hand]
        families = self.hands.family[self.hands.hand[others]] == self.hands.family[hand]
        kin, strangers = others[families], others[~families]
        some = kin if len(kin) and (float(torch.rand((), generator=rng)) < KIN or not len(strangers)) else strangers
        return int(some[_below(len(some), rng)]) if len(some) else None

    def _images(self, numbers: Sequence[int]) -> Tensor:
        return self.hands.images[torch.as_tensor(np.asarray(numbers))].float() / 127.5 - 1


def _below(count: int, rng: torch.Generator) -> int:
    return int(torch.randint(count, (), generator=rng))
