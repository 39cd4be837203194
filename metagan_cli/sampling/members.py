"""New members of a set by seed: guests, motifs by other hands, in the hand of one task."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from metagan_cli.images.copies import are_copies, distances, thresholds
from metagan_cli.images.paints import Paints, edges_of
from metagan_cli.images.pixel_art import drawn_side, in_blocks
from metagan_cli.images.shape import keeps_shape
from metagan_cli.networks.bundle import Networks
from metagan_cli.networks.generator.guests import Hand
from metagan_cli.networks.state import TaskState
from metagan_cli.sampling.drawn import Drawn
from metagan_cli.sampling.sampler import BLOCK, CHUNK, Sampler, filled


class Guest(NamedTuple):
    """A motif, near a task's hand already."""

    image: Tensor  # [C, S, S] in [-1, 1]
    logits: Tensor  # [P, S, S], of the task's paints that it is drawn in


class MemberSampler:
    """Draws new members of one task's set, each of which depends on its seed's guest and the state alone.

    They are painted, or else are what their guests are already.
    """

    def __init__(
        self,
        nets: Networks,
        state: TaskState,
        guest: Callable[[int], Guest],
        paints: Paints,
        painted: bool,
        instead: Callable[[int], Guest] | None = None,
    ) -> None:
        """Those stay what their guests are whose shape the painter would not keep: an 8 is no 1, and no blot.

        Where there are others to draw `instead`, they take the place of what comes out as a copy of an example.
        """
        self.nets, self.state, self.guest, self.paints, self.instead = nets, state, guest, paints, instead
        self.block, self.examples = drawn_side(state.bases).cpu(), state.bases[0].float().cpu()
        with torch.no_grad():
            self.hand: Hand | None = nets.hand_in(state) if painted else None

    @cached_property
    def redraws(self) -> Tensor:
        """How far slight redraws of each example are from it, at most: [K]."""
        return thresholds(self.examples)

    def stream(self, seeds: Sequence[int]) -> Iterator[Drawn]:
        """Samples in blocks of at most BLOCK, for any number of seeds."""
        for start in range(0, len(seeds), BLOCK):
            some = seeds[start : start + BLOCK]
            images, logits = self._drawn(map(self.guest, some))
            if self.instead is not None:
                copied = are_copies(distances(images, self.examples), self.redraws).nonzero()[:, 0]
                if len(copied):
                    images[copied], logits[copied] = self._drawn(self.instead(some[place]) for place in copied.tolist())
            yield Drawn(images, members=tuple(range(len(images))), logits=logits, paints=self.paints)

    def _drawn(self, guests: Iterable[Guest]) -> tuple[Tensor, Tensor]:
        """The members that guests become, and their paints' logits, on the CPU."""
        some = list(guests)
        parts = [self._painted(some[start : start + CHUNK]) for start in range(0, len(some), CHUNK)]
        images, logits = (torch.cat(part) for part in zip(*parts, strict=True))
        return images, logits

    @torch.no_grad()
    def _painted(self, guests: Sequence[Guest]) -> tuple[Tensor, Tensor]:
        """Those of at most CHUNK."""
        plain, drawn = (torch.stack(part) for part in zip(*guests, strict=True))
        as_they_are = in_blocks(plain, self.block.expand(len(plain)))
        if self.hand is None:
            return as_they_are, drawn
        whole, edges = (filled(part).to(self.state.hand.device)[None] for part in (plain, edges_of(drawn)))
        images, logits = self.nets.paint_guests(whole, self.state, self.hand, edges)
        painted, own = images[0, : len(guests)].float().clamp(-1, 1).cpu(), logits[0, : len(guests)].float().cpu()
        kept = keeps_shape(plain, painted, self.paints.own)[:, None, None, None]
        return torch.where(kept, painted, as_they_are), torch.where(kept, own, drawn)


class HalfAndHalf:
    """Members for even seeds, variants for odd ones."""

    def __init__(self, members: MemberSampler, variants: Sampler) -> None:
        self.members, self.variants = members, variants

    def stream(self, seeds: Sequence[int]) -> Iterator[Drawn]:
        """Samples in blocks of at most BLOCK, for any number of seeds."""
        for start in range(0, len(seeds), BLOCK):
            some = seeds[start : start + BLOCK]
            even, odd = ([place for place, seed in enumerate(some) if seed % 2 == rest] for rest in (0, 1))
            members = next(self.members.stream([some[place] // 2 for place in even]), None)
            variants = next(self.variants.stream([some[place] for place in odd]), None)
            found = [part for part in (members, variants) if part is not None]
            order = torch.tensor([*even, *odd]).argsort()
            yield Drawn(
                torch.cat([part.images for part in found])[order],
                tuple(odd),
                variants.plan if variants else None,
                variants.scores if variants else None,
                tuple(even),
                members.logits if members else None,
                self.members.paints,
            )
