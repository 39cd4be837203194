"""TrueType fonts: outlines with their white as a file's bytes, and metagan's mark in such a file."""

import io
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metagan_cli.errors import UsageError
from metagan_cli.provenance import provenance_in, provenance_line

EM = 1000  # units of a font's square
ROOM, DEEP, LEADING = 750, -220, 1200  # units that a line has at least above and below its foot, and from line to line
SMOOTH = 1.0  # units that quadratic curves may be off those traced
MADE = 3786912000  # seconds since 1904, whenever it is made, so that the same drawings give the same bytes
NOTE = 10  # the number, in a font's table of names, of the description, which carries the mark
REGULAR, INSTALLABLE, NORMAL = 1 << 6, 0, 5  # style, permission to embed, and width, as the table OS/2 says them
TYPO_METRICS = 1 << 7  # that lines are as far apart as this table says
LONGEST = 31  # characters of a family's name that all systems show
MISSING = "M50 0H450V-700H50ZM100 -50V-650H400V-50Z"  # a box for what the font has not


@dataclass(frozen=True)
class Glyph:
    """A character as an outline, and the white beside it."""

    character: str
    outline: str  # an SVG path, y down
    scale: float  # units of a font to one of the path
    foot: float  # where the baseline is in the path
    left: float  # white, in units of a font
    right: float


@dataclass(frozen=True)
class Measures:
    """The heights of a font's letters, and the width of its space, in its units."""

    capital: int
    small: int
    space: int


def font_tools() -> Any:
    """The package that writes fonts, which the extra `font` brings. Raises UsageError where it is not installed."""
    try:
        import fontTools.fontBuilder
    except ImportError as error:
        raise UsageError("metagan font: pip install 'metagan[font]' first") from error
    return fontTools


def check_family(family: str) -> str:
    """The name of a family. Raises UsageError for one that systems could not show."""
    if not 0 < len(family.strip()) <= LONGEST or not family.isprintable():
        raise UsageError(f"--family {family}: a name of 1 to {LONGEST} characters that can be printed")
    return family.strip()


def font_bytes(family: str, glyphs: Sequence[Glyph], measures: Measures, also: Mapping[str, str], text: dict[str, Any]) -> bytes:
    """A font as a TrueType file: these glyphs, a space, and a box for what is missing; it carries the text.

    `also` names further characters that look like one of these.
    """
    font_tools()
    from fontTools.fontBuilder import FontBuilder

    names = {glyph.character: _name(glyph.character) for glyph in glyphs}
    drawn = {".notdef": _traced(MISSING, 1, 0, 50, 50), "space": _traced("", 1, 0, 0, measures.space)}
    drawn |= {names[g.character]: _traced(g.outline, g.scale, g.foot, g.left, g.right) for g in glyphs}
    builder = FontBuilder(EM, isTTF=True)
    builder.setupGlyphOrder(list(drawn))
    shown = {ord(character): name for character, name in names.items()} | {ord(" "): "space", 0xA0: "space"}
    builder.setupCharacterMap({ord(same): names[one] for one, same in also.items() if one in names} | shown)
    builder.setupGlyf({name: glyph for name, (glyph, _) in drawn.items()})
    widths = {name: (width, getattr(builder.font["glyf"][name], "xMin", 0)) for name, (_, width) in drawn.items()}
    builder.setupHorizontalMetrics(widths)
    heights = [(glyph.yMin, glyph.yMax) for glyph, _ in drawn.values() if glyph.numberOfContours]
    ascent, descent = max(ROOM, *(top for _, top in heights)), min(DEEP, *(low for low, _ in heights))
    gap = max(0, LEADING - ascent + descent)
    builder.setupHorizontalHeader(ascent=ascent, descent=descent, lineGap=gap)
    builder.setupHead(unitsPerEm=EM, created=MADE, modified=MADE)
    builder.setupNameTable(_names(family, text), mac=False)
    builder.setupOS2(
        version=4,
        sTypoAscender=ascent,
        sTypoDescender=descent,
        sTypoLineGap=gap,
        usWinAscent=ascent,
        usWinDescent=-descent,
        sCapHeight=measures.capital,
        sxHeight=measures.small,
        fsSelection=REGULAR | TYPO_METRICS,
        fsType=INSTALLABLE,
        usWidthClass=NORMAL,
        achVendID="    ",
    )
    font = builder.font
    font["OS/2"].recalcUnicodeRanges(font)
    font["OS/2"].recalcCodePageRanges(font)
    builder.setupPost()
    font.recalcTimestamp = False
    buffer = io.BytesIO()
    font.save(buffer)
    return buffer.getvalue()


def text_of_font(path: Path) -> dict[str, Any]:
    """What a font of metagan carries; nothing for any other file, or where the package that reads fonts is missing."""
    try:
        from fontTools.ttLib import TTFont

        with TTFont(path, lazy=True) as font:
            return provenance_in(font["name"].getDebugName(NOTE))
    except Exception:  # no font, or one that is damaged in one of many ways
        return {}


def _traced(outline: str, scale: float, foot: float, left: float, right: float) -> tuple[Any, int]:
    """A path as a glyph of quadratic curves with white beside it, and how far it is to the next one."""
    from fontTools.pens.areaPen import AreaPen
    from fontTools.pens.boundsPen import BoundsPen
    from fontTools.pens.cu2quPen import Cu2QuPen
    from fontTools.pens.recordingPen import RecordingPen
    from fontTools.pens.transformPen import TransformPen
    from fontTools.pens.ttGlyphPen import TTGlyphPen
    from fontTools.svgLib.path import parse_path

    upright, area, bounds, pen = RecordingPen(), AreaPen(), BoundsPen(None), TTGlyphPen(None)
    parse_path(outline, TransformPen(upright, (scale, 0, 0, -scale, 0, scale * foot)))
    upright.replay(area)
    upright.replay(bounds)
    low, _, high, _ = bounds.bounds or (0, 0, 0, 0)
    first = round(left)
    moved = TransformPen(Cu2QuPen(pen, SMOOTH, reverse_direction=area.value > 0), (1, 0, 0, 1, first - low, 0))
    upright.replay(moved)
    return pen.glyph(), round(first + high - low + right)


def _name(character: str) -> str:
    """What a glyph is called, as the Adobe Glyph List has it."""
    from fontTools.agl import UV2AGL

    return str(UV2AGL.get(ord(character), f"uni{ord(character):04X}" if ord(character) < 0x10000 else f"u{ord(character):X}"))


def _names(family: str, text: dict[str, Any]) -> dict[str, str]:
    """A font's table of names."""
    plain = unicodedata.normalize("NFKD", family).encode("ascii", "ignore").decode()
    postscript = f"{re.sub('[^A-Za-z0-9]', '', plain) or 'Metagan'}-Regular"
    line = provenance_line(text)
    return {
        "familyName": family,
        "styleName": "Regular",
        "uniqueFontIdentifier": f"metagan:{postscript}",
        "fullName": f"{family} Regular",
        "version": "Version 1.000",
        "psName": postscript,
        "description": line,
    }
