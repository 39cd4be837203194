"""Drawn samples kept on disk until an evaluation is done, so that an interrupted one goes on where it stopped."""

import contextlib
import os
import shutil
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.numpy import save
from safetensors.torch import load
from torch import Tensor

from metagan_cli.errors import OutputError
from metagan_cli.store.files import write_bytes


def default_folder() -> Path:
    """Where an evaluation keeps what it has drawn: in the user's cache folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()) / "metagan" / "evaluate"


class SampleCache:
    """Samples by key in a folder; whatever cannot be kept or read is drawn again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)

    def get(self, key: str) -> Tensor | None:
        """The samples uint8 [N, C, S, S] of a key, or nothing."""
        try:
            tensor = load((self.folder / f"{key}.safetensors").read_bytes()).get("samples")
        except (OSError, SafetensorError, ValueError):
            return None
        return tensor if tensor is not None and tensor.dtype == torch.uint8 and tensor.ndim == 4 else None

    def put(self, key: str, samples: Tensor) -> None:
        """Keeps samples uint8 [N, C, S, S]."""
        with contextlib.suppress(OutputError):
            write_bytes(self.folder / f"{key}.safetensors", save({"samples": samples.contiguous().numpy()}))

    def clear(self) -> None:
        """Forgets everything."""
        shutil.rmtree(self.folder, ignore_errors=True)
