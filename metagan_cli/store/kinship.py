"""What orders motifs by kinship, as a file: a net that tells motifs, and what it sees of the bank's."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from metagan_cli.errors import CheckpointError
from metagan_cli.networks.hand_net import FEATURES, HandNet
from metagan_cli.store.tensors import half, read_tensors, write_tensors

BANK = "bank"  # the tensor's name, beside the net's


@dataclass(frozen=True)
class Kinship:
    """A net, and the unit vectors [M, 128] of the bank's motifs in their order."""

    net: HandNet
    bank: Tensor


def save_kinship(path: Path, kinship: Kinship, metadata: dict[str, Any]) -> str:
    """Writes both; returns their hash."""
    tensors = half(kinship.net.state_dict() | {BANK: kinship.bank})
    return write_tensors(path, "kinship", tensors, {"channels": kinship.net.channels} | metadata)


def load_kinship(path: Path, motifs: int | None = None) -> Kinship:
    """Both, the net frozen. Raises CheckpointError where the file is missing, damaged, foreign or knows another bank."""
    file = read_tensors(path, ("kinship",))
    net, tensors = HandNet(int(file.metadata["channels"])), {name: tensor.float() for name, tensor in file.tensors.items()}
    bank = tensors.pop(BANK, torch.zeros(0))
    if {n: t.shape for n, t in tensors.items()} != {n: t.shape for n, t in net.state_dict().items()}:
        raise CheckpointError(f"{path}: its tensors are not those of a kinship file")
    if bank.shape[1:] != (FEATURES,) or motifs not in (None, len(bank)):
        raise CheckpointError(f"{path}: knows other motifs than the bank that ships; install metagan again")
    net.load_state_dict(tensors)
    return Kinship(net.eval().requires_grad_(False).to(memory_format=torch.channels_last), bank)
