"""Beside a GAN from the package index that learns from the folder alone: lightweight-gan, ten minutes of it for our ten seconds.

python -m benchmarks.peer [--peer-seconds 600] [--folders FILE:LABEL ...] [--data data] [--sheets FOLDER]

Needs the extra `outside`, the training data, and the peer somewhere outside this repository, named in PYTHONPATH:

    pip install --no-deps --target peer lightweight-gan==1.2.1 kornia kornia_rs einops adabelief-pytorch tabulate colorama tqdm

It is trained by its own trainer with the defaults of its command line, but for 64 pixels, and as gray where the folder is; and
again with at most an eighth of their channels and fewer images a step, as the defaults get few steps without a GPU. It
asks for CUDA: its trainer is given the processor instead. Its seconds are those of training alone, to the end of the step in
which they run out; ours are those of whole processes, `adapt` and `sample`. Both learn from the first 16 images of a label that
our models were not trained on (recipes/held_out.py); the outside net compares 64 samples with up to 32 others.
Prints Markdown, and appends it to runs/performance.jsonl.
"""

import argparse
import contextlib
import importlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from benchmarks.development import sheet
from benchmarks.measuring import INSTALLED, RECORDS, seconds_of, tell
from metagan_cli.data.sources.npz import named, read_npz
from metagan_cli.evaluation.outside import OutsideNet, OutsideRuler, outside_net
from metagan_cli.images.copies import are_copies, distances, thresholds

FOLDERS = (
    "icon_styles_gray_64.npz:teenyicons/outline",
    "icons_color_pack_64.npz:flat-color-icons/all",
    "dicebear_64.npz:bigSmile/0",
)
EXAMPLES, HELD_OUT, SAMPLES, SIDE = 16, 32, 64, 64
PEER, VERSION = "lightweight-gan", "1.2.1"
DEFAULTS = {  # of its command line
    "batch_size": 10,
    "gradient_accumulate_every": 4,
    "lr": 2e-4,
    "fmap_max": 512,
    "attn_res_layers": [32],
    "disc_output_size": 1,
    "aug_types": ["cutout", "translation"],
}
LIGHT = DEFAULTS | {"batch_size": 8, "gradient_accumulate_every": 1, "fmap_max": 64}  # many steps for few
SETTINGS: dict[str, dict[str, Any]] = {"defaults": DEFAULTS, "light": LIGHT}
SEED = 42  # likewise
FEWEST_TILES = 3  # a side, of the sheets that its trainer draws meanwhile


@dataclass(frozen=True)
class Folder:
    """Images [N, C, S, S] in [-1, 1] of one label; gray ones with ink +1."""

    name: str
    examples: Tensor
    held_out: Tensor

    @property
    def gray(self) -> bool:
        """Whether it has no colours."""
        return self.examples.shape[1] == 1


def main() -> None:
    """Prints a table and keeps it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--peer-seconds", type=float, default=600.0)
    parser.add_argument(
        "--settings", nargs="+", default=list(SETTINGS), choices=SETTINGS, help="the peer's, each trained as long"
    )
    parser.add_argument("--folders", nargs="+", default=FOLDERS, metavar="FILE:LABEL")
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--sheets", type=Path, help="a folder for sheets of examples and samples")
    parser.add_argument("--dry", action="store_true", help="keep nothing")
    options = parser.parse_args()
    net, rows = outside_net(), []
    for place in options.folders:
        rows += compare(read(options.data, place), options.settings, options.peer_seconds, net, options.sheets)
    tell("peer", {f"Beside {PEER} {VERSION}": rows}, torch.device("cpu"), None if options.dry else RECORDS)


def read(data: Path, place: str) -> Folder:
    """The images of FILE:LABEL. Raises SystemExit where there are too few."""
    file, _, label = place.partition(":")
    arrays = read_npz(data / file)
    pixels = arrays["images"][np.array(named(arrays, "labels")) == label][: EXAMPLES + HELD_OUT]
    if len(pixels) < EXAMPLES + 2:
        raise SystemExit(f"{place}: {len(pixels)} images; {EXAMPLES + 2} are needed")
    images = as_tensor([Image.fromarray(one).convert("RGB") for one in pixels], gray=pixels.ndim == 3)
    return Folder(f"{Path(file).stem}, {label}", images[:EXAMPLES], images[EXAMPLES:])


def compare(
    folder: Folder, settings: Sequence[str], peer_seconds: float, net: OutsideNet, sheets: Path | None
) -> list[dict[str, Any]]:
    """The rows of one folder: ours, the peer's, and the examples themselves."""
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary) / "examples"
        place.mkdir()
        for number, image in enumerate(as_pictures(folder.examples)):
            image.save(place / f"{number:02}.png")
        ours, seconds = draw_ours(place, folder.gray)
        theirs = [draw_peer(place, folder.gray, peer_seconds, SETTINGS[name]) for name in settings]
    drawn = {"metagan": (ours, seconds)}
    for name, (images, trained, steps) in zip(settings, theirs, strict=True):
        drawn[f"{PEER}, {name}, {steps} steps"] = images, trained
    drawn["the examples themselves"] = folder.examples, 0.0
    if sheets is not None:
        sheets.mkdir(parents=True, exist_ok=True)
        shown = [images[:EXAMPLES] for images, _ in drawn.values()]
        sheet(sheets / f"{folder.name.replace('/', '-').replace(', ', '-')}.png", [folder.examples[:8]] * len(shown), shown)
    ruler = OutsideRuler(net, folder.examples[None], folder.held_out[None])
    return [
        {"folder": folder.name, "who draws": who, "seconds": took} | judge(ruler, folder, images)
        for who, (images, took) in drawn.items()
    ]


