"""Tasks from the fonts of this machine, or of a folder: one glyph in many fonts."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from metagan_cli.errors import InputError

GLYPHS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
FOLDERS = {
    "darwin": ("/System/Library/Fonts", "/Library/Fonts", "~/Library/Fonts"),
    "win32": ("C:/Windows/Fonts",),
    "linux": ("/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts", "~/.fonts"),
}
ENDINGS = (".ttf", ".otf", ".ttc", ".woff2")
FILL = 0.62  # of the side that a capital's height takes
FEWEST = 3  # fonts that make a task of a glyph

Array = np.ndarray[Any, np.dtype[np.uint8]]


def draw_fonts(folder: Path | None, size: int) -> tuple[Array, list[str], list[str]]:
    """Glyphs uint8 [M, size, size] black on white, with the font and the glyph of each.

    Raises InputError where fewer than FEWEST fonts can draw them.
    """
    files = font_files(folder)
    images: list[Array] = []
    fonts: list[str] = []
    glyphs: list[str] = []
    for path in files:
        font = _load(path, size)
        for glyph in GLYPHS if font is not None else "":
            drawn = _draw(font, glyph, size)
            if drawn is not None:
                images.append(drawn)
                fonts.append(path.stem)
                glyphs.append(glyph)
    if len(set(fonts)) < FEWEST:
        place = folder or "the font folders of this machine"
        raise InputError(
            f"{place}: {len(set(fonts))} usable fonts found; tasks need at least {FEWEST} (name a folder as fonts:FOLDER)"
        )
    return np.stack(images), fonts, glyphs


def font_files(folder: Path | None) -> list[Path]:
    """The font files below a folder, or of this machine, one for each name."""
    platform = "linux" if sys.platform.startswith("linux") else sys.platform
    folders = [folder] if folder else [Path(name).expanduser() for name in FOLDERS.get(platform, ())]
    found = {path.stem: path for place in folders for path in sorted(place.rglob("*")) if path.suffix.lower() in ENDINGS}
    return [found[name] for name in sorted(found)]


def _load(path: Path, size: int) -> ImageFont.FreeTypeFont | None:
    """The font at the size at which a capital fills its share, or nothing where it cannot be read or has no letters."""
    try:
        probe = ImageFont.truetype(str(path), 100)
        _, top, _, bottom = probe.getbbox("H")
        if bottom - top < 10 or _same(probe, "A", "B"):
            return None
        return ImageFont.truetype(str(path), max(4, round(100 * FILL * size / (bottom - top))))
    except (OSError, ValueError):
        return None


def _same(font: ImageFont.FreeTypeFont, first: str, second: str) -> bool:
    """Whether two characters look the same: a font that draws a box for what it does not have."""
    return bytes(font.getmask(first)) == bytes(font.getmask(second))


def _draw(font: Any, glyph: str, size: int) -> Array | None:
    """A glyph on a common baseline, level with the others of its font; nothing where it has no ink."""
    image = Image.new("L", (size, size), 255)
    try:
        ImageDraw.Draw(image).text((size / 2, size * (0.5 + FILL / 2)), glyph, fill=0, font=font, anchor="ms")
    except (OSError, ValueError):
        return None
    pixels = np.asarray(image)
    return pixels if (pixels < 128).sum() >= 4 else None
