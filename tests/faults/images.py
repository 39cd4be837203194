"""Folders and images that are bad, unusual, or neither."""

import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from conftest import Ran, draw_folder
from PIL import Image, ImageDraw, features
from safetensors.torch import load_file

from faults.case import Case, Make, Place, Row, Undo, both, drawings, file, fresh, inside, nothing, runs, stops, warns

ADAPT = "adapt images --from BASE --steps 0"
T = Image.Transpose
STORED = {  # how an upright picture lies in a file with this EXIF orientation
    1: None, 2: T.FLIP_LEFT_RIGHT, 3: T.ROTATE_180, 4: T.FLIP_TOP_BOTTOM,
    5: T.TRANSPOSE, 6: T.ROTATE_90, 7: T.TRANSVERSE, 8: T.ROTATE_270,
}  # fmt: skip

AS_NOBODY = """
import os, PIL.Image
import metagan_cli.workflows.suited as workflow
PIL.Image.init()
read = workflow.read_folder
def read_as_nobody(*arguments, **options):
    os.seteuid(65534)  # root may read everything
    try:
        return read(*arguments, **options)
    finally:
        os.seteuid(0)
if os.geteuid() == 0:
    workflow.read_folder = read_as_nobody
"""

VANISHING = """
import os
import metagan_cli.data.readers.support as support
read = support.read_image
def read_too_late(path, *rest, **options):
    os.rename(path, str(path) + ".away")
    try:
        return read(path, *rest, **options)
    finally:
        os.rename(str(path) + ".away", path)  # so that the test finds everything as it was
support.read_image = read_too_late
"""

LITTLE_MEMORY = "import resource; resource.setrlimit(resource.RLIMIT_DATA, (3 * 2**30,) * 2)"


def picture(mode: str = "L", size: tuple[int, int] = (48, 48), name: str = "") -> Image.Image:
    """Strokes on white, other ones for each name."""
    image, places = Image.new("L", size, 255), np.random.default_rng([*name.encode()]).uniform(0.15, 0.85, (4, 2)) * size
    ImageDraw.Draw(image).line([(float(x), float(y)) for x, y in places], fill=0, width=4)
    return image.convert(mode)


def png(image: Image.Image) -> bytes:
    """A picture as a file's bytes."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def header(width: int, height: int) -> bytes:
    """The beginning of a PNG of that size."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))


BAD: dict[int, dict[str, bytes]] = {  # files that are refused by name, by row
    6: {"truncated.png": png(picture())[:60], "noise.jpg": bytes(range(256)) * 4,
        "short.tga": bytes([0, 0, 10, *bytes(9), 64, 0, 64, 0, 24, 0, 1])},
    8: {"empty.png": b"", "page.png": b"<!doctype html><title>404</title>"},
    10: {"script.png": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", "document.png": b"%PDF-1.7\n1 0 obj\n",
         "vector.png": b"<svg xmlns='http://www.w3.org/2000/svg'/>"},
    11: {"dot.png": png(Image.new("L", (1, 1)))},
    12: {"bomb.png": header(50_000, 50_000)},
    13: {"large.png": header(12_000, 11_000)},
    22: {"thread.png": png(Image.new("L", (1, 5000), 255))},
}  # fmt: skip


def bad(number: int, title: str, *more: Case) -> Row:
    """A row of files that are refused, each alone."""
    cases = [stops(name, 3, ADAPT, name, "--skip-bad", make=inside(name.encode(), data)) for name, data in BAD[number].items()]
    return Row(number, title, (*cases, *more))


def all_bad(place: Place) -> None:
    """Every bad file beside three good ones."""
    for files in BAD.values():
        for name, data in files.items():
            inside(name.encode(), data)(place)


def saved(**writers: Callable[[Path], object]) -> Make:
    """Three good images, and others that these write under their names, in which `_` stands for the dot."""

    def make(place: Place) -> None:
        drawings(place)
        for name, write in writers.items():
            write(place.folder / "images" / ".".join(name.rsplit("_", 1)))

    return make


def as_mode(mode: str, **options: Any) -> Callable[[Path], object]:
    """Writes a picture in a mode."""
    return lambda path: picture(mode, name=path.name).save(path, **options)


def animated(path: Path) -> None:
    """Writes two frames."""
    picture(name=path.name).save(path, save_all=True, append_images=[picture()])


def same_pictures(place: Place) -> None:
    """Four copies of one drawing."""
    for name in "0123":
        file(f"images/{name}.png", png(picture()))(place)


