"""Disks that are full, signals, runs that broke off, devices that are not there, and strange surroundings."""

import functools
import json
import os
import platform
import signal
import tempfile
import time
from pathlib import Path

from conftest import TINY, Ran, Running, run, start

from faults.case import Case, Drive, Place, Row, Undo, both, nothing, runs, shell, stops
from faults.images import named
from faults.options import drawing_at, sampled
from metagan_cli.config import Recipe, TrainConfig
from metagan_cli.store.files import TEMPORARY
from metagan_cli.store.recipes import to_toml

SMALL = "--queries 2 --tasks-per-batch 2 --shots 1 --precision fp32 --inner-steps 0 --device cpu"
TRAIN = f"meta-train run --config tiny.toml {SMALL}"
SAMPLE = "sample ADAPTED -n 2"
QUICK = "import metagan_cli.workflows.training as training; training.DOMAIN_TASKS = 8"  # they are drawn at every start
FAILING = """
import os
def fail(*arguments, **options):
    raise OSError({number}, os.strerror({number}))
os.fsync = fail
"""
SMALL_FILES = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))"
AS_NOBODY = """
import os
import metagan_cli.store.files as files
write = files.write_bytes
def write_as_nobody(*arguments):
    os.seteuid(65534)  # root may write everywhere
    try:
        return write(*arguments)
    finally:
        os.seteuid(0)
if os.geteuid() == 0:
    files.write_bytes = write_as_nobody
"""
KILLED = """
import os, signal, torch
from metagan_cli.workflows.augment import workers
torch.set_num_threads(3)
workers.draw_class = lambda *arguments: os.kill(os.getpid(), signal.SIGKILL)
"""
NO_SHARED_MEMORY = """
import errno, os, torch
import multiprocessing.synchronize as synchronize
from metagan_cli.workflows.augment import workers
torch.set_num_threads(3)
def fail(*arguments, **options):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
synchronize.SemLock.__init__ = fail
"""
NO_MEMORY = """
import torch
from metagan_cli.sampling.sampler import Sampler
def fail(*arguments, **options):
    torch.zeros(2**60)
Sampler.stream = fail
"""


def recipe(place: Place) -> None:
    """A recipe of tiny networks."""
    text = to_toml(Recipe("tiny", TINY, TrainConfig(steps=4, every=2, head_start=1, keep=3)))
    (place.folder / "tiny.toml").write_text(text)


@functools.cache
def trained() -> dict[str, bytes]:
    """The files of a run of four steps, below its place."""
    with tempfile.TemporaryDirectory() as name:
        place = Place(Path(name), Path(), Path())
        recipe(place)
        ran = run(*TRAIN.split(), cwd=place.folder, bootstrap=QUICK)
        assert ran.code == 0, ran.err
        return {str(path.relative_to(name)): path.read_bytes() for path in place.folder.rglob("*") if path.is_file()}


def a_run(place: Place) -> None:
    """A run that has ended."""
    for name, data in trained().items():
        path = place.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def newest_cut(place: Place) -> None:
    """Its newest checkpoint has lost its end."""
    path = place.folder / "run" / "state" / "step-00000004.safetensors"
    path.write_bytes(path.read_bytes()[:-9])


def states_cut(place: Place) -> None:
    """So have all of them."""
    for path in (place.folder / "run" / "state").iterdir():
        path.write_bytes(path.read_bytes()[:100])


def hot(place: Place) -> None:
    """A recipe by which no training can go well."""
    text = to_toml(Recipe("hot", TINY, TrainConfig(steps=50, every=1, head_start=1, critic_rate=1e30)))
    (place.folder / "tiny.toml").write_text(text)


def read_only(place: Place) -> Undo:
    """A folder with a sheet of metagan's own, in which nobody may write."""
    sampled(place)
    place.folder.chmod(0o555)
    return lambda: place.folder.chmod(0o755)


def under_way(place: Place, arguments: list[str], bootstrap: str) -> Running:
    """A run after its first steps."""
    running = start(*arguments, cwd=place.folder, bootstrap=bootstrap)
    until = time.monotonic() + 120
    while "images/s" not in running.said():
        if running.process.poll() is not None or time.monotonic() > until:
            running.process.kill()
            raise AssertionError(f"no step was told of: {running.finish()}")
        time.sleep(0.02)
    return running


