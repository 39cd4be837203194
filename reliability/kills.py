"""Kills commands at random moments, goes on with them, and compares with what an unkilled run wrote, bit for bit.

python -m reliability.kills [--kills 50] [--seed 0] [--only NAME]

Kills are dealt out evenly: adapt, sample --each, augment, evaluate, and meta-train with each learner; or all to those of a name
that begins so.
"""

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from metagan_cli.config import DataConfig, Recipe, TrainConfig
from metagan_cli.store.recipes import to_toml
from metagan_cli.store.tensors import read_metadata
from reliability.drawn import TINY, draw_folder, tiny_base
from reliability.lines import record

LONGEST, LEFT = 600.0, 10.0  # seconds that a command, and what a killed one had started, may take to end
LEARNERS = {
    "attention": ("--learner", "attention"),
    "rnn": ("--learner", "rnn"),
    "gradient": ("--learner", "gradient"),
    "reptile": ("--learner", "gradient", "--algorithm", "reptile"),
}


class Process(Protocol):
    """What is used of a started command."""

    pid: int

    def poll(self) -> int | None:
        """Its exit code, or None where it still runs."""

    def kill(self) -> None:
        """Ends it outright."""

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code. Raises subprocess.TimeoutExpired."""


Start = Callable[[Sequence[str], Path], Process]  # a command, in a folder, as the leader of a process group of its own


@dataclass(frozen=True)
class Case:
    """A command that is killed, and how it goes on; paths are below the folder that it runs in."""

    name: str
    arguments: tuple[str, ...]
    resumes: str = ""  # the option with which it goes on, from when on this file is there
    begun: str = ""

    def again(self, folder: Path) -> tuple[str, ...]:
        """The arguments to go on with."""
        return (*self.arguments, self.resumes) if self.resumes and (folder / self.begun).exists() else self.arguments


OF_TINY = ("--from", "base.safetensors", "--steps", "1")
CASES = (
    Case("adapt", ("adapt", "images", *OF_TINY, "--standalone", "-o", "adapted.safetensors")),
    Case("sample --each", ("sample", "images", "--from", "base.safetensors", "--variants", "-n", "48", "--each", "each")),
    Case("augment", ("augment", "tree", "-o", "augmented", "-n", "12", *OF_TINY)),
    Case(
        "evaluate",
        (
            "evaluate",
            "base.safetensors",
            "--data",
            "tasks",
            "--tasks",
            "3",
            "--shots",
            "1",
            "--steps",
            "1",
            "--report",
            "report.html",
        ),
    ),
    *(
        Case(f"meta-train, {name}", ("meta-train", "run", "--config", "tiny.toml", *options), "--resume", "run/config.toml")
        for name, options in LEARNERS.items()
    ),
)
TRAIN = TrainConfig(steps=6, queries=4, tasks_per_batch=2, shots=(1, 3), every=2, head_start=1, inner_steps=2, precision="fp32")


def prepare(folder: Path) -> Path:
    """What all the commands read."""
    tiny_base(folder / "base.safetensors")
    draw_folder(folder / "images", "gray", 4, 48, 1)
    for number, name in enumerate(("cat", "dog", "fox")):
        draw_folder(folder / "tree" / name, "gray", 3, 40, number)
    for number in range(4):
        draw_folder(folder / "tasks" / f"task{number}", "gray", 12, 32, number)
    (folder / "tiny.toml").write_text(to_toml(Recipe("tiny", TINY, TRAIN, (DataConfig("tasks"),))), encoding="utf-8")
    return folder


def found(folder: Path) -> dict[str, str]:
    """All that lies below a folder, but for times: relative paths, and hashes of what is there."""
    return {str(path.relative_to(folder)): _digest(path) for path in sorted(folder.rglob("*")) if path.is_file()}


def _digest(path: Path) -> str:
    if path.suffix == ".safetensors":
        told = {name: value for name, value in read_metadata(path).items() if name != "seconds"}
        return hashlib.blake2b(json.dumps(told, sort_keys=True).encode()).hexdigest()  # it has the hash of the tensors
    return hashlib.blake2b(path.read_bytes()).hexdigest()


def finish(start: Start, arguments: Sequence[str], folder: Path) -> float:
    """Seconds that a command takes, which must end well. Raises RuntimeError."""
    begun = time.monotonic()
    code = start(arguments, folder).wait(LONGEST)
    if code:
        raise RuntimeError(f"metagan {' '.join(arguments)}: ended with {code}")
    return time.monotonic() - begun


def kill(start: Start, case: Case, folder: Path, moment: float) -> bool:
    """Kills a command so many seconds after its start, unless it has ended by then; whether it was killed. Raises like `end`."""
    process = start(case.arguments, folder)
    try:
        process.wait(moment)
    except subprocess.TimeoutExpired:
        return end(process)
    return False


def end(process: Process) -> bool:
    """Kills a command; whether it had not ended before. Raises RuntimeError where something goes on that it had started."""
    process.kill()
    killed = process.wait(LONGEST) == -signal.SIGKILL
    until = time.monotonic() + LEFT
    while _goes_on(process.pid):
        if time.monotonic() > until:
            os.killpg(process.pid, signal.SIGKILL)
            raise RuntimeError("processes went on after the one that had started them was killed")
        time.sleep(0.02)
    return killed


def _goes_on(group: int) -> bool:
    """Whether a process group has a member."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def lost(start: Start, case: Case, prepared: Path, whole: dict[str, str], moments: Sequence[float], place: Path) -> list[str]:
    """What is otherwise than it should be after a command was killed at some moments, one run after the other, and went on.

    `prepared` is what it reads, `whole` what an unkilled run left, `place` a folder that is made for it and removed.
    """
    shutil.copytree(prepared, place)
    try:
        for moment in moments:
            kill(start, Case(case.name, case.again(place)), place, moment)
        finish(start, case.again(place), place)
        after = found(place)
    except RuntimeError as error:
        return [str(error)]
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return sorted(name for name in whole.keys() | after.keys() if whole.get(name) != after.get(name))


