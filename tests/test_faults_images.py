"""Bad and unusual images: the command refuses with one line, or runs and says what it did."""

import io
import json
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import Ran, draw_folder, refused, run
from PIL import Image, ImageDraw, features

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


def picture(mode: str = "L", size: tuple[int, int] = (48, 48), ink: int = 0) -> Image.Image:
    image = Image.new("L", size, 255)
    ImageDraw.Draw(image).line([(size[0] * 0.2, size[1] * 0.2), (size[0] * 0.8, size[1] * 0.7)], fill=ink, width=4)
    return image.convert(mode)


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def header(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of three good images to which a test adds its own."""
    return draw_folder(tmp_path / "images", 3)


@pytest.fixture
def adapt(tiny_model: Path, tmp_path: Path) -> Callable[..., Ran]:
    """Runs adapt on images/ and returns how that went."""
    return lambda *options: run("adapt", "images", "--from", tiny_model, "--steps", "0", *options, cwd=tmp_path)


@pytest.fixture
def refuse(tiny_model: Path, tmp_path: Path) -> Callable[..., str]:
    """Runs adapt on a folder, which must fail with exit code 3; returns its line."""

    def check(place: str = "images", *options: str, bootstrap: str = "") -> str:
        return refused(3, "adapt", place, "--from", tiny_model, *options, cwd=tmp_path, bootstrap=bootstrap)

    return check


# --- folders ---


def test_folder_missing(refuse: Callable[..., str]) -> None:
    assert "no such folder" in refuse("nowhere")


def test_folder_is_a_file(refuse: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "file.png").write_bytes(png(picture()))
    assert "not a folder" in refuse("file.png")


def test_empty_folder(refuse: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    assert ".png" in refuse()


def test_only_other_files(refuse: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for i in range(3):
        (tmp_path / "images" / f"{i}.txt").write_text("hello")
    assert "3 files" in refuse()


def test_one_image(adapt: Callable[..., Ran], tmp_path: Path) -> None:
    draw_folder(tmp_path / "images", 1)
    ran = adapt()
    assert ran.code == 0
    assert any("one image" in line for line in ran.complaints("warning"))


def test_all_identical(adapt: Callable[..., Ran], tmp_path: Path) -> None:
    draw_folder(tmp_path / "images", 1)
    for i in range(1, 4):
        (tmp_path / "images" / f"{i}.png").write_bytes((tmp_path / "images" / "0.png").read_bytes())
    ran = adapt()
    assert ran.code == 0
    assert any("same picture" in line for line in ran.complaints("warning"))


@pytest.mark.slow
def test_many_files_take_bounded_memory(tiny_model: Path, tmp_path: Path) -> None:
    draw_folder(tmp_path / "images", 4)
    for i in range(100_000 - 4):
        os.link(tmp_path / "images" / f"{i % 4}.png", tmp_path / "images" / f"more{i}.png")
    limit = "import resource; resource.setrlimit(resource.RLIMIT_DATA, (3 * 2**30,) * 2)"
    options = ["--from", tiny_model, "--steps", "0"]
    ran = run("adapt", "images", *options, cwd=tmp_path, bootstrap=limit, timeout=300, fresh=True)
    assert ran.code == 0, ran.err
    assert "100000 images found" in ran.err


def test_links_that_lead_nowhere_or_around(adapt: Callable[..., Ran], folder: Path) -> None:
    (folder / "gone.png").symlink_to(folder / "not there.png")
    (folder / "around.png").symlink_to(folder / "around.png")
    (folder / "loop").symlink_to(folder)
    ran = adapt()
    assert ran.code == 0
    assert all(f"skipped {name}" in ran.err for name in ("gone.png", "around.png", "loop"))


def test_pipe_named_like_an_image(adapt: Callable[..., Ran], folder: Path) -> None:
    os.mkfifo(folder / "pipe.png")
    ran = adapt()
    assert ran.code == 0
    assert "skipped pipe.png: not a regular file" in ran.err


@pytest.mark.parametrize("what", ["file", "folder"])
def test_unreadable(what: str, tiny_model: Path, folder: Path) -> None:
    home = folder.parent
    for place in (home, *home.parents):
        if place.stat().st_uid == os.geteuid() and place != Path("/"):
            place.chmod(place.stat().st_mode | 0o055)
    (folder / "1.png" if what == "file" else folder).chmod(0)
    try:
        ran = run("adapt", "images", "--from", tiny_model, cwd=home, bootstrap=AS_NOBODY)
    finally:
        folder.chmod(0o755)
    assert ran.code == 3
    assert len(ran.complaints("error")) == 1
    assert "Permission denied" in ran.err


def test_file_vanishes_after_the_scan(refuse: Callable[..., str], folder: Path) -> None:
    assert "vanished" in refuse("images", bootstrap=VANISHING)


NAMES = [b"a space.png", "\U0001f600.png".encode(), b'it\'s "q".png', b"[x].png", b"new\nline.png", b"-dash.png", b"\xff\xfe.png"]


@pytest.mark.parametrize("name", NAMES)
def test_names_of_all_kinds(name: bytes, tiny_model: Path, folder: Path) -> None:
    path = os.fsencode(folder) + b"/" + name
    with open(path, "wb") as file:
        file.write(b"broken")
    home = folder.parent
    line = refused(3, "adapt", "images", "--from", tiny_model, cwd=home)
    assert "damaged" in line
    os.rename(os.fsencode(folder / "0.png"), path)
    assert run("adapt", "images", "--from", tiny_model, "--steps", "0", cwd=home).code == 0


@pytest.mark.parametrize("name", ["-folder", "fol der", "[x]", "\U0001f600"])
def test_folders_of_all_names(name: str, tiny_model: Path, tmp_path: Path) -> None:
    draw_folder(tmp_path / name, 3)
    ran = run("adapt", "--from", tiny_model, "--steps", "0", "--", name, cwd=tmp_path)
    assert ran.code == 0, ran.err


# --- files that are refused, each by name, and passed over with --skip-bad ---

BAD: dict[str, bytes] = {
    "truncated.png": png(picture())[:60],
    "noise.jpg": bytes(range(256)) * 4,
    "empty.png": b"",
    "page.png": b"<!doctype html><title>404</title>",
    "script.png": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
    "document.png": b"%PDF-1.7\n1 0 obj\n",
    "vector.png": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "dot.png": png(Image.new("L", (1, 1))),
    "thread.png": png(Image.new("L", (1, 5000), 255)),
    "bomb.png": header(50_000, 50_000),
    "large.png": header(12_000, 11_000),
    "short.tga": bytes([0, 0, 10, *bytes(9), 64, 0, 64, 0, 24, 0, 1]),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_file(name: str, refuse: Callable[..., str], adapt: Callable[..., Ran], folder: Path) -> None:
    (folder / name).write_bytes(BAD[name])
    line = refuse()
    assert name in line
    assert "--skip-bad" in line
    ran = adapt("--skip-bad")
    assert ran.code == 0, ran.err
    assert f"skipped {name}" in ran.err
    assert "; 1 skipped" in ran.out


def test_endless_text_in_a_picture(refuse: Callable[..., str], folder: Path) -> None:
    good = png(picture())
    with open(folder / "text.png", "wb") as file:
        file.write(good[:33] + struct.pack(">I", 200_000_000) + b"tEXt")
        file.seek(200_000_000, os.SEEK_CUR)
        file.write(b"\0\0\0\0" + good[33:])
    assert "text" in refuse()


# --- files that are read ---


def save_exif(path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture().save(path, exif=exif)


def animated(path: Path) -> None:
    picture().save(path, save_all=True, append_images=[picture(ink=90)])


GOOD: dict[str, Callable[[Path], object]] = {
    "noend.png": lambda path: path.write_bytes(png(picture())[:-12]),
    "other.jpg": lambda path: path.write_bytes(png(picture())),
    "cmyk.jpg": lambda path: picture("CMYK").save(path),
    "deep.png": lambda path: Image.fromarray(np.full((40, 40), 32896, np.uint16)).save(path),
    "float.tif": lambda path: Image.fromarray(np.linspace(0, 1, 1600, dtype=np.float32).reshape(40, 40)).save(path),
    "bits.tif": lambda path: picture("1").save(path),
    "lab.tif": lambda path: picture("RGB").convert("LAB").save(path),
    "clear.png": lambda path: picture("RGBA").save(path),
    "gray-alpha.png": lambda path: picture("LA").save(path),
    "palette.png": lambda path: picture("P").save(path, transparency=0),
    "moving.gif": animated,
    "moving.webp": animated,
    "old.tga": lambda path: picture("RGB").save(path),
    "windows.jfif": lambda path: picture().save(path),
    "named by no ending": lambda path: picture().save(path, "PNG"),
    "UPPER.JPG": lambda path: picture().save(path),
    "Mixed.Jpeg": lambda path: picture().save(path),
    "web.webp": lambda path: picture().save(path),
    **{f"turned{i}.jpg": (lambda path, i=i: save_exif(path, i)) for i in range(1, 9)},  # type: ignore[misc]
}
if features.check("avif"):
    GOOD["new.avif"] = lambda path: picture("RGB").save(path)


def test_unusual_but_good_files(adapt: Callable[..., Ran], folder: Path) -> None:
    for name, write in GOOD.items():
        write(folder / name)
    ran = adapt()
    assert ran.code == 0, ran.err
    assert f"read     {len(GOOD) + 3} images" in ran.out
    assert "; 0 skipped" in ran.out
    assert "first frame" in ran.err


def test_heic_says_what_to_install(adapt: Callable[..., Ran], folder: Path) -> None:
    (folder / "photo.heic").write_bytes(b"\0\0\0\x18ftypheic")
    ran = adapt()
    assert ran.code == 0
    assert "pillow-heif" in ran.err


# --- what is said about a folder ---


def test_files_that_are_no_images_are_said(adapt: Callable[..., Ran], folder: Path) -> None:
    for i in range(6):
        (folder / f"{i}.docx").write_text("words")
    ran = adapt("--json")
    assert json.loads(ran.out)["notes"] == ["6 files are no images: 6 .docx"]
    assert "6 files are no images: 6 .docx" in ran.err
    assert "; 6 skipped" in adapt("--overwrite").out
    (folder / "5.docx").unlink()
    ran = adapt("--overwrite")
    assert "; 5 skipped" in ran.out
    assert "skipped 4.docx: not an image" in ran.err


def test_order_and_names_do_not_matter(tiny_model: Path, tmp_path: Path) -> None:
    draw_folder(tmp_path / "images", 5)
    (tmp_path / "renamed").mkdir()
    for i in range(5):
        (tmp_path / "renamed" / f"{'edcba'[i]}.png").write_bytes((tmp_path / "images" / f"{i}.png").read_bytes())
    for name in ("images", "renamed"):
        ran = run("sample", name, "--from", tiny_model, "-n", "3", "--each", f"{name}-out", cwd=tmp_path)
        assert ran.code == 0, ran.err
    files = [sorted((tmp_path / f"{name}-out").iterdir()) for name in ("images", "renamed")]
    assert [a.read_bytes() for a in files[0]] == [b.read_bytes() for b in files[1]]


def test_light_on_dark_comes_back_so(tiny_model: Path, tmp_path: Path) -> None:
    draw_folder(tmp_path / "images", 4)
    for path in (tmp_path / "images").iterdir():
        Image.fromarray(255 - np.asarray(Image.open(path))).save(path)
    ran = run("sample", "images", "--from", tiny_model, "-n", "4", "--each", "out", cwd=tmp_path)
    assert ran.code == 0, ran.err
    means = [np.asarray(Image.open(path)).mean() for path in (tmp_path / "out").iterdir()]
    assert max(means) < 100
