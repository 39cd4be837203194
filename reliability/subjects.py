"""What is fuzzed: how each case's bytes are made, and the function of a command that reads them."""

import contextlib
import hashlib
import io
import json
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
import typer
from hypothesis import strategies as st
from PIL import Image, features

from metagan_cli import cores
from metagan_cli.cli.main import application, main
from metagan_cli.config import AdaptConfig, DataConfig, ModelConfig, Recipe
from metagan_cli.data.labels.book import LabelBook
from metagan_cli.data.labels.masks import read_mask, write_mask
from metagan_cli.data.readers.folders import read_folder
from metagan_cli.data.readers.kinds import is_image
from metagan_cli.data.sources.open import open_source
from metagan_cli.errors import ExitCode
from metagan_cli.learners.build import build_learner
from metagan_cli.networks.bundle import build_networks
from metagan_cli.rng import generator_for
from metagan_cli.store.models import load_model, save_model
from metagan_cli.store.recipes import read_recipe, to_toml
from metagan_cli.values import to_dict
from metagan_cli.workflows.adapt import adapt
from metagan_cli.workflows.inspect import inspect
from metagan_cli.workflows.ready import load_ready
from reliability import structures
from reliability.mutations import mutated, with_checksums

BASE = "base.safetensors"
SIZE = 32  # pixels a side that images are read at
WIDE, HIGH = 40, 24  # of the image that labels lie beside
TINY = ModelConfig(image_size=SIZE, latent=8, fine=8, width=32, tokens=32, style=32, critic_tokens=32, learner_width=32)
GOOD_COCO: dict[str, Any] = {
    "info": {"year": 2020},
    "categories": [{"id": 7, "name": "cat", "keypoints": ["nose", "tail"]}],
    "images": [{"file_name": "x.png", "width": WIDE, "height": HIGH, "id": 10}],
    "annotations": [
        {"id": 1, "image_id": 10, "category_id": 7, "iscrowd": 0, "bbox": [4, 5, 20, 10]},
        {"id": 2, "image_id": 10, "category_id": 7, "segmentation": [[4, 5, 24, 5, 10, 15]], "area": 100.0},
        {"id": 3, "image_id": 10, "category_id": 7, "segmentation": {"size": [HIGH, WIDE], "counts": [100, 60, 800]}},
        {"id": 4, "image_id": 10, "category_id": 7, "bbox": [1, 1, 9, 9], "keypoints": [4, 5, 2, 0, 0, 0], "num_keypoints": 1},
    ],
}
GOOD_VOC = (
    f"<annotation><filename>x.png</filename><size><width>{WIDE}</width><height>{HIGH}</height></size><object><name>cat</name>"
    "<bndbox><xmin>4</xmin><ymin>5.0</ymin><xmax>24</xmax><ymax>15</ymax></bndbox></object></annotation>"
).encode()
COMMANDS = ("adapt", "sample", "augment", "evaluate", "meta-train")
ANSWERS = (ExitCode.USAGE, ExitCode.INPUT, ExitCode.CHECKPOINT, ExitCode.OUTPUT, ExitCode.DEVICE)
WRITING = ("--help", "--overwrite", "--tensorboard")  # options that are left out: they say yes to what may do harm


@dataclass(frozen=True)
class Subject:
    """One kind of input."""

    name: str
    file: str  # where a case's bytes go, below a folder of their own
    content: Callable[[int, int], bytes]  # of a seed and a case's number
    use: Callable[[Path], object]  # what reads the file
    codes: tuple[ExitCode, ...]  # of the errors that it may raise
    beside: Mapping[str, bytes] = field(default_factory=dict)  # other files of the folder


def damaged(name: str, good: Sequence[bytes], repair: Callable[[bytes], bytes] = bytes) -> Callable[[int, int], bytes]:
    """Mutated bytes of good files, half of them with right checksums."""

    def content(seed: int, number: int) -> bytes:
        rng = Random(f"{name} {seed} {number}")
        found = mutated(rng.choice(good), rng)
        return repair(found) if rng.random() < 0.5 else found

    return content


