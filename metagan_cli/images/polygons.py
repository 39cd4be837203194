"""Polygons: rings of corners, x to the right, y down."""

from collections.abc import Iterator
from typing import Any

import numpy as np

Points = np.ndarray[Any, np.dtype[np.float64]]  # [P, 2]
AROUND = 32  # corners of an ellipse


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


def round_in(ring: Points) -> Points:
    """The ellipse in a box [4, 2], whose bounds are the box's: as things are that have no corners where their box has."""
    (left, top), (right, bottom) = ring.min(0), ring.max(0)
    turns = 2 * np.pi * np.arange(AROUND) / AROUND
    sides = np.array([(right - left) / 2, (bottom - top) / 2])
    places: Points = np.stack([np.cos(turns), np.sin(turns)], 1) * sides + np.array([left + right, top + bottom]) / 2
    return places
