"""Episodes of hand and motif: a hand's drawings, guests by other hands, and the truths, what this hand makes of their motifs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from metagan_cli.data.program_hands import ProgramHand, draw_hand, styled
from metagan_cli.data.sources.hands import Hands
from metagan_cli.rng import generator_for

PROGRAM = 0.35  # share of the episodes' tasks whose hand is drawn by program
OWN = 0.6  # share of those whose guests are what the program started from
KIN = 0.35  # share of the guests that are by a hand of the same family, where there is one


@dataclass(frozen=True)
class GuestEpisode:
    """Images in [-1, 1] of B hands: support [B, K, C, S, S], guests and truths [B, N, C, S, S]."""

    support: Tensor
    guests: Tensor
    truths: Tensor


class GuestEpisodes:
    """Draws them, by the step's number alone."""

    def __init__(
        self, hands: Hands, weights: Sequence[float], *, shots: tuple[int, ...], tasks: int, queries: int, seed: int,
        program: float = PROGRAM, stream: str = "guests",
    ) -> None:
        """From hands whose chance of being drawn is as `weights` say."""
        self.hands, self.weights = hands, torch.tensor(weights, dtype=torch.float64)
        self.shots, self.tasks, self.queries, self.seed = shots, tasks, queries, seed
        self.program, self.stream = program, stream

    def draw(self, step: int) -> GuestEpisode:
        """The episode of an outer step."""
        rng = generator_for(self.seed, self.stream, step)
        shots = self.shots[_below(len(self.shots), rng)]
        found: list[tuple[Tensor, Tensor, Tensor]] = []
        while len(found) < self.tasks:
            hand = int(torch.multinomial(self.weights, 1, generator=rng))
            task = self._task(hand, shots, rng)
            if task is not None:
                found.append(task)
        return GuestEpisode(*(torch.stack(part) for part in zip(*found, strict=True)))

    def _task(self, hand: int, shots: int, rng: torch.Generator) -> tuple[Tensor, Tensor, Tensor] | None:
        """Of one hand: its drawings, guests and truths; nothing where it has too few motifs that others draw as well."""
        hands = self.hands
        members = hands.by_hand[hand]
        order = members[torch.randperm(len(members), generator=rng).numpy()]
        program = draw_hand(rng) if float(torch.rand((), generator=rng)) < self.program else None
        own = program is not None and float(torch.rand((), generator=rng)) < OWN
        shown, guests, truths = set(hands.motif[order[:shots]].tolist()), [], []
        for number in order[shots:].tolist():
            if len(truths) == self.queries:
                break
            motif = int(hands.motif[number])
            guest = number if own else self._guest(hand, motif, rng)
            if guest is not None and motif not in shown:
                shown.add(motif)
                guests.append(guest)
                truths.append(number)
        if len(truths) < self.queries:
            return None
        support, seen, wanted = (self._images(numbers) for numbers in (order[:shots], guests, truths))
        if program is not None:
            both = styled((torch.cat([support, wanted]) + 1) / 2, program, rng)
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
