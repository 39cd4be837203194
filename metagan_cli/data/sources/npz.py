"""Tasks from a packed file of images, labels and names."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from metagan_cli.config import DataConfig
from metagan_cli.data.sources.tasks import Split, group_tasks, prepare
from metagan_cli.errors import InputError, reason


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
            members = {key: packed[key] for key in packed.files}
    except Exception as error:  # whatever the parser trips over in a damaged file
        raise InputError(f"{path}: not a readable .npz of task images ({reason(error)})") from error
    arrays: dict[str, Any] = {key: member for key, member in members.items() if isinstance(member, np.ndarray)}
    missing = [key for key in ("images", "labels", "names", *keys) if key not in arrays]
    if missing:
        raise InputError(f"{path}: has no array '{missing[0]}' (it needs images, labels and names)")
    images = arrays["images"]
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or (images.ndim == 4 and images.shape[3] != 3) or 0 in images.shape:
        raise InputError(f"{path}: images must be uint8 [M, H, W] or [M, H, W, 3], not {images.dtype} {list(images.shape)}")
    for key in ("labels", *keys):
        if arrays[key].shape != (len(images),):
            raise InputError(f"{path}: '{key}' must have one entry for each of the {len(images)} images")
        name = _title(arrays, key)
        if name is not None and not _number(arrays[key], arrays[name]):
            raise InputError(f"{path}: its {key} do not number its {name}")
    return arrays


def named(arrays: Mapping[str, Any], key: str) -> list[str]:
    """One of a packed file's arrays as names, by the array that numbers them where there is one, as `names` does labels."""
    name = _title(arrays, key)
    return [str(value) for value in (arrays[key] if name is None else arrays[name][arrays[key]])]


def _title(arrays: Mapping[str, Any], key: str) -> str | None:
    """The array that holds the names of what a key numbers."""
    names = ("names",) if key == "labels" else (f"{key}s", f"{key}_names")
    return next((name for name in names if name in arrays), None)


def _number(numbers: Any, names: Any) -> bool:
    """Whether these are numbers of names, and those a list."""
    return names.ndim == 1 and numbers.dtype.kind in "iu" and numbers.min() >= 0 and numbers.max() < len(names)
