"""Do new images help to learn classes from a few? Beside TrivialAugment and AutoAugment, on sets that others made.

python -m benchmarks.classes caltech [--shots 5 10 20] [--seeds 5] [--classes 20] [--out runs/classes.jsonl]
python -m benchmarks.classes Flowers102 --root FOLDER    # a data set of torchvision's, as its download leaves it

Each line that is written is one seed at one number of images a class; lines that are there already are not made again.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchvision
from PIL import Image
from torch import Tensor

from metagan_cli.config import AdaptConfig
from metagan_cli.errors import UsageError
from metagan_cli.evaluation.classifiers import FEATURES, METHODS, SCRATCH, compared
from metagan_cli.evaluation.metrics import figure
from metagan_cli.evaluation.outside import OutsideNet, outside_net_if_there
from metagan_cli.rng import generator_for
from metagan_cli.store.models import BaseModel, load_model
from metagan_cli.store.shipped import find_model
from metagan_cli.workflows.augment.check import sets_of
from recipes.held_out import ALPHABETS

PACKED = {
    "caltech": ("data/caltech101_64.npz", "picture", ()),
    "omniglot": ("data/omniglot_105.npz", "glyph", ALPHABETS),
    "emoji": ("data/emoji_vendor_subgroup_64.npz", "picture", ()),
}  # where they lie, the model that draws them, and the names of classes that it has not learned from, where that is said of them
LARGEST = 256  # pixels a side of an image of torchvision's that are kept in memory
NEW, TESTED = 32, 20  # new images of a class, and others that it is tested on, at most
Classes = list[list[Image.Image]]


def main() -> None:
    """Measures, and prints the table of all that was measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("data", help=f"{', '.join(PACKED)}, or the name of a data set in torchvision.datasets")
    parser.add_argument("--root", type=Path, help="where its download lies")
    parser.add_argument("--shots", type=int, nargs="+", default=[5, 10, 20])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--classes", type=int, default=20)
    parser.add_argument("--out", type=Path, default=Path("runs/classes.jsonl"))
    options = parser.parse_args()
    every, name = classes_of(options.data, options.root)
    base, outside = load_model(find_model(name)), outside_net_if_there()
    lines = [json.loads(line) for line in options.out.read_text().splitlines()] if options.out.exists() else []
    done = {(line["data"], line["shots"], line["seed"]) for line in lines}
    for shots in options.shots:
        able = [images for images in every if len(images) >= shots + 5]
        for seed in range(options.seeds):
            if len(able) < 2 or (options.data, shots, seed) in done:
                continue
            chosen = torch.randperm(len(able), generator=generator_for(seed, "classes"))[: options.classes].tolist()
            line = {"data": options.data, "shots": shots, "seed": seed, "classes": len(chosen)}
            line["right"] = measure([able[number] for number in chosen], shots, seed, base, outside)
            options.out.parent.mkdir(parents=True, exist_ok=True)
            with options.out.open("a") as file:
                file.write(json.dumps(line) + "\n")
            lines.append(line)
            print(json.dumps(line), flush=True)
    print(table([line for line in lines if line["data"] == options.data]))


def measure(classes: Classes, shots: int, seed: int, base: BaseModel, outside: OutsideNet | None) -> dict[str, dict[str, float]]:
    """Accuracies by classifier and method."""
    settings, rng = AdaptConfig(str(base.path), fit="crop", compact=True, depth="state"), generator_for(seed, "shots")
    sets = list[tuple[Tensor, Tensor, Tensor]]()
    for images in classes:
        order = [images[number] for number in torch.randperm(len(images), generator=rng).tolist()]
        sets.append(sets_of(base, order[:shots], order[shots : shots + TESTED], settings, range(NEW)))
    real, new, test = zip(*sets, strict=True)
    found = compared(real, new, test, outside, seed, lambda done, total: None)
    names = dict.fromkeys(classifier for classifier, _ in found)
    return {name: {method: float(found[name, method].float().mean()) for method in METHODS} for name in names}


def classes_of(data: str, root: Path | None) -> tuple[Classes, str]:
    """The images of each class, and the model that suits them. Raises UsageError for a data set that is none or not there."""
    if data in PACKED:
        path, name, unseen = PACKED[data]
        with np.load(path) as packed:
            images, labels, names = packed["images"], packed["labels"], packed["names"]
        chosen = [label for label in np.unique(labels) if not unseen or str(names[label]).startswith(unseen)]
        return [[Image.fromarray(image) for image in images[labels == label]] for label in chosen], name
    kind: Any = getattr(torchvision.datasets, data, None)
    if kind is None or root is None:
        raise UsageError(f"{data}: give one of {', '.join(PACKED)}, or a data set of torchvision's with --root")
    found: dict[int, list[Image.Image]] = {}
    try:
        images = kind(root, download=False)
    except RuntimeError as error:
        raise UsageError(f"{root}: {data} is not there as its download leaves it ({error})") from error
    for image, label in images:
        image.thumbnail((LARGEST, LARGEST))
        found.setdefault(int(label), []).append(image)
    gray = all(image.mode == "L" for some in found.values() for image in some)
    return list(found.values()), "glyph" if gray else "picture"


def table(lines: Sequence[dict[str, Any]]) -> str:
    """A Markdown table of accuracies in percent, with their 95 % intervals over seeds."""
    rows = ["| images a class | classifier | " + " | ".join(METHODS) + " |", "|---|---|" + "---|" * len(METHODS)]
    for shots in sorted({line["shots"] for line in lines}):
        some = [line["right"] for line in lines if line["shots"] == shots]
        for name in (name for name in (SCRATCH, FEATURES) if name in some[0]):
            cells = (figure(torch.tensor([100 * right[name][method] for right in some])) for method in METHODS)
            rows.append(
                f"| {shots} | {name} | " + " | ".join(f"{f.mean:.1f} ({f.low:.1f} to {f.high:.1f})" for f in cells) + " |"
            )
    return "\n".join(rows)


if __name__ == "__main__":
    main()
