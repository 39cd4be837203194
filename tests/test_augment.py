"""augment: trees of class folders, resumed, in parts, again from their manifest, with labels."""

import json
import os
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from conftest import draw_folder, hashes, refused, run, start
from PIL import Image, ImageDraw

from metagan_cli.config import AugmentConfig
from metagan_cli.data.labels.things import Points, Thing
from metagan_cli.store.manifests import Block, Manifest
from metagan_cli.workflows.augment.labels import as_record, thing_of
from metagan_cli.workflows.augment.tree import ClassFolder, read_tree

CLASSES = ("cat", "dog", "inner/fox")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for number, name in enumerate(CLASSES):
        draw_folder(tmp_path / "tree" / name, 3, task=number, size=32)
    (tmp_path / "tree" / "LICENCE.txt").write_text("free")
    return tmp_path / "tree"


@pytest.fixture
def augment(tmp_path: Path, tiny_model: Path) -> Callable[..., Path]:
    def made(out: str, *options: object, code: int = 0) -> Path:
        ran = run("augment", "tree", "-o", out, "-n", 4, "--from", tiny_model, "--steps", 0, *options, cwd=tmp_path)
        assert ran.code == code, ran.err
        return tmp_path / out

    return made


def below(folder: Path) -> dict[str, str]:
    return {os.path.relpath(path, folder): digest for path, digest in hashes(folder).items()}


def test_new_images_beside_the_originals(tree: Path, augment: Callable[..., Path]) -> None:
    out = augment("out")
    for name in CLASSES:
        new = sorted(path.name for path in (out / name).glob("*_new*.png"))
        assert len(new) == 4
        assert sorted(path[-8:] for path in new) == [f"{seed:04d}.png" for seed in range(4)]
        assert all((out / name / f"{path.split('_new')[0]}.png").is_file() for path in new)  # what each was made of
        assert all(Image.open(out / name / path).size == (32, 32) for path in new)
        assert (out / name / "0.png").samefile(tree / name / "0.png")
    assert (out / "LICENCE.txt").read_text() == "free"
    header, *records = map(json.loads, (out / "manifest.jsonl").read_text().splitlines())
    assert (header["kind"], header["count"]) == ("augment", 4)
    assert [record["class"] for record in records if "image" not in record] == list(CLASSES)
    images = [record for record in records if "image" in record]
    assert len(images) == 12
    assert all((out / record["image"]).is_file() and (out / record["example"]).is_file() for record in images)
    assert all(0 <= record["distance"] <= 2 and isinstance(record["copy"], bool) for record in images)
    assert sorted(path.name for path in out.iterdir()) == ["LICENCE.txt", "cat", "dog", "inner", "manifest.jsonl"]


def test_new_only_and_filled_up(tree: Path, tmp_path: Path, tiny_model: Path) -> None:
    draw_folder(tree / "cat", 6, size=32)
    options = ("--per-class", 5, "--new-only", "--from", tiny_model, "--steps", 0)
    assert run("augment", "tree", "-o", "out", *options, cwd=tmp_path).code == 0
    assert {
        name: len(list((tmp_path / "out" / name).glob("*.png"))) for name in CLASSES if (tmp_path / "out" / name).exists()
    } == {
        "dog": 2,
        "inner/fox": 2,
    }


def test_killed_at_any_time_and_run_again(tree: Path, augment: Callable[..., Path], tmp_path: Path, tiny_model: Path) -> None:
    whole = below(augment("whole"))
    arguments = ("augment", "tree", "-o", "parts", "-n", 4, "--from", tiny_model, "--steps", 0)
    for wanted in (1, 6, 9):  # in the midst of the first, the second and the third class
        running = start(*arguments, cwd=tmp_path)
        while len(list((tmp_path / "parts").rglob("*_new*.png"))) < wanted and running.process.poll() is None:
            time.sleep(0.002)
        running.process.kill()
        running.finish()
    assert below(augment("parts")) == whole
    assert below(augment("parts")) == whole  # and once more, when all is there


