"""The benchmark of classes reads data sets of torchvision's as their downloads leave them."""

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.classes import LARGEST, classes_of, measure, table
from metagan_cli.errors import UsageError
from metagan_cli.evaluation import classifiers
from metagan_cli.evaluation.classifiers import METHODS, SCRATCH
from metagan_cli.store.models import load_model


def coloured(label: int, number: int, side: int = 40) -> Image.Image:
    """A square whose place says the class, of a colour by chance."""
    rng = np.random.default_rng((label, number))
    pixels = np.full((side, side, 3), 255, np.uint8)
    start = side // 8 + label * side // 3
    pixels[start : start + side // 3, side // 4 : -side // 4] = rng.integers(0, 200, 3)
    return Image.fromarray(pixels)


def pets(root: Path, count: int) -> None:
    """Photographs in one folder, and a list of which shows what."""
    place = root / "oxford-iiit-pet"
    (place / "images").mkdir(parents=True)
    (place / "annotations").mkdir()
    lines = []
    for label, name in enumerate(("Abyssinian", "pug")):
        for number in range(count):
            coloured(label, number, side=2 * LARGEST).save(place / "images" / f"{name}_{number}.jpg")
            lines.append(f"{name}_{number} {label + 1} {label + 1} 1\n")
    (place / "annotations" / "trainval.txt").write_text("".join(lines))


def satellites(root: Path, count: int) -> None:
    """Folders of classes."""
    for label, name in enumerate(("Forest", "River")):
        place = root / "eurosat" / "2750" / name
        place.mkdir(parents=True)
        for number in range(count):
            coloured(label, number).save(place / f"{name}_{number}.jpg")


def digits(root: Path, count: int) -> None:
    """Arrays of gray images and of labels, behind a line of sizes."""
    place = root / "MNIST" / "raw"
    place.mkdir(parents=True)
    labels = np.repeat(np.arange(2, dtype=np.uint8), count)
    images = np.stack([255 - np.asarray(coloured(label, i, 28).convert("L")) for i, label in enumerate(labels.tolist())])
    for part in ("train", "t10k"):
        (place / f"{part}-images-idx3-ubyte").write_bytes(struct.pack(">4I", 0x803, *images.shape) + images.tobytes())
        (place / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">2I", 0x801, len(labels)) + labels.tobytes())


@pytest.mark.parametrize(
    ("data", "lay_out", "model"),
    [("OxfordIIITPet", pets, "picture"), ("EuroSAT", satellites, "picture"), ("MNIST", digits, "glyph")],
)
def test_sets_are_read_as_downloads_leave_them(
    data: str, lay_out: Callable[[Path, int], None], model: str, tmp_path: Path
) -> None:
    lay_out(tmp_path, 3)
    classes, name = classes_of(data, tmp_path)
    assert name == model
    assert [len(images) for images in classes] == [3, 3]
    assert max(image.width for images in classes for image in images) <= LARGEST
    means = [np.mean([np.asarray(image.convert("L"))[: image.height // 2].mean() for image in images]) for images in classes]
    assert abs(means[0] - means[1]) > 10  # each class its own images


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="EuroSAT is not there"):
        classes_of("EuroSAT", tmp_path)
    with pytest.raises(UsageError, match="give one of"):
        classes_of("NoSuchSet", tmp_path)


def test_a_downloaded_set_is_measured(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifiers, "STEPS", 4)
    digits(tmp_path, 9)
    classes, _ = classes_of("MNIST", tmp_path)
    right = measure(classes, 4, 0, load_model(tiny_model), None)
    assert set(right[SCRATCH]) == set(METHODS)
    assert table([{"shots": 4, "right": right}]).count("|") > len(METHODS)
