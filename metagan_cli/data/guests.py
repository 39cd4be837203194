"""Episodes of hand and motif: a hand's drawings, guests by other hands, and the truths, what this hand makes of their motifs."""

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from metagan_cli.config import TrainConfig
from metagan_cli.data.episodes import stream
from metagan_cli.data.program_hands import draw_hand
from metagan_cli.data.sources.hands import Hands, Numbers
from metagan_cli.errors import InputError
from metagan_cli.images.ink import ink_of
from metagan_cli.images.styling import styled
from metagan_cli.rng import below, chance, generator_for, one_of

OWN = 0.6  # share of the hands drawn by program whose guests are what the program started from
KIN = 0.6  # share of the guests that are by a hand of the same family, where there is one


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

    def pin_memory(self) -> "GuestEpisode":
        """The same where a GPU fetches it from while it computes."""
        return GuestEpisode(*(images.pin_memory() for images in self.images))


@dataclass(frozen=True)
class Members:
    """A hand's drawings, and motifs by it and by others: what new members of its set are judged by; [., C, S, S] in [-1, 1]."""

    title: str
    support: Tensor
    guests: Tensor
    truths: Tensor
    others: Tensor  # the same motifs by third hands; where there is none, the guests
    motifs: tuple[str, ...]  # what these show


def draw_members(
    hands: Hands, shots: int, count: int, most: int, seed: int, known: Container[str] | None = None
) -> list[Members]:
    """At most so many hands, evenly chosen from those that have `shots` drawings and `count` that others drew as well.

    Where some motifs are `known`, those `count` are among them. Raises InputError where fewer than two have.
    """
    found = list[Members]()
    for hand in torch.nonzero(hands.weights).flatten().tolist():
        rng = generator_for(seed, "members", hand)
        order = _shuffled(hands.by_hand[hand], rng)
        rows, shown = list[tuple[int, int, int]](), set(hands.motif[order[:shots]].tolist())
        for number in order[shots:].tolist():
            motif = int(hands.motif[number])
            group = hands.by_motif[motif]
            others = group[hands.family[hands.hand[group]] != hands.family[hand]]
            is_wanted = known is None or hands.motifs[motif] in known
            if is_wanted and motif not in shown and len(others) and len(rows) < count:
                shown.add(motif)
                pair = _shuffled(others, rng)[:2]
                rows.append((int(pair[0]), number, int(pair[-1])))
        if len(rows) == count:
            guests, truths, thirds = (images_of(hands, numbers) for numbers in zip(*rows, strict=True))
            motifs = tuple(hands.motifs[hands.motif[number]] for _, number, _ in rows)
            found.append(Members(hands.names[hand], images_of(hands, order[:shots]), guests, truths, thirds, motifs))
    if len(found) < 2:
        raise InputError(f"fewer than two hands have {shots} drawings, and {count} of motifs that others draw as well")
    return [found[i] for i in torch.linspace(0, len(found) - 1, min(most, len(found))).round().long().tolist()]


def images_of(hands: Hands, numbers: Numbers | Sequence[int]) -> Tensor:
    """Drawings [N, C, S, S] in [-1, 1]."""
    return hands.images[torch.as_tensor(np.asarray(numbers))].float() / 127.5 - 1


class GuestEpisodes:
    """Draws them, by the step's number alone."""

    def __init__(self, hands: Hands, config: TrainConfig) -> None:
        """Raises InputError where no hand draws so many motifs that others draw as well."""
        self.hands, self.config = hands, config
        shared = np.array([len(np.unique(hands.hand[group])) > 1 for group in hands.by_motif])
        able = [int(shared[np.unique(hands.motif[members])].sum()) for members in hands.by_hand]
        fewest = max(config.shots) + config.queries
        self.weights = hands.weights * (torch.tensor(able) >= fewest)
        if not self.weights.any():
            raise InputError(f"no hand draws {fewest} motifs that others draw as well; lower shots or queries")

    def draw(self, step: int, tasks: Sequence[int] | None = None) -> GuestEpisode:
        """The episode of an outer step; where some `tasks` of its batch are named, these alone."""
        config = self.config
        shots, found = one_of(config.shots, generator_for(config.seed, "guests", step)), []
        for task in range(config.tasks_per_batch) if tasks is None else tasks:
            rng = generator_for(config.seed, "guest task", step * config.tasks_per_batch + task)
            found.append(self._task(int(torch.multinomial(self.weights, 1, generator=rng)), shots, rng))
        return GuestEpisode(*(torch.stack(part) for part in zip(*found, strict=True)))

    def stream(self, first: int, last: int, workers: int, tasks: Sequence[int] | None = None) -> Iterable[GuestEpisode]:
        """The episodes of outer steps `first` to `last` - 1, drawn ahead by so many processes, or as they are asked for."""
        return stream(partial(self.draw, tasks=tasks), range(first, last), workers)

    def _task(self, hand: int, shots: int, rng: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Of one hand: its drawings, guests and truths."""
        hands = self.hands
        order = _shuffled(hands.by_hand[hand], rng)
        program = draw_hand(rng, hands.images.shape[1]) if chance(self.config.program, rng) else None
        own = program is not None and chance(OWN, rng)
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
        support, seen, wanted = (images_of(hands, numbers) for numbers in (order[:shots], guests, truths))
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
        some = kin if len(kin) and (chance(KIN, rng) or not len(strangers)) else strangers
        return int(some[below(len(some), rng)]) if len(some) else None


def _shuffled(numbers: Numbers, rng: torch.Generator) -> Numbers:
    shuffled: Numbers = numbers[torch.randperm(len(numbers), generator=rng).numpy()]
    return shuffled