def signalled(number: int, times: int = 1) -> Drive:
    """Sends a signal to a run that is under way."""

    def drive(place: Place, arguments: list[str], bootstrap: str) -> Ran:
        running = under_way(place, arguments, bootstrap)
        for _ in range(times):
            running.process.send_signal(number)
            time.sleep(0.05 if times > 1 else 0)
        return running.finish()

    return drive


def killed(place: Place, arguments: list[str], bootstrap: str) -> Ran:
    """Kills a run, which leaves half a file, and goes on with it."""
    running = under_way(place, arguments, bootstrap)
    while not list((place.folder / "run" / "state").glob("step-*.safetensors")):
        assert running.process.poll() is None, running.finish()
        time.sleep(0.02)
    running.process.kill()
    assert running.finish().code == -signal.SIGKILL
    (place.folder / "run" / "state" / f".{running.process.pid}-00@{platform.node()}{TEMPORARY}").touch()
    newest = max((place.folder / "run" / "state").glob("step-*.safetensors"))
    steps = int(newest.stem.removeprefix("step-")) + 1
    return run("meta-train", "run", "--resume", "--steps", steps, cwd=place.folder, bootstrap=bootstrap)


def second(place: Place, arguments: list[str], bootstrap: str) -> Ran:
    """Begins a second run where the first is under way; its pid is said."""
    running = under_way(place, arguments, bootstrap)
    try:
        other = run("meta-train", "run", "--resume", "--config", "tiny.toml", cwd=place.folder)
        assert f"pid {running.process.pid}" in other.err
        return other
    finally:
        running.process.send_signal(signal.SIGTERM)
        running.finish()


def goes_on(ran: Ran, place: Place) -> None:
    """What was learned is kept, the lock is gone, and the run goes on from there."""
    assert "--resume goes on" in ran.out
    assert not (place.folder / "run" / "lock").exists()
    done = len((place.folder / "run" / "stats.jsonl").read_text().splitlines())
    again = run("meta-train", "run", "--resume", "--steps", done + 1, cwd=place.folder, bootstrap=QUICK)
    assert again.code == 0, again.err
    assert f"going on after step {done}" in again.err


def is_json(ran: Ran, place: Place) -> None:
    """Nothing but one object is on stdout."""
    assert json.loads(ran.out)["command"] == "sample"


def is_silent(ran: Ran, place: Place) -> None:
    """Nothing is on stderr."""
    assert not ran.err


def is_plain(ran: Ran, place: Place) -> None:
    """Nothing is printed that only a terminal understands."""
    assert "\x1b" not in ran.out + ran.err


def is_private(ran: Ran, place: Place) -> None:
    """The result is its owner's alone."""
    assert (place.folder / "out.png").stat().st_mode & 0o777 == 0o600


def keeps_the_last(ran: Ran, place: Place) -> None:
    """A checkpoint of numbers is there where there was one before."""
    assert (place.folder / "run" / "config.toml").is_file()
    assert not (place.folder / "run" / "lock").exists()


def leaves(place: Place, arguments: list[str], bootstrap: str) -> Ran:
    """Runs the command in a folder that is removed."""
    here = place.folder / "here"
    here.mkdir()
    return run(*arguments, cwd=here, bootstrap="import os; os.rmdir(os.getcwd())")


def classes(place: Place) -> None:
    """A tree of two classes."""
    for name in ("cat", "dog"):
        drawing_at(f"tree/{name}/a.png")(place)


def full(name: str, number: int) -> tuple[Case, ...]:
    """A disk that takes nothing more, under a sheet that stood before and under a new model."""
    bootstrap = FAILING.format(number=number)
    return (
        stops(f"{name}, a sheet", 5, SAMPLE, os.strerror(number), "out.png", make=sampled, bootstrap=bootstrap),
        stops(f"{name}, a model", 5, "adapt images --from BASE --steps 0", os.strerror(number), bootstrap=bootstrap),
    )


LONG = f"{TRAIN} --steps 100000"
NARROW = "COLUMNS=20 TERM=dumb NO_COLOR=1 LANG=C"
RUN_FILES = ("run/config.toml", "run/stats.jsonl", "run/model.safetensors")

