"""Judges variants at the size of a folder's own images by the outside net, beside the model's own pixels enlarged, and copies.

python -m benchmarks.native TREE [--sheets FOLDER]    # each folder below with 16 square images or more, of 224 pixels or more

From the first eight images of each folder; the others are held out. Prints a Markdown table.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from benchmarks.development import sheet
from benchmarks.outside import NEAR, SHOTS, table_head, table_row
from metagan_cli.config import AdaptConfig
from metagan_cli.evaluation.metrics import neighbour_accuracy, polynomial_distance
from metagan_cli.evaluation.outside import SIDES, OutsideNet, nearest, outside_net
from metagan_cli.evaluation.plain import flatness
from metagan_cli.evaluation.references import jittered
from metagan_cli.images.gradients import squared_gradients
from metagan_cli.images.resampling import at_side
from metagan_cli.sampling.sampler import Sampler
from metagan_cli.workflows.painting import Painting
from metagan_cli.workflows.ready import load_ready

SIDE, FEWEST, SAMPLES = SIDES[-1], 16, 24
HEADS = ("folder", "who draws", "MMD x 1000", "told apart, %", "distance", "flatness", "gradient")


def main() -> None:
    """Prints rows of each folder, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("tree", type=Path)
    parser.add_argument("--sheets", type=Path, help="a folder for a sheet of each folder: examples, then samples")
    options = parser.parse_args()
    net = outside_net()
    print("\n".join(table_head(*HEADS)))
    for folder in sorted(place for place in options.tree.iterdir() if place.is_dir()):
        paths = sorted(folder.iterdir())
        if len(paths) < FEWEST:
            print(f"left out: {folder}: {len(paths)} images", file=sys.stderr)
            continue
        images = torch.stack([_pixels(np.asarray(Image.open(path).convert("RGB"))) for path in paths])
        drawn = dict(_drawn(paths[:SHOTS], images[:SHOTS]))
        for row in rows(net, folder.name, images[:SHOTS], images[SHOTS:], drawn):
            print(row, flush=True)
        if options.sheets:
            options.sheets.mkdir(parents=True, exist_ok=True)
            sheet(options.sheets / f"{folder.name}.png", [images[:SHOTS]], [drawn["**painted**"][:12]])


def _pixels(array: np.ndarray) -> Tensor:
    """Pixels uint8 [H, W, 3] as [3, SIDE, SIDE] in [-1, 1]."""
    return at_side(torch.from_numpy(array.copy()).permute(2, 0, 1)[None] / 127.5 - 1, SIDE)[0]


def _drawn(paths: list[Path], examples: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Who draws, and images [N, 3, SIDE, SIDE]: the same samples painted and enlarged, and slight copies."""
    with tempfile.TemporaryDirectory() as temporary:
        for path in paths:
            (Path(temporary) / path.name).symlink_to(path.resolve())
        ready = load_ready(Path(temporary), settings=AdaptConfig())
        sampler = Sampler(ready.base.nets, ready.state)
        blocks = list(sampler.stream(range(SAMPLES)))
        for name, size in (("**painted**", "auto"), ("enlarged", "model")):
            painting = Painting(ready, size, opaque=True)
            pictures = [picture for block in blocks for picture in painting.pictures(block)]
            yield name, torch.stack([_pixels(picture.expand(-1, -1, 3).numpy()) for picture in pictures])
    yield NEAR, jittered(examples, SAMPLES, "slight")


def rows(net: OutsideNet, name: str, examples: Tensor, real: Tensor, drawn: dict[str, Tensor]) -> Iterator[str]:
    """Lines of the table, by examples and held-out images [N, 3, SIDE, SIDE] and those that are drawn."""
    seen_real, seen_examples = (net.describe(images, SIDE)[None] for images in (real, examples))
    far, even, steep = nearest(seen_real, seen_examples), flatness(examples).mean(), squared_gradients(examples).mean()
    for who, images in drawn.items():
        seen = net.describe(images, SIDE)[None]
        yield table_row(
            name,
            who,
            f"{1000 * float(polynomial_distance(seen_real, seen)):.0f}",
            f"{100 * float(neighbour_accuracy(seen_real, seen)):.0f}",
            f"{float(nearest(seen, seen_examples) / far):.2f}",
            f"{float(flatness(images).mean() / even):.2f}",
            f"{float(squared_gradients(images).mean() / steep):.2f}",
        )


if __name__ == "__main__":
    main()