def test_again_from_the_manifest(tree: Path, augment: Callable[..., Path], tmp_path: Path) -> None:
    first = augment("first", "--seed", 7, "--truncation", 0.5)
    assert run("augment", "tree", "-o", "again", "--like", first / "manifest.jsonl", cwd=tmp_path).code == 0
    assert below(tmp_path / "again") == below(first)
    assert "--like and -n / --count" in refused(
        2, "augment", "tree", "-o", "x", "-n", 3, "--like", first / "manifest.jsonl", cwd=tmp_path
    )


def test_as_many_processes_as_there_are_draw_the_same(
    tree: Path, augment: Callable[..., Path], tmp_path: Path, tiny_model: Path
) -> None:
    alone = below(augment("alone"))  # tests have one thread
    options = ("-n", 4, "--from", tiny_model, "--steps", 0)
    ran = run("augment", "tree", "-o", "several", *options, cwd=tmp_path, bootstrap="import torch; torch.set_num_threads(3)")
    assert ran.code == 0, ran.err
    assert below(tmp_path / "several") == alone


def test_interrupted_without_a_word_of_its_processes(tree: Path, tmp_path: Path, tiny_model: Path) -> None:
    bootstrap = "import torch; torch.set_num_threads(3)"
    running = start("augment", "tree", "-o", "out", "-n", 400, "--from", tiny_model, cwd=tmp_path, bootstrap=bootstrap)
    while not list((tmp_path / "out").rglob("*_new*.png")) and running.process.poll() is None:
        time.sleep(0.01)
    os.killpg(running.process.pid, signal.SIGINT)  # as a terminal does
    ran = running.finish()
    assert ran.code == 130
    assert "Traceback" not in ran.err


def test_in_parts(tree: Path, augment: Callable[..., Path]) -> None:
    whole = below(augment("whole"))
    half = augment("parts", "--shard", "2/2")
    assert not (half / "manifest.jsonl").exists()
    assert below(augment("parts", "--shard", "1/2")) == whole


def test_a_class_that_changed_is_made_anew(tree: Path, augment: Callable[..., Path]) -> None:
    out = augment("out")
    before = below(out)
    draw_folder(tree / "dog", 4, task=9, size=32)
    after = below(augment("out"))
    same = {name for name in before if after.get(name) == before[name]}
    assert {name for name in before if name.startswith(("cat", "inner"))} <= same
    assert not [name for name in same if name.startswith("dog/") and "_new" in name]
    assert len([name for name in after if name.startswith("dog/") and "_new" in name]) == 4


def test_what_cannot_be_read_is_named_and_skipped(tree: Path, augment: Callable[..., Path], tmp_path: Path) -> None:
    for number in range(3):
        (tree / "dog" / f"{number}.png").write_bytes(b"no picture")
    assert "dog/0.png" in run("augment", "tree", "-o", "out", "-n", 2, cwd=tmp_path).complaints("error")[0]
    ran = run("augment", "tree", "-o", "all", "-n", 2, "--skip-bad", "--json", cwd=tmp_path)
    assert ran.code == 0
    assert [name for name, _ in json.loads(ran.out)["skipped"]] == ["dog"]
    assert len(ran.complaints("warning")) == 1
    assert len(list((tmp_path / "all").rglob("*_new*.png"))) == 4


def test_copies_are_dropped(tree: Path, tmp_path: Path, tiny_model: Path) -> None:
    options = ("--truncation", 0, "--from", tiny_model, "--steps", 0, "--json")  # hardly anything changes
    kept = json.loads(run("augment", "tree", "-o", "kept", "-n", 4, *options, cwd=tmp_path).out)
    assert kept["copies"] > 0
    dropped = json.loads(run("augment", "tree", "-o", "dropped", "-n", 4, "--drop-copies", *options, cwd=tmp_path).out)
    assert dropped["copies"] == 0
    assert dropped["new"] < 12