ROWS = (
    Row(46, "Folders and disks that take nothing", (
        *full("full", 28),
        *full("over the quota", 122),
        stops("large files forbidden", 5, SAMPLE, "out.png", make=sampled, bootstrap=SMALL_FILES),
        stops("read-only", 5, SAMPLE, "Permission denied", make=read_only, bootstrap=AS_NOBODY),
        stops("full stdout", 5, "inspect ADAPTED", "No space left", make=nothing, drive=shell(behind="> /dev/full")),
    )),
    Row(47, "Ctrl-C, once and twice", (
        Case("once", LONG, ("stopped",), 130, make=recipe, bootstrap=QUICK, drive=signalled(signal.SIGINT), also=goes_on),
        Case("twice", LONG, (), 130, make=recipe, bootstrap=QUICK, drive=signalled(signal.SIGINT, 2)),
    )),
    Row(48, "SIGTERM", (
        Case("once", LONG, ("stopped",), 143, make=recipe, bootstrap=QUICK, drive=signalled(signal.SIGTERM), also=goes_on),
    )),
    Row(49, "Killed outright", (
        runs("and resumed", f"{LONG} --every 1", "going on after step", make=recipe, bootstrap=QUICK, drive=killed),
    )),
    Row(50, "Resumed otherwise than begun", (
        stops("seed", 2, f"{TRAIN} --resume --seed 5", "seed was 0, is 5", make=a_run),
        stops("recipe", 2, f"{TRAIN} --resume --image-size 64", "image_size was 32, is 64", make=a_run),
        stops("data", 2, f"{TRAIN} --resume --data fonts", "data was doodles, is fonts", make=a_run),
    )),
    Row(51, "Checkpoints that cannot be read", (
        runs("the newest", f"{TRAIN} --resume", "truncated", "using the one before", "going on after step 2",
             make=both(a_run, newest_cut), bootstrap=QUICK,
             replaces=(*RUN_FILES, "run/state/step-00000004.safetensors", "run/previews/00000004.png")),
        stops("all", 4, f"{TRAIN} --resume", "no checkpoint can be read", make=both(a_run, states_cut), bootstrap=QUICK),
    )),
    Row(52, "Two runs in one folder", (
        Case("at once", LONG, ("another run is writing here",), 5, make=recipe, bootstrap=QUICK, drive=second),
    )),
    Row(53, "Devices that are not there", tuple(
        stops(name, code, f"adapt images --device {name}", name)
        for name, code in (("banana", 2), ("cuda:x", 2), ("cuda:9", 6), ("mps", 6))
    )),
    Row(54, "No memory left", (
        stops("while sampling", 6, SAMPLE, "out of memory", make=nothing, bootstrap=NO_MEMORY),
    )),
    Row(55, "A loss that is no number", (
        stops("rates too high", 1, TRAIN.replace("--inner-steps 0", ""), "no longer a number", make=hot, bootstrap=QUICK,
              also=keeps_the_last),
    )),
    Row(56, "No terminal, or a poor one", (
        runs("narrow and plain", "inspect ADAPTED", make=nothing, drive=shell(NARROW), also=is_plain),
        runs("stderr closed", SAMPLE, make=nothing, drive=shell(behind="2>&-")),
        runs("stdout closed", SAMPLE, make=nothing, drive=shell(behind=">&-")),
    )),
    Row(57, "A reader that goes away", (
        runs("json", f"{SAMPLE} --json", make=nothing, also=is_json),
        runs("pipe", "models --json", make=nothing, drive=shell(behind="| true"), also=is_silent),
    )),
    Row(58, "Strange surroundings", (
        runs("no home", SAMPLE, make=nothing, bootstrap="import os; os.environ.pop('HOME', None)"),
        runs("a home that is no folder", SAMPLE, make=nothing, bootstrap="import os; os.environ['HOME'] = '/dev/null'"),
        runs("LANG=C", "adapt \U0001f600 --from BASE --steps 0", drive=shell("LANG=C LC_ALL=C"),
             make=named("\U0001f600")),
        runs("umask 077", SAMPLE, make=nothing, bootstrap="import os; os.umask(0o077)", also=is_private),
        stops("the working folder is gone", 2, "doctor", "working folder cannot be used", make=nothing, drive=leaves),
    )),
    Row(60, "Processes and shared memory that are taken away", (
        stops("a process", 1, "augment tree -o out --from BASE --steps 0", "was ended", make=classes, bootstrap=KILLED),
        stops("shared memory", 1, "augment tree -o out --from BASE --steps 0", "/dev/shm", make=classes,
              bootstrap=NO_SHARED_MEMORY),
    )),
)  # fmt: skip
