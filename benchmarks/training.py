"""Times meta-training: images a second, how near the machine's most it computes, what its cost grows with, and denormals.

python -m benchmarks.training [--seconds 30] [--device auto] [--small]

By glyph's recipe and networks, on drawn doodles. It is compared with the same networks one task at a time in float32 and
contiguous memory, as examples of MAML and FIGR train; all rows of a table are measured in turn. Prints Markdown, and appends it
to runs/performance.jsonl. `--small` tries it on tiny networks.
"""

import argparse
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.counting import flops_of
from benchmarks.loops import FixedLoop, OneByOne, contiguous, episode_of, glyph_recipe, make_loop
from benchmarks.measuring import RECORDS, Tables, alternately, seconds_of, tell
from metagan_cli.config import Recipe
from metagan_cli.data.episodes import Episode
from metagan_cli.devices import choose_device, choose_precision, compute

Rows = list[dict[str, Any]]
PACE, ARITHMETIC, GROWTH = "Images a second", "Achieved arithmetic", "Milliseconds of a step"
SURROUNDINGS, DENORMALS = "Memory and small kernels", "A net of four convolutions"
DRAWING, COPY, CALL = "drawing the episodes alone", "reading and writing memory", "the smallest kernel"
SHARE = 0.6  # of the episodes that can take inner steps take some: in glyph's recipe
NAMES = {torch.float32: "fp32", torch.bfloat16: "bf16"}
TASKS, SHOTS, SIDES, INNER = (2, 4, 8, 16), (1, 5, 10), (32, 64, 128), (0, 1, 2, 4)
USUAL_SHOTS, USUAL_INNER = 5, 0
LARGE = {"convolution": (32, 256, 32), "matrix product": (2048,)}  # images, channels, side; side
DENORMAL, CALLS = 1e-39, 1000


@dataclass(frozen=True)
class Machine:
    """Where and how long is measured."""

    device: torch.device
    dtype: torch.dtype
    seconds: float  # of each row
    small: bool


