"""Forked commands are as fresh ones: codes, output, files, signals and surroundings."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import Ran, draw_folder, run, start

BROKEN = "import metagan_cli.store.shipped as s\ndef fail(): raise ZeroDivisionError('oops')\ns.shipped_models = fail"
TIMES = re.compile(
    r'(?<="seconds": )[\d.]+|[\d.]+(?= s\b| images/s)|/[^ ]*/metagan-\d+-\d+\.txt'
)  # and the file that keeps a traceback
SECONDS = re.compile(rb'\\"seconds\\": [\d.e-]+|(?<=}) +')

BOTH: dict[str, tuple[int, list[str], str]] = {
    "help": (0, ["--help"], ""),
    "help of a command": (0, ["sample", "--help"], ""),
    "version": (0, ["--version"], ""),
    "no argument": (2, [], ""),
    "adapt": (0, ["adapt", "images", "--from", "m.safetensors", "--depth", "all", "--json", "-v"], ""),
    "sample": (0, ["sample", "images", "--from", "m.safetensors", "-n", "5", "--each", "each", "-o", "a.webp"], ""),
    "meta-train": (
        0,
        ["meta-train", "run", "--steps", "2", "--shots", "1", "--queries", "2", "--tasks-per-batch", "2", "--precision", "fp32"],
        "",
    ),
    "input of bytes": (3, ["adapt", os.fsdecode(b"\xff\xfe"), "--from", "m.safetensors"], ""),
    "usage": (2, ["sample", "--nonsense"], ""),
    "checkpoint": (4, ["sample", "nowhere.safetensors"], ""),
    "output": (5, ["adapt", "images", "-o", "images/0.png/m.safetensors"], ""),
    "device": (6, ["adapt", "images", "--device", "cuda:9"], ""),
    "bug": (70, ["models"], BROKEN),
    "other code": (7, ["models"], "raise SystemExit(7)"),
    "words as a code": (1, ["models"], "raise SystemExit('words')"),
    "interrupted in the command": (130, ["models"], BROKEN.replace("ZeroDivisionError('oops')", "KeyboardInterrupt")),
    "interrupted before it": (-signal.SIGINT, ["models"], "raise KeyboardInterrupt"),
    "killed": (-signal.SIGKILL, ["models"], "import os; os.kill(os.getpid(), 9)"),
}


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, those of models without their length, which times and what is padded with change."""
    found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return {name: SECONDS.sub(b"", data[8:]) if name.endswith(".safetensors") else data for name, data in found.items()}


def without_times(text: str) -> str:
    return TIMES.sub("...", text)


@pytest.mark.parametrize("name", BOTH)
def test_forked_commands_do_what_fresh_ones_do(name: str, tiny_model: Path, tmp_path: Path) -> None:
    code, arguments, bootstrap = BOTH[name]
    place, rans, files = tmp_path / "place", list[Ran](), list[dict[str, bytes]]()
    for fresh in (False, True):  # both in one place, as files tell of their base's
        draw_folder(place / "images", 4)
        (place / "m.safetensors").write_bytes(tiny_model.read_bytes())
        rans.append(run(*arguments, cwd=place, bootstrap=bootstrap, fresh=fresh))
        files.append(contents(place))
        place.rename(tmp_path / f"fresh {fresh}")
    forked, fresh_one = rans
    assert forked.code == fresh_one.code == code, fresh_one.err
    assert without_times(forked.out) == without_times(fresh_one.out)
    if "Traceback" in fresh_one.err:  # whose lines are of other files
        forked, fresh_one = (Ran(ran.code, ran.out, ran.err.splitlines()[-1]) for ran in rans)
    assert without_times(forked.err) == without_times(fresh_one.err)
    assert files[0].keys() == files[1].keys()
    assert [name for name, data in files[0].items() if data != files[1][name]] == []


STATE = """
import os, random, resource, signal, sys, torch
import numpy
print(sys.argv, sys.path[0] == os.getcwd(), __name__, sys.stdin.read(), sys.stdout.encoding, sys.stderr.encoding)
print(os.getcwd(), os.environ["METAGAN_DATA"], oct(os.umask(0)), os.getpgrp() == os.getpid(), torch.get_num_threads())
print([str(signal.getsignal(n)) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGPIPE)])
print(signal.set_wakeup_fd(-1), signal.pthread_sigmask(signal.SIG_BLOCK, []), sorted(map(int, os.listdir("/proc/self/fd")))[:-1])
print(resource.getrlimit(resource.RLIMIT_DATA), sys.flags)
os.write(1, b"plain")
raise SystemExit
"""


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="looks at open files in /proc")
def test_the_state_of_a_forked_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METAGAN_DATA", "here")
    before = os.umask(0o027)
    try:
        forked, fresh = (run("a", b"\xff", cwd=tmp_path, bootstrap=STATE, fresh=fresh) for fresh in (False, True))
    finally:
        os.umask(before)
    assert forked == fresh
    assert fresh.code == 0
    assert "here 0o27" in fresh.out


def test_children_do_not_share_chance(tmp_path: Path) -> None:
    draw = "import random, numpy, torch; print(random.random(), numpy.random.rand(), float(torch.rand([]))); raise SystemExit(0)"
    first, second = (run(cwd=tmp_path, bootstrap=draw).out.split() for _ in range(2))
    assert len(first) == len(second) == 3
    assert not set(first) & set(second)


@pytest.mark.parametrize(
    ("name", "value"), [("PYTHONIOENCODING", "latin-1"), ("LC_ALL", "C.UTF-8"), ("OMP_WAIT_POLICY", "PASSIVE")]
)
def test_what_an_interpreter_reads_at_its_start_makes_a_fresh_one(
    name: str, value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not isinstance(start("--version", cwd=tmp_path).process, subprocess.Popen)
    monkeypatch.setenv(name, value)
    running = start("--version", cwd=tmp_path)
    assert isinstance(running.process, subprocess.Popen)
    assert running.finish().code == 0


STARTS_ANOTHER = """
import subprocess, sys, time
print(subprocess.Popen(["sleep", "60"]).pid, file=sys.stderr, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("fresh", [False, True])
def test_a_command_that_takes_too_long_is_killed_with_what_it_started(fresh: bool, tmp_path: Path) -> None:
    running = start(cwd=tmp_path, bootstrap=STARTS_ANOTHER, fresh=fresh)
    until = time.monotonic() + 60
    while not running.said().endswith("\n") and time.monotonic() < until:
        time.sleep(0.02)
    with pytest.raises(subprocess.TimeoutExpired):
        running.finish(timeout=0.1)
    assert running.process.returncode == -signal.SIGKILL
    other = int(running.said())
    until = time.monotonic() + 10
    while _lives(other) and time.monotonic() < until:
        time.sleep(0.02)
    assert not _lives(other)


def _lives(pid: int) -> bool:
    """Whether it runs, neither gone nor a zombie that nobody has waited for."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout.strip()
    return bool(state) and not state.startswith("Z")


@pytest.mark.slow
def test_nothing_is_left_when_the_tests_end(tmp_path: Path) -> None:
    script = "\n".join(
        [
            "import sys",
            f"sys.path.insert(0, {str(Path(__file__).parent)!r})",
            "import conftest, pathlib",
            f"running = conftest.start(cwd=pathlib.Path({str(tmp_path)!r}), bootstrap='import time; time.sleep(60)')",
            "print(running.process.pid, flush=True)",
            "conftest._server().close()",
        ]
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    with pytest.raises(ProcessLookupError):
        os.kill(int(done.stdout), 0)
