"""Damaged and senseless files: some of each kind in every test, tens of thousands by `make fuzz`."""

import os
import signal
from pathlib import Path
from random import Random

import pytest

from metagan_cli.errors import CheckpointError, ExitCode, InputError
from reliability import fuzz
from reliability.fuzz import Find, attempt, keep, prepare
from reliability.mutations import mutated, with_checksums
from reliability.subjects import Subject, file_of, picture, subjects

CASES, SEED = 12, 7  # of each subject


def test_every_subject_survives_some_cases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, subject in enumerate(subjects()):
        place = tmp_path / str(number)
        prepare(subject, place)
        monkeypatch.chdir(place)
        for case in range(CASES):
            assert attempt(subject, place, subject.content(SEED, case)) == "", (subject.name, case)


def test_cases_are_the_same_every_time() -> None:
    for subject in subjects():
        once = [subject.content(SEED, case) for case in range(3)]
        assert [subject.content(SEED, case) for case in range(3)] == once
        assert [subject.content(SEED + 1, case) for case in range(3)] != once


def test_mutations_change_bytes_and_checksums_are_mended() -> None:
    good, rng = file_of(picture(), "PNG"), Random(0)
    assert len({mutated(good, rng) for _ in range(50)}) > 40
    assert with_checksums(good) == good
    at = good.index(b"IHDR")
    assert with_checksums(good[: at + 17] + b"????" + good[at + 21 :]) == good


def use(path: Path) -> None:
    """Does what the file says."""
    match path.read_bytes():
        case b"0":
            raise InputError("a reason")
        case b"1":
            raise CheckpointError("another")
        case b"2":
            raise KeyError("oops")
        case b"3":
            os.kill(os.getpid(), signal.SIGKILL)
        case b"4":
            while True:
                pass
        case b"5":
            bytearray(os.urandom(1000) * 100_000)


def test_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz, "SECONDS", 0.3)
    monkeypatch.setattr(fuzz, "MOST_MB", 50)
    subject = Subject("of a test", "file", lambda seed, number: b"%d" % number, use, (ExitCode.INPUT,))
    tried = fuzz.fuzz(subject, range(8), 0, workers=2)
    assert tried.cases == 8
    words = {1: "exit code 4", 2: "KeyError", 3: "ended with -9", 4: "more than", 5: " MB"}
    assert [find.number for find in tried.finds] == list(words)
    assert all(words[find.number] in find.problem for find in tried.finds)
    path = keep(subject, 0, Find(2, "went wrong"), tmp_path)
    assert path.read_bytes() == b"2"
    assert "went wrong" in (tmp_path / f"{path.name}.txt").read_text()


def test_a_silent_process_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz, "SECONDS", 60.0)
    monkeypatch.setattr(fuzz, "STUCK", 0.5)
    subject = Subject("of a test", "file", lambda seed, number: b"%d" % (4 + 3 * number), use, (ExitCode.INPUT,))
    assert [find.number for find in fuzz.fuzz(subject, range(3), 0, workers=1).finds] == [0]
