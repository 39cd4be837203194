"""The sets that torchvision downloads: read from where it leaves them, fetched only when they are not there."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from metagan_cli.errors import InputError

Array = np.ndarray[Any, np.dtype[Any]]


def data_home() -> Path:
    """Where downloaded sets lie: METAGAN_DATA, or a folder in the user's cache."""
    named = os.environ.get("METAGAN_DATA")
    if named:
        return Path(named)
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(cache) / "metagan"


def omniglot(say: Callable[[str], None]) -> tuple[Array, list[str]]:
    """Omniglot's background alphabets: uint8 [M, 105, 105] black on white, and alphabet/character for each."""
    from torchvision.datasets import Omniglot

    home = data_home()
    folder = home / "omniglot-py" / "images_background"
    if not folder.is_dir():
        _fetch("omniglot", home, say, lambda: Omniglot(str(home), background=True, download=True))
    files = sorted(folder.glob("*/*/*.png"))
    if not files:
        raise InputError(f"{folder}: holds no characters; remove it to download Omniglot again")
    images = np.stack([np.asarray(Image.open(path, formats=["PNG"]).convert("L")) for path in files])
    return images, [f"{path.parent.parent.name}/{path.parent.name}" for path in files]


def mnist(say: Callable[[str], None]) -> tuple[Array, Array]:
    """MNIST's training digits: uint8 [60000, 28, 28] white on black, and the digit of each."""
    from torchvision.datasets import MNIST

    home = data_home()
    if not any((home / "MNIST" / "raw").glob("train-images-idx3-ubyte*")):
        _fetch("mnist", home, say, lambda: MNIST(str(home), train=True, download=True))
    try:
        loaded = MNIST(str(home), train=True)
    except (RuntimeError, OSError, ValueError) as error:
        raise InputError(f"{home / 'MNIST'}: cannot be read ({error}); remove it to download MNIST again") from error
    return loaded.data.numpy(), loaded.targets.numpy()


def _fetch(name: str, home: Path, say: Callable[[str], None], download: Callable[[], object]) -> None:
    say(f"downloading {name} to {home}")
    try:
        home.mkdir(parents=True, exist_ok=True)
        download()
    except (OSError, RuntimeError) as error:
        raise InputError(
            f"{name}: cannot be downloaded ({' '.join(str(error).split())[:120]}); lay it in {home} by hand"
        ) from error
