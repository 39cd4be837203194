"""Where a command's time goes, as a whole process: from the interpreter's start to its end.

python -m benchmarks.stages [RUNS=3]

Each stage counts without those within it. Prints Markdown, the medians of several runs, and appends it to runs/performance.jsonl.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from benchmarks.measuring import INSTALLED, RECORDS, tell

ROOT = Path(__file__).resolve().parents[1]
STAGES = {  # functions of modules, as whoever calls them has them
    "reading images": ("workflows.adapt:read_examples",),
    "feed-forward and inner steps": ("workflows.adapt:_adapt",),
    "kinship of the images": ("workflows.adapt:family_of", "workflows.ready:family_of"),
    "models from their files": ("workflows.ready:load_ready", "workflows.adapt:load_model"),
    "drafts drawn": ("sampling.sampler:Sampler._generate",),
    "drafts judged": ("sampling.sampler:Sampler._scores",),
    "motifs chosen": ("workflows.sample:akin",),
    "the folder's hand found": ("workflows.sample:members_of",),
    "motifs drawn": ("sampling.members:MemberSampler._drawn",),
    "copies found": ("sampling.sampler:distances", "workflows.sample:copy_report", "workflows.adapt:copy_report"),
    "painting at the folder's size": ("workflows.painting:Painting._given",),
    "writing": ("workflows.sample:_write_sheet", "workflows.adapt:save"),
}
COMMANDS = {
    "adapt": ("adapt", str(ROOT / "examples")),
    "sample, variants": ("sample", "-n", "64", "--variants", "--overwrite"),
    "sample, new members": ("sample", "-n", "64", "--overwrite"),
}
START, TORCH, OURS, REST, END = "interpreter", "importing torch", "importing the rest", "all else", "the end"
ALL = (START, TORCH, OURS, *STAGES, REST, END)
CHILD = """
import time; born = time.perf_counter()
import gc; gc.set_threshold(20_000)
import torch
torched = time.perf_counter()
import functools, importlib, json, os, sys
from metagan_cli import __main__ as process
spent, running, stages = {}, [], json.loads(os.environ["STAGES"])
def timed(stage, function):
    @functools.wraps(function)
    def wrapper(*given, **named):
        begun = time.perf_counter(); running.append(0.0)
        try:
            return function(*given, **named)
        finally:
            whole = time.perf_counter() - begun
            spent[stage] = spent.get(stage, 0.0) + whole - running.pop()
            if running:
                running[-1] += whole
    return wrapper
for stage, places in stages.items():
    for module, _, name in (place.partition(":") for place in places):
        owner = importlib.import_module("metagan_cli." + module)
        *classes, name = name.split(".")
        for part in classes:
            owner = getattr(owner, part)
        setattr(owner, name, timed(stage, getattr(owner, name)))
ready = time.perf_counter()
whole = timed("all else", process.main)
def measured():
    try:
        whole()
    finally:
        spent.update({"importing torch": torched - born, "importing the rest": ready - torched})
        lived = time.perf_counter() - born
        with open(os.environ["SPENT"], "w") as file:
            json.dump({"spent": spent, "lived": lived, "born": time.time() - lived}, file)
process.main = measured
process.entry()
"""


def stages_of(arguments: tuple[str, ...], folder: Path) -> dict[str, float]:
    """Seconds of each stage of one process in a folder."""
    told = folder / "spent.json"
    begun = time.time()
    subprocess.run(
        [sys.executable, "-c", CHILD, *arguments],
        cwd=folder,
        env=INSTALLED | {"STAGES": json.dumps(STAGES), "SPENT": str(told)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    whole, found = time.time() - begun, json.loads(told.read_text())
    start = max(0.0, found["born"] - begun)
    spent: dict[str, float] = found["spent"]
    return spent | {START: start, END: whole - start - found["lived"]}


def main() -> None:
    """Prints a table with a column for each command."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    medians = {}
    with tempfile.TemporaryDirectory() as temporary:
        for name, arguments in COMMANDS.items():
            found = [stages_of(arguments, Path(temporary)) for _ in range(runs + 1)][1:]
            medians[name] = {stage: statistics.median(run.get(stage, 0.0) for run in found) for stage in ALL}
    rows = [{"stage": stage} | {name: 1000 * medians[name][stage] for name in COMMANDS} for stage in ALL]
    rows.append({"stage": "whole"} | {name: 1000 * sum(medians[name].values()) for name in COMMANDS})
    tell("stages", {"Milliseconds of a process": rows}, torch.device("cpu"), RECORDS)


if __name__ == "__main__":
    main()
