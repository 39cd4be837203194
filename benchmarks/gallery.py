"""Makes the pictures of docs/gallery.md: unlike folders, drawn by a program, and what the shipped models make of each.

python -m benchmarks.gallery [--folders FOLDER] [--photograph coffee.png] [NAME...]

The examples stand left, the first variants of them right; nothing is chosen. The folders are kept where asked. A photograph is
cut up for one more: scikit-image has some.
"""

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from benchmarks.drawings import DRAWN, SIDE, drawings
from benchmarks.sets import MISSING, SETS, members
from metagan_cli.config import AdaptConfig
from metagan_cli.images.sheets import picture, tile
from metagan_cli.workflows.guests import guests_for
from metagan_cli.workflows.painting import LARGEST_CELL, Painting
from metagan_cli.workflows.ready import load_ready
from metagan_cli.workflows.sample import source_of

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES, SAMPLES = 8, 16
ROWS, GAP = 4, 16  # cells of a column; pixels between examples and samples
QUALITY = 82  # of WebP


def main() -> None:
    """Draws the folders, adapts to each, and lays out what comes of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("names", nargs="*", metavar="NAME", help="of the folders; all unless given")
    parser.add_argument("--folders", type=Path)
    parser.add_argument("--photograph", type=Path, help="is cut up for a folder of details")
    parser.add_argument("--from", dest="base", default=AdaptConfig.base)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "gallery")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        root = options.folders or Path(temporary)
        for name, images in folders(options.photograph):
            if options.names and name not in options.names:
                continue
            (root / name).mkdir(parents=True, exist_ok=True)
            for number, image in enumerate(images):
                image.save(root / name / f"{number}.png")
            picture(sheet(root / name, options.base)).save(options.out / f"{name}.webp", quality=QUALITY, method=6)


def folders(photograph: Path | None) -> Iterator[tuple[str, Iterator[Image.Image]]]:
    """The folders' names and images: the repository's examples, those that are drawn, and details of a photograph."""
    yield "runes", (Image.open(path) for path in sorted((ROOT / "examples").iterdir()))
    for name in SETS:
        yield name, members(name)
    for name in DRAWN:
        yield name, drawings(name, EXAMPLES)
    if photograph:
        yield "details", details(Image.open(photograph).convert("RGB"))


def details(image: Image.Image) -> Iterator[Image.Image]:
    """Squares of a photograph, in two rows from side to side."""
    across, down = EXAMPLES // 2, 2
    for i in range(EXAMPLES):
        left, top = (image.width - SIDE) * (i % across) // (across - 1), (image.height - SIDE) * (i // across) // (down - 1)
        yield image.crop((left, top, left + SIDE, top + SIDE))


def sheet(folder: Path, base: str) -> Tensor:
    """Examples and variants of a folder, uint8 [H, W, 3]."""
    ready = load_ready(folder, settings=AdaptConfig(base=base))
    guests = guests_for(ready, MISSING[folder.name]) if folder.name in MISSING else None
    source = source_of(ready, 1.0, guests, variants=guests is None)
    painting = Painting(ready, "auto", LARGEST_CELL, opaque=True)
    seeds = range(len(guests.names) if guests else SAMPLES)
    samples = [image for drawn in source.stream(seeds) for image in painting.pictures(drawn)]
    print(f"{folder.name:10} {ready.base.name:8} {painting.width} x {painting.height}", flush=True)
    left, right = (tiled([framed(image) for image in images]) for images in (list(painting.examples()), samples))
    height = max(left.shape[0], right.shape[0])
    left, right = (F.pad(part, (0, 0, 0, 0, 0, height - part.shape[0]), value=255) for part in (left, right))
    gap = torch.full((height, GAP, 3), 160, dtype=torch.uint8)
    return torch.cat([left, gap, right], 1)


def tiled(cells: list[Tensor]) -> Tensor:
    """Cells side by side in ROWS rows."""
    return tile(torch.stack(cells), -(-len(cells) // ROWS))


def framed(cell: Tensor) -> Tensor:
    """An image uint8 [h, w, C] in colour, its pixels repeated as often as fits its cell."""
    times = max(1, LARGEST_CELL // max(cell.shape[:2]))
    return cell.repeat_interleave(times, 0).repeat_interleave(times, 1).expand(-1, -1, 3)


if __name__ == "__main__":
    main()
