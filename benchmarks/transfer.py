"""Transfer to what a model never saw, against networks that learn from each folder alone.

python -m benchmarks.transfer drawn       # the folders of drawings.py
python -m benchmarks.transfer patches     # of textures, tissue, skies; pip install scikit-image first: its pictures are cut up
python -m benchmarks.transfer FOLDER      # of task folders: those with 17 images or more

Prints a Markdown table: the kernel distance after some inner steps of adaptation, and after many more steps of training from
scratch, both on eight images of each task; and how far it lies above that of the model after its first inner step, task by task.
"""

import argparse
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from benchmarks.development import sheet
from benchmarks.drawings import DRAWN, draw_folder
from metagan_cli.config import DataConfig, EvaluateConfig
from metagan_cli.data.readers.folders import read_folder
from metagan_cli.data.sources.open import open_source
from metagan_cli.evaluation.metrics import figure
from metagan_cli.evaluation.scores import Ruler
from metagan_cli.rng import generator_for
from metagan_cli.store.features import load_judges
from metagan_cli.store.shipped import find_features
from metagan_cli.workflows.evaluate.baselines import Scratch, model_method
from metagan_cli.workflows.evaluate.setup import ready_model
from metagan_cli.workflows.evaluate.tasks import EvaluationTask

PICTURES = ("brick.png", "grass.png", "gravel.png", "ihc.png", "retina.jpg", "moon.png", "hubble_deep_field.jpg", "coins.png")
PATCH = 0.25  # side of a patch as a share of its picture's shorter side
SHOTS, HELD_OUT = 8, 9
INNER, SCRATCH = (0, 1, 2, 4, 8, 16), (1, 2, 4, 8, 16, 32, 64, 100, 200, 400, 800)
FIRST = "1 inner"


def main() -> None:
    """Prints the learning curves as a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("tasks", help="drawn, patches, or a folder")
    parser.add_argument("--model", default="picture")
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--scratch", type=int, default=SCRATCH[-1], help="most steps from scratch")
    options = parser.parse_args()
    model, (judges, _) = ready_model(options.model), load_judges(find_features("judges", 3))
    made = {"drawn": drawn, "patches": patches}.get(options.tasks, partial(folders, Path(options.tasks)))(model.config.image_size)
    parted = ((name, images[:SHOTS], images[-HELD_OUT:]) for name, images in made)
    tasks = [EvaluationTask(i, name, support, truth, truth) for i, (name, support, truth) in enumerate(parted)]
    ruler = Ruler(judges, torch.stack([task.support for task in tasks]), torch.stack([task.truth for task in tasks]))
    table = Table(ruler)
    for steps in INNER:
        method = model_method(model, model.name, steps, 0)
        samples = [method.draw(task, tasks, EvaluateConfig.samples) for task in tasks]
        table.add(f"**{model.name}**", f"{steps} inner" if steps else "feed-forward", samples)
        if options.sheet and steps == EvaluateConfig.steps:
            sheet(options.sheet, [task.support for task in tasks], samples)
    runs = [Scratch(model.config, SCRATCH[-1], 0, task) for task in tasks]
    for steps in (s for s in SCRATCH if s <= options.scratch):
        for run in runs:
            run.train(steps)
        table.add("from scratch", f"{steps}", [run.draw(EvaluateConfig.samples) for run in runs])


def drawn(size: int) -> Iterator[tuple[str, Tensor]]:
    """Names and images [SHOTS + 2 HELD_OUT, 3, size, size] of the folders that the gallery draws, read as adapt reads them."""
    for name in DRAWN:
        with tempfile.TemporaryDirectory() as folder:
            draw_folder(Path(folder), name, SHOTS + 2 * HELD_OUT)
            yield name, read_folder(Path(folder), size=size, channels=3).images


def patches(size: int) -> Iterator[tuple[str, Tensor]]:
    """Names and patches [SHOTS + 2 HELD_OUT, 3, size, size] of scikit-image's pictures."""
    import skimage

    for number, name in enumerate(PICTURES):
        image = Image.open(Path(skimage.__file__).parent / "data" / name).convert("RGB")
        yield name, torch.stack(list(cut(image, size, SHOTS + 2 * HELD_OUT, generator_for(number, "patches"))))


def folders(folder: Path, size: int) -> Iterator[tuple[str, Tensor]]:
    """Names and images [SHOTS + HELD_OUT, 3, size, size] of the task folders that hold so many."""
    source, each = open_source(DataConfig(str(folder)), size, 3, fewest=1).all_tasks(), SHOTS + HELD_OUT
    for number in range(source.tasks(each)):
        images = source.draw(number, each, generator_for(number, "folders"))
        yield source.title(number, each), images.float() / 127.5 - 1


def cut(image: Image.Image, size: int, count: int, rng: torch.Generator) -> Iterator[Tensor]:
    """Patches [3, size, size] in [-1, 1] at random places."""
    side = round(PATCH * min(image.size))
    for _ in range(count):
        left, top = (int(torch.randint(length - side, (), generator=rng)) for length in image.size)
        patch = image.crop((left, top, left + side, top + side)).resize((size, size), Image.Resampling.LANCZOS)
        yield torch.from_numpy(np.asarray(patch).copy()).permute(2, 0, 1).float() / 127.5 - 1


class Table:
    """Prints rows as they come, each beside the model after its first inner step."""

    def __init__(self, ruler: Ruler) -> None:
        self.ruler, self.first = ruler, Tensor()
        print(
            "| who draws | steps | kernel distance | above the first inner step | told apart, % |\n|---|---|---|---|---|",
            flush=True,
        )

    def add(self, name: str, steps: str, samples: list[Tensor]) -> None:
        """One row: samples [N, 3, S, S] of each task."""
        values = self.ruler.measure(torch.stack(samples), torch.arange(len(samples))).values
        kernel, told = values["kernel"], 100 * float(values["neighbour"].mean())
        if steps == FIRST:
            self.first = kernel
        above = interval(kernel - self.first) if len(self.first) and steps != FIRST else ""
        print(f"| {name} | {steps} | {interval(kernel)} | {above} | {told:.0f} |", flush=True)


def interval(values: Tensor) -> str:
    """The mean of one value a task, and its interval."""
    found = figure(values)
    return f"{found.mean:.3f} ({found.low:.3f} to {found.high:.3f})"


if __name__ == "__main__":
    main()
