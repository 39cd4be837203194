"""Letters set on a line: how large they are in a font, where they stand, and how much white is between them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import median

from torch import Tensor

from metagan_cli.images.drawings import BOX
from metagan_cli.images.lettering import Box, box_of, stroke_of, white_beside
from metagan_cli.images.vectors import outline_of
from metagan_cli.store.fonts import Glyph, Measures
from metagan_cli.workflows.lines import CAPITAL, Line, baseline_of

TRACED, AROUND = 1024, 3  # pixels a side that pictures are traced at, at least, and those around a letter that are traced with it
TALL = 700  # units of a font that a capital of the bank is high, and so one of a folder
WHITE, OF_STROKE = 50, 0.35  # white beside a stem, in units, and what of the strokes' width comes on top of it
OPEN, LEAST = 140, 10  # of white within a letter's box, how much a row counts at most, and what is left beside every letter
SPACE = 0.5  # of a letter's width
SMALL = "acemnorsuvwxz"  # letters that are as high as an x
X_HEIGHT = 0.74  # of a capital's height, where no small letter is there


@dataclass(frozen=True)
class Letter:
    """A character in a square picture."""

    character: str
    share: Tensor  # of ink in each pixel, [S, S]
    unit: float  # a pixel's side, in units of the bank as large as the folder's letters
    drawn: bool  # by a person, else new

    @cached_property
    def box(self) -> Box:
        """Where its ink lies, in such units; the middle of all pictures is that of the bank's square."""
        box = box_of(self.share)
        assert box is not None
        return box.times(self.unit).moved((BOX - self.unit * len(self.share)) / 2)


def glyphs_of(letters: Sequence[Letter], line: Line, smooth: bool) -> list[Glyph]:
    """Letters as glyphs of one font."""
    white = WHITE + OF_STROKE * _em(line) * median(stroke_of(letter.share) * letter.unit for letter in letters)
    return [_glyph(letter, line, white, smooth) for letter in letters]


def measures_of(letters: Sequence[Letter], glyphs: Sequence[Glyph], line: Line) -> Measures:
    """What a font of these letters measures."""
    tops = {letter.character: _em(line) * (_foot(letter, line) - letter.box.top) for letter in letters}
    widths = [_em(line) * letter.box.width + glyph.left + glyph.right for letter, glyph in zip(letters, glyphs, strict=True)]
    capital = median([top for character, top in tops.items() if character.isupper()] or [TALL])
    small = median([tops[character] for character in SMALL if character in tops] or [X_HEIGHT * capital])
    return Measures(round(capital), round(small), round(SPACE * median(widths)))


def _glyph(letter: Letter, line: Line, white: float, smooth: bool) -> Glyph:
    pixel, side = _em(line) * letter.unit, len(letter.share)
    factor = max(1, -(-TRACED // side))
    box = box_of(letter.share)
    assert box is not None
    top, left = (max(0, int(first) - AROUND) for first in (box.top, box.left))
    part = letter.share[top : int(box.bottom) + AROUND, left : int(box.right) + AROUND]
    foot = side / 2 + (_foot(letter, line) - BOX / 2) / letter.unit - top
    beside = [max(LEAST, white - pixel * inner) for inner in white_beside(letter.share, OPEN / pixel)]
    return Glyph(letter.character, outline_of(part, factor, smooth), pixel / factor, foot * factor, *beside)


def _foot(letter: Letter, line: Line) -> float:
    """Where the baseline is in a letter's picture, in units."""
    if letter.drawn and line.foot is not None:
        return line.foot
    return baseline_of(letter.character, letter.box, line.zoom_of(letter.character))


def _em(line: Line) -> float:
    """Units of a font to one of the bank as large as the folder's letters."""
    return TALL / CAPITAL / line.zoom
