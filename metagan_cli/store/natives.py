"""Kept examples in an adapted model's file: a tensor of coded bytes each."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from metagan_cli.errors import CheckpointError
from metagan_cli.images.natives import LARGEST_SIDE, Natives

PREFIX = "native."  # of the tensors' names


def tensors_of(natives: Natives | None) -> dict[str, Tensor]:
    """The kept examples as uint8 tensors by name."""
    coded = natives.coded if natives else ()
    return {f"{PREFIX}{number}": torch.frombuffer(bytearray(one), dtype=torch.uint8) for number, one in enumerate(coded)}


def described(natives: Natives | None) -> dict[str, Any]:
    """What the metadata says of them."""
    return {"natives": {"side": natives.side, "count": len(natives.coded)}} if natives else {}


def natives_in(path: Path, tensors: dict[str, Tensor], metadata: dict[str, Any], bases: Tensor) -> Natives | None:
    """The examples that a file keeps beside its state's images [1, K, C, S, S], if it does.

    Raises CheckpointError where they are not as many, not larger than those or too large, or damaged.
    """
    kept = {name: tensor for name, tensor in tensors.items() if name.startswith(PREFIX)}
    if "natives" not in metadata and not kept:
        return None
    side, count = numbers_of(path, metadata.get("natives"))
    shots, channels, least = bases.shape[1:4]
    if not least < side <= LARGEST_SIDE:
        raise CheckpointError(f"{path}: kept examples of {side} pixels a side; it may be {least + 1} to {LARGEST_SIDE}")
    names = [f"{PREFIX}{number}" for number in range(count if count == shots else 0)]
    if kept.keys() != set(names) or not names:
        raise CheckpointError(f"{path}: keeps {len(kept)} examples, its state has {shots}: adapt again")
    if any(tensor.dtype != torch.uint8 or tensor.ndim != 1 for tensor in kept.values()):
        raise CheckpointError(f"{path}: its kept examples are no bytes: adapt again")
    natives = Natives(side, channels, tuple(kept[name].numpy().tobytes() for name in names), str(path))
    natives.check()
    return natives


def numbers_of(path: Path, said: Any) -> tuple[int, int]:
    """The side and the number of kept examples that the metadata says."""
    match said:
        case {"side": int(side), "count": int(count)}:
            return side, count
    raise CheckpointError(f"{path}: does not say how large its kept examples are: adapt again")
