"""Task sources: where episodes come from. A task is one distribution; it can be drawn from."""

import hashlib
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from metagan_cli.config import DataConfig
from metagan_cli.data.doodles import Doodles
from metagan_cli.errors import InputError
from metagan_cli.resampling import border

HELD_OUT = 32  # one in this many tasks never trains: previews and reference figures are made of them
UNLIMITED = 2**20  # tasks of a drawn family
_CHUNK = 2048


class TaskSource(Protocol):
    """Tasks by number; images come as uint8 [count, C, S, S], for gray models with ink 255 on ground 0."""

    @property
    def name(self) -> str:
        """What the source is called."""

    @property
    def motif(self) -> str:
        """One motif in many drawings, or many motifs of one hand."""

    def tasks(self, fewest: int) -> int:
        """How many tasks hold at least `fewest` images."""

    def draw(self, index: int, count: int, rng: torch.Generator) -> Tensor:
        """`count` different images of task number `index` among those with at least `count` images."""

    def title(self, index: int, fewest: int) -> str:
        """The name of task number `index` among those with at least `fewest` images."""


@dataclass(frozen=True)
class ArrayTasks:
    """Tasks whose images lie in memory."""

    name: str
    motif: str
    images: Tensor  # uint8 [M, C, S, S]
    members: tuple[Tensor, ...]  # the image numbers of each task
    names: tuple[str, ...]

    def tasks(self, fewest: int) -> int:
        return len(self._eligible(fewest))

    def draw(self, index: int, count: int, rng: torch.Generator) -> Tensor:
        members = self.members[self._eligible(count)[index]]
        return self.images[members[torch.randperm(len(members), generator=rng)[:count]]]

    def title(self, index: int, fewest: int) -> str:
        return self.names[self._eligible(fewest)[index]]

    def _eligible(self, fewest: int) -> list[int]:
        return [i for i, members in enumerate(self.members) if len(members) >= fewest]


@dataclass(frozen=True)
class DrawnTasks:
    """The doodles as a source: task numbers from `first` on."""

    family: Doodles
    first: int
    channels: int = 1
    name: str = "doodles"
    motif: str = "one"

    def tasks(self, fewest: int) -> int:
        return UNLIMITED

    def draw(self, index: int, count: int, rng: torch.Generator) -> Tensor:
        ink = self.family.draw(self.first + index, count, rng)[:, None]
        return ink if self.channels == 1 else 255 - ink.expand(-1, self.channels, -1, -1)

    def title(self, index: int, fewest: int) -> str:
        return f"doodle {index}"


@dataclass(frozen=True)
class Split:
    """A source's tasks for training, and the ones held out from it."""

    train: TaskSource
    held_out: TaskSource

    def whole(self) -> TaskSource:
        """All tasks; of a drawn family, which has no end, the held-out ones."""
        train, held_out = self.train, self.held_out
        if not isinstance(train, ArrayTasks) or not isinstance(held_out, ArrayTasks):
            return held_out
        members: dict[str, list[Tensor]] = {}
        for name, numbers in zip(train.names + held_out.names, train.members + held_out.members, strict=True):
            members.setdefault(name, []).append(numbers)
        names = tuple(sorted(members))
        return replace(train, names=names, members=tuple(torch.cat(members[name]).sort().values for name in names))


def doodle_tasks(size: int, channels: int) -> Split:
    """The drawn task family at a size in pixels."""
    family = Doodles(size)
    return Split(DrawnTasks(family, 0, channels), DrawnTasks(family, UNLIMITED, channels))


def npz_tasks(path: Path, config: DataConfig, size: int, channels: int) -> Split:
    """Tasks of a packed file with `images`, `labels` and `names`. Raises InputError where it is not one."""
    try:
        with np.load(path, allow_pickle=False) as packed:
            arrays: dict[str, Any] = {key: packed[key] for key in packed.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{path}: not a readable .npz of task images ({error})") from error
    missing = [key for key in ("images", "labels", "names", *config.by) if key not in arrays]
    if missing:
        raise InputError(f"{path}: has no array '{missing[0]}' (it needs images, labels and names)")
    images, count = arrays["images"], len(arrays["images"])
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or (images.ndim == 4 and images.shape[3] != 3):
        raise InputError(f"{path}: images must be uint8 [M, H, W] or [M, H, W, 3], not {images.dtype} {list(images.shape)}")
    for key in ("labels", *config.by):
        if arrays[key].shape != (count,):
            raise InputError(f"{path}: '{key}' must have one entry for each of the {count} images")
    if count == 0 or arrays["labels"].min() < 0 or arrays["labels"].max() >= len(arrays["names"]):
        raise InputError(f"{path}: its labels do not number its names")
    labels = [str(arrays["names"][label]) for label in arrays["labels"]]
    keys = zip(*(arrays[key] for key in config.by), strict=True) if config.by else labels
    groups = ["/".join(map(str, key)) if config.by else str(key) for key in keys]
    return group_tasks(path.stem, prepare(images, size, channels), labels, groups, config)


def group_tasks(name: str, images: Tensor, labels: Sequence[str], groups: Sequence[str], config: DataConfig) -> Split:
    """Tasks from images with a label and a group each: the groups are the tasks.

    Whole labels are held out, whatever the grouping, so that no held-out drawing trains.
    """
    train: dict[str, list[int]] = {}
    held_out: dict[str, list[int]] = {}
    for i, (label, group) in enumerate(zip(labels, groups, strict=True)):
        if label.startswith(config.only or ("",)) and not label.startswith(config.exclude or ("\0",)):
            (held_out if _is_held_out(label) else train).setdefault(group, []).append(i)
    if not train and not held_out:
        raise InputError(f"{name}: no tasks are left")

    def tasks(members: dict[str, list[int]]) -> ArrayTasks:
        return ArrayTasks(name, config.motif, images, tuple(map(torch.tensor, members.values())), tuple(members))

    return Split(tasks(train), tasks(held_out))


def _is_held_out(label: str) -> bool:
    return int.from_bytes(hashlib.blake2b(label.encode(), digest_size=4).digest(), "big") % HELD_OUT == 0


def prepare(images: np.ndarray[Any, Any], size: int, channels: int) -> Tensor:
    """Images uint8 [M, H, W] or [M, H, W, 3] as [M, C, size, size]; gray ones with ink 255 on ground 0."""
    parts = []
    for start in range(0, len(images), _CHUNK):
        part = torch.from_numpy(np.ascontiguousarray(images[start : start + _CHUNK])).float()
        part = part[:, None] if part.ndim == 3 else part.permute(0, 3, 1, 2)
        if part.shape[1] == 3 and channels == 1:
            part = (part * torch.tensor([0.299, 0.587, 0.114])[:, None, None]).sum(1, keepdim=True)
        if part.shape[-2:] != (size, size):
            part = resized(part, size)
        parts.append(part.round().clamp(0, 255).byte().expand(-1, channels, -1, -1))
    whole = torch.cat(parts)
    return 255 - whole if channels == 1 and border(whole).float().median() > 127 else whole


def resized(images: Tensor, size: int) -> Tensor:
    """Images [M, C, H, W] as [M, C, size, size]; pixels that fit a whole number of times are repeated: they may be drawn."""
    if images.shape[-2] == images.shape[-1] and size % images.shape[-1] == 0:
        return F.interpolate(images, size=(size, size), mode="nearest")
    mode = "bilinear" if images.shape[-1] > size else "bicubic"
    return F.interpolate(images, size=(size, size), mode=mode, antialias=True, align_corners=False)
