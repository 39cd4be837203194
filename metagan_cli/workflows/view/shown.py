"""What a page shows, and how pictures stand on it."""

import base64
import io
from dataclasses import dataclass
from statistics import median

from PIL import Image

from metagan_cli.workflows.painting import LARGEST_CELL

MOST = 1000  # pictures to pick from on one page
DRAWN_SMALL = 48  # pixels on the longer side up to which a picture's pixels are to be seen, as of pixel art
HEAVY = 32_000  # bytes of a PNG above which it is shown with a little loss
QUALITY = 90  # of those


@dataclass(frozen=True)
class Shown:
    """A picture on a page."""

    uri: str  # all of it
    in_pixels: bool  # whether it is enlarged without smoothing


@dataclass(frozen=True)
class Example:
    """What pictures are compared with."""

    name: str
    shown: Shown


@dataclass(frozen=True)
class Choice:
    """A picture to pick or to leave."""

    name: str  # by which it is picked: a seed, or a file below its folder
    label: str  # what stands below it
    shown: Shown
    nearest: int | None = None  # the number of the example that is nearest to it, where one is known
    distance: float | None = None  # from that; 0 is the same, 1 has nothing in common
    copied: bool = False  # whether it is a copy of an example
    quality: float | None = None  # by the discriminator, more is better
    group: str = ""  # its class


@dataclass(frozen=True)
class View:
    """All that a page shows."""

    title: str
    about: str  # what drew the pictures
    choices: tuple[Choice, ...]  # in their order, at least one
    examples: tuple[Example, ...]
    before: str  # what stands before the names of the picked pictures in the text that gets them
    between: str
    after: str
    warnings: tuple[str, ...]

    @property
    def copies(self) -> int | None:
        """How many of them are copies; None where they could not be compared with any example."""
        return sum(choice.copied for choice in self.choices) if self.distances else None

    @property
    def distances(self) -> list[float]:
        """Those that are known."""
        return [choice.distance for choice in self.choices if choice.distance is not None]

    @property
    def nearest(self) -> float | None:
        """Their median."""
        return median(self.distances) if self.distances else None

    @property
    def groups(self) -> list[str]:
        """Their classes."""
        return sorted({choice.group for choice in self.choices})

    @property
    def has_quality(self) -> bool:
        """Whether all of them have been judged."""
        return all(choice.quality is not None for choice in self.choices)


def shown(image: Image.Image) -> Shown:
    """A picture as a page holds it: at most as large as a cell of a sheet, as a PNG, or a WebP where that would be heavy."""
    if max(image.size) > LARGEST_CELL:
        image = image.copy()
        image.thumbnail((LARGEST_CELL, LARGEST_CELL), Image.Resampling.BOX)
    kind, data = "png", _encoded(image, "PNG", optimize=True)
    if len(data) > HEAVY:
        kind, data = "webp", _encoded(image, "WEBP", quality=QUALITY)
    return Shown(f"data:image/{kind};base64,{base64.b64encode(data).decode()}", max(image.size) <= DRAWN_SMALL)


def _encoded(image: Image.Image, kind: str, **options: bool | int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()
