"""Polygons: rings of corners, x to the right, y down."""

from collections.abc import Iterator
from typing import Any

import numpy as np

Points = np.ndarray[Any, np.dtype[np.float64]]  # [P, 2]
DENSE = 8  # parts that a side is divided in, so that what is bent is bounded by more than its corners


def area_of(ring: Points) -> float:
    """The area that a ring [P, 2] encloses."""
    x, y = ring.T if len(ring) else np.zeros((2, 1))
    return float(abs(x @ np.roll(y, 1) - y @ np.roll(x, 1)) / 2)


def clip(ring: Points, width: int, height: int) -> Points:
    """What of a ring [P, 2] lies in a picture (Sutherland & Hodgman 1974)."""
    found = np.asarray(ring, np.float64)
    for axis, bound, sign in ((0, 0, 1), (0, width, -1), (1, 0, 1), (1, height, -1)):
        found = np.array(list(_halved(found, axis, bound, sign))).reshape(-1, 2)
    return found


def _halved(ring: Points, axis: int, bound: float, sign: int) -> Iterator[Points]:
    """The corners of what lies on one side of a line."""
    for last, corner in zip(np.roll(ring, 1, 0), ring, strict=True):
        was, now = sign * (last[axis] - bound), sign * (corner[axis] - bound)
        if (was < 0) != (now < 0):
            yield last + (corner - last) * (was / (was - now))
        if now >= 0:
            yield corner


def denser(ring: Points) -> Points:
    """A ring with further corners on its sides."""
    shares = np.arange(DENSE)[None, :, None] / DENSE
    denser: Points = (ring[:, None] * (1 - shares) + np.roll(ring, -1, 0)[:, None] * shares).reshape(-1, 2)
    return denser