def start_fresh(arguments: Sequence[str], folder: Path) -> Process:
    """A command in an interpreter of its own, whose cache lies in its folder, but for matplotlib's."""
    caches = {"XDG_CACHE_HOME": str(folder / "cache"), "MPLCONFIGDIR": str(folder.parent / "matplotlib")}
    environment = os.environ | caches | {"PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(
        [sys.executable, "-m", "metagan_cli", *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        process_group=0,
    )


def unkilled(case: Case, folder: Path) -> tuple[float, float]:
    """Seconds and MB of memory that a command takes, which must end well. Raises RuntimeError."""
    begun = time.monotonic()
    _, status, used = os.wait4(start_fresh(case.arguments, folder).pid, 0)
    if status:
        raise RuntimeError(f"metagan {' '.join(case.arguments)}: ended with {os.waitstatus_to_exitcode(status)}")
    return time.monotonic() - begun, used.ru_maxrss / 1024


def try_case(case: Case, prepared: Path, place: Path, count: int, rng: random.Random) -> int:
    """Kills a command `count` times, and records how that went; how often nothing was lost."""
    begun, survived, said = time.monotonic(), 0, list[str]()
    shutil.copytree(prepared, place / "whole")
    seconds, peak = unkilled(case, place / "whole")
    whole = found(place / "whole")
    for number in range(count):
        moment = rng.uniform(0, seconds)
        wrong = lost(start_fresh, case, prepared, whole, [moment], place / str(number))
        survived += not wrong
        said += [f"after {moment:.2f} s: {', '.join(wrong[:3])}"] if wrong else []
    record("kills", case.name, count, survived, time.monotonic() - begun, peak, "; ".join(said[:3]))
    return survived


def main() -> None:
    """Kills, and adds a line for each command. Exits with 1 where anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    cases = [case for case in CASES if case.name.startswith(options.only)]
    rng, passed = random.Random(options.seed), 0
    with tempfile.TemporaryDirectory() as temporary:
        prepared = prepare(Path(temporary) / "prepared")
        for number, case in enumerate(cases):
            share = len(range(number, options.kills, len(cases)))
            if share:
                passed += try_case(case, prepared, Path(temporary) / case.name.replace(" ", "-"), share, rng)
    sys.exit(passed < options.kills)


if __name__ == "__main__":
    main()
