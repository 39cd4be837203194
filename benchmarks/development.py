"""Measures a base model on the development alphabets: distances, spread and copies beside real drawings.

python -m benchmarks.development MODEL [--data data/omniglot_105.npz] [--sheet FOLDER]

For each shots and number of inner steps, over the same tasks: the median distance of a sample to its nearest support
image beside that of held-out drawings of the character, the mean distance between samples beside that between drawings,
how far held-out drawings are from their nearest sample (reach) and samples from their nearest held-out drawing
(precision), the energy distance between the two, and the share of samples that count as copies. The last line puts ten other
drawings of the character in the samples' place.
Needs the Omniglot file of the training data; nothing here is for training.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from metagan_cli.data.sources.tasks import prepare
from metagan_cli.images.copies import are_copies, distances, spread, thresholds
from metagan_cli.images.sheets import picture, tile, to_bytes
from metagan_cli.objectives.energy_distance import energy_score
from metagan_cli.rng import generator_for
from metagan_cli.sampling.sampler import DRAFTS
from metagan_cli.store.models import BaseModel, load_model
from metagan_cli.store.pictures import write_png
from metagan_cli.workflows.evaluate.baselines import draw_adapted
from recipes.held_out import ALPHABETS

SAMPLES, HELD_OUT = 20, 8


def development_tasks(path: Path, size: int, every: int) -> Tensor:
    """Every n-th character of the development alphabets: [B, 20, 1, size, size] in [-1, 1]."""
    with np.load(path) as packed:
        chosen = np.array([str(name).startswith(ALPHABETS) for name in packed["names"]])[packed["labels"]]
        images = prepare(packed["images"][chosen], size, 1)
    return (images.float() / 127.5 - 1).view(-1, 20, 1, size, size)[::every]


def samples_of(model: BaseModel, task: Tensor, number: int, shots: int, steps: int, drafts: int) -> Tensor:
    """Samples of one task, adapted to its first `shots` drawings."""
    rng, seeds = generator_for(number, "development"), range(SAMPLES * number, SAMPLES * (number + 1))
    return draw_adapted(model, task[:shots], steps, rng, seeds, drafts)


def measure(samples: Tensor, support: Tensor, truth: Tensor) -> dict[str, float]:
    """The figures of one task's samples, beside its held-out drawings."""
    apart = distances(samples, support)
    return {
        "nearest": float(apart.amin(1).median()),
        "real_nearest": float(distances(truth, support).amin(1).median()),
        "spread": spread(samples),
        "real_spread": spread(truth),
        "reach": float(distances(truth, samples).amin(1).mean()),
        "precision": float(distances(samples, truth).amin(1).mean()),
        "energy": float(energy_score(truth[None], samples[None])),
        "copies": float(are_copies(apart, thresholds(support)).float().mean()),
    }


def line(label: str, rows: list[dict[str, float]]) -> str:
    """Mean figures over tasks, as a line of the table."""
    r = {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]}
    return (
        f"{label:11}  {r['nearest']:.3f} ({r['real_nearest']:.3f})   {r['spread']:.3f} ({r['real_spread']:.3f})"
        f"   {r['reach']:.3f}   {r['precision']:.3f}   {r['energy']:6.3f}   {r['copies']:.3f}"
    )


def sheet(path: Path, supports: Sequence[Tensor], drawn: Sequence[Tensor]) -> None:
    """Support left, then samples, one task a row; images [., C, S, S] in [-1, 1]."""
    rows = [torch.cat([s, torch.zeros(1, *s.shape[1:]), images]) for s, images in zip(supports, drawn, strict=True)]
    pixels = tile(to_bytes(torch.cat(rows), light_on_dark=False), len(rows[0]))
    write_png(path, picture(pixels), {"kind": "development", "shots": len(supports[0])})


def main() -> None:
    """Prints one line for each shots and steps."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", type=Path, default=Path("data/omniglot_105.npz"))
    parser.add_argument("--sheet", type=Path, help="a folder for sheets of samples")
    parser.add_argument("--every", type=int, default=5, help="use every n-th character")
    parser.add_argument("--drafts", type=int, default=DRAFTS, help="most drafts of a sample; 1 takes every one")
    options = parser.parse_args()
    model = load_model(options.model)
    tasks = development_tasks(options.data, model.config.image_size, options.every)
    print(f"{len(tasks)} characters, {SAMPLES} samples each")
    print("shots steps  nearest (real)   spread (real)   reach   precision   energy   copies")
    for shots in (1, 5, 10):
        for steps in (0, 1, 4) if shots > 2 else (0,):
            drawn = [samples_of(model, task, i, shots, steps, options.drafts) for i, task in enumerate(tasks)]
            rows = [measure(s, task[:shots], task[-HELD_OUT:]) for s, task in zip(drawn, tasks, strict=True)]
            print(line(f"{shots:5} {steps:5}", rows), flush=True)
            if options.sheet:
                options.sheet.mkdir(exist_ok=True)
                some = slice(None, None, max(1, len(tasks) // 14))
                sheet(options.sheet / f"{shots}-shot-{steps}.png", [task[:shots] for task in tasks[some]], drawn[some])
    print(line("    1  real", [measure(task[1:11], task[:1], task[-HELD_OUT:]) for task in tasks]))


if __name__ == "__main__":
    main()
