"""How many threads compute, as many as were asked for or as there are cores that nobody else uses, and how they share memory."""

import ctypes
import os
import sys
import time
from pathlib import Path
from typing import NamedTuple

VARIABLE = "OMP_NUM_THREADS"  # that torch reads as it starts
SPINS = "GOMP_SPINCOUNT"  # and how long its threads wait for each other at full speed, before they sleep
FEW_SPINS = "1000"  # usually hundreds of thousands: beside other processes most of the time would go there
ARENAS = -8  # of mallopt: how many heaps the threads' memory comes from
TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
WATCHED = 0.3  # seconds at least, for which others have to be watched to tell how much they work


class Work(NamedTuple):
    """Seconds since some start."""

    passed: float
    all: float  # that this process's cores have worked
    own: float  # and this process


def own_cores() -> set[int]:
    """The cores that this process may use."""
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))


def worked(stat: Path = Path("/proc/stat")) -> Work | None:
    """What has been worked until now; nothing where the system does not tell."""
    cores = {f"cpu{number}" for number in own_cores()}
    try:
        rows = [line.split() for line in stat.read_text().splitlines()]
        busy = [sum(map(int, row[1:4])) + sum(map(int, row[6:8])) for row in rows if row and row[0] in cores]
    except (OSError, ValueError):
        return None
    return Work(time.monotonic(), sum(busy) / TICKS, time.process_time()) if busy else None


def free(start: Work | None, now: Work | None, cores: int) -> int:
    """How many cores others left free between two times: at least one, and all where nothing is known."""
    if start is None or now is None or now.passed - start.passed < WATCHED:
        return cores
    others = (now.all - start.all - (now.own - start.own)) / (now.passed - start.passed)
    return min(cores, max(1, round(cores - others)))


START = worked()
ours = False  # whether this is a process of our own, and not one that imports us


def begin() -> None:
    """Says that this process is our own, and how its threads wait and where their memory is; before torch is imported.

    Threads that wait for each other sleep soon. All take memory from one heap, where the C library is glibc: with one for each
    thread, each keeps what its largest picture took (1.5 GB instead of 1.25 for pictures of 1,024 pixels a side, and slower).
    """
    global ours
    ours = True
    os.environ.setdefault(SPINS, FEW_SPINS)
    if sys.platform == "linux" and (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)):
        mallopt(ARENAS, 1)


def use(count: int) -> None:
    """Computes with so many threads, whether torch is imported already or not."""
    os.environ[VARIABLE] = str(count)
    if "torch" in sys.modules:
        import torch

        torch.set_num_threads(count)


def use_what_is_free() -> None:
    """Computes with as many threads as there are free cores since this process began, unless a number was asked for.

    For what comes out the same with any number of threads.
    """
    if VARIABLE not in os.environ:
        use(free(START, worked(), len(own_cores())))
