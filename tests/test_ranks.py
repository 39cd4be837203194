"""Meta-training by several processes: it comes to what one makes of it, ends in one way, and loses nothing."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from conftest import TINY, Ran, Running, run, start
from safetensors.torch import load_file
from trained_by_ranks import CASES, trained

from metagan_cli.config import Recipe, TrainConfig
from metagan_cli.data.episodes import Episode
from metagan_cli.data.guests import GuestEpisode
from metagan_cli.devices import drawing_processes
from metagan_cli.errors import UsageError
from metagan_cli.ranks import ALONE, Ranks
from metagan_cli.store.recipes import to_toml

TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
TESTS = Path(__file__).parent
APART = {"reptile": 1e-2, "guests": 1e-3}  # as steps by signs, and features in single precision, amplify what is rounded
RECIPE = Recipe(
    "tiny",
    TINY,
    TrainConfig(
        steps=6, shots=(1, 3), queries=2, tasks_per_batch=3, every=2, head_start=1, inner_steps=1, precision="fp32", keep=9
    ),
)


@pytest.fixture(autouse=True)
def two(monkeypatch: pytest.MonkeyPatch) -> None:
    """What torchrun says to both of two processes on this machine."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    told = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    for name, value in told.items():
        monkeypatch.setenv(name, value)


def began(monkeypatch: pytest.MonkeyPatch, places: tuple[Path, Path], *options: object) -> list[Running]:
    """Both processes of a run, each in its working folder."""
    both = []
    for number, place in enumerate(places):
        (place / "tiny.toml").write_text(to_toml(RECIPE))
        for name in ("RANK", "LOCAL_RANK"):
            monkeypatch.setenv(name, str(number))
        both.append(start("meta-train", "run", "--config", "tiny.toml", *options, cwd=place))
    for name in ("RANK", "LOCAL_RANK"):
        monkeypatch.delenv(name)
    return both


def ended(both: list[Running]) -> list[Ran]:
    return [running.finish() for running in both]


def state(folder: Path, step: int) -> dict[str, torch.Tensor]:
    return load_file(folder / "state" / f"step-{step:08d}.safetensors")


def until(there: Callable[[], bool], both: list[Running]) -> None:
    """Waits for something that a run does."""
    last = time.monotonic() + 60
    while not there():
        if any(running.process.poll() is not None for running in both) or time.monotonic() > last:
            for running in both:
                running.process.kill()
            pytest.fail(str(ended(both)))
        time.sleep(0.02)


# Commands first: they are forked as long as nothing has been trained in this process.


@pytest.mark.slow
def test_two_processes_come_to_what_one_makes_and_the_first_alone_speaks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = ended(began(monkeypatch, (tmp_path, tmp_path), "--json"))
    assert (first.code, second.code) == (0, 0), first.err + second.err
    assert json.loads(first.out)["step"] == 6
    assert "in 2 processes" in first.err
    assert (second.out, second.err) == ("", "")
    assert not (tmp_path / "run" / "lock").exists()
    alone = run("meta-train", "alone", "--config", "tiny.toml", cwd=tmp_path)
    assert alone.code == 0, alone.err
    lines = [[json.loads(line) for line in (tmp_path / name / "stats.jsonl").open()] for name in ("run", "alone")]
    for left, right in zip(*lines, strict=True):
        assert left.keys() == right.keys()
        assert [left[name] is None for name in left] == [right[name] is None for name in left]
        assert all(abs(left[name] - right[name]) < 1e-3 for name in left if left[name] is not None)


def test_a_signal_to_one_stops_both_at_one_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both = began(monkeypatch, (tmp_path, tmp_path), "--steps", "100000", "--every", "100000")
    until(lambda: "images/s" in both[0].said(), both)
    for _ in range(3):  # more than one changes nothing: torchrun passes on what all may have got
        both[1].process.send_signal(signal.SIGTERM)
    first, second = ended(both)
    assert (first.code, second.code) == (0, 143), first.err + second.err
    assert "stopped; --resume goes on" in first.out
    assert (second.out, second.err) == ("", "")
    done = len((tmp_path / "run" / "stats.jsonl").read_text().splitlines())
    assert 0 < done < 100_000
    assert (tmp_path / "run" / "state" / f"step-{done:08d}.safetensors").is_file()


