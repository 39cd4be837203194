"""Reading images safely: one file becomes one array, or there is one reason why not."""

import contextlib
import os
import stat
import struct
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from metagan_cli.data.readers.geometry import ALONE, Array, Fitting, Outline, outline, squared
from metagan_cli.data.readers.kinds import PNG
from metagan_cli.data.readers.opening import BY_ENDING, FORMATS, Picture, open_picture, opened
from metagan_cli.data.readers.transparency import Contrast, contrast_of, laid_on, own_ground, said
from metagan_cli.errors import InputError

MAX_BYTES = 500_000_000
MAX_TEXT = 8_000_000  # bytes of a PNG's text chunk
CELLS, SPECK = 64, 0.002  # a side of the grid in which colours are looked for, and the share of it that is too little
COLOUR = 24  # levels that channels differ by where there is colour, in a picture of full brightness
DARK = 32  # the brightness of the darkest picture that has any


@dataclass(frozen=True)
class Frame:
    """One picture of an animation."""

    path: Path
    number: int

    @property
    def suffix(self) -> str:
        """Of its file."""
        return self.path.suffix


Source = Path | Frame | Image.Image


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
    peak: int  # the largest of its 16-bit gray levels; 0 of other pictures
    stamp: tuple[int, ...]  # what changes when its file does
    alpha: Array | None  # uint8 [size, size, 1], of a transparent picture where it is wanted


def read_image(
    source: Source,
    size: int,
    channels: int,
    fitting: Fitting = ALONE,
    name: str = "image",
    with_alpha: bool = False,
) -> ReadImage:
    """Reads a file, a frame of one, or a picture of that name, as uint8 [size, size, C], upright, on a ground, in a square.

    Raises InputError with one line that says what is wrong and what to do.
    """
    label = called(name, source)
    data, stamp = (source, ()) if isinstance(source, Image.Image) else _image_bytes(file_of(source))
    frame = source.number if isinstance(source, Frame) else None
    with damage_named(label):
        seen = open_picture(label, data, getattr(source, "suffix", ""), fitting.white, frame)
        contrast = contrast_of(seen.image, channels)
        ground = None if contrast is None else own_ground(contrast, channels) if fitting.ground is None else fitting.ground
        rgb = seen.image.convert("RGB") if ground is None else laid_on(seen.image, ground)
        colourful = _has_colours(rgb)
        chosen = rgb if channels == 3 else rgb.convert("L")
        own = _outline(seen, np.asarray(chosen).reshape(chosen.height, chosen.width, channels), ground is not None)
        pixels = squared(chosen, size, fitting, own.block, ground)
        alpha = None
        if with_alpha and ground is not None:
            alpha = squared(seen.image.getchannel("A"), size, fitting, own.block, clear=0)
    notes = [*seen.notes]
    if ground is not None:
        notes.append(f"transparent: put on {said(ground)}")
    if seen.carried:
        notes.append("drawn by metagan itself")
    is_sheet = seen.carried.get("kind", "single") != "single"
    return ReadImage(pixels, own, colourful, contrast, ground, tuple(notes), is_sheet, seen.peak, stamp, alpha)


def read_picture(path: Path) -> Image.Image:
    """A file's picture as it is, upright, in one of the modes L, RGB, LA, RGBA. Raises InputError like `read_image`."""
    data, _ = _image_bytes(path)
    with damage_named(shown(path)):
        return open_picture(shown(path), data, path.suffix).image


def frames_of(path: Path) -> int:
    """How many pictures a file has: 1 of what cannot be read, or is no animation."""
    try:
        with damage_named(shown(path)):
            return int(getattr(opened(shown(path), _image_bytes(path)[0], path.suffix), "n_frames", 1))
    except InputError:
        return 1


def file_of(source: Path | Frame) -> Path:
    """Where a picture lies."""
    return source.path if isinstance(source, Frame) else source


def called(name: str, source: Source) -> str:
    """What messages call an image: its file, with a frame's number, or the name of a picture that was opened already."""
    if isinstance(source, Image.Image):
        return name
    return shown(source) if isinstance(source, Path) else f"{shown(source.path)}, frame {source.number + 1}"


def shown(path: Path | str) -> str:
    """A path on one printable line, whatever characters it holds."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


@contextlib.contextmanager
def damage_named(label: str) -> Iterator[None]:
    """Whatever decoding a picture raises becomes an InputError with one line that begins with its label."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except InputError:
        raise
    except MemoryError as error:
        raise InputError(f"{label}: needs more memory than there is") from error
    except Exception as error:  # Pillow raises OSError, ValueError, SyntaxError, RuntimeError, TypeError, struct.error ...
        raise InputError(f"{label}: damaged, or not an image ({_reason(error)})") from error


def _image_bytes(path: Path) -> tuple[bytes, tuple[int, ...]]:
    data, stamp = read_bytes(path)
    if not data:
        raise InputError(f"{shown(path)}: empty (0 bytes)")
    return data, stamp


def read_bytes(path: Path, most: int = MAX_BYTES) -> tuple[bytes, tuple[int, ...]]:
    """The content of a regular file of at most so many bytes, and what changes with it; never blocks on a pipe or a device.

    Raises InputError where it cannot be read.
    """
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
            if status.st_size > most:
                raise InputError(f"{shown(path)}: larger than {most // 1_000_000} MB")
            if file.read(8) == PNG:
                _check_text_chunks(path, file)
            file.seek(0)
            return file.read(), (status.st_ino, status.st_size, status.st_mtime_ns)
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


def _outline(opened: Picture, pixels: Array, transparent: bool) -> Outline:
    """The form of an opened picture, in its own size, whose pixels are uint8 [H, W, C]."""
    seen = outline(pixels, transparent)
    return replace(seen, width=opened.width, height=opened.height, block=0, colours=seen.colours[:0]) if opened.reduced else seen


def _has_colours(rgb: Image.Image) -> bool:
    """Whether a picture has colours: more than a speck of them, be it as dark as it may."""
    small = rgb.resize((min(CELLS, rgb.width), min(CELLS, rgb.height)), Image.Resampling.BOX)
    cells = np.asarray(small).astype(np.float64)
    brightness = max(float(np.percentile(cells, 99)), DARK) / 255
    return bool((np.ptp(cells, axis=2) > COLOUR * brightness).mean() > SPECK)


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    if "cannot identify" in text or not text:
        return "its content is none of " + ", ".join((*FORMATS, *BY_ENDING.values()))
    return shown(text[:160])
