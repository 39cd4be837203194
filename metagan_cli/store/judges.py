"""The feature nets as files."""

from pathlib import Path
from typing import Any

from torch import nn

from metagan_cli.errors import CheckpointError
from metagan_cli.evaluation.judges import Judges, build_judges
from metagan_cli.store.tensors import half, read_tensors, write_tensors


def save_judges(path: Path, judges: Judges, metadata: dict[str, Any]) -> str:
    """Writes the two nets; returns their hash."""
    return write_tensors(path, "judges", half(_whole(judges).state_dict()), {"channels": judges.channels} | metadata)


def load_judges(path: Path) -> tuple[Judges, str]:
    """The two nets, ready to judge, and their hash. Raises CheckpointError where the file is missing, damaged or foreign."""
    file = read_tensors(path, ("judges",))
    channels = file.metadata.get("channels")
    if channels not in (1, 3):
        raise CheckpointError(f"{path}: says {channels} channels, not 1 or 3")
    judges = build_judges(channels)
    whole = _whole(judges).eval()
    expected = whole.state_dict()
    if {n: t.shape for n, t in file.tensors.items()} != {n: t.shape for n, t in expected.items()}:
        raise CheckpointError(f"{path}: its tensors are not those of the two nets")
    whole.load_state_dict(file.tensors)
    return judges, file.hash


def _whole(judges: Judges) -> nn.ModuleDict:
    return nn.ModuleDict({"identity": judges.identity, "description": judges.description})
