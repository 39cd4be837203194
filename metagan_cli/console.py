"""What a person sees: results on stdout, everything else on stderr."""

import json
import os
import sys
import time
from typing import Any

ENVELOPE = 1  # version of the JSON that --json prints


class Console:
    """Results go to stdout, notes and progress to stderr; `quiet` keeps only warnings and results."""

    def __init__(self, *, as_json: bool = False, quiet: bool = False, verbose: bool = False) -> None:
        self.as_json, self.quiet, self.verbose = as_json, quiet, verbose
        self._live = False
        self._last = 0.0

    def result(self, command: str, values: dict[str, Any], lines: list[str]) -> None:
        """The command's result: one JSON object, or lines of text."""
        self._end_live()
        _write(sys.stdout, json.dumps({"metagan": ENVELOPE, "command": command} | values) if self.as_json else "\n".join(lines))

    def note(self, text: str) -> None:
        """A line for the curious."""
        if not self.quiet:
            self._end_live()
            _write(sys.stderr, text)

    def detail(self, text: str) -> None:
        """A line for those who asked for more."""
        if self.verbose:
            self.note(text)

    def warn(self, text: str) -> None:
        """A warning: one line."""
        self._end_live()
        _write(sys.stderr, f"metagan: warning: {one_line(text)}")

    def progress(self, text: str) -> None:
        """A line that replaces itself on a terminal, and comes every ten seconds elsewhere."""
        if self.quiet:
            return
        if _is_terminal():
            width = os.get_terminal_size(sys.stderr.fileno()).columns
            _write(sys.stderr, f"\r{text[: width - 1]:<{width - 1}}", end="")
            self._live = True
        elif time.monotonic() - self._last >= 10:
            _write(sys.stderr, text)
            self._last = time.monotonic()

    def _end_live(self) -> None:
        if self._live:
            _write(sys.stderr, "")
            self._live = False


def error_line(text: str) -> None:
    """The one line that a failed command ends with."""
    _write(sys.stderr, f"metagan: error: {one_line(text)}")


def plain_lines(values: dict[str, Any]) -> list[str]:
    """Names and values as lines of text: of a list of words, or of things with names of their own, a line each."""
    lines = []
    for name, value in values.items():
        rows = value if isinstance(value, list) and not all(isinstance(part, int | float) for part in value) else [value]
        lines += [f"{name if number == 0 else '':<12} {_plain(row)}" for number, row in enumerate(rows)]
    return lines


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        told = {name: value[name] for name in sorted(value, key=lambda name: name != "name") if value[name] not in ("", None)}
        return ", ".join(f"{name} {_plain(part)}" for name, part in told.items())
    if isinstance(value, list):
        return " ".join(map(_plain, value)) or "none"
    if isinstance(value, bool | None):
        return {True: "yes", False: "no", None: "none"}[value]
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def one_line(text: str) -> str:
    """Text without line breaks."""
    return " ".join(text.split())


def _is_terminal() -> bool:
    try:
        return sys.stderr.isatty() and os.environ.get("TERM") != "dumb" and os.get_terminal_size(sys.stderr.fileno()).columns > 20
    except (OSError, ValueError, AttributeError):
        return False


def _write(stream: Any, text: str, end: str = "\n") -> None:
    """Prints even where the stream cannot show a character, and not at all where it is closed."""
    if stream is None:
        return
    try:
        stream.write(text + end)
    except UnicodeEncodeError:
        stream.write(text.encode("ascii", "backslashreplace").decode() + end)
    except ValueError:  # closed
        return
    stream.flush()
