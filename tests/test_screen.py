"""What a person at a terminal sees, and what a pipe, NO_COLOR and TERM=dumb get instead."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import draw_folder, run

from metagan_cli.cli.console import Console
from metagan_cli.cli.screen import Bars, facts

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def at_terminal(*arguments: object, cwd: Path, columns: int = 80, **surroundings: str) -> str:
    """All that a command writes to a terminal of so many columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "LINES")}
    environment |= {"TERM": "xterm", "OMP_NUM_THREADS": "1", "LANG": "C.UTF-8"} | surroundings
    command = [sys.executable, "-m", "metagan_cli", *map(str, arguments)]
    process = subprocess.Popen(command, cwd=cwd, env=environment, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    parts, end = [], time.monotonic() + 120
    while time.monotonic() < end:
        try:
            part = os.read(ours, 65536)
        except OSError:  # the terminal's other side is closed
            break
        if not part:
            break
        parts.append(part)
    process.wait(timeout=10)
    os.close(ours)
    return b"".join(parts).decode()


def test_a_person_gets_bars_and_styled_lines(adapted: Path, tmp_path: Path) -> None:
    seen = at_terminal("sample", adapted, "-n", "3", "-o", "out.png", cwd=tmp_path)
    assert "━" in seen
    assert "samples" in seen
    assert "3/3" in seen
    assert "\x1b[1m" in seen  # bold labels
    assert "\x1b[?25l" not in seen  # the cursor stays
    assert "wrote" in ESCAPES.sub("", seen)


@pytest.mark.parametrize("surroundings", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_plain_lines_where_they_are_asked_for(surroundings: dict[str, Any], tmp_path: Path) -> None:
    seen = at_terminal("sample", "nowhere.safetensors", cwd=tmp_path, **surroundings)
    assert "\x1b" not in seen
    assert seen.startswith("metagan: error: nowhere.safetensors")


def test_an_error_starts_as_scripts_know_it(tmp_path: Path) -> None:
    seen = at_terminal("sample", "[red]no[/red].safetensors", cwd=tmp_path, columns=40)
    assert "\x1b[1;31mmetagan: error:" in seen
    plain = ESCAPES.sub("", seen)
    assert plain.count("\n") == 1
    assert "[red]no[/red].safetensors" in plain  # no markup in a path


@pytest.mark.parametrize(("columns", "panels"), [(80, True), (40, False)])
def test_help_has_panels_where_they_fit(columns: int, panels: bool, tmp_path: Path) -> None:
    seen = ESCAPES.sub("", at_terminal("sample", "--help", cwd=tmp_path, columns=columns))
    assert ("╭─ Where it goes" in seen) == panels
    assert "--overwrite" in seen
    assert "Example: metagan sample" in seen


def test_tables_and_cards(tmp_path: Path) -> None:
    cards = ESCAPES.sub("", at_terminal("models", "glyph", cwd=tmp_path, columns=100))
    assert "**" not in cards  # Markdown is rendered
    assert "glyph" in cards
    checks = at_terminal("doctor", cwd=tmp_path)
    assert "\x1b[32mok" in checks


def test_a_pipe_gets_plain_lines(tmp_path: Path) -> None:
    draw_folder(tmp_path / "images", 2)
    ran = run("inspect", "images", cwd=tmp_path)
    assert "what         folder of images\n" in ran.out
    assert "\x1b" not in ran.out + ran.err


def test_facts_wrap_below_themselves(capsys: pytest.CaptureFixture[str]) -> None:
    from rich.console import Console

    Console(width=24).print(facts([("read", "eight images of one kind"), ("", "and [more]")]))
    assert capsys.readouterr().out.splitlines() == [
        "read  eight images of   ",
        "      one kind          ",
        "      and [more]        ",
    ]


def test_time_left_goes_by_what_is_done_since_the_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = iter([0.0, 0.0, 0.0, 100.0, 100.0])  # 100 seconds for ten steps of a run that goes on from step 900
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    console = Console(brief=True)
    console.progress("outer steps", 900, 1000)
    console.progress("outer steps", 910, 1000)
    assert "910 of 1000, left 0:15:00" in capsys.readouterr().err


def test_a_work_replaces_the_one_before() -> None:
    bars = Bars()
    try:
        bars.set("first", 1, 4)
        bars.set("second", 2, 5, "margin 0.3")
        (task,) = bars._lines.tasks
        assert (task.description, task.completed, task.total) == ("second", 2, 5)
        assert bars._lines.figures == "margin 0.3"
    finally:
        bars.stop()