def drawn(name: str, strategy: st.SearchStrategy[bytes]) -> Callable[[int, int], bytes]:
    """Examples of a strategy."""
    return lambda seed, number: structures.example(name, strategy, seed, number)


# --- images ---


def picture(mode: str = "RGB", number: int = 0, side: int = 40) -> Image.Image:
    """A disc on noise."""
    levels = np.random.default_rng(number).integers(200, 256, (side, side, 3), dtype=np.uint8)
    y, x = np.mgrid[:side, :side]
    levels[(x - 15 - number) ** 2 + (y - 20) ** 2 < 90] = (30, 60, 90)
    image = Image.fromarray(levels)
    return image.convert("L").convert(mode) if mode in ("LA", "1", "I;16") else image.convert(mode)


def file_of(image: Image.Image, kind: str, **options: Any) -> bytes:
    """A picture's bytes in a format."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def frames() -> dict[str, Any]:
    """What makes an animation of three frames."""
    return {"save_all": True, "append_images": [picture(number=1), picture(number=2)]}


def good_images() -> dict[str, list[bytes]]:
    """Sound files by their ending, several forms of each."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, json.dumps({"version": "1", "kind": "single"})
    deep = Image.fromarray(np.arange(1600, dtype=np.uint16).reshape(40, 40) * 40)
    found = {
        "png": [file_of(picture(mode), "PNG") for mode in ("1", "L", "LA", "P", "RGB", "RGBA")]
        + [file_of(deep, "PNG"), file_of(picture(), "PNG", **frames()), file_of(picture("P"), "PNG", transparency=3, exif=exif)],
        "jpg": [file_of(picture(mode), "JPEG", exif=exif) for mode in ("L", "RGB", "CMYK")]
        + [file_of(picture(), "JPEG", progressive=True), file_of(picture(), "MPO", **frames())],
        "webp": [
            file_of(picture(), "WEBP"),
            file_of(picture("RGBA"), "WEBP", lossless=True),
            file_of(picture(), "WEBP", **frames()),
        ],
        "gif": [file_of(picture("P"), "GIF", transparency=2), file_of(picture(), "GIF", **frames())],
        "bmp": [file_of(picture(mode), "BMP") for mode in ("1", "L", "P", "RGB", "RGBA")],
        "tiff": [file_of(picture(mode), "TIFF") for mode in ("1", "L", "RGB", "RGBA", "CMYK", "LAB", "F")]
        + [file_of(picture(), "TIFF", compression=way) for way in ("tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits")]
        + [file_of(deep, "TIFF"), file_of(picture(), "TIFF", **frames())],
        "ico": [
            file_of(picture("RGBA", side=64), "ICO", sizes=[(16, 16), (48, 48)]),
            file_of(picture(), "ICO", bitmap_format="bmp"),
        ],
        "ppm": [file_of(picture(mode), "PPM") for mode in ("1", "L", "RGB")],
        "tga": [file_of(picture("RGBA"), "TGA", compression="tga_rle"), file_of(picture("L"), "TGA")],
    }
    if features.check("avif"):
        found["avif"] = [file_of(picture(), "AVIF", speed=10), file_of(picture("RGBA"), "AVIF", speed=10)]
    return found


def use_images(path: Path) -> None:
    """The file as a folder of one image, gray and in colour, all frames, and again at a larger size."""
    for channels in (1, 3):
        support = read_folder(path.parent, size=SIZE, channels=channels, frames=channels == 3, report=lambda done, total: None)
        assert support.images.isfinite().all()
        assert support.images.shape[1:] == (channels, SIZE, SIZE)
        support.at_side(0, 2 * SIZE)


# --- models ---


def with_header(data: bytes, change: Callable[[dict[str, Any]], object]) -> bytes:
    """A model's file with changes to its metadata."""
    length = int.from_bytes(data[:8], "little")
    header, body = json.loads(data[8 : 8 + length]), data[8 + length :]
    said = json.loads(header["__metadata__"]["metagan"])
    change(said)
    text = json.dumps(header | {"__metadata__": {"metagan": json.dumps(said)}}).encode()
    return len(text).to_bytes(8, "little") + text + body


