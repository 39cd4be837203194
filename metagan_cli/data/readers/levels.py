"""The levels of any picture as 8-bit ones, by what is white."""

from typing import Any

import numpy as np
from PIL import Image

from metagan_cli.errors import InputError

FULL = 65535  # white of 16 bits
NEAR_WHITE = 0.9  # of 14 bits
CLOSE = 2**14  # levels below which 16-bit files may hold fewer bits

Values = np.ndarray[Any, np.dtype[Any]]


def white_of(peak: int) -> int:
    """The level that is white where `peak` is the largest of all 16-bit files of a folder.

    Levels that fit 12 bits are of 8, 10 or 12 bits: as a part of 16 bits they would be all but black. Those that fit 14 may be a
    dark picture's, unless they come near the white of 14 bits.
    """
    for bits in (8, 10, 12):
        if 0 < peak < 2**bits:
            return 2**bits - 1
    return CLOSE - 1 if NEAR_WHITE * CLOSE <= peak < CLOSE else FULL


def plain(label: str, image: Image.Image, white: int = 0) -> tuple[Image.Image, int]:
    """Any mode as 8-bit L, RGB, LA or RGBA; and the largest level of 16-bit gray, which is 0 in other modes.

    16-bit levels are shares of `white`, or unless it is given, of `white_of` their largest; floats are shares of 1, levels up
    to 255, or else stretched from their range. Raises InputError for values that are no levels.
    """
    if image.mode.startswith("I;16") or image.mode == "I":
        values = np.asarray(image)
        if values.min() < 0 or values.max() > FULL:
            raise InputError(f"{label}: whole numbers beyond 16 bits: save it as an 8-bit PNG")
        peak = _peak(image, values)
        shares = np.arange(FULL + 1) / (white or white_of(peak))
        return Image.fromarray(np.round(shares.clip(0, 1) * 255).astype(np.uint8)[values]), peak
    if image.mode == "F":
        return _from_floats(label, np.asarray(image)), 0
    if image.format == "TGA" and image.mode == "RGBA" and image.getchannel("A").getextrema() == (0, 0):
        return image.convert("RGB"), 0  # games leave the fourth channel empty
    if image.mode in ("L", "RGB", "LA", "RGBA") and "transparency" not in image.info:
        return image, 0
    if image.mode in ("P", "PA", "La", "RGBa") or "transparency" in image.info:
        return image.convert("RGBA"), 0
    return image.convert("L" if image.mode == "1" else "RGB"), 0


def _peak(image: Image.Image, values: Values) -> int:
    """The largest level; that of 16 bits where they are known to be full: by the format, or as 8-bit levels made longer."""
    peak = int(values.max())
    if 0 < peak < CLOSE and (image.format == "PPM" or not (values % 257).any() or not (values % 256).any()):
        return FULL
    return peak


def _from_floats(label: str, values: Values) -> Image.Image:
    if not np.isfinite(values).all():
        raise InputError(f"{label}: holds values that are no numbers: save it as an 8-bit PNG")
    low, high = float(values.min()), float(values.max())
    if low >= 0 and high <= 255:
        low, high = 0.0, 1.0 if high <= 1 else 255.0
    return Image.fromarray(np.round((values.astype(np.float64) - low) / ((high - low) or 1) * 255).astype(np.uint8))
