"""Samples with what they were drawn from, by which they can be painted at any size."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from metagan_cli.images.paints import Paints
from metagan_cli.networks.generator.plan import Plan


@dataclass(frozen=True)
class Drawn:
    """N samples in the order of their seeds; some may start from support images, others from guests."""

    images: Tensor  # [N, C, S, S] in [-1, 1]
    variants: tuple[int, ...] = ()  # which of them start from support images
    plan: Plan | None = None  # of those, in their order
    scores: Tensor | None = None  # and the discriminator's, above the mean of their support image's drafts, where it judged them
    members: tuple[int, ...] = ()  # which of them start from guests
    logits: Tensor | None = None  # of the paints of those [M, P, S, S], likewise
    paints: Paints | None = None


class SampleSource(Protocol):
    """What draws samples by seed."""

    def stream(self, seeds: Sequence[int]) -> Iterator[Drawn]:
        """Samples in blocks, for any number of seeds."""
