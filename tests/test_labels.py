"""Labels beside images: found in every layout, read, written, and read back as the same; damaged ones are refused in one line."""

import io
import json
import random
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_masks
from pycocotools.coco import COCO

from metagan_cli.data.labels.book import LabelBook
from metagan_cli.data.labels.masks import read_mask, write_mask
from metagan_cli.data.labels.run_lengths import mask_of, runs_of
from metagan_cli.data.labels.things import NO_KEYPOINTS, Labelled, NewImage, Thing, box
from metagan_cli.data.labels.upright import upright
from metagan_cli.data.readers.kinds import is_image
from metagan_cli.errors import InputError

WIDE, HIGH = 40, 20
BOX = box(4, 5, 24, 15)
YOLO_BOX = "3 0.35 0.5 0.5 0.5"
POLYGON = np.array([(4.0, 5.0), (24.0, 5.0), (10.0, 15.0)])
YOLO_POLYGON = "1 0.1 0.25 0.6 0.25 0.25 0.75"
VOC = """<annotation>
\t<folder>JPEGImages</folder><filename>x.png</filename><path>/far/x.png</path>
\t<source><database>drawn</database></source>
\t<size><width>40</width><height>20</height><depth>3</depth></size><segmented>1</segmented>
\t<object><name>cat</name><pose>Left</pose><truncated>0</truncated><difficult>1</difficult>
\t\t<bndbox><xmin>4</xmin><ymin>5.0</ymin><xmax>24</xmax><ymax>15</ymax></bndbox>
\t\t<actions><jumping>1</jumping></actions><part><name>head</name><bndbox><xmin>4</xmin></bndbox></part></object>
</annotation>"""
ORIENTATION = 0x0112


