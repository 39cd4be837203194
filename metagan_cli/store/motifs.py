"""The bank of motifs that ships with the models: things, signs, letters and digits in plain drawings."""

import difflib
import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from metagan_cli.errors import CheckpointError, UsageError
from metagan_cli.store.places import shipped_file

FILE, VERSION = "motifs.json.gz", 1
KINDS = ("icon", "symbol", "letter", "digit")
GROUPS = {"icons": ("icon",), "symbols": ("symbol",), "latin": ("letter",), "digits": ("digit",), "all": KINDS}
CLOSE = 5  # names that are offered for one that is not there


@dataclass(frozen=True)
class Drawing:
    """A motif in one plain hand."""

    body: str  # SVG shapes in a square of 24 units
    source: str  # the set or font, and its name there
    licence: str
    style: str  # outline or solid; of type sans or serif


@dataclass(frozen=True)
class Motif:
    """A thing, sign, letter or digit that can be drawn."""

    name: str
    kind: str  # one of KINDS
    words: tuple[str, ...]  # what else it is called, and what it has to do with
    drawings: tuple[Drawing, ...]  # an outline first

    def rank(self, word: str) -> int | None:
        """How well a word fits: 0 the name, 1 but for its case, 2 a word of the name, 3 one of the others; or not at all."""
        small = word.lower()
        fits = (
            word == self.name,
            small == self.name.lower(),
            small in self.name.split("-"),
            any(small == other or small in other.split("-") for other in self.words),
        )
        return fits.index(True) if True in fits else None


@dataclass(frozen=True)
class Bank:
    """All motifs, the commonest of each kind first, and whose drawings they are."""

    motifs: tuple[Motif, ...]
    sources: Mapping[str, Mapping[str, str]]  # title, author, url and licence of each set and font

    def find(self, words: str) -> tuple[Motif, ...]:
        """The motifs that all words fit: by name, then by a word of the name, then by others, the commonest first.

        Where there are none, those with the text somewhere in their names.
        """
        parts = words.split()
        ranks = {number: _rank(motif, parts) for number, motif in enumerate(self.motifs)}
        fitting = sorted((rank, number) for number, rank in ranks.items() if rank is not None)
        some = "-".join(parts).lower()
        return tuple(self.motifs[number] for _, number in fitting) or tuple(m for m in self.motifs if some in m.name)

    def named(self, name: str) -> Motif:
        """The motif of a name, of a mark, or of a name with spaces and capitals. Raises UsageError with what comes close."""
        by_name = {motif.name: motif for motif in self.motifs}
        by_mark = {word: motif for motif in self.motifs for word in motif.words if len(word) == 1}
        plain = "-".join(name.lower().split())
        found = by_name.get(name) or by_mark.get(name) or by_name.get(plain)
        if found is None:
            called = [motif.name for motif in self.motifs if plain in motif.words]
            close = dict.fromkeys([*called, *difflib.get_close_matches(plain, by_name, CLOSE)])
            offered = f"is it {' or '.join(list(close)[:CLOSE])}? " if close else ""
            raise UsageError(f"{name}: no motif of that name; {offered}metagan motifs WORD searches")
        return found

    def group(self, name: str) -> tuple[Motif, ...]:
        """The motifs of a group of GROUPS. Raises UsageError for any other."""
        if name not in GROUPS:
            raise UsageError(f"{name}: no group of motifs; there are {', '.join(GROUPS)}")
        return tuple(motif for motif in self.motifs if motif.kind in GROUPS[name])


@cache
def bank() -> Bank:
    """The bank that ships, read once. Raises CheckpointError where it is missing or damaged."""
    path = shipped_file(FILE)
    if path is None:
        raise CheckpointError(f"pretrained/{FILE}: the bank of motifs is missing from this installation")
    return read_bank(path)


def read_bank(path: Path) -> Bank:
    """The bank in a file. Raises CheckpointError where it is damaged or of another version."""
    try:
        values = json.loads(gzip.decompress(path.read_bytes()))
        version = values["version"]
        if version == VERSION:
            return Bank(tuple(map(_motif, values["motifs"])), values["sources"])
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path}: damaged; install metagan again") from error
    raise CheckpointError(f"{path}: a bank of motifs of version {version}, where {VERSION} is read; install metagan again")


def _motif(values: Mapping[str, Any]) -> Motif:
    drawings = tuple(Drawing(**drawing) for drawing in values["drawings"])
    return Motif(values["name"], values["kind"], tuple(values["words"]), drawings)


def _rank(motif: Motif, words: list[str]) -> int | None:
    """How well words fit, as one name or each of them, by the one that fits least."""
    whole = motif.rank("-".join(words))
    ranks = [rank for rank in map(motif.rank, words) if rank is not None]
    return whole if whole is not None else max(ranks) if ranks and len(ranks) == len(words) else None
