"""kill -9 at moments over the whole of a command, and all is as if nothing had happened: a little of what `make kills` does."""

import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from conftest import start

from metagan_cli.store.files import TEMPORARY
from reliability.kills import CASES, Case, Process, end, finish, found, lost, prepare

NAMED = {case.name: case for case in CASES}
IN_THE_MIDST = """import os, signal
usual, left = os.replace, [{writes}]
def replace(*arguments):
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
    usual(*arguments)
os.replace = replace
"""  # killed when all but the name of a file is there


class Begin:
    """Starts commands as other tests do."""

    def __init__(self, bootstrap: str = "") -> None:
        self.bootstrap = bootstrap

    def __call__(self, arguments: Sequence[str], folder: Path) -> Process:
        running = start(*arguments, cwd=folder, bootstrap=self.bootstrap)
        running.out.close()
        running.err.close()
        return running.process


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare(tmp_path_factory.mktemp("prepared"))


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def alone(case: Case, prepared: Path, place: Path) -> tuple[float, dict[str, str]]:
    """Seconds that a command takes, and what it leaves."""
    shutil.copytree(prepared, place)
    return finish(Begin(), case.arguments, place), found(place)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sample --each", "meta-train, rnn"])
def test_killed_twice_and_gone_on(name: str, prepared: Path, tmp_path: Path) -> None:
    seconds, whole = alone(NAMED[name], prepared, tmp_path / "whole")
    assert not lost(Begin(), NAMED[name], prepared, whole, [0.4 * seconds, 0.8 * seconds], tmp_path / "killed")


@pytest.mark.parametrize(("name", "writes"), [("adapt", 1), ("sample --each", 7)])
def test_killed_in_the_midst_of_a_file(name: str, writes: int, prepared: Path, tmp_path: Path) -> None:
    case, place = NAMED[name], tmp_path / "killed"
    _, whole = alone(case, prepared, tmp_path / "whole")
    shutil.copytree(prepared, place)
    assert Begin(IN_THE_MIDST.format(writes=writes))(case.arguments, place).wait(60) == -signal.SIGKILL
    assert list(tmp_path.rglob(f".*{TEMPORARY}"))
    finish(Begin(), case.again(place), place)
    assert found(place) == whole
    assert not list(tmp_path.rglob(f".*{TEMPORARY}"))


def test_processes_end_with_the_one_that_started_them(prepared: Path, tmp_path: Path) -> None:
    case, place = NAMED["augment"], tmp_path / "killed"
    shutil.copytree(prepared, place)
    many = Case("augment", (*case.arguments, "-n", "2000"))
    process = Begin("import torch; torch.set_num_threads(3)")(many.arguments, place)
    while not list((place / "augmented").rglob("*_new*.png")) and process.poll() is None:
        time.sleep(0.02)
    assert end(process)  # or it says that some went on


def test_what_is_lost_is_found(prepared: Path, tmp_path: Path) -> None:
    def spoiling(arguments: Sequence[str], folder: Path) -> Process:
        (folder / "mine").write_text("left behind")
        return subprocess.Popen(["true"])

    whole = found(prepared) | {"out.png": "its hash"}
    assert lost(spoiling, NAMED["adapt"], prepared, whole, [], tmp_path / "place") == ["mine", "out.png"]
    assert not (tmp_path / "place").exists()


def test_processes_that_go_on_are_found(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reliability.kills.LEFT", 0.1)

    def leaving(arguments: Sequence[str], folder: Path) -> Process:
        return subprocess.Popen(["sh", "-c", "sleep 60 & sleep 60"], process_group=0)

    (line,) = lost(leaving, NAMED["adapt"], prepared, {}, [0.5], tmp_path / "place")
    assert "went on after the one" in line