def test_the_firsts_budget_ends_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = ended(began(monkeypatch, (tmp_path, tmp_path), "--steps", "100000", "--every", "100000", "--budget", "1s"))
    assert [one.code for one in ran] == [0, 0], ran
    assert "stopped" in ran[0].out


def test_an_error_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all of them, or of one: whichever fails first says why, and the others end as well."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    failures: list[tuple[tuple[Path, Path], tuple[str, ...], str]] = [
        ((tmp_path, tmp_path), ("--data", "nowhere"), "nowhere"),
        ((tmp_path, tmp_path), ("--tasks-per-batch", "1"), "tasks_per_batch is 1, fewer than the 2 processes"),
        ((tmp_path, elsewhere), ("--from", "tiny.safetensors"), "tiny.safetensors"),
        ((tmp_path, tmp_path), ("--device", "cuda:0"), "--device cuda:0"),
    ]
    run("meta-train", "begin", "--steps", "1", "--config", "tiny.toml", cwd=began_folder(tmp_path))
    (tmp_path / "begin" / "model.safetensors").rename(tmp_path / "tiny.safetensors")
    for places, options, says in failures:
        ran = ended(began(monkeypatch, places, *options))
        lines = [line for one in ran for line in one.complaints("error")]
        assert len(lines) == 1, ran
        assert says in lines[0]
        assert all(one.code for one in ran)
        assert not any("Traceback" in one.err or one.out for one in ran)


def began_folder(folder: Path) -> Path:
    (folder / "tiny.toml").write_text(to_toml(RECIPE))
    return folder


def test_one_that_is_killed_ends_the_other_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both = began(monkeypatch, (tmp_path, tmp_path), "--steps", "100000")
    until(lambda: (tmp_path / "run" / "state" / "step-00000002.safetensors").exists(), both)
    both[1].process.kill()
    first, second = ended(both)
    assert (first.code, second.code) == (1, -signal.SIGKILL)
    (line,) = first.complaints("error")
    assert "another process of this run has ended" in line
    assert "Traceback" not in first.err
    assert not (tmp_path / "run" / "lock").exists()


def test_a_restart_goes_on_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WORLD_SIZE", "MASTER_ADDR"):
        monkeypatch.delenv(name)
    asked = ("meta-train", "run", "--config", "tiny.toml", "--tasks-per-batch", "2")
    began_folder(tmp_path)
    assert run(*asked, "--steps", "2", cwd=tmp_path).code == 0
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    ran = run(*asked, "--steps", "3", cwd=tmp_path)
    assert ran.code == 0, ran.err
    assert "going on after step 2" in ran.err
    for path in (tmp_path / "run" / "state").iterdir():  # as if the first checkpoint had not been complete
        path.unlink()
    assert run(*asked, "--steps", "3", cwd=tmp_path).code == 0
    assert [json.loads(line)["step"] for line in (tmp_path / "run" / "stats.jsonl").open()] == [0, 1, 2]
    monkeypatch.setenv("TORCHELASTIC_MAX_RESTARTS", "1")
    ran = run(*asked, "--steps", "4", "--overwrite", cwd=tmp_path)
    assert ran.code == 2
    assert "--overwrite: a restart could not tell the old run from the new one" in ran.err


