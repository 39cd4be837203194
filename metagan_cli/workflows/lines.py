"""How letters stand on a line: their scale and baseline, by how the bank's plain letters stand on theirs."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from statistics import median

from metagan_cli.images.drawings import BOX
from metagan_cli.images.lettering import Box
from metagan_cli.store.motifs import Drawing, Motif
from metagan_cli.workflows.characters import body_box, box_in_bank

CAPITAL, BASELINE = 13.8, 18.9  # units: the height of the bank's capitals, and where its letters stand
FEW = 3  # letters of a class, below which it has no scale of its own
LEVEL = 0.5  # units that letters' middles may be apart where each was put in the middle of its picture
ALIKE = 0.12  # share by which heights may be other than the bank's where they follow them
WIDEST, INSIDE = 21.0, 1.5  # units that a guest may extend over, and what is left around it
ZOOMS = (0.3, 3.0)  # how much smaller and larger than the bank's letters can be believed to be
ROUGHLY = 96  # pixels a side that all hands' drawings but the first one's are measured at
HANGS = 2.0  # units above the baseline from which the foot of a mark stands on nothing


@dataclass(frozen=True)
class Line:
    """How a folder's letters in squares of BOX units compare with the bank's."""

    zooms: Mapping[str, float]  # how much larger capitals, small letters and digits are, as far as they were drawn
    zoom: float  # and of those that all are measured by: capitals, or else all
    foot: float | None  # where the baseline is, in units; none where each picture has its letter in its middle

    def zoom_of(self, character: str) -> float:
        """How much larger a character is than the bank's."""
        return self.zooms.get(class_of(character), self.zoom)


@dataclass(frozen=True)
class Placed:
    """A motif as large and where the folder's letters are."""

    motif: Motif
    height: float  # in units
    squeezed: float  # how much higher it would be if the square were larger


def class_of(character: str) -> str:
    """Which characters share a height: capital, small, digit or mark."""
    kinds = {"capital": character.isupper(), "small": character.islower(), "digit": character.isdigit()}
    return next((name for name, holds in kinds.items() if holds), "mark")


def line_of(boxes: Mapping[str, Box], one_frame: bool) -> Line:
    """The line that drawn characters stand on, by their boxes in squares of BOX units; those that the bank has not count as H.

    There is none to be seen where their pictures are not cut out of `one_frame`.
    """
    pairs = {character: (box, box_in_bank(character) or _capital()) for character, box in boxes.items()}
    telling = {character: pair for character, pair in pairs.items() if class_of(character) != "mark"} or pairs
    ratios = {character: own.height / plain.height for character, (own, plain) in telling.items()}
    by_class: dict[str, list[float]] = {}
    for character, ratio in ratios.items():
        by_class.setdefault(class_of(character), []).append(ratio)
    zooms = {name: _believed(median(some)) for name, some in by_class.items() if len(some) >= FEW}
    line = Line(zooms, zooms.get("capital", _believed(median(ratios.values()))), None)
    feet = [own.bottom - line.zoom_of(c) * (plain.bottom - BASELINE) for c, (own, plain) in telling.items()]
    return line if not one_frame or _one_by_one(telling, line) else replace(line, foot=median(feet))


def placed(character: str, motif: Motif, line: Line) -> Placed:
    """A character's motif for a folder's hand to paint: where the folder has its letters, but within the square.

    It is as high and stands as low by all plain hands.
    """
    box, zoom = box_in_bank(character) or _capital(), line.zoom_of(character)
    down = min(zoom, WIDEST / box.height)
    height = down * box.height
    foot = BASELINE if line.foot is None else line.foot
    bottom = min(max(foot + down * (box.bottom - BASELINE), INSIDE + height), BOX - INSIDE)

    def set_there(drawing: Drawing) -> Drawing:
        own = body_box(drawing.body, ROUGHLY) if drawing is not motif.drawings[0] and class_of(character) != "mark" else None
        own, larger = (own, box.height / own.height) if own else (box, 1.0)
        across = min(zoom * larger, WIDEST / own.width)
        moved = f"translate({BOX / 2 - across * (own.left + own.right) / 2:.3f} {bottom - down * larger * own.bottom:.3f})"
        opening = f'<g transform="{moved}scale({across:.4f} {down * larger:.4f})">'
        return replace(drawing, body=f"{opening}{drawing.body}</g>")

    return Placed(replace(motif, drawings=tuple(map(set_there, motif.drawings))), height, zoom / down)


def baseline_of(character: str, box: Box, zoom: float) -> float:
    """Where the baseline is of a character's box, in its units, so that it stands, or hangs, as the bank's does.

    `zoom` is how much larger it is in these units. Marks that stand on nothing keep the height of their middles.
    """
    plain = box_in_bank(character)
    if plain is None:
        return box.bottom
    if plain.bottom < BASELINE - HANGS:
        return box.middle + zoom * (BASELINE - plain.middle)
    return box.bottom + zoom * (BASELINE - plain.bottom)


def _one_by_one(pairs: Mapping[str, tuple[Box, Box]], line: Line) -> bool:
    """Whether each letter is in the middle of its picture, although they are as different in height as the bank's."""
    middles = [own.middle for own, _ in pairs.values()]
    off = [abs(middle - median(middles)) for middle in middles]
    other = [abs(own.height / plain.height / line.zoom_of(c) - 1) for c, (own, plain) in pairs.items()]
    plain_middles = [plain.middle for _, plain in pairs.values()]
    apart = max(plain_middles) - min(plain_middles)
    return apart > 2 * LEVEL and max(off) < LEVEL * line.zoom and median(other) < ALIKE


def _capital() -> Box:
    box = box_in_bank("H")
    assert box is not None
    return box


def _believed(zoom: float) -> float:
    return min(max(zoom, ZOOMS[0]), ZOOMS[1])
