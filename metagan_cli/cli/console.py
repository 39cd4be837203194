"""What a command says: results on stdout, everything else on stderr; styled for a person at a terminal, plain elsewhere."""

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import RenderableType

    from metagan_cli.cli.screen import Bars

ENVELOPE = 1  # version of the JSON that --json prints
PAUSE = 10  # seconds between two lines of progress where no bar can be shown
NARROWEST, PANELS = 20, 60  # columns of a terminal that bars and facts fit into, and that the panels of --help do

Fact = tuple[str, str]  # a label, or none on a line that goes on, and what is said of it


class Console:
    """Results go to stdout, notes and progress to stderr; `quiet` keeps only warnings and results.

    `brief` works, which seldom take long, say how far they are only where they do.
    """

    _bars: "Bars | None" = None  # the ones on the screen, whichever console drew them

    def __init__(self, *, as_json: bool = False, quiet: bool = False, verbose: bool = False, brief: bool = False) -> None:
        self.as_json, self.quiet, self.verbose = as_json, quiet, verbose
        self._what, self._began, self._before = "", 0.0, 0  # the work in progress, when it was first told and how far it was
        self._last = time.monotonic() if brief else -float("inf")

    def result(
        self, command: str, values: dict[str, Any], lines: Sequence[str], shown: "Callable[[], RenderableType] | None" = None
    ) -> None:
        """The command's result: one JSON object, or what is `shown` to a person, or else lines of text."""
        self.end_bars()
        if self.as_json:
            _write(sys.stdout, json.dumps({"metagan": ENVELOPE, "command": command} | values))
        elif shown is not None and is_for_a_person(sys.stdout):
            from metagan_cli.cli import screen

            screen.show(shown())
        else:
            _write(sys.stdout, "\n".join(lines))

    def facts(self, command: str, values: dict[str, Any], facts: Sequence[Fact], width: int = 8) -> None:
        """A result that is a few facts, their labels `width` characters wide."""

        def shown() -> "RenderableType":
            from metagan_cli.cli import screen

            return screen.facts(facts)

        self.result(command, values, [f"{label:<{width}} {text}" for label, text in facts], shown)

    def note(self, text: str) -> None:
        """A line for the curious."""
        if not self.quiet:
            self.end_bars()
            _write(sys.stderr, text)

    def detail(self, text: str) -> None:
        """A line for those who asked for more."""
        if self.verbose:
            self.note(text)

    def warn(self, text: str) -> None:
        """A warning: one line."""
        self.end_bars()
        _line("warning", text)

    def progress(self, what: str, done: int, total: int, figures: str = "") -> None:
        """How far a work is: a bar with rate and time left on a terminal, a line every PAUSE seconds elsewhere."""
        if self.quiet:
            return
        if what != self._what:
            self._what, self._began, self._before = what, time.monotonic(), done
        if is_for_a_person(sys.stderr):
            from metagan_cli.cli.screen import Bars

            if Console._bars is None:
                Console._bars = Bars()
            Console._bars.set(what, done, total, figures)
        elif time.monotonic() - self._last >= PAUSE:
            self._last = time.monotonic()
            left = (self._last - self._began) / max(done - self._before, 1) * (total - done)
            _write(sys.stderr, f"{what}: {done} of {total}, left {timedelta(seconds=round(left))}  {figures}".rstrip())

    @classmethod
    def end_bars(cls) -> None:
        """Takes bars off the screen, as text may follow."""
        if cls._bars is not None:
            cls._bars.stop()
            cls._bars = None


def error_line(text: str) -> None:
    """The one line that a failed command ends with."""
    Console.end_bars()
    _line("error", text)


def facts_of(values: dict[str, Any]) -> list[Fact]:
    """Names and values as facts: of a list of words, or of things with names of their own, a line each."""
    found = []
    for name, value in values.items():
        rows = value if isinstance(value, list) and not all(isinstance(part, int | float) for part in value) else [value]
        found += [(name if number == 0 else "", _plain(row)) for number, row in enumerate(rows)]
    return found


def is_for_a_person(stream: Any, columns: int = NARROWEST) -> bool:
    """Whether a stream is a terminal of more columns that can show more than plain lines, and nothing asks for those.

    NO_COLOR and TERM=dumb do.
    """
    try:
        able = stream.isatty() and os.environ.get("TERM") != "dumb" and not os.environ.get("NO_COLOR")
        return bool(able) and os.get_terminal_size(stream.fileno()).columns > columns
    except (OSError, ValueError, AttributeError):  # closed, or no stream of the system's
        return False


def one_line(text: str) -> str:
    """Text without line breaks, and without characters that a terminal would obey, as a damaged file's names may have them."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in " ".join(text.split()))


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        named = {name: value[name] for name in sorted(value, key=lambda name: name != "name") if value[name] not in ("", None)}
        return ", ".join(f"{name} {_plain(part)}" for name, part in named.items())
    if isinstance(value, list):
        return " ".join(map(_plain, value)) or "none"
    if isinstance(value, bool | None):
        return {True: "yes", False: "no", None: "none"}[value]
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _line(kind: str, text: str) -> None:
    """A warning or an error, which scripts know by how the line starts."""
    if is_for_a_person(sys.stderr):
        from metagan_cli.cli import screen

        screen.complain(f"metagan: {kind}:", one_line(text), kind)
    else:
        _write(sys.stderr, f"metagan: {kind}: {one_line(text)}")


def silence(stream: Any) -> None:
    """What could not be written there is not tried again at the end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _write(stream: Any, text: str) -> None:
    """Prints even where the stream cannot show a character, and not at all where it is closed or nobody reads on."""
    if stream is None:
        return
    try:
        try:
            stream.write(text + "\n")
        except UnicodeEncodeError:
            stream.write(text.encode("ascii", "backslashreplace").decode() + "\n")
        stream.flush()
    except BrokenPipeError:
        silence(stream)
    except ValueError:  # closed
        return
