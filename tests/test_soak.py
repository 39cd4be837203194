"""What `make soak` finds: growth of memory, files, threads; and the page of what was tried."""

import json
import os
import tempfile
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from metagan_cli.store.files import TEMPORARY
from reliability.lines import record
from reliability.report import newest, table
from reliability.soak import GROWTH, Measure, growth, measure, soak, trend

PLAIN = Measure(600_000.0, 6, 1, 0, 0)


def memory(rounds: int, leak: float) -> list[float]:
    """KB after each round: a warm-up, steps up and down as an allocator makes them, and a leak of so many KB a round."""
    steps = np.random.default_rng(0).normal(0, 40, rounds // 7 + 1).repeat(7)[:rounds]
    warm = 8000 * (1 - np.exp(-np.arange(rounds) / 30))
    return list(600_000 + warm + steps + leak * np.arange(rounds))


@pytest.mark.parametrize("rounds", [300, 1000])
def test_a_leak_of_a_few_kilobytes_a_round_is_seen(rounds: int) -> None:
    assert not trend(memory(rounds, 0)).grows
    assert not trend(memory(rounds, 0.1)).grows
    assert trend(memory(rounds, 2 * GROWTH)).grows
    assert abs(trend(memory(rounds, 50)).slope - 50) < 1


@pytest.mark.parametrize("name", ["files", "threads", "children", "temporary"])
def test_whatever_else_grows_is_named(name: str) -> None:
    found = [replace(PLAIN, kilobytes=value) for value in memory(300, 0)]
    assert growth(found) == []
    more = [*found[:200], *(replace(one, **{name: getattr(one, name) + 1}) for one in found[200:])]
    (line,) = growth(more)
    assert line.startswith(name)


def test_measures_see_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    before, ended = measure(tmp_path), threading.Event()
    other = threading.Thread(target=ended.wait)
    other.start()
    kept = bytearray(os.urandom(64 << 20))
    with (tmp_path / f".1-00@here{TEMPORARY}").open("w"), tempfile.NamedTemporaryFile():
        after = measure(tmp_path)
    ended.set()
    other.join()
    assert after.kilobytes - before.kilobytes > len(kept) / 2048
    assert after.files == before.files + 2
    assert (after.threads - before.threads, after.temporary - before.temporary) == (1, 2)


@pytest.mark.slow
def test_rounds_leave_nothing_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    before = measure(tmp_path)
    first, *others = (replace(one, kilobytes=0) for one in soak(4, tmp_path))
    assert others == 3 * [first]
    assert (first.temporary, first.children) == (0, before.children)


def test_the_page_says_the_newest_of_each(tmp_path: Path) -> None:
    lines = tmp_path / "runs" / "lines.jsonl"
    assert newest(lines) == []
    record("kills", "adapt", 5, 4, 60, 700, "adapted.safetensors | and more", path=lines)
    record("soak", "rounds", 1000, 1000, 90, 650, path=lines)
    record("kills", "adapt", 7, 7, 120, 700.4, path=lines)
    assert [json.loads(line)["tried"] for line in lines.read_text().splitlines()] == [5, 1000, 7]
    made = table(newest(lines))
    assert "| soak | rounds | 1,000 | none | 1.5 | 650 |  |\n| kills | adapt | 7 | none | 2.0 | 700 |  |" in made
    assert "Tried in all: 1,007. Lost: none." in made
    record("kills", "adapt", 7, 5, 120, 700, "a|b", path=lines)
    assert "| **2** | 2.0 | 700 | a/b |" in table(newest(lines))
