"""Tasks from a packed file of images, labels and names."""

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from metagan_cli.config import DataConfig
from metagan_cli.data.sources.tasks import Split, group_tasks, prepare
from metagan_cli.errors import InputError


def npz_tasks(path: Path, config: DataConfig, size: int, channels: int) -> Split:
    """Tasks of a packed file with `images`, `labels` and `names`. Raises InputError where it is not one."""
    arrays = read_npz(path, config.by)
    labels = named(arrays, "labels")
    keys = zip(*(arrays[key] for key in config.by), strict=True) if config.by else labels
    groups = ["/".join(map(str, key)) if config.by else str(key) for key in keys]
    return group_tasks(path.stem, prepare(arrays["images"], size, channels), labels, groups, config)


def read_npz(path: Path, keys: tuple[str, ...] = ()) -> dict[str, Any]:
    """The arrays of a packed file with `images`, `labels`, `names` and these keys. Raises InputError where it is not one."""
    try:
        with np.load(path, allow_pickle=False) as packed:
            arrays: dict[str, Any] = {key: packed[key] for key in packed.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{path}: not a readable .npz of task images ({error})") from error
    missing = [key for key in ("images", "labels", "names", *keys) if key not in arrays]
    if missing:
        raise InputError(f"{path}: has no array '{missing[0]}' (it needs images, labels and names)")
    images, count = arrays["images"], len(arrays["images"])
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or (images.ndim == 4 and images.shape[3] != 3):
        raise InputError(f"{path}: images must be uint8 [M, H, W] or [M, H, W, 3], not {images.dtype} {list(images.shape)}")
    for key in ("labels", *keys):
        if arrays[key].shape != (count,):
            raise InputError(f"{path}: '{key}' must have one entry for each of the {count} images")
    if count == 0 or arrays["labels"].min() < 0 or arrays["labels"].max() >= len(arrays["names"]):
        raise InputError(f"{path}: its labels do not number its names")
    return arrays


def named(arrays: Mapping[str, Any], key: str) -> list[str]:
    """One of a packed file's arrays as names, by the array that numbers them where there is one, as `names` does labels."""
    titles = next((arrays[name] for name in _titles(key) if name in arrays), None)
    return [str(value) for value in (arrays[key] if titles is None else titles[arrays[key]])]


def _titles(key: str) -> tuple[str, ...]:
    return ("names",) if key == "labels" else (f"{key}s", f"{key}_names")