def turned(place: Place) -> None:
    """One picture in all orientations of EXIF."""
    (place.folder / "images").mkdir()
    for orientation, stored in STORED.items():
        exif = Image.Exif()
        exif[0x0112] = orientation
        image = picture(size=(48, 40)) if stored is None else picture(size=(48, 40)).transpose(stored)
        image.save(place.folder / "images" / f"{orientation}.png", exif=exif)


def endless_text(place: Place) -> None:
    """A PNG with a text of 200 MB, of which the disk holds nothing."""
    drawings(place)
    good = png(picture())
    with open(place.folder / "images" / "text.png", "wb") as target:
        target.write(good[:33] + struct.pack(">I", 200_000_000) + b"tEXt")
        target.seek(200_000_000, os.SEEK_CUR)
        target.write(b"\0\0\0\0" + good[33:])


def half_gray(path: Path) -> None:
    """Mid-gray of 16 bits on white."""
    levels = np.full((40, 40), 65535, np.uint16)
    levels[10:30, 10:30] = 32896
    Image.fromarray(levels).save(path)


def is_half_gray(ran: Ran, place: Place) -> None:
    """Of the images that the model keeps one has pixels half way between ink and ground."""
    assert (load_file(place.folder / "adapted.safetensors")["state.bases"].float().abs() < 0.05).any()


def links(place: Place) -> None:
    """Links that lead nowhere, to themselves, and back to the folder."""
    images = place.folder / "images"
    (images / "gone.png").symlink_to(images / "not there.png")
    (images / "around.png").symlink_to(images / "around.png")
    (images / "loop").symlink_to(images)


def closed(name: str) -> Make:
    """What may not be read, in a folder that everyone may enter."""

    def make(place: Place) -> Undo:
        drawings(place)
        for folder in (place.folder, *place.folder.parents):
            if folder.stat().st_uid == os.geteuid() and folder != Path("/"):
                folder.chmod(folder.stat().st_mode | 0o055)
        (place.folder / name).chmod(0)
        return lambda: (place.folder / name).chmod(0o755)

    return make


def many(place: Place) -> None:
    """100,000 files."""
    draw_folder(place.folder / "images", 4)
    for i in range(100_000 - 4):
        os.link(place.folder / "images" / f"{i % 4}.png", place.folder / "images" / f"more{i}.png")


def has_found_all(ran: Ran, place: Place) -> None:
    """It is said how many of them are used."""
    assert "100000 images found" in ran.err


NAMES = [b"a space.png", "\U0001f600.png".encode(), b'it\'s "q".png', b"[x].png", b"new\nline.png", b"-dash.png", b"\xff\xfe.png"]


def all_names(place: Place) -> None:
    """A good image under every name."""
    for name in NAMES:
        inside(name, png(picture(name=ascii(name))))(place)


def task_tree(**counts: int) -> Make:
    """Task folders of so many drawings each."""

    def make(place: Place) -> None:
        for task, (name, count) in enumerate(counts.items()):
            draw_folder(place.folder / "tree" / name, count, task=task)

    return make


def named(name: str) -> Make:
    """Good images in a folder of any name."""

    def make(place: Place) -> None:
        draw_folder(place.folder / name, 3)

    return make


TRAIN = "meta-train out --data tree --queries 2 --shots 1,2 --steps 2 --tasks-per-batch 2 --inner-steps 0 --precision fp32"
FOLDERS = ["-folder", "fol der", "[x]", "\U0001f600"]

