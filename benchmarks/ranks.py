"""Times meta-training on two ranks, one thread each, beside one process with one thread and with two.

python -m benchmarks.ranks [--steps 60] [--tasks 8 24] [--small]

Runs the command itself, `torchrun --nproc-per-node 2 -m metagan_cli meta-train`, by glyph's recipe on drawn doodles. Seconds are
those between the first and the last checkpoint of a run, so that its start does not count. Prints Markdown, and appends it to
runs/performance.jsonl.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from benchmarks.loops import glyph_recipe
from benchmarks.measuring import RECORDS, tell
from metagan_cli.config import Recipe
from metagan_cli.store.recipes import to_toml
from metagan_cli.store.tensors import read_tensors

TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node")
WAYS: dict[str, tuple[tuple[str, ...], int]] = {  # how it is started, threads of each process
    "one process, one thread": ((), 1),
    "one process, two threads": ((), 2),
    "two ranks, one thread each": ((*TORCHRUN, "2"), 1),
}


def main() -> None:
    """Prints a table and keeps it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--steps", type=int, default=60, help="a third of them warm up")
    parser.add_argument("--tasks", type=int, nargs="+", default=[8, 24], help="of a step, on all ranks together")
    parser.add_argument("--small", action="store_true", help="tiny networks, to try it; nothing is kept")
    options = parser.parse_args()
    every = max(1, options.steps // 3)
    recipes = [glyph_recipe(options.small, tasks_per_batch=n, steps=3 * every, every=every, keep=3) for n in options.tasks]
    rows = [row for recipe in recipes for row in measure(recipe)]
    tell("ranks", {"Ranks": rows}, torch.device("cpu"), None if options.small else RECORDS)


def measure(recipe: Recipe) -> list[dict[str, Any]]:
    """A row for each way to start it, all in the precision that the first one found to be faster."""
    rows: list[dict[str, Any]] = []
    for name, (launcher, threads) in WAYS.items():
        with tempfile.TemporaryDirectory() as temporary:
            run = Path(temporary) / "run"
            train(recipe, run, launcher, threads)
            pace, precision = pace_of(run, recipe)
        recipe = replace(recipe, train=replace(recipe.train, precision=precision))
        times = pace / (rows[0]["images a second"] if rows else pace)
        tasks = recipe.train.tasks_per_batch
        rows.append({"how": name, "tasks of a step": tasks, "images a second": pace, "times as fast": times})
    return rows


def train(recipe: Recipe, run: Path, launcher: tuple[str, ...], threads: int) -> None:
    """Runs the command. Raises SystemExit where it fails."""
    config = run.with_suffix(".toml")
    config.write_text(to_toml(recipe), encoding="utf-8")
    command = [sys.executable, *launcher, "-m", "metagan_cli", "meta-train", str(run), "--config", str(config), "--device", "cpu"]
    ended = subprocess.run(command, env=os.environ | {"OMP_NUM_THREADS": str(threads)}, capture_output=True, text=True)
    if ended.returncode:
        raise SystemExit(f"{' '.join(command)}: failed\n{ended.stderr}")


def pace_of(run: Path, recipe: Recipe) -> tuple[float, str]:
    """Query images a second between a run's first and last checkpoint, and its precision."""
    states = [read_tensors(path, ("run",)).metadata for path in sorted((run / "state").glob("step-*.safetensors"))]
    steps, seconds = (float(states[-1][name]) - float(states[0][name]) for name in ("step", "seconds"))
    return recipe.train.tasks_per_batch * recipe.train.queries * steps / seconds, str(states[-1]["precision"])


if __name__ == "__main__":
    main()
