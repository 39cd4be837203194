"""Randomness as an argument: every draw comes from a generator that its purpose names."""

import contextlib
import hashlib
from collections.abc import Iterator, Sequence
from typing import TypeVar

import torch

T = TypeVar("T")


def generator_for(seed: int, stream: str, index: int = 0) -> torch.Generator:
    """A CPU generator for draw number `index` of the named stream under a seed.

    Streams are independent of each other, and so are the indices within one: nothing depends on what was drawn before.
    """
    digest = hashlib.blake2b(f"{seed}/{stream}/{index}".encode(), digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "big") >> 1)


def chance(share: float, rng: torch.Generator) -> bool:
    """Whether something happens that does so in this share of all cases."""
    return float(torch.rand((), generator=rng)) < share


def between(low: float, high: float, rng: torch.Generator) -> float:
    """A number between two, any as likely."""
    return low + (high - low) * float(torch.rand((), generator=rng))


def below(count: int, rng: torch.Generator) -> int:
    """A whole number from 0 to `count` - 1."""
    return int(torch.randint(count, (), generator=rng))


def one_of(some: Sequence[T], rng: torch.Generator) -> T:
    """One of some, any as likely."""
    return some[below(len(some), rng)]


@contextlib.contextmanager
def seeded(generator: torch.Generator | None) -> Iterator[None]:
    """Weights that modules draw inside come from the generator, and torch's own randomness is as before afterwards."""
    with torch.random.fork_rng(devices=[]):
        if generator is not None:
            torch.manual_seed(int(torch.randint(2**62, (1,), generator=generator)))
        yield
