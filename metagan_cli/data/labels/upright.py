"""Labels of a picture that its file has on its side: as it is seen."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from metagan_cli.data.labels.things import Points, Thing
from metagan_cli.data.readers.files import damage_named, read_bytes, shown
from metagan_cli.data.readers.opening import ON_ITS_SIDE, opened, turn_of
from metagan_cli.errors import InputError

Turn = Image.Transpose
_PLACES: dict[Turn, Callable[[Points, int, int], tuple[Points, Points]]] = {  # x and y of points, by the file's width and height
    Turn.TRANSPOSE: lambda points, width, height: (points[:, 1], points[:, 0]),
    Turn.ROTATE_270: lambda points, width, height: (height - points[:, 1], points[:, 0]),
    Turn.TRANSVERSE: lambda points, width, height: (height - points[:, 1], width - points[:, 0]),
    Turn.ROTATE_90: lambda points, width, height: (points[:, 1], width - points[:, 0]),
}


def turn_between(where: str, said: tuple[int, int], size: tuple[int, int], image: Path | None) -> Turn | None:
    """What brings labels of a picture of a width and height to its upright size: nothing, or the turn that its file asks for.

    A turn that leaves the size as it is cannot be told: those labels are taken as upright. Raises InputError where the sizes
    differ otherwise.
    """
    if said == size:
        return None
    if image is not None and said == size[::-1]:
        with damage_named(shown(image)):
            turn = turn_of(opened(shown(image), read_bytes(image)[0], image.suffix))
        if turn in ON_ITS_SIDE:
            return turn
    raise InputError(f"{where}: for an image of {said[0]} x {said[1]} pixels, but its image has {size[0]} x {size[1]}")


def upright(thing: Thing, turn: Turn | None, size: tuple[int, int]) -> Thing:
    """A thing of a picture of that width and height in its file, where it is seen."""
    if turn is None:
        return thing
    width, height = size

    def moved(points: Points) -> Points:
        return np.column_stack([*_PLACES[turn](points, width, height), points[:, 2:]])

    mask = None if thing.mask is None else np.asarray(Image.fromarray(thing.mask).transpose(turn))
    keypoints = np.where(thing.keypoints[:, 2:] > 0, moved(thing.keypoints), 0.0)
    return replace(thing, rings=tuple(moved(ring) for ring in thing.rings), keypoints=keypoints, mask=mask)
