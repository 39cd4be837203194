"""Drawings of the bank: icons and glyphs as plain SVG shapes of one ink in a square of BOX units."""

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fontTools.pens.svgPathPen import SVGPathPen
from fontTools.pens.transformPen import TransformPen
from fontTools.ttLib import TTFont
from torch import Tensor

from metagan_cli.images.drawings import BOX, draw_svg
from recipes.motif_names import IconSet

SHAPES = {"g", "path", "circle", "ellipse", "line", "polygon", "polyline", "rect"}
KEPT = {"d", "cx", "cy", "r", "rx", "ry", "x", "y", "x1", "x2", "y1", "y2", "width", "height", "points", "transform", "fill"}
KEPT |= {"fill-rule", "stroke", "stroke-width", "stroke-linecap", "stroke-linejoin", "stroke-miterlimit"}
DROPPED = {"id", "class", "color", "clip-rule", "overflow"}
BLACK = {"currentColor", "#000", "#000000", "black"}
SIDE = 48  # pixels that drawings are measured at
WIDEST, MADE = 21.5, 20.0  # units that a drawing may extend over, and what wider ones are made
MARGIN = 0.8  # units that are left around it
ASIDE = 2.0  # units that the middle of a drawing may be off that of the square
FRAME = 0.55  # and around letters
LICENSE = "http://www.apache.org/licenses/LICENSE-2.0"  # as a font's table of names says it
NAMES = {"copyright": 0, "family": 1, "licence": 14}  # numbers in that table
CAPITAL, BASELINE = 13.8, 18.9  # units: the height of a capital, whose middle is the square's, and where its foot stands


def share(body: str, side: int = SIDE) -> Tensor:
    """How much of each pixel a drawing covers [side, side]."""
    return (draw_svg(body, side)[0] + 1) / 2


def plain_icon(icon_set: IconSet, name: str) -> str | None:
    """An icon's shapes, or none where it has more than shapes of one ink."""
    icon = {"left": 0, "top": 0, "width": 16, "height": 16} | {**icon_set, **icon_set["icons"][name]}
    try:
        shapes = "".join(_plain(ElementTree.fromstring(f"<svg>{icon['body']}</svg>"), "currentColor"))
    except (ValueError, ElementTree.ParseError):
        return None
    scale = BOX / max(icon["width"], icon["height"])
    middle = (icon["left"] + icon["width"] / 2, icon["top"] + icon["height"] / 2)
    return _within(shapes, scale, middle)


def _plain(element: ElementTree.Element, fill: str) -> Iterator[str]:
    """The shapes below an element as text. Raises ValueError where one is not plain."""
    for child in element:
        if child.tag not in SHAPES or not child.attrib.keys() <= KEPT | DROPPED:
            raise ValueError(child.tag)
        kept = {key: _short(value) for key, value in child.attrib.items() if key in KEPT}
        for key in {"fill", "stroke"} & kept.keys():
            if kept[key] not in BLACK | {"none"}:
                raise ValueError(kept[key])
            kept[key] = "none" if kept[key] == "none" else "currentColor"
        own = kept.get("fill", fill)
        if own == fill:
            kept.pop("fill", None)
        inner = "".join(_plain(child, own))
        attributes = "".join(f' {key}="{value}"' for key, value in kept.items())
        if inner or child.tag != "g":
            yield f"<{child.tag}{attributes}>{inner}</{child.tag}>" if inner else f"<{child.tag}{attributes}/>"


def _short(text: str) -> str:
    """Numbers with three decimals; they are cut, as what stands before the point may be the flags of an arc."""
    return re.sub(r"(\.\d{3})\d+", r"\1", text)


def _within(shapes: str, scale: float, middle: tuple[float, float]) -> str | None:
    """Shapes with the middle of their box in the square's; smaller where they reach the frame, moved where they lie aside."""
    ink = share(_placed(shapes, scale / 2, middle), 4 * SIDE) > 0.1  # from twice as far, so that all of it is seen
    if not ink.any():
        return None
    unit = len(ink) / 2 / BOX  # pixels
    ends = [(float(line.nonzero()[0]) / unit, (float(line.nonzero()[-1]) + 1) / unit) for line in (ink.any(0), ink.any(1))]
    extent = max(high - low for low, high in ends)
    off = [(low + high) / 2 - BOX for low, high in ends]
    margin = BOX / 2 - max(abs(place - BOX) for line in ends for place in line)
    if extent > WIDEST or margin < MARGIN or max(map(abs, off)) > ASIDE:
        middle = (middle[0] + off[0] / scale, middle[1] + off[1] / scale)
        scale *= min(1.0, MADE / extent)
    return _placed(shapes, scale, middle)


def _placed(shapes: str, scale: float, middle: tuple[float, float]) -> str:
    """Shapes made larger by a factor, with a point of theirs in the middle of the square."""
    across, down = (BOX / 2 - scale * place for place in middle)
    moved = "" if max(abs(across), abs(down)) < 1e-3 else f"translate({across:.5g} {down:.5g})"
    scaled = "" if abs(scale - 1) < 1e-6 else f"scale({scale:.5g})"
    return f'<g transform="{moved}{scaled}">{shapes}</g>' if moved or scaled else shapes


class Font:
    """The glyphs of a font file, on one baseline and in one size. Raises ValueError where it is not under Apache-2.0."""

    def __init__(self, path: Path) -> None:
        self._font = TTFont(path)
        told = {key: str(self._font["name"].getDebugName(number)) for key, number in NAMES.items()}
        if told["licence"].rstrip("/") != LICENSE:
            raise ValueError(f"{path}: under {told['licence']}")
        self.family, self.copyright = told["family"], told["copyright"]

    def draw(self, character: str) -> str:
        """A character's outline as an SVG path, in the middle from left to right; smaller where it would reach the frame."""
        glyphs, name, bounds = self._font.getGlyphSet(), self._font.getBestCmap()[ord(character)], self._bounds(character)
        room = {
            CAPITAL: self._bounds("H").yMax,
            BASELINE - FRAME: bounds.yMax,
            BOX - FRAME - BASELINE: -bounds.yMin,
            BOX - 2 * FRAME: bounds.xMax - bounds.xMin,
        }
        scale = min(units / size for units, size in room.items() if size > 0)
        left = BOX / 2 - scale * (bounds.xMin + bounds.xMax) / 2
        pen = SVGPathPen(glyphs, ntos=lambda number: f"{number:.2f}".rstrip("0").rstrip("."))
        glyphs[name].draw(TransformPen(pen, (scale, 0, 0, -scale, left, BASELINE)))
        return f'<path d="{pen.getCommands()}"/>'

    def _bounds(self, character: str) -> Any:
        return self._font["glyf"][self._font.getBestCmap()[ord(character)]]
