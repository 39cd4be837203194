"""Which characters a font is to have, their plain drawings, and what pictures of them are called."""

import unicodedata
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import cache

from metagan_cli.images.drawings import BOX, draw_svg
from metagan_cli.images.lettering import Box, box_of
from metagan_cli.store.motifs import Motif, bank

CASES: dict[str, Callable[[str], str]] = {
    "upper": str.upper,
    "uppercase": str.upper,
    "capital": str.upper,
    "lower": str.lower,
    "lowercase": str.lower,
    "small": str.lower,
}
MEASURED = 240  # pixels a side that plain drawings are measured at
ASIDE = 1.9  # units that each comma of a quotation mark lies off the middle
ALSO = {"'": "\u2019", '"': "\u201d"}  # characters that look the same


@cache
def characters() -> dict[str, Motif]:
    """The characters of the Latin set that can be drawn, and the motif of each; high commas are quotation marks."""
    found = {}
    for motif in bank().motifs:
        marks = [motif.name] if motif.kind in ("letter", "digit") else [word for word in motif.words if len(word) == 1]
        if motif.kind != "icon" and marks:
            found[marks[0]] = motif
    found["'"] = _high(found[","], found["H"], "apostrophe", (0,))
    found['"'] = _high(found[","], found["H"], "quotation-mark", (-ASIDE, ASIDE))
    return dict(sorted(found.items(), key=lambda pair: (not pair[0].isalpha(), not pair[0].isdigit(), pair[0])))


def character_of(name: str) -> str | None:
    """The character that a picture of this name, without its ending, shows: `a`, `upper-a`, `?`, `question-mark`; or none."""
    name = unicodedata.normalize("NFC", name.strip())
    if len(name) == 1:
        return name if unicodedata.category(name)[0] in "LNPS" else None
    plain = "-".join(name.lower().replace("_", " ").replace("-", " ").split())
    case, _, letter = plain.partition("-")
    if case in CASES and len(letter) == len(CASES[case](letter)) == 1:
        return CASES[case](letter)
    return _by_word().get(plain)


@cache
def box_in_bank(character: str) -> Box | None:
    """Where the plain drawing of a character lies in its square of BOX units, or none where the bank has none."""
    motif = characters().get(character)
    return body_box(motif.drawings[0].body) if motif else None


def body_box(body: str, side: int = MEASURED) -> Box | None:
    """Where SVG shapes lie in their square of BOX units, to a pixel of so many a side, or none where they are nowhere."""
    box = box_of((draw_svg(body, side)[0] + 1) / 2)
    return box and box.times(BOX / side)


@cache
def _by_word() -> dict[str, str]:
    """Characters by their motifs' names, and by words that but one of them has."""
    words = Counter(word for motif in characters().values() for word in motif.words)
    named = {word: mark for mark, motif in characters().items() for word in motif.words if words[word] == 1 and len(word) > 1}
    return named | {motif.name: mark for mark, motif in characters().items() if len(motif.name) > 1}


def _high(comma: Motif, capital: Motif, name: str, places: tuple[float, ...]) -> Motif:
    """A motif of commas that hang from the height of capitals, so many units off the middle."""
    drawings = []
    for low, tall in zip(comma.drawings, capital.drawings, strict=True):
        boxes = body_box(low.body), body_box(tall.body)
        up = boxes[0].top - boxes[1].top if boxes[0] and boxes[1] else 0.0
        body = "".join(f'<g transform="translate({across} {-up:.2f})">{low.body}</g>' for across in places)
        drawings.append(replace(low, body=body))
    return Motif(name, "symbol", (), tuple(drawings))
