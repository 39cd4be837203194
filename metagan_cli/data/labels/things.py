"""What labels say of an image, whatever format they are written in."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
NO_KEYPOINTS: Points = np.zeros((0, 3))
MOST_BYTES = 16_000_000  # of a file that speaks of one image
FARTHEST = 1e9  # a number beyond this is no place in any picture
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?", re.ASCII)


@dataclass(frozen=True)
class Thing:
    """One labelled object of an image, in pixels of it as it is seen upright: x to the right, y down, from the upper left corner.

    A thing without rings, keypoints and mask is the image as a whole.
    """

    kind: int | str  # its category as its format names it: YOLO's class index, COCO's category_id, VOC's name
    rings: tuple[Points, ...]  # polygons [P, 2]; of a box its four corners; none where there are only keypoints or a mask
    is_box: bool  # whether the one ring stands for a box and is written as one
    keypoints: Points  # [K, 3]: x, y and visibility (0 not labelled, 1 hidden, 2 seen); [0, 3] where there are none
    mask: NDArray[np.bool_] | None = None  # [H, W], of what COCO holds as run lengths
    extra: Mapping[str, Any] = field(default_factory=dict)  # what else its format says of it, and is carried along unchanged


@dataclass(frozen=True)
class Labelled:
    """What goes along with one image."""

    things: Mapping[str, tuple[Thing, ...]]  # by format; one is there where it speaks of the image, even to say: nothing to see
    mask: Path | None  # a picture of labels, pixel for pixel


@dataclass(frozen=True)
class NewImage:
    """An image that was made of another, and what COCO says of it."""

    path: Path  # below the folder of results
    original: Path  # below the tree
    size: tuple[int, int]  # width and height in pixels
    things: Sequence[Thing]


def box(left: float, top: float, right: float, bottom: float) -> Points:
    """The corners of a box [4, 2], clockwise from the upper left."""
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], dtype=np.float64)


def edges(rings: Sequence[Points], size: tuple[int, int]) -> tuple[float, float, float, float] | None:
    """Left, top, right and bottom of what a picture of that width and height shows of rings; nothing where it shows none."""
    if not rings:
        return None
    points = np.concatenate([clipped(ring, size) for ring in rings])
    (left, top), (right, bottom) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    return (left, top, right, bottom) if left < right and top < bottom else None


def clipped(ring: Points, size: tuple[int, int]) -> Points:
    """The points [P, 2] of a ring, each moved to the nearest that a picture of that width and height has."""
    return np.clip(ring, 0, size) + 0.0  # no minus zero


def seen(keypoints: Points, size: tuple[int, int]) -> Points:
    """Keypoints [K, 3] of a picture of that width and height; those outside it, and those not labelled, are zeros."""
    inside = ((keypoints[:, :2] >= 0) & (keypoints[:, :2] <= size)).all(axis=1) & (keypoints[:, 2] > 0)
    return np.where(inside[:, None], keypoints, 0.0)


def number(text: str) -> float | None:
    """A number as formats write it; nothing where a text is none, or one that no place in a picture has."""
    return plausible(float(text)) if _NUMBER.fullmatch(text) else None


def plausible(value: object) -> float | None:
    """A value as a finite number; nothing where it is none, or one that no place in a picture has."""
    if type(value) not in (int, float) or not -FARTHEST < value < FARTHEST:  # type: ignore[operator]
        return None
    return float(value)  # type: ignore[arg-type]


def whole(value: float | None) -> int | None:
    """A number as an integer; nothing where it is none."""
    return int(value) if value is not None and math.floor(value) == value else None
