"""The feature nets as files: the judges, the nets that training compares with, and the ruler."""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from metagan_cli.errors import CheckpointError
from metagan_cli.evaluation.judges import Judges, build_judges
from metagan_cli.networks.hand_net import HandNet
from metagan_cli.networks.perceptual_net import PerceptualNet, build_perceptual_net
from metagan_cli.networks.ruler import Ruler
from metagan_cli.store.tensors import TensorFile, half, read_tensors, write_tensors


def save_judges(path: Path, judges: Judges, metadata: dict[str, Any]) -> str:
    """Writes the two nets; returns their hash."""
    return write_tensors(path, "judges", half(_together(judges).state_dict()), {"channels": judges.channels} | metadata)


def load_judges(path: Path) -> tuple[Judges, str]:
    """The two nets, ready to judge, and their hash. Raises CheckpointError where the file is missing, damaged or foreign."""
    file, channels = _open(path, "judges")
    judges = build_judges(channels)
    _fill(_together(judges), file, path)
    return judges, file.hash


def save_perceptual_net(path: Path, net: PerceptualNet, metadata: dict[str, Any]) -> str:
    """Writes the net; returns its hash."""
    return write_tensors(path, "perceiver", half(net.state_dict()), {"channels": net.channels} | metadata)


def load_perceptual_net(path: Path) -> tuple[PerceptualNet, str]:
    """The net, frozen, and its hash. Raises CheckpointError where the file is missing, damaged or foreign."""
    file, channels = _open(path, "perceiver")
    net = build_perceptual_net(channels)
    _fill(net, file, path)
    return net.requires_grad_(False), file.hash


def save_ruler(path: Path, net: Ruler, metadata: dict[str, Any]) -> str:
    """Writes the net; returns its hash."""
    return write_tensors(path, "ruler", half(net.state_dict()), {"channels": 1} | metadata)


def load_ruler(path: Path) -> Ruler:
    """The net, frozen. Raises CheckpointError where the file is missing, damaged or foreign."""
    file, _ = _open(path, "ruler")
    net = Ruler()
    _fill(net, file, path)
    return net.requires_grad_(False)


def save_hand_net(path: Path, net: HandNet, metadata: dict[str, Any]) -> str:
    """Writes the net; returns its hash."""
    return write_tensors(path, "hands", half(net.state_dict()), {"channels": net.channels} | metadata)


def load_hand_net(path: Path) -> tuple[HandNet, str]:
    """The net, frozen, and its hash. Raises CheckpointError where the file is missing, damaged or foreign."""
    file, channels = _open(path, "hands")
    net = HandNet(channels).to(memory_format=torch.channels_last)
    _fill(net, file, path)
    return net.requires_grad_(False), file.hash


def _open(path: Path, kind: str) -> tuple[TensorFile, int]:
    """A file of feature nets, and the number of channels that they see."""
    file = read_tensors(path, (kind,))
    channels = file.metadata.get("channels")
    if channels not in (1, 3):
        raise CheckpointError(f"{path}: says {channels} channels, not 1 or 3")
    return file, channels


def _fill(net: nn.Module, file: TensorFile, path: Path) -> None:
    """Puts a file's tensors into a net, ready for use."""
    expected = net.eval().state_dict()
    if {n: t.shape for n, t in file.tensors.items()} != {n: t.shape for n, t in expected.items()}:
        raise CheckpointError(f"{path}: its tensors are not those of a {file.kind} file")
    net.load_state_dict(file.tensors)


def _together(judges: Judges) -> nn.ModuleDict:
    return nn.ModuleDict({"identity": judges.identity, "description": judges.description})