def main() -> None:
    """Measures all tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=30.0, help="about as long is each row measured")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--small", action="store_true", help="tiny networks, to try it")
    options = parser.parse_args()
    device = choose_device(options.device)
    machine = Machine(device, choose_precision("auto", device), options.seconds, options.small)
    tell("training", measure(machine), device, None if options.small else RECORDS)


def measure(machine: Machine) -> Tables:
    """All tables by their names."""
    makers = {PACE: pace, ARITHMETIC: arithmetic, SURROUNDINGS: surroundings, GROWTH: growth, DENORMALS: denormals}
    return {name: make(machine) for name, make in makers.items()}


def pace(machine: Machine) -> Rows:
    """What each choice brings: from one task at a time in fp32 and contiguous memory to how training runs."""
    recipe = glyph_recipe(machine.small)
    half = {"tasks together, bf16, channels-last": (FixedLoop, torch.bfloat16, False)}
    ways: dict[str, tuple[type[FixedLoop], torch.dtype, bool]] = {
        "one task at a time, fp32, contiguous": (OneByOne, torch.float32, True),
        "one task at a time, fp32, channels-last": (OneByOne, torch.float32, False),
        "tasks together, fp32, contiguous": (FixedLoop, torch.float32, True),
        "tasks together, fp32, channels-last": (FixedLoop, torch.float32, False),
    } | (half if machine.dtype == torch.bfloat16 else {})
    episodes = [episode_of(recipe, shots, recipe.train.tasks_per_batch) for shots in recipe.train.shots]
    jobs = {}
    for name, (kind, dtype, plain) in ways.items():
        with contiguous() if plain else contextlib.nullcontext():
            loop = make_loop(recipe, machine.device, dtype, kind)
        jobs[name] = partial(round_of_steps, loop, episodes, plain)
    seconds = alternately(jobs, machine.seconds)
    images = sum(episode.query.shape[:2].numel() for episode in episodes)
    slowest = seconds[next(iter(ways))]
    drawn = seconds_of(lambda: [episode_of(recipe, shots, recipe.train.tasks_per_batch) for shots in recipe.train.shots])
    rows = [{"how": name, "images a second": images / took, "times as fast": slowest / took} for name, took in seconds.items()]
    return [*rows, {"how": DRAWING, "images a second": images / drawn, "times as fast": slowest / drawn}]


def round_of_steps(loop: FixedLoop, episodes: list[Episode], plain: bool) -> None:
    """A step of each episode; the inner steps of SHARE of those that can take some are as many as a recipe has on the mean."""
    able = [i for i, episode in enumerate(episodes) if loop.game.allowed(1, episode.support.shape[1])]
    deep = set(able[: round(SHARE * len(able))])
    with contiguous() if plain else contextlib.nullcontext():
        for number, episode in enumerate(episodes):
            loop.inner_steps = round((1 + loop.recipe.train.inner_steps) / 2) if number in deep else 0
            loop.step(number, *episode.images)


def arithmetic(machine: Machine) -> Rows:
    """FLOP/s of a step as it runs, beside those of a large convolution and matrix product, forward and backward."""
    recipe = glyph_recipe(machine.small)
    loop = make_loop(recipe, machine.device, machine.dtype)
    episode = episode_of(recipe, USUAL_SHOTS, recipe.train.tasks_per_batch)
    jobs: dict[str, Callable[[], object]] = {
        f"a step of training, {NAMES[machine.dtype]}": partial(loop.step, 1, *episode.images)
    }
    for name, sizes in LARGE.items():
        for dtype, word in NAMES.items():
            shrunk = tuple(max(8, size // 16) for size in sizes) if machine.small else sizes
            jobs[f"large {name}, {word}"] = large_job(name, shrunk, machine.device, dtype)
    counts = {name: flops_of(job) for name, job in jobs.items()}
    seconds = alternately(jobs, machine.seconds)
    rates = {name: counts[name] / seconds[name] / 1e9 for name in jobs}
    most = {
        word: max(rate for name, rate in rates.items() if name.startswith("large") and word in name) for word in NAMES.values()
    }
    share = {name: 100 * rate / most[name.rpartition(" ")[2]] for name, rate in rates.items()}
    return [
        {"what": name, "GFLOP": counts[name] / 1e9, "GFLOP/s": rates[name], "of the most in that precision, %": share[name]}
        for name in jobs
    ]


def surroundings(machine: Machine) -> Rows:
    """What the cost model asks of a machine beside arithmetic: how fast its memory is, and how long its smallest kernel takes."""
    large = torch.zeros(2**16 if machine.small else 2**26, device=machine.device)
    small = torch.zeros(1, device=machine.device)
    jobs: dict[str, Callable[[], object]] = {
        COPY: partial(large.add_, 1.0),
        CALL: lambda: [small.add_(1.0) for _ in range(CALLS)],
    }
    seconds = alternately(jobs, machine.seconds)
    copied = 2 * large.numel() * large.element_size()
    return [
        {"what": COPY, "value": copied / seconds[COPY] / 1e9, "unit": "GB/s"},
        {"what": CALL, "value": seconds[CALL] / CALLS * 1e6, "unit": "microseconds"},
    ]


def large_job(name: str, sizes: tuple[int, ...], device: torch.device, dtype: torch.dtype) -> Callable[[], None]:
    """Forward and backward through a large layer."""
    if name == "convolution":
        images, channels, side = sizes
        layer: nn.Module = nn.Conv2d(channels, channels, 3, padding=1).to(device).to(memory_format=torch.channels_last)
        x = torch.randn(images, channels, side, side, device=device).contiguous(memory_format=torch.channels_last)
    else:
        layer, x = nn.Linear(sizes[0], sizes[0]).to(device), torch.randn(sizes[0], sizes[0], device=device)
    x.requires_grad_()

    def job() -> None:
        with compute(device, dtype):
            y: Tensor = layer(x)
        y.backward(torch.ones_like(y))

    return job


def growth(machine: Machine) -> Rows:
    """Milliseconds of a step with one factor changed at a time."""
    usual = glyph_recipe(machine.small)
    cases: dict[tuple[str, int], tuple[Recipe, int, int, int]] = {}
    tasks = usual.train.tasks_per_batch
    for count in TASKS:
        cases["tasks", count] = (usual, USUAL_SHOTS, count, USUAL_INNER)
    for shots in SHOTS:
        cases["shots", shots] = (usual, shots, tasks, USUAL_INNER)
    for side in SIDES:
        cases["pixels a side", side] = (
            replace(usual, model=replace(usual.model, image_size=side)),
            USUAL_SHOTS,
            tasks,
            USUAL_INNER,
        )
    for steps in INNER:
        cases["inner steps", steps] = (usual, USUAL_SHOTS, tasks, steps)
    counts, jobs = {}, {}
    for (factor, value), (recipe, shots, count, steps) in cases.items():
        loop = make_loop(recipe, machine.device, machine.dtype, inner_steps=steps)
        job = partial(loop.step, 1, *episode_of(recipe, shots, count).images)
        counts[factor, value], jobs[f"{factor} {value}"] = flops_of(job), job
    seconds = alternately(jobs, machine.seconds)
    return [
        {"factor": factor, "value": value, "ms a step": 1000 * seconds[f"{factor} {value}"], "GFLOP": counts[factor, value] / 1e9}
        for factor, value in cases
    ]


def denormals(machine: Machine) -> Rows:
    """A net of convolutions whose activations are all too small for a normal float, flushed to zero and not, and usual ones."""
    channels, side = (8, 8) if machine.small else (64, 32)
    net = nn.Sequential(*(nn.Conv2d(channels, channels, 3, padding=1, bias=False) for _ in range(4)))
    usual = torch.randn(8, channels, side, side)

    def job(x: Tensor, flushed: bool) -> None:
        torch.set_flush_denormal(flushed)
        with torch.no_grad():
            net(x)

    jobs: dict[str, Callable[[], object]] = {
        "usual": partial(job, usual, False),
        "denormal": partial(job, DENORMAL * usual, False),
        "denormal, flushed to zero": partial(job, DENORMAL * usual, True),
    }
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # threads of the pool keep what they started with
    try:
        seconds = alternately(jobs, machine.seconds)
    finally:
        torch.set_num_threads(threads)
        torch.set_flush_denormal(True)
    return [{"activations": name, "ms": 1000 * took, "times as slow": took / seconds["usual"]} for name, took in seconds.items()]


if __name__ == "__main__":
    began = time.perf_counter()
    main()
    print(f"{time.perf_counter() - began:.0f} s")
