"""The form of a folder's images: how they are fitted into a model's square, and how results get their shape back.

Other shapes are padded to a square with the colour of their border, transparent ones with the ground that they are laid on.
Where they reach their border, as photographs do, they are cut to one shape about their middles, and that is stretched to the
square. Pixel art is seen by its own pixels, drawn alike large in a file or not: each of them becomes a block of the square, and
one pixel of the folder's colours again in a result. Results of transparent pictures are cut out of the ground of those.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, fsum, gcd, log
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps

from metagan_cli.config import FITS
from metagan_cli.errors import UsageError
from metagan_cli.images.ground import plain_share
from metagan_cli.images.pixel_art import MOSTLY

COARSEST, FINEST = 8, 40  # drawn pixels on the longer side of what counts as pixel art
GRAYS, COLOURS = 16, 256  # and at most so many gray levels or colours
PALETTE = 256  # colours of a folder
ALIKE = 1.02  # how much longer the sides of one picture may be than those of another of the same shape
LONGEST = 3.0  # how much longer one side of a shape may be than the other, where it is stretched to a square
PLAIN = 0.6  # share of a border of one colour that makes it the ground of a drawing, even one that is cut close
LARGEST = 4096  # pixels a side of a result
Array = np.ndarray[Any, np.dtype[np.uint8]]


@dataclass(frozen=True)
class Outline:
    """What one file says about its form."""

    width: int  # pixels
    height: int
    block: int  # pixels a side of one drawn pixel; 0 where it is no pixel art
    colours: Array  # uint8 [P, C], of pixel art
    fills: bool  # whether it reaches its border, as photographs do and drawings on a plain ground do not


@dataclass(frozen=True)
class Fitting:
    """How one image is brought into a model's square."""

    fit: str = "pad"  # or crop, or fill
    slope: float = 1.0  # width by height of the middle that is kept, where it fills its square
    by_pixels: bool = True  # whether pixel art is blown up by its drawn pixels, or resized like any other picture
    ground: int | None = None  # the gray level that a transparent one is laid on; None for the one that suits it
    white: int = 0  # the level of 16-bit gray that is white; 0 for what its largest says
    finer: bool = False  # whether the square is a larger one than the model's: then no line is repeated to stretch it


ALONE = Fitting()  # of an image that is looked at by itself


@dataclass(frozen=True)
class Form:
    """The form that results are given back in; of a folder that has none, a square of the model's size."""

    width: int = 0  # pixels of the folder's images; 0 where they differ in shape
    height: int = 0
    fit: str = "pad"  # or crop, or fill: then all of the square is that shape, stretched
    block: int = 0  # pixels a side of one drawn pixel; 0 where they are no pixel art
    palette: tuple[tuple[int, ...], ...] = ()  # of pixel art: gray levels or colours
    clear: int = -1  # the gray level of the ground that transparent pictures were laid on; -1 where they are opaque

    def __post_init__(self) -> None:
        sides = (self.width, self.height, self.block)
        if min(sides) < 0 or not -1 <= self.clear < 256 or (self.width > 0) != (self.height > 0) or self.fit not in FITS[1:]:
            raise UsageError(f"a form of {self.width} x {self.height} pixels, {self.fit}, does not exist")
        levels = [value for colour in self.palette for value in colour]
        drawn = self.block > 0
        if drawn != bool(levels) or any(not 0 <= value < 256 for value in levels) or (drawn and min(sides) < self.block):
            raise UsageError("pixel art without pixels or colours does not exist")

    @property
    def words(self) -> str:
        """The form as a user would say it."""
        clear = ", transparent" if self.clear >= 0 else ""
        if self.block:
            return f"pixel art of {self.width // self.block} x {self.height // self.block}, {len(self.palette)} colours{clear}"
        return (f"{self.width} x {self.height}" if self.width else "of several shapes") + clear

    def in_pixels(self, side: int) -> bool:
        """Whether results of a model of `side` pixels are drawn pixels: of pixel art that it can hold."""
        return self.block > 0 and max(self.width, self.height) // self.block <= side

    def size(self, side: int, wanted: str) -> tuple[int, int]:
        """Width and height of results of a model of `side` pixels, as wanted by `check_size`'s words."""
        own = (self.width, self.height) if self.width else (side, side)
        if "x" in wanted:
            width, height = map(int, wanted.split("x"))
            return width, height
        as_the_folder = wanted == "folder" or (wanted == "auto" and self.block > 0)
        longer = int(wanted) if wanted.isdigit() else min(max(own), LARGEST) if as_the_folder else side
        return max(1, round(longer * own[0] / max(own))), max(1, round(longer * own[1] / max(own)))


