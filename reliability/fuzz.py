"""Fuzzing: damaged and senseless files of every kind that is read, in the functions that the commands call.

python -m reliability.fuzz [--cases 20000] [--seed 0] [--only WORD] [--case N] [--out runs/reliability.jsonl]

A case passes where its function returns, or raises the error that a user can mend, in little time and memory. Anything else
is a find: the input is kept in runs/finds/ beside what went wrong. Case N of a seed has always the same bytes; --case runs it
alone. The exit code is 1 where there are finds.
"""

import argparse
import contextlib
import faulthandler
import multiprocessing
import os
import re
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import FrameType

import torch

from metagan_cli.errors import MetaganError
from reliability.lines import LINES, record
from reliability.subjects import Subject, subjects

SECONDS = 20.0  # of computing that a case may take
STUCK = 300.0  # seconds without a word, after which a process is ended
MOST_MB = 1500  # memory that a case may take
HARD_LIMIT = 6 * 2**30  # bytes that no process gets more of
FINDS = Path("runs/finds")


@dataclass(frozen=True)
class Find:
    """What a case should not have done."""

    number: int
    problem: str


@dataclass(frozen=True)
class Tried:
    """How the cases of one subject went."""

    subject: str
    cases: int
    finds: tuple[Find, ...]
    seconds: float
    peak_mb: float


class TooLongError(BaseException):
    """A case that takes too long; no reader may take it for damage."""


def attempt(subject: Subject, place: Path, content: bytes) -> str:
    """Runs one case in a folder of the subject's; returns what is wrong with that, or nothing."""
    path = place / subject.file
    path.write_bytes(content)
    before = _memory_mb("VmRSS", begin=True)
    try:
        with _time_limit():
            subject.use(path)
    except MetaganError as error:
        if error.code not in subject.codes or not str(error).strip():
            return f"exit code {int(error.code)}: {error}"
    except TooLongError:
        return f"takes more than {SECONDS:.0f} seconds"
    except BaseException:
        return traceback.format_exc()
    grown = _memory_mb("VmHWM") - before
    return f"takes {grown:.0f} MB" if grown > MOST_MB else ""


def prepare(subject: Subject, place: Path) -> None:
    """What lies beside each case's file."""
    (place / subject.file).parent.mkdir(parents=True, exist_ok=True)
    for name, data in subject.beside.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(data)


@contextlib.contextmanager
def _time_limit() -> Iterator[None]:
    def late(number: int, frame: FrameType | None) -> None:
        raise TooLongError

    before = signal.signal(signal.SIGPROF, late)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _memory_mb(what: str, begin: bool = False) -> float:
    """What the system says of this process's memory; the peak begins anew if asked, where a system can do that."""
    try:
        if begin:
            Path("/proc/self/clear_refs").write_text("5")
        found = re.search(rf"{what}:\s+(\d+) kB", Path("/proc/self/status").read_text())
        return int(found[1]) / 1024 if found else 0.0
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _work(subject: Subject, seed: int, numbers: Iterable[int], ours: Connection) -> None:
    """Runs cases in this process, and tells of the beginning and the end of each."""
    faulthandler.disable()
    torch.set_num_threads(1)
    resource.setrlimit(resource.RLIMIT_DATA, (HARD_LIMIT, HARD_LIMIT))
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)  # libraries of C complain there
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        prepare(subject, place)
        os.chdir(place)
        for number in numbers:
            ours.send((number, None, 0.0))
            problem = attempt(subject, place, subject.content(seed, number))
            ours.send((number, problem, _memory_mb("VmHWM")))
        os.chdir("/")
    ours.close()


class _Worker:
    """A process that runs some cases, and another one where that is ended by one of them."""

    def __init__(self, subject: Subject, seed: int, numbers: Sequence[int]) -> None:
        self.subject, self.seed, self.left = subject, seed, list(numbers)
        self.finds: list[Find] = []
        self.peak_mb = 0.0
        self._begin()

    def _begin(self) -> None:
        self.pipe, ours = multiprocessing.Pipe(duplex=False)
        arguments = (self.subject, self.seed, tuple(self.left), ours)
        self.process = multiprocessing.get_context("fork").Process(target=_work, args=arguments)
        self.process.start()
        ours.close()
        self.heard = time.monotonic()

    def listen(self) -> None:
        """Takes what the process says, or its end."""
        self.heard = time.monotonic()
        try:
            number, problem, peak_mb = self.pipe.recv()
        except EOFError:
            self.process.join()
            if self.left:  # a sound end leaves none
                self._lost(f"the process ended with {self.process.exitcode}")
            return
        if problem is None:
            self.left = self.left[self.left.index(number) :]
            return
        self.left.remove(number)
        self.peak_mb = max(self.peak_mb, peak_mb)
        if problem:
            self.finds.append(Find(number, problem))

    def end_if_stuck(self) -> None:
        """Ends a process that says nothing, and goes on behind its case."""
        if time.monotonic() - self.heard > STUCK:
            self.process.kill()
            self.process.join()
            self._lost(f"says nothing for {STUCK:.0f} seconds")

    def _lost(self, problem: str) -> None:
        self.finds.append(Find(self.left.pop(0), problem))
        if self.left:
            self._begin()


def fuzz(subject: Subject, numbers: Sequence[int], seed: int, workers: int) -> Tried:
    """Runs cases of one subject in so many processes."""
    began = time.monotonic()
    crew = [_Worker(subject, seed, part) for start in range(workers) if (part := numbers[start::workers])]
    while busy := {worker.pipe: worker for worker in crew if worker.left}:
        for pipe in wait(list(busy), timeout=1.0):
            busy[pipe].listen()  # type: ignore[index]
        for worker in busy.values():
            worker.end_if_stuck()
    for worker in crew:
        worker.process.join()
    finds = tuple(sorted((find for worker in crew for find in worker.finds), key=lambda find: find.number))
    return Tried(
        subject.name, len(numbers), finds, time.monotonic() - began, max((worker.peak_mb for worker in crew), default=0.0)
    )


def keep(subject: Subject, seed: int, find: Find, folder: Path) -> Path:
    """Puts a find's input into a folder, beside what went wrong; returns where it is."""
    name = re.sub(r"\W+", "-", subject.name)
    path = folder / f"{name}-{seed}-{find.number}{Path(subject.file).suffix}"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_bytes(subject.content(seed, find.number))
    path.with_name(f"{path.name}.txt").write_text(f"{subject.name}, seed {seed}, case {find.number}\n\n{find.problem}\n")
    return path


def main() -> None:
    """Prints a line for each subject and each find."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--cases", type=int, default=20_000, help="of all subjects together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="subjects whose name has this word in it")
    parser.add_argument("--case", type=int, help="this one alone")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, default=LINES)
    asked = parser.parse_args()
    found = 0
    chosen = [subject for subject in subjects() if asked.only in subject.name]
    for subject in chosen:
        each = range(-(-asked.cases // len(chosen))) if asked.case is None else range(asked.case, asked.case + 1)
        tried = fuzz(subject, each, asked.seed, asked.workers)
        found += len(tried.finds)
        for find in tried.finds:
            print(f"{keep(subject, asked.seed, find, FINDS)}: {find.problem.strip().splitlines()[-1]}")
        passed = tried.cases - len(tried.finds)
        record("fuzz", tried.subject, tried.cases, passed, tried.seconds, tried.peak_mb, f"seed {asked.seed}", asked.out)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
