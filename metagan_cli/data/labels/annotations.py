"""One annotation of COCO's JSON, as a thing and back."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from metagan_cli.data.labels.run_lengths import mask_of, runs_of
from metagan_cli.data.labels.things import NO_KEYPOINTS, Points, Thing, box, clipped, edges, plausible, seen
from metagan_cli.errors import InputError
from metagan_cli.images.polygons import area_of

OWN = {"id", "image_id", "category_id", "segmentation", "area", "bbox", "keypoints", "num_keypoints"}  # others are carried along
LEAST = 0.01  # pixels: two decimals


def thing_of(where: str, annotation: dict[str, Any], size: tuple[int, int]) -> Thing:
    """What an annotation says of an image of that width and height. Raises InputError with the field."""
    kind, segmentation = annotation.get("category_id"), annotation.get("segmentation")
    if type(kind) is not int:
        raise InputError(f"{where}: category_id is no whole number")
    rings: tuple[Points, ...] = ()
    mask = None
    is_box = False
    if isinstance(segmentation, dict):
        mask = _mask(f"{where}: segmentation", segmentation, size)
    elif segmentation:
        rings = _rings(f"{where}: segmentation", segmentation)
    elif annotation.get("bbox"):
        rings, is_box = (_box(f"{where}: bbox", annotation["bbox"]),), True
    keypoints = _keypoints(f"{where}: keypoints", annotation["keypoints"]) if annotation.get("keypoints") else NO_KEYPOINTS
    return Thing(kind, rings, is_box, keypoints, mask, {name: value for name, value in annotation.items() if name not in OWN})


def _mask(where: str, runs: dict[str, Any], size: tuple[int, int]) -> NDArray[np.bool_]:
    try:
        return mask_of(runs, size)
    except ValueError as error:
        raise InputError(f"{where}: {error}") from error


def _numbers(where: str, values: object) -> Points:
    found = [plausible(value) for value in values] if isinstance(values, list) else [None]
    if None in found:
        raise InputError(f"{where}: not a list of numbers that can stand here")
    return np.array(found, dtype=np.float64)


def _rings(where: str, polygons: object) -> tuple[Points, ...]:
    if not isinstance(polygons, list):
        raise InputError(f"{where}: neither polygons nor run lengths")
    rings = [_numbers(where, polygon) for polygon in polygons]
    if any(len(ring) < 6 or len(ring) % 2 for ring in rings):
        raise InputError(f"{where}: a polygon needs 6, 8, 10 ... numbers")
    return tuple(ring.reshape(-1, 2) for ring in rings)


def _box(where: str, values: object) -> Points:
    numbers = _numbers(where, values)
    if len(numbers) != 4:
        raise InputError(f"{where}: {len(numbers)} numbers instead of 4")
    left, top, wide, high = numbers.tolist()
    if wide <= 0 or high <= 0:
        raise InputError(f"{where}: a box of no area")
    return box(left, top, left + wide, top + high)


def _keypoints(where: str, values: object) -> Points:
    numbers = _numbers(where, values)
    if len(numbers) % 3 or not np.isin(numbers[2::3], (0, 1, 2)).all():
        raise InputError(f"{where}: not three numbers for each, the third of them 0, 1 or 2")
    points = numbers.reshape(-1, 3)
    return np.where(points[:, 2:] > 0, points, 0.0)


def annotation_of(thing: Thing, size: tuple[int, int]) -> dict[str, Any] | None:
    """The annotation of a thing in an image of that width and height, without ids; nothing where the image does not show it."""
    own: dict[str, Any] = {"category_id": thing.kind}
    if thing.mask is not None:
        if not thing.mask.any():
            return None
        own |= {"segmentation": runs_of(thing.mask), "area": int(thing.mask.sum()), "bbox": _bounds(thing.mask)}
    elif thing.rings:
        found = edges(thing.rings, size)
        if found is None:
            return None
        left, top, right, bottom = found
        wide, high = max(_rounded(right - left), LEAST), max(_rounded(bottom - top), LEAST)
        rings = [clipped(ring, size) for ring in thing.rings if edges([ring], size)] if not thing.is_box else []
        area = _rounded(wide * high if thing.is_box else sum(area_of(ring) for ring in rings))
        polygons = [[_rounded(value) for value in ring.ravel().tolist()] for ring in rings]
        own |= {"segmentation": polygons, "area": area, "bbox": [_rounded(left), _rounded(top), wide, high]}
    if len(thing.keypoints):
        points = seen(thing.keypoints, size)
        count = int((points[:, 2] > 0).sum())
        if not count and "bbox" not in own:
            return None
        own |= {"keypoints": [value for x, y, v in points.tolist() for value in (_rounded(x), _rounded(y), int(v))]}
        own |= {"num_keypoints": count}
    return own | dict(thing.extra)


def _bounds(mask: NDArray[np.bool_]) -> list[int]:
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    return [int(columns[0]), int(rows[0]), int(columns[-1] - columns[0]) + 1, int(rows[-1] - rows[0]) + 1]


def _rounded(value: float) -> float:
    return round(value, 2)
