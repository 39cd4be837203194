"""Reading images safely: one file becomes one array, or there is one reason why not."""

import contextlib
import io
import os
import stat
import struct
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from metagan_cli.data.readers.geometry import ALONE, Array, Fitting, Outline, outline, squared
from metagan_cli.data.readers.transparency import Contrast, contrast_of, laid_on, own_ground, said
from metagan_cli.errors import InputError
from metagan_cli.provenance import provenance_of

FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF", "PPM", "AVIF")
ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".ppm", ".pgm", ".pbm")
REFUSED = {
    ".heic": "HEIC is not read here: pip install pillow-heif to convert it, or save it as PNG",
    ".heif": "HEIF is not read here: pip install pillow-heif to convert it, or save it as PNG",
    ".svg": "a vector file: export it as PNG",
    ".eps": "a vector file: export it as PNG",
    ".pdf": "a document: export its pages as PNG",
}
MAX_PIXELS = 40_000_000
MAX_BYTES = 300_000_000
MAX_TEXT = 8_000_000  # bytes of a PNG's text chunk
MIN_SIDE = 4  # pixels
_PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class ReadImage:
    """One image, ready for a network."""

    pixels: Array  # uint8 [size, size, C]
    outline: Outline
    colourful: bool  # whether its source has colours
    contrast: Contrast | None  # of a transparent picture
    ground: int | None  # the gray level that its transparent parts were laid on
    notes: tuple[str, ...]  # what was done to it that its owner should know
    sheet: bool  # whether it is many samples that metagan drew, side by side or one after another


def read_image(source: Path | Image.Image, size: int, channels: int, fitting: Fitting = ALONE, name: str = "image") -> ReadImage:
    """Reads a file, or a picture of that name, as uint8 [size, size, C], upright, on a ground, and fitted into a square.

    Raises InputError with one line that says what is wrong and what to do.
    """
    label = shown(source) if isinstance(source, Path) else name
    data = _bytes(source) if isinstance(source, Path) else None
    try:
        with warnings.catch_warnings(), _pixel_limit():
            warnings.simplefilter("ignore")
            image, carried, notes = _upright(label, source if isinstance(source, Image.Image) else _opened(data or b""))
            if min(image.size) < MIN_SIDE:
                raise InputError(f"{label}: {image.width} x {image.height} pixels; each side needs at least {MIN_SIDE}")
            contrast = contrast_of(image, channels)
            ground = None if contrast is None else own_ground(contrast, channels) if fitting.ground is None else fitting.ground
            rgb = image.convert("RGB") if ground is None else laid_on(image, ground)
            colourful = bool((np.ptp(np.asarray(rgb.resize((16, 16))).astype(int), axis=2) > 24).mean() > 0.02)
            chosen = rgb if channels == 3 else rgb.convert("L")
            own = outline(np.asarray(chosen).reshape(chosen.height, chosen.width, channels), ground is not None)
            pixels = squared(chosen, size, fitting, own.block, ground)
    except InputError:
        raise
    except MemoryError as error:
        raise InputError(f"{label}: needs more memory than there is") from error
    except Exception as error:  # Pillow raises OSError, ValueError, SyntaxError, RuntimeError, TypeError, struct.error ...
        raise InputError(f"{label}: damaged, or not an image ({_reason(error)})") from error
    if ground is not None:
        notes.append(f"transparent: put on {said(ground)}")
    if carried:
        notes.append("drawn by metagan itself")
    return ReadImage(pixels, own, colourful, contrast, ground, tuple(notes), carried.get("kind", "single") != "single")


