"""Randomness as an argument: every draw comes from a generator that its purpose names."""

import hashlib

import torch


def generator_for(seed: int, stream: str, index: int = 0) -> torch.Generator:
    """A CPU generator for draw number `index` of the named stream under a seed.

    Streams are independent of each other, and so are the indices within one: nothing depends on what was drawn before.
    """
    digest = hashlib.blake2b(f"{seed}/{stream}/{index}".encode(), digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "big") >> 1)
