"""A folder's images again, at another size than the model's and in the geometry of its squares."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from metagan_cli.data.readers.files import ReadImage, Source, called, read_image
from metagan_cli.data.readers.geometry import Array, Fitting, Form, Outline, cut_to
from metagan_cli.errors import InputError

FINEST_SIDE = 1024  # pixels a side of the largest square that images are kept in

Named = tuple[str, Source]  # an image's name, and where it is
Read = tuple[Named, ReadImage]


@dataclass(frozen=True)
class Finer:
    """What reads the images of a folder again, one at a time, so that no more than one is in memory."""

    sources: tuple[Named, ...]  # in the support's order
    stamps: tuple[tuple[int, ...], ...]  # of the files when they were first read
    size: int  # pixels a side of the model's squares
    channels: int
    fitting: Fitting  # of the folder
    turned: tuple[bool, ...]  # whether dark and light change places, so that ink is 255 on ground 0

    def __call__(self, number: int, side: int) -> Array:
        """One image as uint8 [side, side, C], or of a transparent one [side, side, C + 1]: it on the ground, and its alpha.

        Pixel art is the model's square with its pixels repeated. Raises InputError where the file has vanished or changed.
        """
        name, source = self.sources[number]
        art = self.fitting.by_pixels
        fitting = replace(self.fitting, finer=side > self.size)
        image = read_image(source, self.size if art else side, self.channels, fitting, name, with_alpha=True)
        if image.stamp != self.stamps[number]:
            raise InputError(f"{called(name, source)}: changed while it was read; try again when it stays as it is")
        pixels = 255 - image.pixels if self.turned[number] else image.pixels
        if image.alpha is not None:
            pixels = np.concatenate([pixels, image.alpha], axis=2)
        if art:
            places = np.arange(side) * self.size // side
            pixels = pixels[places][:, places]
        return pixels


def native_side(outlines: Sequence[Outline], fitting: Fitting, form: Form, size: int) -> int:
    """Pixels a side of the square in which nothing of most images is lost, at most FINEST_SIDE.

    0 for pixel art, which stays in its drawn pixels, and where images are no larger than the model's `size`.
    """
    if form.block:
        return 0
    kept = [(o.width, o.height) if fitting.fit == "pad" else cut_to(o.width, o.height, fitting.slope) for o in outlines]
    side = min(round(float(np.median([max(sides) for sides in kept]))), FINEST_SIDE)
    return side if side > size else 0
