"""Every fault that the program must survive: the real command meets it, and ends as the table says.

METAGAN_FAULTS names a file to which each case's outcome is added, as one JSON object a line.
"""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import hashes
from faults.case import STRICT, Case, Place, Row
from faults.table import ROWS

from metagan_cli.store.files import TEMPORARY

OUTCOMES = "METAGAN_FAULTS"


def params() -> Iterator[object]:
    for row in ROWS:
        for case in row.cases:
            yield pytest.param(row, case, id=f"{row.number}-{case.name}", marks=[pytest.mark.slow] if case.slow else [])


@contextmanager
def recorded(row: Row, case: Case) -> Iterator[None]:
    """Adds how a case went to the file of outcomes, where one is asked for."""
    began, passed = time.monotonic(), False
    try:
        yield
        passed = True
    finally:
        if path := os.environ.get(OUTCOMES):
            outcome = {"row": row.number, "title": row.title, "case": case.name, "passed": passed}
            with open(path, "a") as file:
                file.write(json.dumps(outcome | {"seconds": round(time.monotonic() - began, 2)}) + "\n")


@pytest.mark.parametrize(("row", "case"), list(params()))
def test_fault(row: Row, case: Case, tiny_model: Path, adapted: Path, tmp_path: Path) -> None:
    place = Place(tmp_path, tiny_model, adapted)
    with recorded(row, case):
        undo = case.make(place)
        try:
            before = hashes(tmp_path)
            ran = case.drive(place, case.arguments(place), case.bootstrap)
            after = hashes(tmp_path)
        finally:
            if undo is not None:
                undo()
        assert ran.code == case.code, ran.err
        assert "Traceback" not in ran.err
        found = {kind: ran.complaints(kind) for kind in ("error", "warning")}
        assert {kind: len(lines) for kind, lines in found.items() if lines} == ({case.complaint: 1} if case.complaint else {})
        where = found[case.complaint][0] if case.complaint else ran.out + ran.err
        assert [words for words in case.says if words not in where] == [], where
        assert {name for name in before if after.get(name) != before[name]} <= {str(tmp_path / name) for name in case.replaces}
        assert case.code not in STRICT or case.drive.__name__ == "second" or after.keys() == before.keys()
        assert not [name for name in after if name.endswith(TEMPORARY)]
        case.also(ran, place)


def test_all_sixty_are_there_once() -> None:
    assert sorted(row.number for row in ROWS) == list(range(1, 61))
    names = [(row.number, case.name) for row in ROWS for case in row.cases]
    assert len(set(names)) == len(names)
    assert all(row.cases for row in ROWS)
