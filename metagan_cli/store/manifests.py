"""The list of what augment made: one JSON object a line, a header first, then the classes, each with its new images."""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metagan_cli.errors import InputError, OutputError
from metagan_cli.store.files import write_bytes

NAME, KIND = "manifest.jsonl", "augment"
VERSION = 1
Record = dict[str, Any]


@dataclass(frozen=True)
class Block:
    """One class: what is said of it, and of each of its new images."""

    about: Record  # class, new: how many images follow, and more
    images: tuple[Record, ...]

    @property
    def name(self) -> str:
        """The class."""
        return str(self.about["class"])


class Manifest:
    """A manifest that grows class by class; a block that was not written whole, as at a power cut, is none."""

    def __init__(self, path: Path) -> None:
        """Of a file that may be missing. Raises InputError where it is no manifest."""
        self.path, self.header = path, dict[str, Any]()
        self.blocks: dict[str, Block] = {}
        if path.exists():
            self._read()

    def begin(self, header: Record, overwrite: bool) -> None:
        """Goes on with a file of the same settings; forgets it to overwrite it. Raises OutputError where they were others."""
        header = {"metagan": VERSION, "kind": KIND} | header
        if self.header and self.header != header and not overwrite:
            other = sorted(name for name in header.keys() | self.header.keys() if header.get(name) != self.header.get(name))
            raise OutputError(
                f"{self.path}: was made with another {' and '.join(other)}; name another folder, or --overwrite makes it anew"
            )
        if self.header != header or overwrite:
            self.blocks = {}
        self.header = header

    def rewrite(self, blocks: Sequence[Block]) -> None:
        """The whole file, with these blocks. Raises OutputError."""
        self.blocks = {block.name: block for block in blocks}
        write_bytes(self.path, "".join(_lines([self.header])).encode() + "".join(map(text_of, blocks)).encode())

    def add(self, block: Block) -> None:
        """Another class, on the disk when this returns. Raises OutputError."""
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(text_of(block))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise OutputError(f"{self.path}: cannot be written ({error.strerror or error})") from error
        self.blocks[block.name] = block

    def _read(self) -> None:
        try:
            lines = self.path.read_text(encoding="utf-8", errors="replace").split("\n")
        except OSError as error:
            raise InputError(f"{self.path}: cannot be read ({error.strerror or error})") from error
        records = list(_records(lines[:-1]))  # what follows the last end of a line was not written whole
        if not records or records[0].get("metagan") != VERSION or records[0].get("kind") != KIND:
            raise InputError(f"{self.path}: not a list that metagan augment wrote")
        self.header, place = records[0], 1
        while place < len(records):
            about = records[place]
            count = about.get("new")
            if "class" not in about or not isinstance(count, int) or not 0 <= count <= len(records) - place - 1:
                break
            images = tuple(records[place + 1 : place + 1 + count])
            if not all(isinstance(image.get("image"), str) for image in images):
                break
            self.blocks[str(about["class"])] = Block(about, images)
            place += 1 + count


def text_of(block: Block) -> str:
    """A block as it stands in the file."""
    return "".join(_lines([block.about, *block.images]))


def _lines(records: Sequence[Record]) -> Iterator[str]:
    return (json.dumps(record) + "\n" for record in records)


def _records(lines: Sequence[str]) -> Iterator[Record]:
    """One object a line, up to the first line that holds none."""
    for line in lines:
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            return
        if not isinstance(record, dict):
            return
        yield record