def check_size(text: str) -> str:
    """What --size says: auto, model, folder, a longer side in pixels, or WxH. Raises UsageError for anything else."""
    sides = text.split("x")
    numbers = len(sides) <= 2 and all(side.isascii() and side.isdigit() and 0 < int(side) <= LARGEST for side in sides)
    if text not in ("auto", "model", "folder") and not numbers:
        raise UsageError(f"--size {text}: give auto, model, folder, a longer side as 128, or a size as 48x64 (up to {LARGEST})")
    return text


def outline(pixels: Array, on_ground: bool = False) -> Outline:
    """The form of one picture uint8 [H, W, C], which may be known to lie on a ground."""
    height, width = pixels.shape[:2]
    rim = torch.from_numpy(_rim(pixels).T[None] / 127.5 - 1)
    fills = not on_ground and float(plain_share(rim)[1]) < PLAIN
    none = Outline(width, height, 0, pixels[:0, 0], fills)
    if max(height, width) > LARGEST:
        return none
    for part in (pixels[height // 2 : height // 2 + 1], pixels):  # one row tells of most photographs that they are none
        block = _block(part, width, height)
        if max(height, width) // block > FINEST:
            return none
    if max(height, width) // block < COARSEST:
        return none
    colours = np.unique(pixels[::block, ::block].reshape(-1, pixels.shape[2]), axis=0)
    most = GRAYS if (colours == colours[:, :1]).all() else COLOURS
    return Outline(width, height, block, colours, fills) if len(colours) <= most else none


def _block(pixels: Array, width: int, height: int) -> int:
    """The largest block whose multiples are all places where the rows and columns of [H, W, C] change, and the two sides."""
    across = np.flatnonzero((pixels[:, 1:] != pixels[:, :-1]).any((0, 2))) + 1
    down = np.flatnonzero((pixels[1:] != pixels[:-1]).any((1, 2))) + 1
    return int(np.gcd.reduce(np.concatenate([across, down, [width, height]])))


def are_pixel_art(outlines: Sequence[Outline]) -> bool:
    """Whether most images of a folder are pixel art, and so the folder."""
    return sum(o.block > 0 for o in outlines) >= MOSTLY * len(outlines)


def common_fit(outlines: Sequence[Outline], fit: str) -> str:
    """How a folder's images become squares, of which some may be asked for: pixel art is padded where it is not cropped."""
    if fit == "crop" or are_pixel_art(outlines):
        return "crop" if fit == "crop" else "pad"
    if fit != "auto":
        return fit
    other = any(o.width != o.height for o in outlines)
    return "fill" if other and sum(o.fills for o in outlines) * 2 > len(outlines) else "pad"


def common_slope(outlines: Sequence[Outline]) -> float:
    """Width by height of the shape that a folder's images are cut to: the geometric mean, but not longer than LONGEST."""
    mean = exp(fsum(log(o.width / o.height) for o in outlines) / len(outlines))
    return min(max(mean, 1 / LONGEST), LONGEST)


def common_form(outlines: Sequence[Outline], fit: str, clear: int = -1) -> Form:
    """The form of a folder: pixel art where most of its images are, a shape where all have it or are cut to it."""
    fit = common_fit(outlines, fit)
    drawn = [o for o in outlines if o.block]
    if are_pixel_art(outlines):
        (width, height), _ = Counter((o.width, o.height) for o in drawn).most_common(1)[0]
        width, height = (min(width, height),) * 2 if fit == "crop" else (width, height)
        return Form(width, height, fit, gcd(*(o.block for o in drawn)), _palette([o.colours for o in drawn]), clear)
    if fit == "crop":
        side = int(np.median([min(o.width, o.height) for o in outlines]))
        return Form(side, side, fit, clear=clear)
    slopes = [o.width / o.height for o in outlines]
    if fit == "pad" and max(slopes) > ALIKE * min(slopes):
        return Form(fit=fit, clear=clear)
    middle = outlines[int(np.argsort([o.width for o in outlines])[len(outlines) // 2])]
    shape = cut_to(middle.width, middle.height, common_slope(outlines)) if fit == "fill" else (middle.width, middle.height)
    return Form(*shape, fit, clear=clear)


def cut_to(width: int, height: int, slope: float) -> tuple[int, int]:
    """The largest shape of this width by height within a picture."""
    return min(width, max(1, round(height * slope))), min(height, max(1, round(width / slope)))


def _palette(colours: Sequence[Array]) -> tuple[tuple[int, ...], ...]:
    """All colours of a folder, or where they are too many, as many that stand for them (median cut)."""
    found = np.unique(np.concatenate(colours), axis=0)
    if len(found) > PALETTE:
        image = Image.fromarray(np.repeat(found, 3 // found.shape[1], axis=1)[None]).quantize(PALETTE, Image.Quantize.MEDIANCUT)
        found = np.unique(np.asarray(image.convert("RGB"))[0, :, : found.shape[1]], axis=0)
    return tuple(tuple(int(v) for v in colour) for colour in found)


def squared(image: Image.Image, size: int, fitting: Fitting, block: int, clear: int | None = None) -> Array:
    """A picture as uint8 [size, size, C], padded, or its middle alone, and resized.

    Padded with the gray level that its transparent parts were laid on, `clear`; an opaque one with the median of its border.
    """
    block = block if fitting.by_pixels else 0
    if block:
        image = Image.fromarray(np.asarray(image)[::block, ::block])
    if fitting.fit != "pad":
        image = ImageOps.fit(image, cut_to(*image.size, fitting.slope), Image.Resampling.NEAREST)
    pixels = np.asarray(image)
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    rim = _rim(pixels)
    ground = (np.median(rim, axis=0) if clear is None else np.full(pixels.shape[2], clear)).astype(np.uint8)
    if block and max(image.size) <= size:
        return _blown_up(pixels, size, ground)
    if fitting.fit == "pad" and image.width != image.height:
        image = _padded(image, size, ground)
    if image.size != (size, size):
        longer = max(image.size)
        enlarged = longer < size or (longer == size and fitting.finer)
        method = Image.Resampling.BICUBIC if enlarged else Image.Resampling.BOX
        if size < longer < 4 * size:
            method = Image.Resampling.LANCZOS
        image = image.resize((size, size), method)
    return np.asarray(image).reshape(size, size, -1).copy()


def _padded(image: Image.Image, size: int, ground: Array) -> Image.Image:
    """A picture in the middle of a square of its longer side; a very long one is shrunk first, as that would be huge."""
    scale = min(1.0, 4 * size / max(image.size))
    if scale < 1:
        image = image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))), Image.Resampling.BOX)
    colour = tuple(int(v) for v in ground) if len(ground) > 1 else int(ground[0])
    return ImageOps.pad(image, (max(image.size),) * 2, method=Image.Resampling.BOX, color=colour)


def _rim(pixels: Array) -> Array:
    """The outermost pixels of a picture uint8 [H, W, C]: [P, C]."""
    return np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])


def cells_of(longer: int, size: int) -> int:
    """Drawn pixels a side of the square that `longer` of them are laid in: as few as divide the size."""
    return next(n for n in range(longer, size + 1) if size % n == 0)


def _blown_up(drawn: Array, size: int, ground: Array) -> Array:
    """Drawn pixels [h, w, C] in the middle of a square whose side divides the size, each as a block of it."""
    height, width = drawn.shape[:2]
    cells = cells_of(max(height, width), size)
    square = np.tile(ground, (cells, cells, 1))
    top, left = (cells - height) // 2, (cells - width) // 2
    square[top : top + height, left : left + width] = drawn
    return square.repeat(size // cells, 0).repeat(size // cells, 1)
