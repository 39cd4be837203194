"""YOLO's text: a line for each object, in shares of the image's width and height."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from metagan_cli.data.labels.things import NO_KEYPOINTS, Points, Thing, box, clipped, edges, number, seen, whole
from metagan_cli.data.readers.files import read_bytes, shown
from metagan_cli.errors import InputError

SLACK = 0.01  # how far beyond the border a share may be: rounding
LEAST = 1e-6  # the least width and height that six decimals can say
MOST_YAML, MOST_KEYPOINTS = 1_000_000, 1000
Shape = tuple[int, int]  # how many keypoints an object has, and how many values each: 2, or 3 with its visibility
_SHAPE = re.compile(rb"^kpt_shape[ \t]*:([^\r\n#]*)", re.MULTILINE)


def keypoint_shape(tree: Path) -> Shape | None:
    """The line `kpt_shape: [17, 3]` of a data.yaml in a tree or beside it. Raises InputError where it says something else."""
    for path in (tree / "data.yaml", Path(tree.absolute().parent, "data.yaml")):
        if path.is_file():
            line = _SHAPE.search(read_bytes(path, MOST_YAML)[0])
            if line is None:
                return None
            said = re.fullmatch(rb"\s*\[\s*(\d{1,4})\s*,\s*([23])\s*\]\s*", line[1])
            if said is None or not 0 < int(said[1]) <= MOST_KEYPOINTS:
                raise InputError(f"{shown(path)}: kpt_shape is not a number of keypoints and 2 or 3, as in [17, 3]")
            return int(said[1]), int(said[2])
    return None


def is_empty(head: bytes) -> bool:
    """Whether a file that begins so says nothing."""
    return not head.removeprefix(b"\xef\xbb\xbf").strip()


def starts_like_labels(head: bytes, most: int) -> bool:
    """Whether a file's first bytes, at most so many, are those of labels: numbers, or of five and more all but one."""
    text = head.decode("utf-8-sig", "replace").lstrip()
    lines = text.splitlines() or [""]
    tokens = lines[0].split()
    if len(lines) == 1 and len(head) == most:
        tokens = tokens[:-1]  # it may be cut
    others = sum(_is_no_number(token) for token in tokens)
    return len(tokens) >= 2 and (not others or (others == 1 and len(tokens) >= 5))


def _is_no_number(token: str) -> bool:
    return number(token) is None and token.lower().lstrip("+-") not in ("nan", "inf", "infinity")


def read_yolo(where: str, data: bytes, size: tuple[int, int], shape: Shape | None) -> tuple[Thing, ...]:
    """The things of an image of that width and height.

    A line is a class and a box, or a class and a polygon, or, in a tree whose data.yaml says `shape`, a class, a box and its
    keypoints; one of two values that are both zero is not labelled. Raises InputError with the line.
    """
    lines = data.decode("utf-8-sig", "replace").splitlines()
    return tuple(_thing(f"{where}: line {n}", line.split(), size, shape) for n, line in enumerate(lines, 1) if line.split())


def _thing(where: str, tokens: Sequence[str], size: tuple[int, int], shape: Shape | None) -> Thing:
    values = [number(token) for token in tokens]
    for token, value in zip(tokens, values, strict=True):
        if value is None:
            raise InputError(f"{where}: {shown(token[:20])} is not a number that can stand here")
    kind, shares = whole(values[0]), np.array(values[1:], dtype=np.float64)
    if kind is None or kind < 0:
        raise InputError(f"{where}: the class {shown(tokens[0][:20])} is not a whole number from 0 on")
    keypoints = NO_KEYPOINTS
    if shape is not None and len(shares) == 4 + shape[0] * shape[1]:
        keypoints = _keypoints(where, shares[4:].reshape(shape), size)
        shares = shares[:4]
    elif shape is not None and len(shares) != 4:
        raise InputError(f"{where}: {len(shares)} numbers after the class; a box has 4, with keypoints {4 + shape[0] * shape[1]}")
    elif len(shares) < 4 or len(shares) % 2:
        raise InputError(f"{where}: {len(shares)} numbers after the class; a box has 4, a polygon 6, 8, 10 ...")
    if _are_beyond(shares).any():
        raise InputError(f"{where}: has numbers that are no shares, from 0 to 1, of the width and height")
    if len(shares) == 4:
        return Thing(kind, (_box(where, shares, size),), True, keypoints)
    return Thing(kind, (shares.reshape(-1, 2) * size,), False, keypoints)


def _box(where: str, shares: Points, size: tuple[int, int]) -> Points:
    (x, y), (wide, high) = shares[:2] * size, shares[2:] * size
    if wide <= 0 or high <= 0:
        raise InputError(f"{where}: a box of no area")
    return box(x - wide / 2, y - high / 2, x + wide / 2, y + high / 2)


def _are_beyond(shares: Points) -> NDArray[np.bool_]:
    return (shares < -SLACK) | (shares > 1 + SLACK)


def _keypoints(where: str, values: Points, size: tuple[int, int]) -> Points:
    places = values[:, :2]
    visibility = values[:, 2] if values.shape[1] == 3 else np.where((places == 0).all(axis=1), 0.0, 2.0)
    if not np.isin(visibility, (0, 1, 2)).all():
        raise InputError(f"{where}: the visibility of a keypoint is none of 0, 1 and 2")
    labelled = visibility[:, None] > 0
    if (labelled & _are_beyond(places)).any():
        raise InputError(f"{where}: has keypoints that are no shares, from 0 to 1, of the width and height")
    return np.where(labelled, np.column_stack([places * size, visibility]), 0.0)


def written_yolo(things: Sequence[Thing], size: tuple[int, int], shape: Shape | None) -> bytes:
    """The text of things in an image of that width and height; what lies outside it is left out."""
    lines = [line for thing in things for ring in thing.rings if (line := _line(thing, ring, size, shape))]
    return "".join(f"{line}\n" for line in lines).encode()


def _line(thing: Thing, ring: Points, size: tuple[int, int], shape: Shape | None) -> str:
    found = edges([ring], size)
    if found is None:
        return ""
    if not thing.is_box:
        return f"{thing.kind} {_said(clipped(ring, size) / size)}"
    first, last = np.array(found[:2]) / size, np.array(found[2:]) / size
    line = f"{thing.kind} {_said((first + last) / 2)} {_said(np.maximum(last - first, LEAST))}"
    if shape is None or len(thing.keypoints) != shape[0]:
        return line
    points = seen(thing.keypoints, size)
    return " ".join([line, *(f"{_said(p[:2] / size)}{f' {p[2]:.0f}' if shape[1] == 3 else ''}" for p in points)])


def _said(shares: Points) -> str:
    return " ".join(f"{share:.6f}" for share in shares.ravel())