def rehashed(data: bytes) -> bytes:
    """A damaged model whose hash is right again, where its header can still be read."""
    try:
        body = data[8 + int.from_bytes(data[:8], "little") :]
        return with_header(data, lambda said: said.update(hash=hash_of(body)))
    except Exception:  # whatever the damage has made of it
        return data


def hash_of(body: bytes) -> str:
    """What a model's file calls its tensors' hash."""
    return hashlib.blake2b(body, digest_size=16).hexdigest()


def good_models() -> tuple[bytes, bytes, bytes]:
    """A base model, one adapted from it, which looks for it beside itself as BASE, and one that carries it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "images").mkdir()
        for number in range(3):
            picture("L", number, 64).save(folder / "images" / f"{number}.png")
        nets, learner = build_networks(TINY, generator_for(0, "fuzzed")), build_learner(TINY)
        save_model(folder / BASE, TINY, nets, learner, {"name": "tiny", "step": 0, "seed": 0, "data": []})
        files = [(folder / BASE).read_bytes()]
        for out, standalone in ((folder / "part.safetensors", False), (folder / "whole.safetensors", True)):
            adapt(folder / "images", out, AdaptConfig(str(folder / BASE), steps=0, standalone=standalone), device="cpu")
            files.append(with_header(out.read_bytes(), lambda said: said["base"].update(path=BASE)))
    return files[0], files[1], files[2]


def use_model(path: Path) -> None:
    """A base model, and what `inspect` says of it."""
    inspect(path)
    load_model(path)


def use_adapted(path: Path) -> None:
    """An adapted model, with its base, ready to sample from."""
    inspect(path)
    ready = load_ready(path, "cpu")
    if ready.natives:
        ready.natives.picture(0)


# --- data, recipes, labels, options ---


def use_recipe(path: Path) -> None:
    """A recipe, which comes back from what is written of it."""
    recipe = read_recipe(path)
    path.with_name("again.toml").write_text(to_toml(recipe), encoding="utf-8", errors="surrogatepass")
    assert read_recipe(path.with_name("again.toml")) == recipe, "a recipe does not come back as it was"


def use_tasks(path: Path) -> None:
    """The tasks of a packed file, and images of the first."""
    for channels in (1, 3):
        tasks = open_source(DataConfig(str(path)), SIZE, channels).all_tasks()
        for index in range(min(tasks.tasks(1), 2)):
            assert tasks.draw(index, 1, generator_for(0, "drawn")).shape == (1, channels, SIZE, SIZE)


def use_labels(path: Path) -> None:
    """The labels of the one image of a tree, read, and written for another."""
    tree = next(place for place in (path.parent, *path.parents) if place.name == "tree" or (place / "tree").is_dir())
    tree = tree if tree.name == "tree" else tree / "tree"
    book = LabelBook(tree, sorted(file.relative_to(tree) for file in tree.rglob("*") if file.is_file() and is_image(file)))
    found = book.of(Path("x.png"), WIDE, HIGH)
    book.beside(Path("x.png"), Path("new.png"), (WIDE, HIGH), found.things)
    if found.mask is not None:
        write_mask(read_mask(found.mask, WIDE, HIGH, tree / "x.png"), found.mask)


def options() -> dict[str, tuple[str, ...]]:
    """The long options of each command that is fuzzed."""
    commands: Any = typer.main.get_command(application(False))
    found = {}
    for name in COMMANDS:
        long = [option for parameter in commands.commands[name].params for option in parameter.opts if option.startswith("--")]
        found[name] = tuple(option for option in long if option not in WRITING)
    return found


def use_options(path: Path) -> None:
    """A command whose input is missing, with these options: it must end with a code that is no bug's."""
    command, *words = path.read_text(encoding="utf-8").split("\n")
    words += ["--dry-run"] if command == "meta-train" else []
    said, before = io.StringIO(), (sys.argv, tempfile.tempdir)
    sys.argv, tempfile.tempdir = ["metagan", command, *words], str(path.parent)  # where it would put a traceback
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
            main()
    except SystemExit as leaving:
        if leaving.code not in (ExitCode.OK, *ANSWERS):
            raise AssertionError(said.getvalue()) from leaving
    finally:
        sys.argv, tempfile.tempdir = before
        cores.ours = False  # this process is not the command's own
        torch.set_flush_denormal(False)