def judge(ruler: OutsideRuler, folder: Folder, samples: Tensor) -> dict[str, float]:
    """What the outside net says of samples, and the share that are copies."""
    found = ruler.measure(samples[None], torch.zeros(1, dtype=torch.long))
    copies = are_copies(distances(samples, folder.examples), thresholds(folder.examples))
    return {
        "MMD x 1000": 1000 * float(found["outside mmd"]),
        "distance from the nearest example": float(found["outside distance"]),
        "diversity": float(found["outside diversity"]),
        "copies, %": 100 * float(copies.float().mean()),
    }


def draw_ours(place: Path, gray: bool) -> tuple[Tensor, float]:
    """Samples by the commands, and their seconds as whole processes."""
    metagan, root = [sys.executable, "-m", "metagan_cli"], place.parent

    def run() -> None:
        for arguments in (("adapt", place.name), ("sample", "-n", str(SAMPLES), "--each", "drawn")):
            nowhere = subprocess.DEVNULL
            subprocess.run([*metagan, *arguments], cwd=root, env=INSTALLED, check=True, stdout=nowhere, stderr=nowhere)

    seconds = seconds_of(run)
    pictures = [Image.open(path).convert("RGB") for path in sorted((root / "drawn").glob("*.png"))]
    return as_tensor(pictures, gray), seconds


def draw_peer(place: Path, gray: bool, seconds: float, settings: dict[str, Any]) -> tuple[Tensor, float, int]:
    """Samples by the peer after so many seconds of training with these settings, how many those were, and its steps."""
    with on_processor() as package:
        torch.manual_seed(SEED)
        trainer = package.Trainer(
            base_dir=place.parent,
            image_size=SIDE,
            greyscale=gray,
            num_workers=0,
            use_aim=False,
            num_image_tiles=FEWEST_TILES,
            **settings,
        )
        trainer.set_data_src(place)
        start = time.perf_counter()
        while time.perf_counter() - start < seconds:
            trainer.train()
        taken = time.perf_counter() - start
        trainer.GAN.eval()
        with torch.no_grad():
            images = trainer.generate_(trainer.GAN.G, torch.randn(SAMPLES, trainer.latent_dim)).clamp(0, 1)
    return (1 - 2 * images if gray else 2 * images - 1), taken, trainer.steps


@contextlib.contextmanager
def on_processor() -> Iterator[Any]:
    """The peer's module, for which the processor is the GPU that it asks for. Raises SystemExit where it is not installed."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.object(torch.cuda, "is_available", return_value=True))
        try:
            package = importlib.import_module("lightweight_gan.lightweight_gan")
        except ImportError as error:
            raise SystemExit(f"{PEER} is not installed ({error}): see python -m benchmarks.peer --help") from error
        for kind in (Tensor, nn.Module):
            stack.enter_context(mock.patch.object(kind, "cuda", lambda self, *_: self))
        stack.enter_context(mock.patch.object(package, "torch", OnProcessor()))
        stack.enter_context(mock.patch.object(torch.cuda, "is_available", return_value=False))
        yield package


class OnProcessor:
    """Torch, but every device is the processor."""

    def __getattr__(self, name: str) -> Any:
        return getattr(torch, name)

    def device(self, _: object) -> torch.device:
        """The processor, whatever was asked for."""
        return torch.device("cpu")


def as_tensor(pictures: Sequence[Image.Image], gray: bool) -> Tensor:
    """Pictures as [N, C, S, S] in [-1, 1]; gray ones with ink, dark in the picture, +1."""
    pixels = torch.from_numpy(np.stack([np.asarray(picture.convert("L" if gray else "RGB")) for picture in pictures])).float()
    images = pixels[:, None] if gray else pixels.permute(0, 3, 1, 2)
    return 1 - images / 127.5 if gray else images / 127.5 - 1


def as_pictures(images: Tensor) -> list[Image.Image]:
    """The way back."""
    pixels = ((1 - images if images.shape[1] == 1 else images + 1) * 127.5).round().clamp(0, 255).byte()
    return [Image.fromarray(one.permute(1, 2, 0).squeeze(2).numpy()) for one in pixels]


if __name__ == "__main__":
    main()