def test_refusals(tree: Path, augment: Callable[..., Path], tmp_path: Path) -> None:
    out = augment("out")
    no = partial(refused, cwd=tmp_path)
    assert "beside the tree" in no(5, "augment", "tree", "-o", "tree/new")
    assert "another adapt and count" in no(5, "augment", "tree", "-o", out, "-n", 5, "--from", "glyph")
    assert "would count as originals" in no(3, "augment", out, "-o", "other")
    assert "a part as 2/8" in no(2, "augment", "tree", "-o", "other", "--shard", "3")
    assert "from 1/2 to 2/2" in no(2, "augment", "tree", "-o", "other", "--shard", "3/2")
    assert "no such folder" in no(3, "augment", "nowhere", "-o", "other")
    (tmp_path / "file").write_text("x")
    assert "is a file" in no(5, "augment", "tree", "-o", "file")
    (tmp_path / "empty" / "class").mkdir(parents=True)
    assert "no images" in no(3, "augment", "empty", "-o", "other")
    (out / "manifest.jsonl").write_text("no manifest\n")
    assert "not a list that metagan augment wrote" in no(3, "augment", "tree", "-o", out)


def test_large_classes_are_looked_at_in_groups() -> None:
    images = tuple(Path(f"{number}.png") for number in range(100))
    folder = ClassFolder("many", images)
    assert [len(group) for group in folder.groups(200)] == [25] * 4
    assert [len(group) for group in folder.groups(40)] == [32, 32]
    assert len(ClassFolder("few", images[:10]).groups(200)) == 1


def test_a_manifest_that_broke_off(tmp_path: Path) -> None:
    path = tmp_path / "manifest.jsonl"
    manifest = Manifest(path)
    manifest.begin({"count": 2}, False)
    manifest.rewrite([])
    for name in ("a", "b"):
        manifest.add(Block({"class": name, "new": 2}, tuple({"image": f"{name}{i}"} for i in range(2))))
    whole = path.read_bytes()
    second = whole.index(b'{"class": "b"')
    for cut in range(second, len(whole)):
        path.write_bytes(whole[:cut])
        assert list(Manifest(path).blocks) == ["a"]
    path.write_bytes(whole)
    assert list(Manifest(path).blocks) == ["a", "b"]