@cache
def subjects() -> tuple[Subject, ...]:
    """All that is fuzzed."""
    base, part, whole = good_models()
    recipe = to_dict(Recipe())
    arrays: dict[str, Any] = {"images": np.zeros((4, 6, 6), np.uint8), "labels": np.arange(4) % 2, "names": np.array(["a", "b"])}
    packed = io.BytesIO()
    np.savez_compressed(packed, **arrays)
    modes = ("1", "L", "P", "RGBA")
    image, size = file_of(picture(side=WIDE).crop((0, 0, WIDE, HIGH)), "PNG"), (WIDE, HIGH)
    labels = {
        "YOLO": ("tree/x.txt", [b"3 0.35 0.5 0.5 0.5\n", b"1 0.1 0.25 0.6 0.25 0.25 0.75\n"], structures.lines_of_numbers()),
        "VOC": ("tree/x.xml", [GOOD_VOC], structures.annotations(size)),
        "COCO": ("tree/all.json", [json.dumps(GOOD_COCO).encode()], structures.json_files(GOOD_COCO)),
        "masks": (
            "tree/x_mask.png",
            [file_of(picture(mode).resize(size), "PNG") for mode in modes],
            structures.masks(size),
        ),
    }
    model, data, use = (ExitCode.CHECKPOINT,), (ExitCode.INPUT,), (ExitCode.USAGE,)
    found = [
        *(Subject(f"images: {ending}", f"images/x.{ending}", damaged(ending, good, with_checksums), use_images, data)
          for ending, good in good_images().items()),
        Subject("models: bytes", "m.safetensors", damaged("model", [base], rehashed), use_model, model),
        Subject("models: headers", "m.safetensors", drawn("model", structures.tensor_files(base, hash_of)), use_model, model),
        Subject("adapted: bytes", "a.safetensors", damaged("adapted", [part, whole], rehashed), use_adapted, model,
                {BASE: base}),
        *(Subject(f"adapted: headers, {name}", "a.safetensors",
                  drawn(name, structures.tensor_files(good, hash_of)), use_adapted, model, {BASE: base})
          for name, good in (("apart", part), ("whole", whole))),
        Subject("recipes: bytes", "r.toml", damaged("recipe", [to_toml(Recipe()).encode()]), use_recipe, use),
        Subject("recipes: values", "r.toml", drawn("recipe", structures.recipes(recipe)), use_recipe, use),
        Subject("tasks: bytes", "t.npz", damaged("tasks", [packed.getvalue()]), use_tasks, data),
        Subject("tasks: arrays", "t.npz", drawn("tasks", structures.packed_arrays()), use_tasks, data),
        Subject("options", "words", drawn("options", structures.command_lines(options())), use_options, ANSWERS),
    ]  # fmt: skip
    for name, (file, good, strategy) in labels.items():
        beside = {"tree/x.png": image}
        found.append(Subject(f"labels: {name}, bytes", file, damaged(name, good, with_checksums), use_labels, data, beside))
        found.append(Subject(f"labels: {name}, values", file, drawn(name, strategy), use_labels, data, beside))
    yolo = {"tree/x.png": image, "tree/x.txt": b"3 0.35 0.5 0.5 0.5 0.1 0.2 2 0 0 0\n"}
    keys = damaged("keypoints", [b"names: [cat]\nkpt_shape: [2, 3]\n"])
    found.append(Subject("labels: data.yaml, bytes", "data.yaml", keys, use_labels, data, yolo))
    return tuple(found)