ROWS = (
    Row(1, "The folder is missing, or a file", (
        stops("missing", 3, "adapt nowhere --from BASE", "no such folder"),
        stops("a file", 3, "adapt file.png --from BASE", "not a folder", make=file("file.png", png(picture()))),
    )),
    Row(2, "An empty folder", (
        stops("empty", 3, ADAPT, ".png", ".jpg", make=lambda place: (place.folder / "images").mkdir()),
    )),
    Row(3, "A folder without images", (
        stops("texts", 3, ADAPT, "3 files", make=both(both(file("images/a.txt", "a"), file("images/b.txt", "b")),
                                                       file("images/c.md", "c"))),
    )),
    Row(4, "A single image", (
        warns("one", ADAPT, "one image", make=file("images/0.png", png(picture()))),
    )),
    Row(5, "The same image several times", (warns("four", ADAPT, "same picture", make=same_pictures),)),
    bad(6, "Images that are cut off or damaged",
        runs("all skipped", f"{ADAPT} --skip-bad", *(f"skipped {name}" for files in BAD.values() for name in files),
             f"; {sum(map(len, BAD.values()))} skipped", make=all_bad)),
    Row(7, "A PNG without its last bytes", (
        runs("no end", ADAPT, "read     4 images", make=inside(b"noend.png", png(picture())[:-12])),
    )),
    bad(8, "No bytes, or a web page called an image"),
    Row(9, "One format under another's name", (
        runs("png as jpg", ADAPT, "read     4 images", make=inside(b"other.jpg", png(picture()))),
    )),
    bad(10, "Documents called images"),
    bad(11, "An image of one pixel"),
    bad(12, "A header that promises billions of pixels"),
    bad(13, "More pixels than are read"),
    Row(14, "A text of 200 MB in an image", (stops("text", 3, ADAPT, "text.png", "200 MB", make=endless_text),)),
    Row(15, "JPEG for printing", (runs("CMYK", ADAPT, "read     4 images", make=saved(cmyk_jpg=as_mode("CMYK"))),)),
    Row(16, "Gray of 16 bits", (runs("half", ADAPT, "read     4 images", make=saved(deep_png=half_gray), also=is_half_gray),)),
    Row(17, "TIFF of floats, of one bit, of LAB", (
        runs("all three", ADAPT, "read     6 images", make=saved(
            float_tif=lambda path: Image.fromarray(np.linspace(0, 1, 1600, dtype=np.float32).reshape(40, 40)).save(path),
            bits_tif=as_mode("1"), lab_tif=lambda path: picture("RGB", name="lab").convert("LAB").save(path))),
    )),
    Row(18, "Transparent images of every kind", (
        runs("all", ADAPT, "read     6 images", "transparent: put on", make=saved(
            clear_png=as_mode("RGBA"), gray_png=as_mode("LA"), palette_png=as_mode("P", transparency=0))),
    )),
    Row(19, "Animations", (
        runs("gif and webp", ADAPT, "read     5 images", "first frame", make=saved(a_gif=animated, a_webp=animated)),
    )),
    Row(20, "Images on their side", (warns("all eight", ADAPT, "all 8 images are the same picture", make=turned),)),
    Row(21, "Endings in any case, and formats of today", (
        runs("read", ADAPT, f"read     {11 if features.check('avif') else 10} images", make=saved(
            UPPER_JPG=as_mode("L"), Mixed_Jpeg=as_mode("L"), web_webp=as_mode("L"), windows_jfif=as_mode("L"),
            old_tga=as_mode("RGB"), icon_ico=as_mode("RGB"), bytes_bmp=as_mode("L"),
            **({"new_avif": as_mode("RGB")} if features.check("avif") else {}))),
        runs("no ending", ADAPT, "read     4 images", make=inside(b"named by none", png(picture()))),
        runs("heic", ADAPT, "pillow-heif", make=inside(b"photo.heic", b"\0\0\0\x18ftypheic")),
    )),
    bad(22, "An image one pixel wide"),
    Row(23, "Links that lead nowhere or around", (
        runs("links", ADAPT, "skipped gone.png", "skipped around.png", "skipped loop", make=both(drawings, links)),
    )),
    Row(24, "A pipe called an image", (
        runs("pipe", ADAPT, "skipped pipe.png: not a regular file",
             make=both(drawings, lambda place: os.mkfifo(place.folder / "images" / "pipe.png"))),
    )),
    Row(25, "What may not be read", tuple(
        stops(name, 3, ADAPT, "Permission denied", make=closed(place), bootstrap=AS_NOBODY)
        for name, place in (("file", "images/1.png"), ("folder", "images"))
    )),
    Row(26, "An image that vanishes", (stops("after the scan", 3, ADAPT, "vanished", bootstrap=VANISHING),)),
    Row(27, "100,000 images", (
        warns("many", ADAPT, "the same picture", make=many, bootstrap=LITTLE_MEMORY, drive=fresh, also=has_found_all, slow=True),
    )),
    Row(28, "Names of all kinds", (
        *(stops(ascii(name), 3, ADAPT, "damaged", make=inside(name, b"broken")) for name in NAMES),
        runs("good files", ADAPT, f"read     {len(NAMES) + 3} images", make=all_names),
        *(runs(f"folder {name}", f"adapt --from BASE --steps 0 -- '{name}'",
               make=named(name)) for name in FOLDERS),
        runs("a run's name", "meta-train \udcff --dry-run", 'name = "\ufffd"', make=nothing),
        stops("a source's name", 2, "meta-train out --dry-run --data \udcff", "no UTF-8", make=named("\udcff")),
    )),
    Row(29, "Trees of tasks that are few, unequal or too small", (
        stops("one task", 3, TRAIN, "1 task folder", make=task_tree(only=10)),
        stops("a small task", 3, TRAIN, "tree/small", "2 images", make=task_tree(large=10, small=2)),
        stops("no tree", 3, f"{TRAIN} --dry-run", "no such folder", make=nothing),
        runs("unequal", TRAIN, "2 of 2 steps", make=task_tree(a=4, b=5, c=7)),
    )),
)  # fmt: skip