def draw(path: Path, size: tuple[int, int] = (WIDE, HIGH), orientation: int = 1) -> Path:
    """An image in a file; its size is that in the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    Image.new("RGB", size, (200, 30, 30)).save(path, exif=exif)
    return path


def put(path: Path, content: str | bytes | dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(content) if isinstance(content, dict) else content
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def put_mask(path: Path, mode: str = "L", size: tuple[int, int] = (WIDE, HIGH)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size).save(path)
    return path


def opened(tree: Path) -> LabelBook:
    return LabelBook(tree, sorted(path.relative_to(tree) for path in tree.rglob("*") if path.is_file() and is_image(path)))


def labels(tree: Path, image: str = "x.png") -> Labelled:
    return opened(tree).of(Path(image), WIDE, HIGH)


def coco(file_name: str = "x.png", **fields: Any) -> dict[str, Any]:
    """A file with one image and one annotation, a box unless its fields say otherwise."""
    return {
        "info": {"year": 2020},
        "categories": [{"id": 7, "name": "cat", "keypoints": ["nose", "tail"]}],
        "images": [{"license": 2, "file_name": file_name, "width": WIDE, "height": HIGH, "id": 10, "coco_url": "http://far"}],
        "annotations": [{"bbox": [4, 5, 20, 10], "iscrowd": 0, "id": 30, "image_id": 10, "category_id": 7} | fields],
    }


def write_all(book: LabelBook, out: Path, image: str, new: str, found: Labelled, originals: bool = False) -> None:
    """What a command writes of an image that is made of another, and the image itself."""
    draw(out / new)
    written = book.beside(Path(image), Path(new), (WIDE, HIGH), found.things)
    added = NewImage(Path(new), Path(image), (WIDE, HIGH), found.things.get("coco", ()))
    for path, content in [*written, *book.collected([added], originals)]:
        put(out / path, content)


def alike(some: Sequence[Thing], others: Sequence[Thing]) -> bool:
    """Whether things are the same but for rounding."""

    def same(a: Thing, b: Thing) -> bool:
        of_mask = (a.mask is None) == (b.mask is None) and (a.mask is None or b.mask is None or (a.mask == b.mask).all())
        points = len(a.rings) == len(b.rings) and all(np.allclose(p, q, atol=0.01) for p, q in zip(a.rings, b.rings, strict=True))
        keypoints = a.keypoints.shape == b.keypoints.shape and np.allclose(a.keypoints, b.keypoints, atol=0.01)
        return bool(of_mask) and points and keypoints and (a.kind, a.is_box, a.extra) == (b.kind, b.is_box, b.extra)

    return len(some) == len(others) and all(same(a, b) for a, b in zip(some, others, strict=True))


# --- where labels lie ---


@pytest.mark.parametrize(
    ("image", "label", "content", "kind", "new"),
    [
        ("a/x.png", "a/x.txt", YOLO_BOX, "yolo", "a/new.txt"),
        ("a/x.1.png", "a/x.1.TXT", YOLO_BOX, "yolo", "a/new.txt"),
        ("images/train/x.png", "labels/train/x.txt", YOLO_POLYGON, "yolo", "labels/train/new.txt"),
        ("images/a/images/b/x.png", "images/a/labels/b/x.txt", YOLO_BOX, "yolo", "images/a/labels/b/new.txt"),
        ("x.png", "x.xml", VOC, "voc", "new.xml"),
        ("JPEGImages/x.png", "Annotations/x.xml", VOC, "voc", "Annotations/new.xml"),
        ("cat/images/x.png", "cat/annotations/x.xml", VOC, "voc", "cat/annotations/new.xml"),
        ("images/x.png", "Annotations/x.xml", f'<?xml version="1.0"?>\n<!-- drawn -->\n{VOC}', "voc", "Annotations/new.xml"),
    ],
)  # fmt: skip
def test_files_of_one_image(tmp_path: Path, image: str, label: str, content: str, kind: str, new: str) -> None:
    draw(tmp_path / image)
    put(tmp_path / label, content)
    book = opened(tmp_path)
    found = book.of(Path(image), WIDE, HIGH)
    assert book.formats == (kind,)
    assert list(found.things) == [kind]
    assert len(found.things[kind]) == 1
    assert book.is_label(Path(label))
    assert book.is_label(tmp_path / label)
    assert not book.is_label(Path(image))
    ((path, _),) = book.beside(Path(image), Path(image).with_name("new.png"), (WIDE, HIGH), found.things)
    assert path == Path(new)
    write_all(book, tmp_path / "out", image, str(Path(image).with_name("new.png")), found)
    back = labels(tmp_path / "out", str(Path(image).with_name("new.png")))
    assert alike(back.things[kind], found.things[kind])


@pytest.mark.parametrize(
    ("image", "mask", "new"),
    [
        ("a/x.jpg", "a/x_mask.png", "a/new_mask.png"),
        ("a/x.jpg", "a/x_mask.BMP", "a/new_mask.png"),
        ("images/a/x.jpg", "masks/a/x.png", "masks/a/new.png"),
        ("images/x.jpg", "masks/x_mask.gif", "masks/new_mask.png"),
        ("JPEGImages/x.jpg", "SegmentationClass/x.png", "SegmentationClass/new.png"),
    ],
)
def test_masks(tmp_path: Path, image: str, mask: str, new: str) -> None:
    draw(tmp_path / image)
    put_mask(tmp_path / mask)
    book = opened(tmp_path)
    assert book.formats == ("mask",)
    assert book.is_label(Path(mask))
    assert not book.is_label(Path(image))
    assert book.of(Path(image), WIDE, HIGH) == Labelled({}, tmp_path / mask)
    assert book.mask_path(Path(image), Path(image).with_name("new.png")) == Path(new)
    assert book.of(Path(mask), WIDE, HIGH).mask is None


@pytest.mark.parametrize("name", ["x_seg.png", "y_mask.png", "sub/x_mask.png", "masks/x.png"])
def test_pictures_that_are_no_masks(tmp_path: Path, name: str) -> None:
    draw(tmp_path / "x.png")
    put_mask(tmp_path / name)
    assert opened(tmp_path).formats == ()
    assert not opened(tmp_path).is_label(Path(name))


def test_masks_of_single_objects_are_labels_but_not_carried(tmp_path: Path) -> None:
    draw(tmp_path / "JPEGImages/x.png")
    put_mask(tmp_path / "SegmentationObject/x.png")
    book = opened(tmp_path)
    assert book.is_label(Path("SegmentationObject/x.png"))
    assert book.of(Path("JPEGImages/x.png"), WIDE, HIGH).mask is None


@pytest.mark.parametrize(
    ("image", "file", "file_name"),
    [
        ("x.png", "labels.json", "x.png"),
        ("a/x.png", "labels.json", "a/x.png"),
        ("train/x.png", "train/_annotations.coco.json", "x.png"),
        ("images/x.png", "annotations/instances.json", "x.png"),
        ("images/x.png", "annotations/instances.json", "../images/x.png"),
        ("train2017/x.png", "annotations/instances_train2017.json", "x.png"),
        ("images/val/x.png", "annotations/instances_val.json", "x.png"),
        ("a/x.png", "labels.json", "x.png"),
        ("a/x.png", "labels.json", "C:\\far\\x.png"),
        ("a/x.png", "labels.json", "/far/x.png"),
    ],
)
def test_coco_files(tmp_path: Path, image: str, file: str, file_name: str) -> None:
    draw(tmp_path / image)
    put(tmp_path / file, coco(file_name))
    book = opened(tmp_path)
    found = book.of(Path(image), WIDE, HIGH)
    assert book.formats == ("coco",)
    assert book.is_label(Path(file))
    assert alike(found.things["coco"], [Thing(7, (BOX,), True, NO_KEYPOINTS, extra={"iscrowd": 0})])
    new = str(Path(image).with_name("new.png"))
    write_all(book, tmp_path / "out", image, new, found)
    back = labels(tmp_path / "out", new)
    assert alike(back.things["coco"], found.things["coco"])
    assert json.loads((tmp_path / "out" / file).read_bytes())["images"][0]["file_name"] == file_name.replace("x.png", "new.png")


def test_a_name_that_several_images_have_is_none_of_them(tmp_path: Path) -> None:
    for name in ("a/x.png", "b/x.png", "a/y.png"):
        draw(tmp_path / name)
    data = coco()
    data["images"].append({"id": 11, "file_name": "y.png"})
    put(tmp_path / "labels.json", data)
    book = opened(tmp_path)
    assert [list(book.of(Path(name), WIDE, HIGH).things) for name in ("a/x.png", "b/x.png", "a/y.png")] == [[], [], ["coco"]]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.txt", "two dogs on a beach"),
        ("x.txt", "10 000 people"),
        ("x.txt", "7"),
        ("x.txt", ""),
        ("README.txt", YOLO_BOX),
        ("classes.txt", "cat\ndog"),
        ("x.xml", "<root><annotation/></root>"),
        ("x.xml", "<annotations><image/></annotations>"),
        ("x.xml", "no xml"),
        ("x.json", coco()),
        ("captions.json", {"images": [{"id": 1}], "annotations": [{"caption": "a dog"}]}),
        ("panoptic.json", {"images": [], "annotations": [{"segments_info": [], "image_id": 1}], "categories": []}),
        ("other.json", coco("not here.png")),
        ("settings.json", "{damaged"),
        ("list.json", '["images", "annotations"]'),
        (".hidden.json", coco()),
        ("far/x.txt", YOLO_BOX),
    ],
)
def test_files_that_are_no_labels(tmp_path: Path, name: str, content: str | dict[str, Any]) -> None:
    draw(tmp_path / "x.png")
    put(tmp_path / name, content)
    book = opened(tmp_path)
    assert book.formats == ()
    assert not book.is_label(Path(name))
    assert book.of(Path("x.png"), WIDE, HIGH) == Labelled({}, None)


def test_files_of_one_image_are_read_only_when_asked_for(tmp_path: Path) -> None:
    for name in ("x", "y"):
        draw(tmp_path / f"{name}.png")
    put(tmp_path / "x.txt", "0 0.5 0.5 9 9")
    put(tmp_path / "y.txt", YOLO_BOX)
    book = opened(tmp_path)
    assert book.of(Path("y.png"), WIDE, HIGH).things["yolo"]
    with pytest.raises(InputError, match=r"x\.txt: line 1"):
        book.of(Path("x.png"), WIDE, HIGH)


# --- YOLO ---


def test_yolo_says_what_there_is(tmp_path: Path) -> None:
    draw(tmp_path / "x.png")
    put(tmp_path / "x.txt", f"\ufeff{YOLO_BOX}\r\n\n{YOLO_POLYGON}\n")
    expected = [Thing(3, (BOX,), True, NO_KEYPOINTS), Thing(1, (POLYGON,), False, NO_KEYPOINTS)]
    assert alike(labels(tmp_path).things["yolo"], expected)


def test_an_empty_yolo_file_says_that_there_is_nothing(tmp_path: Path) -> None:
    for name in ("x", "y", "z"):
        draw(tmp_path / f"{name}.png")
    put(tmp_path / "x.txt", "")
    put(tmp_path / "y.txt", YOLO_BOX)
    book = opened(tmp_path)
    found = book.of(Path("x.png"), WIDE, HIGH)
    assert found.things == {"yolo": ()}
    assert book.is_label(Path("x.txt"))
    assert book.beside(Path("x.png"), Path("new.png"), (WIDE, HIGH), found.things) == [(Path("new.txt"), b"")]
    assert book.of(Path("z.png"), WIDE, HIGH).things == {}


@pytest.mark.parametrize(
    ("shape", "points"),
    [("[2, 3]", " 0.1 0.25 2 0 0 0"), ("[ 2,2 ]  # two", " 0.1 0.25 0 0")],
    ids=["with visibility", "without"],
)
@pytest.mark.parametrize("place", ["data.yaml", "../data.yaml"])
def test_yolo_keypoints(tmp_path: Path, shape: str, points: str, place: str) -> None:
    tree = tmp_path / "tree"
    draw(tree / "x.png")
    put(tree / place, f"names: [cat]\nkpt_shape: {shape}\n")
    put(tree / "x.txt", YOLO_BOX + points)
    book = opened(tree)
    found = book.of(Path("x.png"), WIDE, HIGH)
    assert alike(found.things["yolo"], [Thing(3, (BOX,), True, np.array([(4.0, 5.0, 2.0), (0, 0, 0)]))])
    ((_, text),) = book.beside(Path("x.png"), Path("new.png"), (WIDE, HIGH), found.things)
    assert [float(token) for token in text.split()] == [float(token) for token in (YOLO_BOX + points).split()]


def test_what_leaves_the_picture_is_cut_or_left_out(tmp_path: Path) -> None:
    draw(tmp_path / "x.png")
    put(tmp_path / "x.txt", YOLO_BOX)
    put(tmp_path / "x.xml", VOC)
    put(tmp_path / "all.json", coco())
    boxes = [box(-10, -10, 20, 10), box(-10, 0, -1, 10), box(3.1, 3.1, 3.2, 3.2)]
    things = [Thing(1, (ring,), True, NO_KEYPOINTS) for ring in boxes]
    every = Labelled({"yolo": tuple(things), "voc": tuple(replace(t, kind="cat") for t in things),
                      "coco": tuple(replace(t, kind=7) for t in things)}, None)  # fmt: skip
    write_all(opened(tmp_path), tmp_path / "out", "x.png", "new.png", every)
    assert (
        tmp_path / "out/new.txt"
    ).read_text() == "1 0.250000 0.250000 0.500000 0.500000\n1 0.078750 0.157500 0.002500 0.005000\n"
    back = labels(tmp_path / "out", "new.png")
    assert [thing.rings[0].tolist() for thing in back.things["voc"]] == [box(0, 0, 20, 10).tolist(), box(3, 3, 4, 4).tolist()]
    assert [len(back.things[kind]) for kind in ("yolo", "voc", "coco")] == [2, 2, 2]


# --- VOC ---


def test_voc_keeps_what_an_image_of_another_size_may_have(tmp_path: Path) -> None:
    draw(tmp_path / "x.png")
    put(tmp_path / "x.xml", VOC)
    book = opened(tmp_path)
    (thing,) = book.of(Path("x.png"), WIDE, HIGH).things["voc"]
    extra = {"pose": "Left", "truncated": "0", "difficult": "1", "actions": (("jumping", "1"),)}
    assert alike([thing], [Thing("cat", (BOX,), True, NO_KEYPOINTS, extra=extra)])
    ((_, text),) = book.beside(Path("x.png"), Path("a & b.png"), (80, 60), {"voc": [replace(thing, rings=(BOX * 2.03,))]})
    assert b"<filename>a &amp; b.png</filename>" in text
    assert b"path" not in text
    assert b"part" not in text
    assert b"<database>drawn</database>" in text
    for line in (
        b"<width>80</width>",
        b"<height>60</height>",
        b"<depth>3</depth>",
        b"<segmented>1</segmented>",
        b"<xmax>49</xmax>",
    ):
        assert line in text


# --- COCO ---


def every_kind() -> dict[str, Any]:
    """A file with a box, two polygons, run lengths plain and compressed, keypoints, and a category of the whole image."""
    mask = np.zeros((HIGH, WIDE), dtype=np.uint8, order="F")
    mask[3:9, 7:30] = 1
    compressed = coco_masks.encode(mask)["counts"].decode()
    data = coco(segmentation=[], area=200.0)
    own: list[dict[str, Any]] = [
        {"segmentation": [[4, 5, 24, 5, 10, 15], [1, 1, 3, 1, 3, 3, 1, 3]], "bbox": [1, 1, 23, 14], "area": 104},
        {"segmentation": runs_of(mask.astype(np.bool_)), "bbox": [7, 3, 23, 6], "area": 138, "iscrowd": 1},
        {"segmentation": {"size": [HIGH, WIDE], "counts": compressed}, "bbox": [7, 3, 23, 6], "attributes": {"seen": True}},
        {"keypoints": [5, 6, 2, 0, 0, 0], "num_keypoints": 1, "bbox": [4, 5, 20, 10]},
        {"keypoints": [5, 6, 2, 9.5, 8, 1], "num_keypoints": 2},
        {"score": 0.5},
    ]
    data["annotations"] += [{"id": 31 + n, "image_id": 10, "category_id": 7, **fields} for n, fields in enumerate(own)]
    return data


@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")  # of pycocotools
@pytest.mark.parametrize("originals", [False, True])
def test_coco_is_read_back_by_itself_and_by_others(tmp_path: Path, originals: bool, capsys: pytest.CaptureFixture[str]) -> None:
    draw(tmp_path / "x.png")
    put(tmp_path / "all.json", every_kind())
    book = opened(tmp_path)
    found = book.of(Path("x.png"), WIDE, HIGH)
    write_all(book, tmp_path / "out", "x.png", "new.png", found, originals)
    things = found.things["coco"]
    assert alike(labels(tmp_path / "out", "new.png").things["coco"], things)
    before, after = json.loads((tmp_path / "all.json").read_bytes()), json.loads((tmp_path / "out/all.json").read_bytes())
    assert after["info"] == before["info"]
    assert list(after) == list(before)
    if originals:
        assert after["images"][:1] == before["images"]
        assert after["annotations"][:7] == before["annotations"]
    assert after["images"][-1] == {"license": 2, "file_name": "new.png", "width": WIDE, "height": HIGH, "id": 11}
    new = after["annotations"][-7:]
    assert [one["id"] for one in new] == list(range(37, 44))
    assert list(new[0]) == list(before["annotations"][0])
    other = COCO(str(tmp_path / "out/all.json"))
    assert len(other.getAnnIds(imgIds=[11])) == 7
    for one, thing in zip(new, things, strict=True):
        if thing.mask is not None:
            assert (other.annToMask(one) == thing.mask).all()
            assert one["area"] == thing.mask.sum()
            assert one["bbox"] == coco_masks.toBbox(other.annToRLE(one)).tolist()
        elif thing.rings:
            assert one["area"] == (104 if one["id"] == 38 else 200)
            assert one["bbox"] == ([1, 1, 23, 14] if one["id"] == 38 else [4, 5, 20, 10])
    assert [one.get("num_keypoints") for one in new] == [None, None, None, None, 1, 2, None]
    capsys.readouterr()


def test_coco_text_stays_as_it_was_written(tmp_path: Path) -> None:
    draw(tmp_path / "x.png")
    text = json.dumps(coco("x.png"), indent=2)
    put(tmp_path / "all.json", text)
    book = opened(tmp_path)
    assert book.collected([], originals=True) == [(Path("all.json"), text.encode())]
    ((_, without),) = book.collected([], originals=False)
    assert json.loads(without) == coco("x.png") | {"images": [], "annotations": []}
    added = NewImage(Path("new.png"), Path("x.png"), (5, 6), ())
    assert book.collected([added], originals=True) == book.collected([added], originals=True)


@pytest.mark.parametrize(("known", "new"), [("10", "11"), ("a", "1"), (-4, 1), (0, 1)])
def test_ids_follow_those_that_are_there(tmp_path: Path, known: int | str, new: int | str) -> None:
    draw(tmp_path / "x.png")
    data = coco(image_id=known)
    data["images"][0]["id"] = known
    put(tmp_path / "all.json", data)
    book = opened(tmp_path)
    found = book.of(Path("x.png"), WIDE, HIGH)
    write_all(book, tmp_path / "out", "x.png", "new.png", found)
    assert json.loads((tmp_path / "out/all.json").read_bytes())["annotations"][0]["image_id"] == new


def test_each_coco_file_gets_its_own_things(tmp_path: Path) -> None:
    draw(tmp_path / "a/x.png")
    draw(tmp_path / "y.png")
    put(tmp_path / "boxes.json", coco("a/x.png"))
    put(tmp_path / "points.json", coco("a/x.png", keypoints=[5, 6, 2, 0, 0, 0]))
    put(tmp_path / "others.json", coco("y.png"))
    book = opened(tmp_path)
    found = book.of(Path("a/x.png"), WIDE, HIGH)
    assert [len(thing.keypoints) for thing in found.things["coco"]] == [0, 2]
    write_all(book, tmp_path / "out", "a/x.png", "a/new.png", found)
    boxes, others, points = (json.loads((tmp_path / f"out/{n}.json").read_bytes()) for n in ("boxes", "others", "points"))
    assert others["images"] == []
    assert ["keypoints" in file["annotations"][0] for file in (boxes, points)] == [False, True]
    assert [len(file["annotations"]) for file in (boxes, points)] == [1, 1]
    assert boxes["annotations"][0].keys() == coco()["annotations"][0].keys() | {"segmentation", "area"}


@pytest.mark.parametrize("seed", range(20))
def test_run_lengths_are_those_of_pycocotools(seed: int) -> None:
    rng = np.random.default_rng(seed)
    mask = (rng.random((rng.integers(1, 30), rng.integers(1, 30))) < rng.random()).repeat(rng.integers(1, 40), axis=0)
    size = (mask.shape[1], mask.shape[0])
    encoded = coco_masks.encode(np.asfortranarray(mask.astype(np.uint8)))
    assert (mask_of(encoded | {"counts": encoded["counts"].decode()}, size) == mask).all()
    assert (mask_of(runs_of(mask), size) == mask).all()
    assert coco_masks.frPyObjects(runs_of(mask), *mask.shape)["counts"] == encoded["counts"]


# --- images on their side ---


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_labels_of_the_file_are_turned_with_it(tmp_path: Path, orientation: int) -> None:
    draw(tmp_path / "x.png", (HIGH, WIDE), orientation)
    stored = np.zeros((WIDE, HIGH), dtype=np.uint8)
    stored[5:15, 2:8] = 1
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    picture = Image.fromarray(stored)
    picture.getexif()[ORIENTATION] = orientation
    seen = np.asarray(picture.transpose({5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270,
                                         7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_90}[orientation]))  # fmt: skip
    rows, columns = (np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0)))
    expected = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
    data = coco(bbox=[2, 5, 6, 10])
    data["images"][0] |= {"width": HIGH, "height": WIDE}
    data["annotations"].append(data["annotations"][0] | {"id": 31, "segmentation": runs_of(stored.astype(np.bool_))})
    put(tmp_path / "all.json", data)
    put(tmp_path / "x.xml", VOC.replace("<width>40</width><height>20", "<width>20</width><height>40")
        .replace("<xmin>4</xmin><ymin>5.0</ymin><xmax>24", "<xmin>2</xmin><ymin>5</ymin><xmax>8"))  # fmt: skip
    Image.fromarray(stored).save(tmp_path / "x_mask.png")
    found = labels(tmp_path)
    for thing in (found.things["coco"][0], found.things["voc"][0]):
        assert [*thing.rings[0].min(axis=0), *thing.rings[0].max(axis=0)] == expected
    mask = found.things["coco"][1].mask
    assert mask is not None
    assert (mask == seen).all()
    assert found.mask is not None
    assert (read_mask(found.mask, WIDE, HIGH, tmp_path / "x.png") == seen).all()
    with pytest.raises(InputError, match="20 x 40"):
        read_mask(found.mask, WIDE, HIGH)


def test_keypoints_that_are_not_labelled_stay_zero_when_turned() -> None:
    thing = Thing(1, (), False, np.array([(2.0, 3.0, 2.0), (0, 0, 0)]))
    assert upright(thing, Image.Transpose.ROTATE_90, (HIGH, WIDE)).keypoints.tolist() == [[3, 18, 2], [0, 0, 0]]


# --- masks ---


def mask_picture(mode: str) -> Image.Image:
    values = np.arange(WIDE * HIGH).reshape(HIGH, WIDE) % 5
    if mode in ("RGB", "RGBA", "LA"):
        colours = np.array([(0, 0, 0, 0), (255, 0, 0, 255), (0, 9, 0, 255), (0, 0, 255, 90), (9, 9, 9, 255)], dtype=np.uint8)
        return Image.fromarray(
            np.ascontiguousarray(colours[values][..., {"RGB": [0, 1, 2], "LA": [0, 3]}.get(mode, [0, 1, 2, 3])])
        )
    if mode == "I;16":
        return Image.fromarray((values * 9000).astype(np.uint16))
    picture = Image.fromarray(values.astype(np.uint8))
    if mode == "P":
        picture.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0, 7, 7, 7, 224, 224, 192])
    return Image.fromarray(values > 2) if mode == "1" else picture


@pytest.mark.parametrize("mode", ["1", "L", "P", "I;16", "LA", "RGB", "RGBA"])
def test_masks_come_back_as_they_were(tmp_path: Path, mode: str) -> None:
    picture = mask_picture(mode)
    path = tmp_path / "mask.png"
    more: dict[str, Any] = {"transparency": 3} if mode == "P" else {}
    picture.save(path, **more)
    read = read_mask(path, WIDE, HIGH)
    if mode in ("1", "L", "P", "I;16"):
        assert (read == np.asarray(picture)).all()
    assert read.dtype == {"I;16": np.uint16}.get(mode, np.uint32 if mode in ("LA", "RGB", "RGBA") else np.uint8)
    again = Image.open(io.BytesIO(write_mask(read, path)))
    assert again.mode == Image.open(path).mode
    assert (np.asarray(again) == np.asarray(Image.open(path))).all()
    assert again.getpalette() == Image.open(path).getpalette()
    assert again.info.get("transparency") == Image.open(path).info.get("transparency")
    turned = Image.open(io.BytesIO(write_mask(read[::-1], path)))
    assert (np.asarray(turned) == np.asarray(Image.open(path))[::-1]).all()


@pytest.mark.parametrize("ending", ["gif", "bmp", "tif", "webp"])
def test_masks_of_other_formats_become_png(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"mask.{ending}"
    more: dict[str, Any] = {"lossless": True} if ending == "webp" else {}
    mask_picture("RGB" if ending == "webp" else "P").save(path, **more)
    again = Image.open(io.BytesIO(write_mask(read_mask(path, WIDE, HIGH), path)))
    assert again.format == "PNG"
    assert (np.asarray(again.convert("RGB")) == np.asarray(Image.open(path).convert("RGB"))).all()


@pytest.mark.parametrize(("mode", "nothing"), [("RGB", (0, 0, 0)), ("RGBA", (0, 0, 0, 255))])
def test_nothing_has_a_colour_of_its_own(tmp_path: Path, mode: str, nothing: tuple[int, ...]) -> None:
    Image.new(mode, (WIDE, HIGH), (0, 0, 255, 255)[: len(mode)]).save(tmp_path / "mask.png")
    read = read_mask(tmp_path / "mask.png", WIDE, HIGH)
    assert read.all()
    assert Image.open(io.BytesIO(write_mask(0 * read, tmp_path / "mask.png"))).getpixel((3, 3)) == nothing


def damaged_mask(path: Path, kind: str) -> Path:
    mask_picture("L").save(path)
    data = path.read_bytes()
    if kind == "of another size":
        return put_mask(path, size=(HIGH, WIDE))
    if kind == "of floats":
        put_mask(path.with_suffix(".tif"), "F").rename(path)
    else:
        path.write_bytes({"empty": b"", "truncated": data[:60], "no picture": b"no picture"}[kind])
    return path


@pytest.mark.parametrize("kind", ["of another size", "of floats", "empty", "truncated", "no picture"])
def test_damaged_masks(tmp_path: Path, kind: str) -> None:
    refused(lambda: read_mask(damaged_mask(tmp_path / "mask.png", kind), WIDE, HIGH), "mask.png")


def test_masks_may_not_be_bombs(tmp_path: Path) -> None:
    Image.new("1", (12_000, 12_000)).save(tmp_path / "mask.png")
    refused(lambda: read_mask(tmp_path / "mask.png", 12_000, 12_000), "million pixels")


# --- damage ---


def refused(attempt: Callable[[], object], *words: str) -> None:
    with pytest.raises(InputError) as caught:
        attempt()
    message = str(caught.value)
    assert message.isprintable()
    assert all(word in message for word in words), message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0 0.5", "line 1: 1 numbers"),
        (f"{YOLO_BOX}\n0 0.5 0.5 0.5", "line 2: 3 numbers"),
        (f"{YOLO_BOX}\n0 0.5 0.5 0.1 0.1 0.9", "line 2: 5 numbers"),
        (f"{YOLO_BOX}\n\ncat 0.5 0.5 0.1 0.1", "line 3: cat is not a number"),
        ("cat 0.5 0.5 0.1 0.1", "line 1: cat is not a number"),
        ("0 nan 0.5 0.1 0.1", "line 1: nan is not a number"),
        ("0 1e999 0.5 0.1 0.1", "line 1: 1e999 is not a number"),
        ("0 1_0 0.5 0.1 0.1", "line 1: 1_0 is not a number"),
        ("-1 0.5 0.5 0.1 0.1", "line 1: the class -1"),
        ("0.5 0.5 0.5 0.1 0.1", "line 1: the class 0.5"),
        ("0 0.5 0.5 0.1 0", "line 1: a box of no area"),
        ("0 0.5 0.5 -0.005 0.1", "line 1: a box of no area"),
        ("0 20 10 5 5", "line 1: has numbers that are no shares"),
        (f"{YOLO_BOX}\n\0\x1b", "line 2: \\x00"),
    ],
)
def test_damaged_yolo(tmp_path: Path, text: str, words: str) -> None:
    draw(tmp_path / "x.png")
    put(tmp_path / "x.txt", text)
    refused(lambda: labels(tmp_path), f"{tmp_path}/x.txt: ", words)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"{YOLO_BOX} 0.1 0.2 3 0 0 0", "visibility"),
        (f"{YOLO_BOX} 0.1 7 2 0 0 0", "keypoints that are no shares"),
        (f"{YOLO_BOX} 0.1 0.1 2 0 0", "a box has 4, with keypoints 10"),
    ],
)
def test_damaged_yolo_keypoints(tmp_path: Path, text: str, words: str) -> None:
    draw(tmp_path / "x.png")
    put(tmp_path / "data.yaml", "kpt_shape: [2, 3]")
    put(tmp_path / "x.txt", text)
    refused(lambda: labels(tmp_path), "x.txt: line 1", words)


@pytest.mark.parametrize("shape", ["[17, 4]", "[0, 3]", "17", "[9999, 2]", ""])
def test_damaged_keypoint_shape(tmp_path: Path, shape: str) -> None:
    draw(tmp_path / "x.png")
    put(tmp_path / "data.yaml", f"names: []\nkpt_shape: {shape}\n")
    refused(lambda: opened(tmp_path), "data.yaml: kpt_shape")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("</annotation>", "", "damaged XML"),
        ("<name>cat</name><pose>", "<pose>", "object 1: has no name"),
        ("bndbox>", "box>", "object 1: has no bndbox"),
        ("<xmin>4</xmin><ymin>", "<ymin>", "object 1: xmin is missing"),
        ("<xmin>4</xmin><ymin>", "<xmin>four</xmin><ymin>", "object 1: xmin is four"),
        ("<xmin>4</xmin><ymin>", "<xmin>nan</xmin><ymin>", "object 1: xmin is nan"),
        ("<xmin>4</xmin><ymin>", "<xmin>24</xmin><ymin>", "object 1: bndbox: a box of no area"),
        ("<ymin>5.0", "<ymin>16", "object 1: bndbox: a box of no area"),
        ("<width>40", "<width>41", "size: for an image of 41 x 20 pixels, but its image has 40 x 20"),
        ("<width>40</width><height>20", "<width>20</width><height>40", "size: for an image of 20 x 40"),
        ("<width>40", "<width>wide", "size: wide x 20 is no width and height"),
        ("\t<folder>", "<a>" * 100 + "</a>" * 100, "elements in one another"),
        ("cat", "&huge;", "damaged XML"),
    ],
)
def test_damaged_voc(tmp_path: Path, old: str, new: str, words: str) -> None:
    draw(tmp_path / "x.png")
    put(tmp_path / "x.xml", VOC.replace(old, new))
    refused(lambda: labels(tmp_path), "x.xml: ", words)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_xml_with_entities_is_refused(tmp_path: Path, encoding: str) -> None:
    laughs = '<!ENTITY a "ha">' + "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True))
    text = f'<?xml version="1.0" encoding="{encoding}"?><!DOCTYPE annotation [{laughs}]>{VOC.replace("cat", "&i;")}'
    draw(tmp_path / "x.png")
    put(tmp_path / "x.xml", text.encode(encoding))
    if encoding == "utf-8":
        refused(lambda: labels(tmp_path), "x.xml: has a DOCTYPE")
    else:
        assert labels(tmp_path).things == {}


@pytest.mark.parametrize("name", ["x.txt", "x.xml"])
def test_files_of_one_image_are_bounded(tmp_path: Path, name: str) -> None:
    draw(tmp_path / "x.png")
    put(tmp_path / name, {"x.txt": f"{YOLO_BOX}\n", "x.xml": f"{VOC}\n"}[name].encode() + b" " * 16_000_000)
    refused(lambda: labels(tmp_path), f"{name}: larger than 16 MB")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"bbox": [4, 5, 0, 10]}, "bbox: a box of no area"),
        ({"bbox": [4, 5, 20]}, "bbox: 3 numbers"),
        ({"bbox": [4, 5, float("nan"), 1]}, "bbox: not a list of numbers"),
        ({"bbox": [4, 5, 10**400, 1]}, "bbox: not a list of numbers"),
        ({"bbox": "wide"}, "bbox: not a list of numbers"),
        ({"bbox": [4, 5, True, 1]}, "bbox: not a list of numbers"),
        ({"category_id": 8}, "category_id 8 is none"),
        ({"category_id": "cat"}, "category_id is no whole number"),
        ({"category_id": None}, "category_id is no whole number"),
        ({"segmentation": "all"}, "segmentation: neither"),
        ({"segmentation": [1, 2, 3, 4, 5, 6]}, "segmentation: not a list of numbers"),
        ({"segmentation": [[1, 2, 3, 4]]}, "segmentation: a polygon needs"),
        ({"segmentation": [[1, 2, 3, 4, 5, 6, 7]]}, "segmentation: a polygon needs"),
        ({"segmentation": {"size": [WIDE, HIGH], "counts": [800]}}, "segmentation: its size"),
        ({"segmentation": {"size": [HIGH, WIDE], "counts": [801]}}, "segmentation: its counts are no"),
        ({"segmentation": {"size": [HIGH, WIDE], "counts": [700]}}, "segmentation: its counts make 700"),
        ({"segmentation": {"size": [HIGH, WIDE], "counts": "oooooooooooo"}}, "segmentation: its counts"),
        ({"segmentation": {"size": [HIGH, WIDE], "counts": "\u00e4"}}, "segmentation: its counts"),
        ({"segmentation": {"size": [HIGH, WIDE], "counts": "o"}}, "segmentation: its counts end within"),
        ({"segmentation": {"size": [HIGH, WIDE]}}, "segmentation: its counts"),
        ({"keypoints": [1, 2]}, "keypoints: not three"),
        ({"keypoints": [1, 2, 5]}, "keypoints: not three"),
        ({"keypoints": {"nose": 1}}, "keypoints: not a list"),
    ],
)
def test_damaged_coco_annotations(tmp_path: Path, fields: dict[str, Any], words: str) -> None:
    draw(tmp_path / "x.png")
    put(tmp_path / "all.json", coco(**fields))
    refused(lambda: labels(tmp_path), "all.json: annotation 30: ", words)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"annotations"', '"annotations', "damaged JSON"),
        ('"info": ', '"images": [], "info": ', "damaged JSON (a name that is no text, or stands twice)"),
        ('"info": ', "[]: ", "damaged JSON"),
        ("}]}", "}]", "damaged JSON"),
        ("}]}", "}]} more", "damaged JSON (Extra data"),
        ("}]}", "}, ]}", "damaged JSON"),
        ('{"year": 2020}', "[" * 100_000, "damaged JSON"),
        ('{"year": 2020}', "1" * 5000, "damaged JSON"),
        ('"file_name": "x.png"', '"file_name": 5', "images: number 1 has no file_name"),
        ('"id": 10', '"id": [10]', "images: number 1 has no id"),
        ('"images": [', '"images": [{"id": 10, "file_name": "y.png"}, ', "images: number 2 has the id of another"),
        ('"images": [', '"images": [{"id": 11, "file_name": "./x.png"}, ', "images: x.png stands there twice"),
        ('"images": [', '"images": [7, ', "images: number 1 has no id"),
        ('"annotations": [', '"annotations": [null, ', "annotations: number 1 has no id"),
        ('"image_id": 10', '"image_id": null', "annotations: number 1 has no image_id"),
        ('"id": 7', '"id": "cat"', "categories: one has no id"),
        ('"width": 40', '"width": 41', "image 10: for an image of 41 x 20"),
        ('"width": 40', '"width": "40"', "image 10: width and height"),
    ],
)
def test_damaged_coco_files(tmp_path: Path, old: str, new: str, words: str) -> None:
    draw(tmp_path / "x.png")
    text = json.dumps(coco())
    assert old in text
    put(tmp_path / "all.json", text.replace(old, new))
    refused(lambda: labels(tmp_path), "all.json: ", words)


def test_a_coco_file_that_was_cut_off_is_refused(tmp_path: Path) -> None:
    draw(tmp_path / "x.png")
    put(tmp_path / "all.json", '{"images": [{"id": 10, "file_name": "x.p')
    refused(lambda: labels(tmp_path), "all.json: damaged JSON")


def test_texts_that_no_file_can_be_called_do_no_harm(tmp_path: Path) -> None:
    draw(tmp_path / "x.png")
    data = coco(bbox=[4, 5, 0, 10], id="\ud800\n")
    data["images"] += [{"id": 11, "file_name": "\ud800"}, {"id": 12, "file_name": "\0"}, {"id": 13, "file_name": ""}]
    put(tmp_path / "all.json", data)
    refused(lambda: labels(tmp_path), "bbox: a box of no area")


FUZZED: dict[str, Callable[[], bytes]] = {
    "x.txt": lambda: f"{YOLO_BOX} 0.1 0.2 2 0 0 0\n{YOLO_BOX}\n".encode(),
    "x.xml": VOC.encode,
    "all.json": lambda: json.dumps(every_kind()).encode(),
    "x_mask.png": lambda: _png(mask_picture("P")),
    "x_mask.tif": lambda: _png(mask_picture("RGB"), "TIFF"),
    "data.yaml": lambda: b"names: [cat]\nkpt_shape: [2, 3]\n",
}


def _png(picture: Image.Image, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind)
    return buffer.getvalue()


def _mutated(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(changed) + 1)
        match rng.randrange(5):
            case 0 if at < len(changed):
                changed[at] = rng.randrange(256)
            case 1:
                del changed[at : at + rng.randint(1, 8)]
            case 2:
                changed[at:at] = changed[at : at + 20]
            case 3:
                changed[at:at] = rng.choice(
                    [b"-", b"9" * 30, b"nan", b"e99", b"\xff", b"\0", b'"', b"[", b"}", b"<", b"&", b" ", b"null"]
                )
            case _ if rng.random() < 0.1:
                del changed[at:]
    return bytes(changed)


@pytest.mark.parametrize("name", FUZZED)
def test_whatever_a_file_holds_there_are_things_or_one_line(tmp_path: Path, name: str) -> None:
    tree, out, good, rng, refusals = tmp_path / "tree", tmp_path / "out", FUZZED[name](), random.Random(name), []
    draw(tree / "x.png")
    put(tree / "x.txt", FUZZED["x.txt"]())
    put(tmp_path / "data.yaml", FUZZED["data.yaml"]())
    for _ in range(300):
        put(tmp_path / name if name == "data.yaml" else tree / name, _mutated(good, rng))
        shutil.rmtree(out, ignore_errors=True)
        try:
            book = opened(tree)
            found = book.of(Path("x.png"), WIDE, HIGH)
            if found.mask is not None:
                write_mask(read_mask(found.mask, WIDE, HIGH, tree / "x.png"), found.mask)
        except InputError as error:
            refusals.append(str(error))
            continue
        write_all(book, out, "x.png", "new.png", found)
        back = labels(out, "new.png")  # what could be read is written so that it can be read
        assert back.things.keys() == {kind for kind, things in found.things.items() if things or kind != "yolo"}
    assert 0 < len(refusals) < 300
    assert all(line.isprintable() for line in refusals)
