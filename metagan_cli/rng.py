"""Randomness as an argument: every draw comes from a generator that its purpose names."""

import contextlib
import hashlib
from collections.abc import Iterator

import torch


def generator_for(seed: int, stream: str, index: int = 0) -> torch.Generator:
    """A CPU generator for draw number `index` of the named stream under a seed.

    Streams are independent of each other, and so are the indices within one: nothing depends on what was drawn before.
    """
    digest = hashlib.blake2b(f"{seed}/{stream}/{index}".encode(), digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "big") >> 1)


@contextlib.contextmanager
def seeded(generator: torch.Generator | None) -> Iterator[None]:
    """Weights that modules draw inside come from the generator, and torch's own randomness is as before afterwards."""
    with torch.random.fork_rng(devices=[]):
        if generator is not None:
            torch.manual_seed(int(torch.randint(2**62, (1,), generator=generator)))
        yield