@pytest.mark.slow
def test_nothing_is_lost_with_a_process_that_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under torchrun all begin again from the newest checkpoint, and come to what they would have come to."""
    began_folder(tmp_path)
    whole = ended(began(monkeypatch, (tmp_path, tmp_path), "--steps", "16"))
    assert [one.code for one in whole] == [0, 0], whole
    command = [*TORCHRUN, "--max-restarts", "1", "-m", "metagan_cli", "meta-train", "killed", "--config", "tiny.toml"]
    with (tmp_path / "said").open("w") as said:
        running = subprocess.Popen([*command, "--steps", "16"], cwd=tmp_path, env=surroundings(), stdout=said, stderr=said)
        last = time.monotonic() + 120
        while not (tmp_path / "killed" / "state" / "step-00000004.safetensors").exists():
            assert running.poll() is None, (tmp_path / "said").read_text()
            assert time.monotonic() < last
            time.sleep(0.01)
        tasks = Path(f"/proc/{running.pid}/task").iterdir()
        children = [int(pid) for task in tasks for pid in (task / "children").read_text().split()]
        os.kill(max(children), signal.SIGKILL)
        assert running.wait(240) == 0, (tmp_path / "said").read_text()
    assert "going on after step" in (tmp_path / "said").read_text()
    one, other = state(tmp_path / "run", 16), state(tmp_path / "killed", 16)
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert (tmp_path / "run" / "stats.jsonl").read_text() == (tmp_path / "killed" / "stats.jsonl").read_text()


def surroundings() -> dict[str, str]:
    return os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join((str(TESTS.parent), str(TESTS)))}


# --- the loops ---


@pytest.fixture(scope="module")
def by_two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes made of each case."""
    folder = tmp_path_factory.mktemp("ranks")
    done = subprocess.run([*TORCHRUN, TESTS / "trained_by_ranks.py", folder], env=surroundings(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_two_with_their_parts_of_the_tasks_follow_one_with_all(case: str, by_two: Path) -> None:
    one = trained(case, ALONE, by_two)
    first, second = (load_file(by_two / f"{case}-{number}.safetensors") for number in (0, 1))
    assert one.after.keys() == first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)  # to the bit
    moved = [name for name in one.before if not torch.equal(one.after[name], one.before[name])]
    assert len(moved) > 20
    away, far = (sum(float((one.after[name] - other[name]).square().sum()) for name in moved) for other in (first, one.before))
    assert away**0.5 <= APART.get(case, 1e-9) * far**0.5
    assert one.stats[-1].generator_loss is not None


# --- its parts ---


def test_parts_are_all_of_a_batch() -> None:
    for count in (1, 2, 3):
        parts = [Ranks(number, count).part(7).of(torch.arange(7)) for number in range(count)]
        assert torch.cat(parts).tolist() == list(range(7))
        assert max(map(len, parts)) - min(map(len, parts)) <= 1
    with pytest.raises(UsageError, match="tasks_per_batch is 2, fewer than the 3 processes"):
        Ranks(2, 3).part(2)


def test_each_takes_the_gpu_of_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Ranks(3, 4, here=1).device_name("auto") == "auto"  # no GPU, or one process alone
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert Ranks(3, 4, here=1).device_name("auto") == Ranks(3, 4, here=1).device_name("cuda") == "cuda:1"
    assert Ranks(3, 4, here=1).device_name("cpu") == "cpu"
    assert ALONE.device_name("cuda:3") == "cuda:3"
    with pytest.raises(UsageError, match="--device cuda:3: each of 4 processes takes a device of its own"):
        Ranks(3, 4, here=1).device_name("cuda:3")


def test_processes_that_draw_share_a_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 16)
    assert [drawing_processes(torch.device("cuda"), trainers) for trainers in (1, 4, 16)] == [6, 3, 1]
    assert drawing_processes(torch.device("cpu"), 2) == 0


def test_episodes_are_pinned_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda self: self + 1)
    images = [torch.full((1, 1, 1, 8, 8), float(number)) for number in range(3)]
    for episode in (Episode(*images[:2]), GuestEpisode(*images)):
        assert [int(part.max()) for part in episode.pin_memory().images] == list(range(1, 1 + len(episode.images)))
