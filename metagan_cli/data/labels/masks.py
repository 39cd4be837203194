"""Masks: pictures of labels, pixel for pixel."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from metagan_cli.data.labels.upright import turn_between
from metagan_cli.data.readers.files import damage_named, read_bytes, shown
from metagan_cli.data.readers.levels import FULL
from metagan_cli.data.readers.opening import loaded, turn_of
from metagan_cli.errors import InputError

Labels = NDArray[Any]  # uint8, uint16 or uint32 [H, W]
BYTES = {"LA": 2, "RGB": 3, "RGBA": 4}  # of a pixel of masks whose labels are colours


def read_mask(path: Path, width: int, height: int, image: Path | None = None) -> Labels:
    """The labels [H, W] of an image of that upright width and height.

    They are a palette's indices, gray levels (0 and 1 of 1-bit masks), or the colours of a mask without a palette, each as one
    number, of which 0 is black, or wholly clear, and stands for nothing. A mask with the size that `image` has in its file, on
    its side, is turned like that. Raises InputError for a mask of another size, or a damaged one.
    """
    label = shown(path)
    with damage_named(label):
        mask = _opened(path)
        if (turn := turn_between(label, mask.size, (width, height), image)) is not None:
            mask = mask.transpose(turn)
        if mask.mode in BYTES:
            return _packed(mask)
        return _levels(label, mask)


def write_mask(labels: Labels, like: Path) -> bytes:
    """A PNG of labels [H, W] of an original mask's, a file, in the mode and with the palette or the colours that it has.

    Raises InputError where that cannot be read any more.
    """
    with damage_named(shown(like)):
        mask, more = _opened(like), {}
        if mask.mode in BYTES:
            nothing = 255 if mask.mode != "RGB" and _packed(mask).all() else 0  # of one that is opaque all over
            picture = _unpacked(np.where(labels == 0, nothing, labels).astype(np.uint32), mask.mode)
        elif mask.mode == "1":
            picture = Image.fromarray(labels.astype(np.bool_))
        elif mask.mode == "P":
            picture = Image.fromarray(labels.astype(np.uint8))
            palette = mask.getpalette() or []
            picture.putpalette(palette + [0] * (3 * (int(labels.max()) + 1) - len(palette)))
            more = {"transparency": mask.info["transparency"]} if "transparency" in mask.info else {}
        else:
            picture = Image.fromarray(labels.astype(np.uint8 if mask.mode == "L" else np.uint16))
        buffer = io.BytesIO()
        picture.save(buffer, "PNG", **more)
    return buffer.getvalue()


def _opened(path: Path) -> Image.Image:
    """A mask, decoded, as its own file has it upright, in a mode that labels are read from."""
    image, _, _ = loaded(shown(path), read_bytes(path)[0], path.suffix, whole=True)
    turn = turn_of(image)
    if image.mode not in ("1", "L", "P", "I", "F", *BYTES) and not image.mode.startswith("I;16"):
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    return image if turn is None else image.transpose(turn)


def _levels(label: str, mask: Image.Image) -> Labels:
    values = np.asarray(mask)
    if mask.mode in ("1", "L", "P"):
        return values.astype(np.uint8)
    if mask.mode == "F" or values.min() < 0 or values.max() > FULL:
        raise InputError(f"{label}: has labels that are no whole numbers from 0 to {FULL}")
    return values.astype(np.uint16)


def _packed(mask: Image.Image) -> NDArray[np.uint32]:
    """The pixels [H, W] as numbers, one for each colour; what is wholly clear has one colour."""
    channels = np.asarray(mask).astype(np.uint32)
    pixels = np.zeros(channels.shape[:2], dtype=np.uint32)
    for channel in range(channels.shape[2]):
        pixels = pixels << np.uint32(8) | channels[..., channel]
    if mask.mode != "RGB":
        pixels[channels[..., -1] == 0] = 0
    return pixels


def _unpacked(pixels: NDArray[np.uint32], mode: str) -> Image.Image:
    shifts = [np.uint32(8 * channel) for channel in reversed(range(BYTES[mode]))]
    return Image.fromarray(np.stack([(pixels >> shift & 255).astype(np.uint8) for shift in shifts], axis=-1))
