"""Task sources: where episodes come from. A task is one distribution; it can be drawn from."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from metagan_cli.config import DataConfig
from metagan_cli.errors import InputError
from metagan_cli.images.ground import border

HELD_OUT = 32  # one in this many tasks never trains: previews and reference figures are made of them
_CHUNK = 2048

Say = Callable[[str], None]  # told what of the data is skipped or downloaded


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
        """How many hold so many images."""
        return len(self._eligible(fewest))

    def draw(self, index: int, count: int, rng: torch.Generator) -> Tensor:
        """Different images of task number `index` among those that hold so many."""
        members = self.members[self._eligible(count)[index]]
        return self.images[members[torch.randperm(len(members), generator=rng)[:count]]]

    def title(self, index: int, fewest: int) -> str:
        """Its name."""
        return self.names[self._eligible(fewest)[index]]

    def _eligible(self, fewest: int) -> list[int]:
        return [i for i, members in enumerate(self.members) if len(members) >= fewest]


@dataclass(frozen=True)
class Split:
    """A source's tasks for training, and the ones held out from it."""

    train: TaskSource
    held_out: TaskSource

    def all_tasks(self) -> TaskSource:
        """All tasks; of a drawn family, which has no end, the held-out ones."""
        train, held_out = self.train, self.held_out
        if not isinstance(train, ArrayTasks) or not isinstance(held_out, ArrayTasks):
            return held_out
        members: dict[str, list[Tensor]] = {}
        for name, numbers in zip(train.names + held_out.names, train.members + held_out.members, strict=True):
            members.setdefault(name, []).append(numbers)
        names = tuple(sorted(members))
        return replace(train, names=names, members=tuple(torch.cat(members[name]).sort().values for name in names))


def group_tasks(name: str, images: Tensor, labels: Sequence[str], groups: Sequence[str], config: DataConfig) -> Split:
    """Tasks from images with a label and a group each: the groups are the tasks.

    Whole labels are held out, whatever the grouping, so that no held-out drawing trains.
    """
    train: dict[str, list[int]] = {}
    held_out: dict[str, list[int]] = {}
    for i, (label, group) in enumerate(zip(labels, groups, strict=True)):
        if is_wanted(label, config):
            (held_out if is_held_out(label) else train).setdefault(group, []).append(i)
    if not train and not held_out:
        raise InputError(f"{name}: no tasks are left")

    def tasks(members: dict[str, list[int]]) -> ArrayTasks:
        return ArrayTasks(name, config.motif, images, tuple(map(torch.tensor, members.values())), tuple(members))

    return Split(tasks(train), tasks(held_out))


def is_wanted(label: str, config: DataConfig) -> bool:
    """Whether a source takes what has this label."""
    return label.startswith(config.only or ("",)) and not label.startswith(config.exclude or ("\0",))


def is_held_out(label: str) -> bool:
    """Whether a label, and all that it stands for, never trains."""
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
