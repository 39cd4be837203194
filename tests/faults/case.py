"""One fault: how it is made, the command that meets it, and how that must end."""

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from conftest import Ran, draw_folder, run
from forkserver import command_environment

STRICT = range(2, 7)  # exit codes of commands that have begun nothing, and so leave no new file


@dataclass(frozen=True)
class Place:
    """Where a case lives, and the models that it may use."""

    folder: Path
    base: Path  # an untrained model of 32 pixels
    adapted: Path  # the same, adapted to five drawings


Undo = Callable[[], object]
Make = Callable[[Place], Undo | None]


def nothing(place: Place) -> None:
    """Leaves the folder empty."""


def drawings(place: Place) -> None:
    """Three good images in images/."""
    draw_folder(place.folder / "images", 3)


def both(first: Make, second: Make) -> Make:
    """One after the other; the second may have to be undone."""

    def make(place: Place) -> Undo | None:
        first(place)
        return second(place)

    return make


def plain(place: Place, arguments: list[str], bootstrap: str) -> Ran:
    """Runs the command to its end, forked."""
    return run(*arguments, cwd=place.folder, bootstrap=bootstrap)


def fresh(place: Place, arguments: list[str], bootstrap: str) -> Ran:
    """Runs it in an interpreter of its own, where memory is limited."""
    return run(*arguments, cwd=place.folder, bootstrap=bootstrap, timeout=300, fresh=True)


def shell(before: str = "", behind: str = "") -> "Drive":
    """Runs it as a line of a shell, between other words; the exit code is the command's own, not that of what it is piped to."""

    def drive(place: Place, arguments: list[str], bootstrap: str) -> Ran:
        line = f"{before} {shlex.join([sys.executable, '-m', 'metagan_cli', *arguments])} {behind}; exit ${{PIPESTATUS[0]}}"
        done = subprocess.run(["bash", "-c", line], cwd=place.folder, capture_output=True, env=command_environment(), timeout=300)
        return Ran(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))

    return drive


Drive = Callable[[Place, list[str], str], Ran]


@dataclass(frozen=True)
class Case:
    """A command that meets a fault. In its line BASE and ADAPTED stand for the models."""

    name: str
    line: str
    says: tuple[str, ...] = ()  # what stands in the line of the error or the warning, or else anywhere in what it prints
    code: int = 0
    warns: bool = False
    make: Make = drawings
    bootstrap: str = ""  # Python that runs before the command
    drive: Drive = plain
    replaces: tuple[str, ...] = ()  # files that it is to change
    also: Callable[[Ran, Place], object] = field(default=lambda ran, place: None)
    slow: bool = False

    @property
    def complaint(self) -> str:
        """The kind of line on stderr that there must be one of: "error", "warning", or none."""
        return "error" if 0 < self.code < 128 else "warning" if self.warns else ""

    def arguments(self, place: Place) -> list[str]:
        """The command's, without its name."""
        models = {"BASE": str(place.base), "ADAPTED": str(place.adapted)}
        return [models.get(word, word) for word in shlex.split(self.line)]


@dataclass(frozen=True)
class Row:
    """One kind of fault."""

    number: int
    title: str
    cases: tuple[Case, ...]


def stops(name: str, code: int, line: str, *says: str, **more: object) -> Case:
    """The command ends with an exit code and one line that says these words."""
    return Case(name, line, says, code, **more)  # type: ignore[arg-type]


def runs(name: str, line: str, *says: str, **more: object) -> Case:
    """The command does its work, and complains of nothing."""
    return Case(name, line, says, **more)  # type: ignore[arg-type]


def warns(name: str, line: str, *says: str, **more: object) -> Case:
    """The command does its work, with one warning that says these words."""
    return Case(name, line, says, warns=True, **more)  # type: ignore[arg-type]


def file(name: str, content: bytes | str) -> Make:
    """Puts a file into the folder."""

    def make(place: Place) -> None:
        path = place.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())

    return make


def inside(name: bytes, content: bytes) -> Make:
    """Puts a file of any name beside good images."""

    def make(place: Place) -> None:
        drawings(place)
        with open(os.fsencode(place.folder / "images") + b"/" + name, "wb") as target:
            target.write(content)

    return make
