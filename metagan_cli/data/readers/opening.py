"""From a file's bytes to an upright picture of 8 bits that is no larger than need be."""

import contextlib
import io
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, sqrt
from typing import Any

from PIL import Image

from metagan_cli.data.readers.geometry import LARGEST
from metagan_cli.data.readers.kinds import HEIC, REFUSED
from metagan_cli.data.readers.levels import FULL, plain, white_of
from metagan_cli.errors import InputError
from metagan_cli.provenance import provenance_of

FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF", "PPM", "AVIF", "ICO", "DIB")
BY_ENDING = {".tga": "TGA"}  # which begins with no word of its own: what is called so and is nothing else
MAX_PIXELS = 120_000_000  # of a picture that is decoded as a whole
MAX_REDUCED = 500_000_000  # of one that is decoded at a part of its size: JPEG that is not progressive
WHOLE = LARGEST**2  # pixels up to which a picture is worked on as it is; one of more has a side too long for pixel art
ENOUGH = 2048**2  # pixels that are worked on of a larger one
STRIP = 64  # rows of a reduced picture that are made at once
MIN_SIDE = 4  # pixels
_ALONE = threading.RLock()  # pictures are decoded one at a time: memory is that of one, and Pillow's limit is everyone's
_ORIENTATION = 0x0112  # the EXIF tag
_T = Image.Transpose
_TURNS = {
    2: _T.FLIP_LEFT_RIGHT, 3: _T.ROTATE_180, 4: _T.FLIP_TOP_BOTTOM,
    5: _T.TRANSPOSE, 6: _T.ROTATE_270, 7: _T.TRANSVERSE, 8: _T.ROTATE_90,
}  # fmt: skip
ON_ITS_SIDE = (_T.TRANSPOSE, _T.ROTATE_270, _T.TRANSVERSE, _T.ROTATE_90)


@dataclass(frozen=True)
class Picture:
    """What was in a file."""

    image: Image.Image  # upright, in one of the modes L, RGB, LA, RGBA
    width: int  # pixels of the file's picture, upright
    height: int
    peak: int  # the largest of its 16-bit gray levels; 0 of other pictures
    carried: dict[str, Any]  # what it says of itself if metagan drew it
    notes: tuple[str, ...]

    @property
    def reduced(self) -> bool:
        """Whether the image has fewer pixels than the file's."""
        return self.image.size != (self.width, self.height)


def open_picture(label: str, source: bytes | Image.Image, ending: str = "", white: int = 0, frame: int | None = None) -> Picture:
    """A file's bytes, or a picture that is open already; gray levels of 16 bits as shares of `white`, as `plain` does.

    Of an animation the first frame, which is noted, or else frame number `frame`.

    Raises InputError for a size that is not read, and whatever Pillow raises.
    """
    with _ALONE:
        image, (width, height), frames = loaded(label, source, ending, frame=frame or 0)
        turn, carried, notes = turn_of(image), provenance_of(image), []
        if frames > 1 and frame is None:
            notes.append("of several frames: the first frame (--frames takes all)")
        image, peak = plain(label, image, white)
        scale = white or white_of(peak)
        if peak and scale < FULL:
            notes.append(f"of {scale.bit_length()}-bit levels in 16-bit files: white is {scale:,}")
        if (times := _times(image.size)) > 1:
            image = reduced(image, times)
    if turn is not None:
        image = image.transpose(turn)
    if turn in ON_ITS_SIDE:
        width, height = height, width
    return Picture(image, width, height, peak, carried, tuple(notes))


def turn_of(image: Image.Image) -> Image.Transpose | None:
    """What makes an opened picture upright; nothing where it is."""
    return _TURNS.get(image.getexif().get(_ORIENTATION, 1))


def loaded(
    label: str, source: bytes | Image.Image, ending: str, whole: bool = False, frame: int = 0
) -> tuple[Image.Image, tuple[int, int], int]:
    """One frame, decoded, a large JPEG at a part of its size unless `whole`; the size in the file; the number of frames.

    Raises InputError for a size that is not read, and whatever Pillow raises.
    """
    image = source if isinstance(source, Image.Image) else opened(label, source, ending)
    is_jpeg = image.format in ("JPEG", "MPO") and not isinstance(source, Image.Image)  # a caller's own picture stays as it is
    is_reducible = is_jpeg and not whole
    size = image.size
    _check_size(label, size, MAX_REDUCED if is_reducible and "progressive" not in image.info else MAX_PIXELS)
    frames = getattr(image, "n_frames", 1)
    if is_reducible and (times := _times(size)) > 1:
        halved = 1 << (times - 1).bit_length()  # a JPEG is decoded at a half, a quarter or an eighth
        image.draft(None, (size[0] // halved, size[1] // halved))
    if frame:
        image.seek(frame)
    with _pixel_limit(MAX_PIXELS // 2):  # Pillow refuses twice its limit: an icon may hold a larger picture than it says
        image.load()
    if image.format == "ICO":
        size = image.size
        _check_size(label, size, MAX_PIXELS)
    return image, size, frames


def opened(label: str, data: bytes, ending: str) -> Image.Image:
    """A file's bytes as a picture that is not decoded yet, of the formats that are read alone."""
    if data[4:12] in HEIC:
        raise InputError(f"{label}: {REFUSED['.heic']}")
    Image.init()
    formats = [*FORMATS, BY_ENDING.get(ending.lower(), "")]
    with _pixel_limit(None):
        return Image.open(io.BytesIO(data), formats=[name for name in formats if name in Image.OPEN])


def _check_size(label: str, size: tuple[int, int], most: int) -> None:
    if min(size) < MIN_SIDE:
        raise InputError(f"{label}: {size[0]} x {size[1]} pixels; each side needs at least {MIN_SIDE}")
    if size[0] * size[1] > most:
        raise InputError(f"{label}: {size[0]} x {size[1]} is more than {most // 10**6} million pixels: make it smaller")


def _times(size: tuple[int, int]) -> int:
    """How many times smaller each side of a picture is made, so that its pixels are few enough to work on."""
    pixels = size[0] * size[1]
    return ceil(sqrt(pixels / ENOUGH)) if pixels > WHOLE else 1


def reduced(image: Image.Image, times: int) -> Image.Image:
    """A picture so many times smaller, strip by strip: Pillow makes a copy of what it reduces where that is transparent."""
    small = Image.new(image.mode, (ceil(image.width / times), ceil(image.height / times)))
    for top in range(0, small.height, STRIP):
        strip = image.crop((0, top * times, image.width, min((top + STRIP) * times, image.height)))
        small.paste(strip.reduce(times), (0, top))
    return small


@contextlib.contextmanager
def _pixel_limit(most: int | None) -> Iterator[None]:
    """Pillow's own bomb check stays out of the way, or has another limit: ours are stricter and have their own words."""
    with _ALONE:
        before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, most
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = before
