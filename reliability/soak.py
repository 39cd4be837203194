"""Adapts and samples for long in one process, and looks whether anything grows; or runs commands at once, and looks how they end.

python -m reliability.soak [--rounds 1000]
python -m reliability.soak --together 10

Memory may grow by GROWTH KB a round, as the slope over the last half of the rounds says with its 95 % interval.
"""

import argparse
import ctypes
import gc
import os
import random
import resource
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import metagan_cli
from metagan_cli.store.files import TEMPORARY
from reliability.drawn import LOOKS, draw_folder, tiny_base
from reliability.lines import record

GROWTH = 2.0  # KB a round that memory may grow by
BLOCKS, QUANTILE = 12, 2.228  # parts of the last half of the rounds, whose means are on a line; Student's t for BLOCKS - 2
PAGE = os.sysconf("SC_PAGE_SIZE") / 1024


@dataclass(frozen=True)
class Measure:
    """What a process holds after a round."""

    kilobytes: float  # of memory
    files: int  # open descriptors
    threads: int
    children: int
    temporary: int  # files that are not whole, and what lies in the folder for temporary files


@dataclass(frozen=True)
class Trend:
    """How memory grows: KB a round, with its 95 % interval."""

    slope: float
    half: float  # of the interval

    @property
    def grows(self) -> bool:
        """Whether by more than it may, for sure."""
        return self.slope - self.half > 0 and self.slope > GROWTH

    @property
    def words(self) -> str:
        """For the table."""
        return f"{self.slope:+.1f} ± {self.half:.1f} KB a round in the last half, at most {GROWTH:.0f}"


def trend(kilobytes: Sequence[float]) -> Trend:
    """The slope over the last half of some rounds, at least 2 * BLOCKS: of a line through the means of its parts.

    What memory does from round to round hangs together, and the means of parts hardly.
    """
    last = np.asarray(kilobytes[len(kilobytes) // 2 :], dtype=float)
    parts = np.array_split(np.arange(len(last)), BLOCKS)
    x, y = (np.array([series[part].mean() for part in parts]) for series in (np.arange(len(last)), last))
    across = ((x - x.mean()) ** 2).sum()
    slope = float(((x - x.mean()) * (y - y.mean())).sum() / across)
    rest = y - y.mean() - slope * (x - x.mean())
    return Trend(slope, float(QUANTILE * np.sqrt((rest**2).sum() / (BLOCKS - 2) / across)))


def measure(folder: Path) -> Measure:
    """What this process holds, with what lies in its folder; memory that is only kept for later is given back before."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    resident = int(Path("/proc/self/statm").read_text().split()[1]) * PAGE
    children = sum(len(path.read_text().split()) for path in Path("/proc/self/task").glob("*/children"))
    temporary = [*folder.rglob(f".*{TEMPORARY}"), *Path(tempfile.gettempdir()).iterdir()]
    return Measure(resident, len(os.listdir("/proc/self/fd")), threading.active_count(), children, len(temporary))


def play(folder: Path, number: int, rng: random.Random) -> None:
    """A round: another folder, adapted, sampled, written and read again."""
    look, images = LOOKS[number % len(LOOKS)], folder / "images"
    shutil.rmtree(images, ignore_errors=True)
    draw_folder(images, look, rng.randint(1, 6), rng.choice((24, 40, 64, 100)), rng.randrange(500))
    base = folder / ("gray.safetensors" if look == "gray" else "colour.safetensors")
    model = metagan_cli.adapt(images, base=str(base), steps=1)
    model.sample(4, variants=number % 6 > 2, size=rng.choice(("auto", "model", "50")))
    metagan_cli.load(model.save(folder / "adapted.safetensors")).sample(2, seed=number, variants=True)


def soak(rounds: int, folder: Path, seed: int = 0) -> list[Measure]:
    """What the process holds after each round in a folder."""
    tiny_base(folder / "gray.safetensors")
    tiny_base(folder / "colour.safetensors", 3)
    rng, found = random.Random(seed), list[Measure]()
    for number in range(rounds):
        play(folder, number, rng)
        found.append(measure(folder))
        if (number + 1) % 100 == 0:
            print(f"{number + 1} of {rounds} rounds: {found[-1]}", file=sys.stderr, flush=True)
    return found


def growth(found: Sequence[Measure]) -> list[str]:
    """What grew, after the first half: memory by its trend, and of everything else any more than there was before."""
    half = len(found) // 2
    grown = [f"memory grows, {slope.words}"] if (slope := trend([one.kilobytes for one in found])).grows else []
    for name in ("files", "threads", "children", "temporary"):
        before, after = (max(getattr(one, name) for one in part) for part in (found[:half], found[half:]))
        grown += [f"{name}: {before}, then {after}"] if after > before else []
    return grown


def main() -> None:
    """Runs one of the two, and adds a line. Exits with 1 where something grew or ended wrongly."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--together", type=int)
    options = parser.parse_args()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as place:
        if options.together:
            from reliability.together import together

            wrong = together(Path(place), options.together)
            what, tried = f"{options.together} commands at once, three times", 3 * options.together
            note, peak = "; ".join(wrong[:3]), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        else:
            tempfile.tempdir = str(Path(place) / "temporary")
            Path(tempfile.tempdir).mkdir()
            found = soak(options.rounds, Path(place))
            wrong, what, tried = growth(found), "rounds in one process", options.rounds
            note = "; ".join([trend([one.kilobytes for one in found]).words, *wrong])
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            tempfile.tempdir = None
    record("soak", what, tried, tried - len(wrong), time.monotonic() - begun, peak / 1024, note)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
