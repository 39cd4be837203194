"""font: a folder of drawn letters to a font, the missing ones in the same hand."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metagan_cli.config import AdaptConfig
from metagan_cli.data.readers.geometry import ALIKE
from metagan_cli.data.readers.support import Support
from metagan_cli.errors import UsageError
from metagan_cli.images.vectors import tracer
from metagan_cli.store.files import write_bytes
from metagan_cli.store.fonts import check_family, font_bytes, font_tools
from metagan_cli.store.pictures import check_target
from metagan_cli.workflows.adapt import domain_warning, learn, read_examples
from metagan_cli.workflows.characters import ALSO, characters
from metagan_cli.workflows.letters import drawn_letters, new_letters
from metagan_cli.workflows.lines import Line, line_of
from metagan_cli.workflows.progress import Report, silent
from metagan_cli.workflows.ready import Ready, ready_of
from metagan_cli.workflows.typesetting import Letter, glyphs_of, measures_of

FAMILY = "Metagan"  # of a folder whose name cannot be shown


@dataclass(frozen=True)
class FontRequest:
    """What to make a font of, and where to put it."""

    folder: Path
    out: Path
    family: str | None = None  # else the folder's name
    new: bool = True  # whether letters that were not drawn are made
    overwrite: bool = False


@dataclass(frozen=True)
class Made:
    """What was written."""

    out: Path
    family: str
    base: str | None  # the model that painted new letters
    support: Support
    drawn: tuple[str, ...]
    new: tuple[str, ...]
    missing: tuple[tuple[str, str], ...]  # characters and pictures that are not in the font, and why
    warnings: tuple[str, ...]
    seconds: float


def font(request: FontRequest, settings: AdaptConfig, device: str = "auto", report: Report = silent) -> Made:
    """Writes a font of a folder's letters, drawn and new.

    Raises UsageError, OutputError where the file may not be written, InputError for the pictures, CheckpointError for the model.
    """
    start = time.monotonic()
    font_tools()
    tracer("metagan font", "font")
    family = check_family(request.family) if request.family is not None else _family_of(request.folder)
    check_target(request.out, (".ttf",), request.overwrite, request.folder)
    ready, support, warnings = _read(request, settings, device, report)
    drawn, missing = drawn_letters(request.folder, support, report)
    line = _line_of(drawn, support)
    new = new_letters(ready, line, {letter.character for letter in drawn}, report) if ready else []
    letters = sorted([*drawn, *new], key=lambda letter: letter.character)
    glyphs = glyphs_of(letters, line, smooth=not support.form.block)
    own, others = (tuple(letter.character for letter in some) for some in (drawn, new))
    text: dict[str, Any] = {"kind": "font", "drawn": "".join(own), "new": "".join(others)}
    text |= {"model": ready.hash, "base": ready.base.hash} if ready else {}
    write_bytes(request.out, font_bytes(family, glyphs, measures_of(letters, glyphs, line), ALSO, text))
    why = "its painting is empty" if request.new else "not drawn"
    missing += [(character, why) for character in characters() if character not in own + others]
    base = ready.base.name if ready else None
    return Made(request.out, family, base, support, own, others, tuple(missing), warnings, time.monotonic() - start)


def _read(
    request: FontRequest, settings: AdaptConfig, device: str, report: Report
) -> tuple[Ready | None, Support, tuple[str, ...]]:
    """What paints new letters, if they are wanted, the folder's pictures, and warnings."""
    if not request.new:
        return None, read_examples(request.folder, settings, report)[1], ()
    learned = learn(request.folder, settings, device, report)
    return ready_of(learned, settings), learned.support, tuple(domain_warning(learned.distance, learned.base.name))


def _line_of(drawn: Sequence[Letter], support: Support) -> Line:
    heights = [height for _, height in support.sizes]
    return line_of({letter.character: letter.box for letter in drawn}, max(heights) <= ALIKE * min(heights))


def _family_of(folder: Path) -> str:
    name = " ".join(folder.resolve().name.replace("_", " ").replace("-", " ").split())
    try:
        return check_family(name)
    except UsageError:
        return FAMILY
