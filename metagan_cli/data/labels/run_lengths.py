"""COCO's masks: how many pixels in turn are off and on, down one column after another."""

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

FIRST, LAST = 48, 111  # the characters of a compressed text
LONGEST = 7  # characters of one number


def mask_of(runs: dict[str, Any], size: tuple[int, int]) -> NDArray[np.bool_]:
    """The mask [H, W] of run lengths, plain or compressed, in an image of that width and height. Raises ValueError."""
    width, height = size
    if runs.get("size") != [height, width]:
        raise ValueError(f"its size is not [{height}, {width}], the image's")
    counts = runs.get("counts")
    if isinstance(counts, str):
        counts = _expanded(counts)
    if not isinstance(counts, list) or not all(type(count) is int and 0 <= count <= width * height for count in counts):
        raise ValueError("its counts are no run lengths")
    if sum(counts) != width * height:
        raise ValueError(f"its counts make {sum(counts)} pixels, not {width * height}")
    on = np.arange(len(counts)) % 2 == 1
    return np.ascontiguousarray(np.repeat(on, counts).reshape(width, height).T)


def runs_of(mask: NDArray[np.bool_]) -> dict[str, Any]:
    """The plain run lengths of a mask [H, W]."""
    pixels = mask.ravel(order="F")
    bounds = [0, *(np.flatnonzero(np.diff(pixels)) + 1).tolist(), pixels.size]
    counts = [after - before for before, after in pairwise(bounds)]
    return {"size": list(mask.shape), "counts": [0, *counts] if pixels[0] else counts}


def _expanded(text: str) -> list[int]:
    """The counts of a compressed text: five bits a character, the lowest first, and from the fourth count on changes."""
    counts: list[int] = []
    value = shift = 0
    for character in text:
        code = ord(character) - FIRST
        if not 0 <= code <= LAST - FIRST or shift >= 5 * LONGEST:
            raise ValueError("its counts are no compressed run lengths")
        value |= (code & 31) << shift
        shift += 5
        if code & 32:
            continue
        if code & 16:
            value -= 1 << shift
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        value = shift = 0
    if shift:
        raise ValueError("its counts end within a number")
    return counts
