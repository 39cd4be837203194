"""How many threads compute: what was asked for, or what others leave free."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import run

from metagan_cli import cores
from metagan_cli.cores import Work, free, worked

SAY_THREADS = """
import atexit
def say():
    import torch
    print("threads", torch.get_num_threads())
atexit.register(say)
"""


SAY_HEAPS = """
import atexit, ctypes, threading
def say():
    libc, kept = ctypes.CDLL(None), []
    for _ in range(4):
        thread = threading.Thread(target=lambda: kept.append(bytearray(50_000)))
        thread.start(); thread.join()
    libc.fopen.restype = ctypes.c_void_p
    file = ctypes.c_void_p(libc.fopen(b"heaps.xml", b"w"))
    libc.malloc_info(0, file)
    libc.fclose(file)
atexit.register(say)
"""


@pytest.mark.parametrize(
    ("others", "left"),
    [(0.0, 4), (0.3, 4), (1.0, 3), (2.4, 2), (3.9, 1), (9.0, 1)],
)
def test_cores_that_others_work_on_are_not_free(others: float, left: int) -> None:
    assert free(Work(10.0, 100.0, 1.0), Work(12.0, 100.0 + 2 * others + 1.5, 2.5), 4) == left


def test_all_are_free_where_nothing_is_known_or_nothing_was_seen_yet() -> None:
    assert free(None, Work(1.0, 1.0, 1.0), 3) == 3
    assert free(Work(1.0, 1.0, 1.0), None, 3) == 3
    assert free(Work(1.0, 1.0, 1.0), Work(1.1, 1.3, 1.0), 3) == 3


def test_only_the_cores_of_the_process_count(tmp_path: Path) -> None:
    stat = tmp_path / "stat"
    rows = [f"cpu{number} 100 10 20 999 9 3 2 0" for number in cores.own_cores()]
    stat.write_text("\n".join(["cpu 1 1 1 1 1 1 1 1", *rows, "cpu4096 5000 0 0 0 0 0 0 0", "ctxt 7"]))
    found = worked(stat)
    assert found is not None
    assert found.all == pytest.approx(len(rows) * 135 / cores.TICKS)
    assert worked(tmp_path / "none") is None


def test_a_number_that_is_asked_for_is_used(tiny_model: Path, tmp_path: Path) -> None:
    for count in (1, 2):
        ran = run("font", "nowhere", "--threads", count, cwd=tmp_path, bootstrap=SAY_THREADS)
        assert f"threads {count}" in ran.out
    assert run("adapt", "images", "--threads", "0", cwd=tmp_path).code == 2


def test_threads_beside_a_busy_process_are_fewer(tiny_model: Path, tmp_path: Path) -> None:
    count = len(cores.own_cores())
    if count < 2:
        pytest.skip("one core leaves no choice")
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    environment = "import os; os.environ.pop('OMP_NUM_THREADS', None)\n"
    try:
        ran = run("sample", "none.safetensors", cwd=tmp_path, bootstrap=environment + SAY_THREADS, fresh=True)
    finally:
        for process in busy:
            process.kill()
            process.wait()
    assert "threads 1" in ran.out, os.environ.get("OMP_NUM_THREADS")


@pytest.mark.skipif("glibc" not in platform.libc_ver(), reason="other C libraries have no heap for each thread")
def test_all_threads_take_memory_from_one_heap(tmp_path: Path) -> None:
    assert run("--version", cwd=tmp_path, bootstrap=SAY_HEAPS, fresh=True).code == 0
    assert (tmp_path / "heaps.xml").read_text().count("<heap nr=") == 1