def draw_star(folder: Path, number: int, side: int = 96) -> Points:
    """A dark star on a light ground, and its mask beside it; its corners [10, 2] in pixels."""
    rng = np.random.default_rng(number)
    turns = rng.uniform(0, 6) + np.arange(10) * np.pi / 5
    middle, radius = side / 2 + rng.uniform(-6, 6, 2), side * rng.uniform(0.25, 0.36)
    corners: Points = middle + radius * np.where(np.arange(10) % 2, 1, 0.45)[:, None] * np.stack(
        [np.cos(turns), np.sin(turns)], 1
    )
    large = Image.new("L", (4 * side, 4 * side), 0)
    ImageDraw.Draw(large).polygon([tuple(4 * corner) for corner in corners], fill=255)
    share = np.asarray(large.resize((side, side), Image.Resampling.BOX)) / 255.0
    colour, ground = np.array([190, 40, 40]) + rng.integers(-30, 30, 3), np.array([240, 240, 225])
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray((ground + (colour - ground) * share[..., None]).astype(np.uint8)).save(folder / f"{number}.png")
    return corners


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")  # of pycocotools
def test_labels_of_all_formats_lie_on_what_they_label(tmp_path: Path) -> None:
    coco: dict[str, list[object]] = {"images": [], "annotations": [], "categories": [{"id": 3, "name": "star"}]}
    for number in range(6):
        corners = draw_star(tmp_path / "tree" / "images", number)
        mask = Image.new("L", (384, 384), 0)
        ImageDraw.Draw(mask).polygon([tuple(4 * corner) for corner in corners], fill=255)
        (tmp_path / "tree" / "masks").mkdir(exist_ok=True)
        (tmp_path / "tree" / "labels").mkdir(exist_ok=True)
        share = np.asarray(mask.resize((96, 96), Image.Resampling.BOX))
        Image.fromarray(((share > 127) * 9).astype(np.uint8)).save(tmp_path / "tree" / "masks" / f"{number}.png")
        low, high = corners.min(0), corners.max(0)
        (x, y), (width, height) = (low + high) / 192, (high - low) / 96
        (tmp_path / "tree" / "labels" / f"{number}.txt").write_text(f"2 {x} {y} {width} {height}\n")
        coco["images"].append({"id": number, "file_name": f"{number}.png", "width": 96, "height": 96})
        ring, box = corners.flatten().tolist(), [*low.tolist(), *(high - low).tolist()]
        about = {"id": number, "image_id": number, "category_id": 3, "segmentation": [ring], "bbox": box, "area": 1, "iscrowd": 0}
        coco["annotations"].append(about)
    (tmp_path / "tree" / "annotations.json").write_text(json.dumps(coco))
    ran = run("augment", "tree", "-o", "out", "-n", 12, "--json", cwd=tmp_path)
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["labels"] == ["mask", "yolo", "coco"]
    from pycocotools.coco import COCO

    book = COCO(str(tmp_path / "out" / "annotations.json"))
    assert len(book.imgs) == 18
    ious = dict[str, list[float]](mask=[], polygon=[], box=[])
    for image in book.dataset["images"][6:]:
        pixels = np.asarray(Image.open(tmp_path / "out" / "images" / image["file_name"]).convert("RGB")).astype(float)
        apart = np.abs(pixels - np.median(np.concatenate([pixels[0], pixels[-1]]), 0)).sum(2)
        truth = apart > apart.max() / 2
        labels = np.asarray(Image.open(tmp_path / "out" / "masks" / image["file_name"]))
        assert set(labels.flatten().tolist()) == {0, 9}
        (about,) = book.loadAnns(book.getAnnIds(image["id"]))
        kind, x, y, width, height = map(
            float, (tmp_path / "out" / "labels" / f"{image['file_name'][:-4]}.txt").read_text().split()
        )
        assert kind == 2
        rows, columns = np.nonzero(truth)
        bounds = np.zeros_like(truth)
        bounds[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1] = True
        boxed = np.zeros_like(truth)
        high, wide = truth.shape
        across, down = (np.array([-0.5, 0.5]) * side + middle for side, middle in ((width, x), (height, y)))
        boxed[slice(*(down * high).round().astype(int)), slice(*(across * wide).round().astype(int))] = True
        for name, (found, true) in {
            "mask": (labels == 9, truth), "polygon": (book.annToMask(about) > 0, truth), "box": (boxed, bounds)
        }.items():  # fmt: skip
            ious[name].append(float((found & true).sum() / (found | true).sum()))
    assert np.mean(ious["mask"]) > 0.96  # of 96 pixels a side
    assert np.mean(ious["polygon"]) > 0.93
    assert np.mean(ious["box"]) > 0.88


def test_things_as_records(tmp_path: Path) -> None:
    draw_star(tmp_path / "tree", 0)
    mask = np.zeros((5, 7), bool)
    mask[1:3, 2:6] = True
    thing = Thing(4, (np.array([(1.0, 2), (3, 4), (5, 1)]),), False, np.array([[1.0, 2, 2]]), mask, {"iscrowd": 1})
    again = thing_of(json.loads(json.dumps(as_record(thing))))
    assert again.kind == 4
    assert (again.rings[0] == thing.rings[0]).all()
    assert again.mask is not None
    assert (again.mask == mask).all()
    assert (again.keypoints == thing.keypoints).all()
    assert again.extra == {"iscrowd": 1}
    assert read_tree(tmp_path / "tree").classes == (ClassFolder(".", (Path("0.png"),)),)
    assert AugmentConfig().count == 50