def shown(path: Path | str) -> str:
    """A path on one printable line, whatever characters it holds."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _bytes(path: Path) -> bytes:
    """The content of a regular file; never blocks on a pipe or a device."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except FileNotFoundError as error:
        raise InputError(f"{shown(path)}: vanished before it could be read") from error
    except OSError as error:
        raise InputError(f"{shown(path)}: cannot be read ({error.strerror})") from error
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):  # asked before os.fdopen, which raises on a folder and leaves it open
        os.close(descriptor)
        raise InputError(f"{shown(path)}: not a regular file")
    try:
        with os.fdopen(descriptor, "rb") as file:
            if status.st_size == 0:
                raise InputError(f"{shown(path)}: empty (0 bytes)")
            if status.st_size > MAX_BYTES:
                raise InputError(f"{shown(path)}: larger than {MAX_BYTES // 1_000_000} MB")
            if file.read(8) == _PNG:
                _check_text_chunks(path, file)
            file.seek(0)
            return file.read()
    except OSError as error:
        raise InputError(f"{shown(path)}: cannot be read ({error.strerror})") from error
    except MemoryError as error:
        raise InputError(f"{shown(path)}: needs more memory than there is") from error


def _check_text_chunks(path: Path, file: Any) -> None:
    """Refuses a PNG whose text is longer than any picture needs, before it is loaded."""
    while len(head := file.read(8)) == 8:  # to the end: Pillow reads the texts behind the pixels too
        length, kind = struct.unpack(">I4s", head)
        if kind in (b"tEXt", b"zTXt", b"iTXt", b"iCCP") and length > MAX_TEXT:
            raise InputError(f"{shown(path)}: holds a text of {length // 1_000_000} MB, which is no picture's")
        file.seek(length + 4, os.SEEK_CUR)


@contextlib.contextmanager
def _pixel_limit() -> Iterator[None]:
    """Pillow's own bomb check stays out of the way: ours is stricter and has its own words."""
    before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


def _opened(data: bytes) -> Image.Image:
    """A file's bytes as a picture, of the formats that are read alone."""
    Image.init()
    return Image.open(io.BytesIO(data), formats=[name for name in FORMATS if name in Image.OPEN])


def _upright(label: str, image: Image.Image) -> tuple[Image.Image, dict[str, Any], list[str]]:
    """The first frame, upright, in one of the modes L, RGB, LA, RGBA; what it carries if metagan drew it; and notes."""
    if image.width * image.height > MAX_PIXELS:
        raise InputError(
            f"{label}: {image.width} x {image.height} is more than {MAX_PIXELS // 10**6} million pixels: make it smaller"
        )
    notes = ["of several frames: the first frame"] if getattr(image, "n_frames", 1) > 1 else []
    image.load()
    return _plain(label, ImageOps.exif_transpose(image)), provenance_of(image), notes


def _plain(label: str, image: Image.Image) -> Image.Image:
    """Any mode as 8-bit L, RGB, LA or RGBA.

    16-bit values are divided by 257; floats are shares of 1, levels up to 255, or else stretched from their range.
    """
    if image.mode.startswith("I;16") or image.mode == "I":
        values = np.asarray(image).astype(np.float64)
        if values.min() < 0 or values.max() > 65535:
            raise InputError(f"{label}: whole numbers beyond 16 bits: save it as an 8-bit PNG")
        return Image.fromarray(np.round(values / 257).astype(np.uint8))
    if image.mode == "F":
        values = np.asarray(image).astype(np.float64)
        if not np.isfinite(values).all():
            raise InputError(f"{label}: holds values that are no numbers: save it as an 8-bit PNG")
        low, high = float(values.min()), float(values.max())
        if low >= 0 and high <= 255:
            low, high = 0.0, 1.0 if high <= 1 else 255.0
        return Image.fromarray(np.round((values - low) / (high - low) * 255).astype(np.uint8))
    if image.mode in ("L", "RGB", "LA", "RGBA") and "transparency" not in image.info:
        return image
    if image.mode in ("P", "PA", "La", "RGBa") or "transparency" in image.info:
        return image.convert("RGBA")
    return image.convert("L" if image.mode == "1" else "RGB")


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    if "cannot identify" in text or not text:
        return "its content is none of " + ", ".join(FORMATS)
    return shown(text[:160])
