"""Reading single images and folders of them, whatever lies in the folder."""

import contextlib
import os
import resource
import struct
import tempfile
import threading
import time
import tracemalloc
import warnings
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, features

from metagan_cli.data.readers import opening
from metagan_cli.data.readers import support as readers
from metagan_cli.data.readers.files import ReadImage, read_image, shown
from metagan_cli.data.readers.folders import read_folder
from metagan_cli.data.readers.opening import open_picture, reduced
from metagan_cli.data.readers.support import Support
from metagan_cli.errors import ExitCode, InputError

SIZE = 32
T = Image.Transpose
STORED = {  # how an upright picture lies in a file with this EXIF orientation
    1: None, 2: T.FLIP_LEFT_RIGHT, 3: T.ROTATE_180, 4: T.FLIP_TOP_BOTTOM,
    5: T.TRANSPOSE, 6: T.ROTATE_90, 7: T.TRANSVERSE, 8: T.ROTATE_270,
}  # fmt: skip


def drawing(seed: int, ink: int = 0, ground: int = 255, side: int = 64) -> Image.Image:
    """A few strokes away from the border, different for each seed: mode L."""
    rng = np.random.default_rng(seed)
    image = Image.new("L", (side, side), ground)
    points = [tuple(map(int, point)) for point in rng.integers(10, side - 10, size=(6, 2))]
    ImageDraw.Draw(image).line(points, fill=ink, width=5)
    return image


def fill(folder: Path, count: int = 4, first: int = 0) -> Path:
    """A folder of that many different dark-on-light drawings."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(first, first + count):
        drawing(i).save(folder / f"{i}.png")
    return folder


def read(path: Path, channels: int = 1, size: int = SIZE) -> ReadImage:
    return read_image(path, channels=channels, size=size)


def support(folder: Path, channels: int = 1, **options: Any) -> Support:
    return read_folder(folder, size=SIZE, channels=channels, **options)


def refusal(call: Callable[[], object]) -> str:
    """The one line an InputError says."""
    with pytest.raises(InputError) as caught:
        call()
    text = str(caught.value)
    assert caught.value.code is ExitCode.INPUT
    assert text.isprintable(), "a reason must fit on one printable line"
    assert text, "a reason must be given"
    return text


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_head(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))


def chunk_start(data: bytes, kind: bytes) -> int:
    """Where the first chunk of a kind begins, its length field included."""
    return data.index(kind) - 4


def noise(path: Path, side: int = 64, **options: Any) -> bytes:
    """Writes noise, which packs badly, so that any cut goes through pixels; returns the file's bytes."""
    values = np.random.default_rng(5).integers(0, 256, (side, side), dtype=np.uint8)
    Image.fromarray(values).save(path, **options)
    return path.read_bytes()


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter, unlike tmp_path."""
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o755)
        yield Path(place)


@pytest.fixture
def ordinary_user() -> Iterator[Callable[[], None]]:
    """Call it to lose root's right to read everything, until the test ends."""
    before = os.geteuid()
    try:
        yield lambda: os.seteuid(65534) if before == 0 else None
    finally:
        os.seteuid(before)


class Gauge:
    """Time and memory since it was made: seconds, bytes of Python's own, KiB of the process's peak."""

    def __enter__(self) -> "Gauge":
        tracemalloc.start()
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew, where a system can do that
        self.begun, self.peak_before = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.monotonic() - self.begun
        self.allocated = tracemalloc.get_traced_memory()[1]
        self.grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - self.peak_before
        tracemalloc.stop()

    def assert_cheap(self) -> None:
        assert self.seconds < 3
        assert self.allocated < 20_000_000
        assert self.grown < 60_000


# One file


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("side", [8, 32, 50, 1000])
def test_a_picture_of_any_size_becomes_the_size_asked_for(tmp_path: Path, channels: int, side: int) -> None:
    Image.new("RGB", (side, side), (200, 100, 50)).save(tmp_path / "a.png")
    pixels = read(tmp_path / "a.png", channels).pixels
    assert pixels.shape == (SIZE, SIZE, channels)
    assert pixels.dtype == np.uint8
    expected = (200, 100, 50) if channels == 3 else (124,)
    assert np.abs(pixels.astype(int) - expected).max() <= 1


def test_shrinking_averages_fine_detail(tmp_path: Path) -> None:
    board = (np.indices((640, 640)).sum(0) % 2 * 255).astype(np.uint8)
    Image.fromarray(board).save(tmp_path / "a.png")
    pixels = read(tmp_path / "a.png").pixels.astype(int)
    assert np.abs(pixels - 127).max() <= 3


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_strips_make_no_seams(mode: str) -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (1000, 37, 4)).astype(np.uint8)).convert(mode)
    assert np.array_equal(np.asarray(reduced(image, 3)), np.asarray(image.reduce(3)))


@pytest.mark.parametrize("shape", [(96, 32), (32, 96), (4, 5000), (5000, 4)])
def test_a_long_picture_is_padded_with_its_border_colour(tmp_path: Path, shape: tuple[int, int]) -> None:
    Image.new("RGB", shape, (30, 90, 150)).save(tmp_path / "a.png")
    pixels = read(tmp_path / "a.png", 3).pixels.astype(int)
    assert np.abs(pixels - (30, 90, 150)).max() <= 1


def test_a_transparent_picture_is_padded_with_what_it_is_laid_on(tmp_path: Path) -> None:
    letter = Image.new("RGBA", (32, 96), (0, 0, 0, 255))  # an I that fills its picture but for the corners
    letter.putpixel((0, 0), (0, 0, 0, 0))
    letter.save(tmp_path / "a.png")
    read_back = read(tmp_path / "a.png", 3)
    assert read_back.ground == 255
    assert (read_back.pixels[:, 0] == 255).all()
    assert read_back.pixels[16, 16].max() < 10


def test_padding_keeps_proportions_and_the_centre(tmp_path: Path) -> None:
    wide = Image.new("L", (128, 64), 255)
    wide.paste(0, (48, 16, 80, 48))
    wide.save(tmp_path / "a.png")
    ink = read(tmp_path / "a.png").pixels[..., 0] < 128
    rows, columns = np.flatnonzero(ink.any(1)), np.flatnonzero(ink.any(0))
    assert (rows[0], rows[-1], columns[0], columns[-1]) == (12, 19, 12, 19)


@pytest.mark.parametrize("data", [b"", b"<!DOCTYPE html><html></html>", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"])
def test_a_file_without_a_picture_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.png").write_bytes(data)
    assert "a.png" in refusal(lambda: read(tmp_path / "a.png"))


@pytest.mark.parametrize("ending", ["png", "jpg", "gif", "webp", "bmp", "tif", "ppm"])
def test_a_picture_cut_in_the_middle_is_refused(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    data = noise(path)
    path.write_bytes(data[: len(data) // 2])
    assert path.name in refusal(lambda: read(path))


@pytest.mark.parametrize("kept", [0, 1, 4, 11])
def test_a_png_without_its_last_bytes_is_read_as_if_whole(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "a.png"
    data = noise(path)
    whole = read(path).pixels
    path.write_bytes(data[: chunk_start(data, b"IEND") + kept])
    assert np.array_equal(read(path).pixels, whole)


@pytest.mark.parametrize("lost", [1, 4, 8])  # 4 bytes of the chunk, 4 of the pixels
def test_a_png_that_lost_only_checksums_is_read(tmp_path: Path, lost: int) -> None:
    path = tmp_path / "a.png"
    data = noise(path)
    whole = read(path).pixels
    path.write_bytes(data[: chunk_start(data, b"IEND") - lost])
    assert np.array_equal(read(path).pixels, whole)


def test_a_png_that_lost_its_last_row_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    data = noise(path)
    path.write_bytes(data[: chunk_start(data, b"IEND") - 60])
    refusal(lambda: read(path))


def test_a_png_with_wrong_bytes_in_its_pixels_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    data = bytearray(noise(path, compress_level=0))
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    refusal(lambda: read(path))


@pytest.mark.parametrize(("written", "named"), [("PNG", "a.jpg"), ("JPEG", "a.png"), ("GIF", "a.webp"), ("PNG", "a.JPEG")])
def test_the_content_counts_not_the_ending(tmp_path: Path, written: str, named: str) -> None:
    drawing(1).save(tmp_path / named, format=written)
    drawing(1).save(tmp_path / "true.png")
    difference = read(tmp_path / named).pixels.astype(int) - read(tmp_path / "true.png").pixels
    assert np.abs(difference).mean() < 6


@pytest.mark.parametrize(
    "data",
    [
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 50 50\n%%EndComments\nshowpage\n%%EOF\n",
        b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n",
        b'<svg xmlns="http://www.w3.org/2000/svg" width="50" height="50"/>',
    ],
    ids=["eps", "pdf", "svg"],
)
def test_documents_named_png_start_no_other_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    started: list[object] = []
    for name in ("Popen", "check_call", "run", "call"):
        monkeypatch.setattr(f"subprocess.{name}", lambda *a, **k: started.append(a))
    (tmp_path / "a.png").write_bytes(data)
    refusal(lambda: read(tmp_path / "a.png"))
    assert not started


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (5000, 1), (3, 3), (3, 100)])
def test_a_side_of_less_than_four_pixels_is_refused(tmp_path: Path, shape: tuple[int, int]) -> None:
    Image.new("L", shape).save(tmp_path / "a.png")
    text = refusal(lambda: read(tmp_path / "a.png"))
    assert f"{shape[0]} x {shape[1]}" in text or f"{shape[0]}x{shape[1]}" in text


def test_a_side_of_four_pixels_is_enough(tmp_path: Path) -> None:
    Image.new("L", (4, 4), 77).save(tmp_path / "a.png")
    assert (read(tmp_path / "a.png").pixels == 77).all()


def test_a_header_bomb_is_refused_before_decoding(tmp_path: Path) -> None:
    body = chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    (tmp_path / "a.png").write_bytes(png_head(50_000, 50_000) + body)
    with Gauge() as gauge:
        text = refusal(lambda: read(tmp_path / "a.png"))
    assert "50000" in text
    gauge.assert_cheap()


@pytest.mark.parametrize("shape", [(12_000, 10_100), (40_000, 4000), (23_000, 23_000)])
def test_more_pixels_than_our_limit_are_refused_without_a_warning(tmp_path: Path, shape: tuple[int, int]) -> None:
    (tmp_path / "a.png").write_bytes(png_head(*shape) + chunk(b"IDAT", b"") + chunk(b"IEND", b""))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        text = refusal(lambda: read(tmp_path / "a.png"))
    assert str(shape[0]) in text
    assert not said


def wide(path: Path, orientation: int = 1, **options: Any) -> None:
    """A picture of 6000 x 3000 whose left third is black."""
    image = Image.new("L", (6000, 3000), 255)
    image.paste(0, (0, 0, 2000, 3000))
    exif = Image.Exif()
    exif[274] = orientation
    image.save(path, exif=exif, **options)


@pytest.mark.parametrize(("name", "options"), [("a.jpg", {}), ("a.jpg", {"progressive": True}), ("a.png", {"compress_level": 1})])
@pytest.mark.parametrize("orientation", [1, 6])
def test_a_large_picture_is_worked_on_smaller_and_keeps_its_size(
    tmp_path: Path, name: str, options: dict[str, Any], orientation: int
) -> None:
    wide(tmp_path / name, orientation, **options)
    opened = open_picture(name, (tmp_path / name).read_bytes())
    image = read(tmp_path / name)
    assert opened.image.width * opened.image.height < 5_000_000
    assert (image.outline.width, image.outline.height) == ((6000, 3000) if orientation == 1 else (3000, 6000))
    pixels = image.pixels[..., 0] if orientation == 1 else np.rot90(image.pixels[..., 0])
    assert (pixels[10:22, :10] < 10).all()
    assert (pixels[10:22, 12:] > 245).all()
    assert support(tmp_path).form.words == ("6000 x 3000" if orientation == 1 else "3000 x 6000")


def test_a_jpeg_of_more_pixels_than_others_is_read_in_little_memory(tmp_path: Path) -> None:
    Image.new("L", (16_000, 9000), 90).save(tmp_path / "a.jpg")
    with Gauge() as gauge:
        image = read(tmp_path / "a.jpg")
    assert (image.outline.width, image.outline.height) == (16_000, 9000)
    assert (np.abs(image.pixels.astype(int) - 90) <= 1).all()
    assert gauge.grown < 100_000
    assert gauge.allocated < 100_000_000


def test_a_large_jpeg_cut_in_the_middle_is_refused(tmp_path: Path) -> None:
    wide(tmp_path / "a.jpg")
    data = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(data[: len(data) // 2])
    assert "a.jpg" in refusal(lambda: read(tmp_path / "a.jpg"))


@pytest.mark.parametrize(("progressive", "side"), [(False, 23_000), (True, 11_500)])
def test_a_jpeg_header_bomb_is_refused_before_decoding(tmp_path: Path, progressive: bool, side: int) -> None:
    drawing(1).save(tmp_path / "a.jpg", progressive=progressive)
    data = bytearray((tmp_path / "a.jpg").read_bytes())
    start = data.index(b"\xff\xc2" if progressive else b"\xff\xc0") + 5
    data[start : start + 4] = struct.pack(">HH", side, side)
    (tmp_path / "a.jpg").write_bytes(data)
    with Gauge() as gauge:
        assert f"{side} x {side}" in refusal(lambda: read(tmp_path / "a.jpg"))
    gauge.assert_cheap()


def test_a_callers_picture_stays_as_it_is(tmp_path: Path) -> None:
    wide(tmp_path / "a.jpg")
    with Image.open(tmp_path / "a.jpg") as image:
        read_image(image, size=SIZE, channels=1)
        assert image.size == (6000, 3000)


def test_pillow_settings_stay_as_they_were(tmp_path: Path) -> None:
    from PIL import ImageFile

    before = (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)
    data = noise(tmp_path / "a.png")
    (tmp_path / "a.png").write_bytes(data[: chunk_start(data, b"IEND") - 4])
    read(tmp_path / "a.png")
    (tmp_path / "a.png").write_bytes(data[:200])
    refusal(lambda: read(tmp_path / "a.png"))
    assert before == (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)


def test_threads_decode_one_picture_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noise(tmp_path / "a.png")
    before, at_once, most = Image.MAX_IMAGE_PIXELS, 0, 0

    def slowly(*given: Any, **named: Any) -> Any:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        time.sleep(0.02)
        try:
            return loaded(*given, **named)
        finally:
            at_once -= 1

    loaded = opening.loaded
    monkeypatch.setattr(opening, "loaded", slowly)
    with ThreadPoolExecutor(4) as pool:
        assert len(list(pool.map(read, 8 * [tmp_path / "a.png"]))) == 8
    assert (most, Image.MAX_IMAGE_PIXELS) == (1, before)


@pytest.mark.parametrize("kind", [b"tEXt", b"zTXt", b"iTXt"])
@pytest.mark.parametrize("after_pixels", [False, True])
def test_a_200_mb_text_is_refused_quickly(tmp_path: Path, kind: bytes, after_pixels: bool) -> None:
    pixels = chunk(b"IDAT", zlib.compress(bytes(65 * 64)))
    length = 200_000_000
    with (tmp_path / "a.png").open("wb") as file:
        file.write(png_head(64, 64) + (pixels if after_pixels else b""))
        file.write(struct.pack(">I4s", length, kind) + b"Comment\0")
        file.seek(length - 8 + 4, os.SEEK_CUR)  # a hole in the file: nothing is written
        file.write((b"" if after_pixels else pixels) + chunk(b"IEND", b""))
    with Gauge() as gauge:
        refusal(lambda: read(tmp_path / "a.png"))
    gauge.assert_cheap()


def test_an_ordinary_comment_is_no_fault(tmp_path: Path) -> None:
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("Comment", "drawn by hand " * 100)
    drawing(1).save(tmp_path / "a.png", pnginfo=info)
    assert read(tmp_path / "a.png").pixels.min() < 50


def test_a_cmyk_jpeg_has_its_colours(tmp_path: Path) -> None:
    Image.new("RGB", (64, 64), (200, 60, 40)).convert("CMYK").save(tmp_path / "a.jpg", quality=95)
    pixels = read(tmp_path / "a.jpg", 3).pixels.astype(int)
    assert np.abs(pixels - (200, 60, 40)).max() < 12


@pytest.mark.parametrize(("value", "expected"), [(0, 0), (32896, 128), (65535, 255)])
@pytest.mark.parametrize("ending", ["png", "tif"])
def test_16_bit_gray_keeps_its_brightness(tmp_path: Path, value: int, expected: int, ending: str) -> None:
    Image.fromarray(np.full((40, 40), value, np.uint16)).save(tmp_path / f"a.{ending}")
    assert (read(tmp_path / f"a.{ending}").pixels == expected).all()


def levels(path: Path, *values: int) -> None:
    """A 16-bit picture of stripes of these levels."""
    Image.fromarray(np.repeat(np.array(values, np.uint16), 40 // len(values))[None].repeat(40, 0)).save(path)


@pytest.mark.parametrize(("white", "bits"), [(255, 8), (1023, 10), (4095, 12), (16383, 14)])
@pytest.mark.parametrize("ending", ["png", "tif"])
def test_white_of_fewer_bits_is_white(tmp_path: Path, white: int, bits: int, ending: str) -> None:
    levels(tmp_path / f"a.{ending}", 0, white // 2, white)
    levels(tmp_path / f"b.{ending}", white // 5, white // 4)  # which alone would be of fewer bits
    result = support(tmp_path, 3)
    lightest = dict(zip(result.names, result.images.amax((1, 2, 3)), strict=True))
    assert lightest[f"a.{ending}"] == 1
    assert abs(lightest[f"b.{ending}"] + 0.5) < 0.02
    assert result.notes == (f"2 of 2 images of {bits}-bit levels in 16-bit files: white is {white:,}",)


@pytest.mark.parametrize(
    "dark",
    [
        pytest.param((257, 8 * 257, 15 * 257), id="8-bit levels times 257"),
        pytest.param((256, 8 * 256, 15 * 256), id="8-bit levels times 256"),
        pytest.param((3000, 9001, 12_345), id="a dark picture"),
    ],
)
def test_a_dark_picture_of_16_bits_stays_dark(tmp_path: Path, dark: tuple[int, ...]) -> None:
    levels(tmp_path / "a.png", *dark)
    image = read(tmp_path / "a.png")
    assert abs(int(image.pixels.max()) - dark[-1] / 257) <= 2
    assert image.notes == ()


def test_one_full_picture_says_that_all_of_a_folder_are(tmp_path: Path) -> None:
    levels(tmp_path / "a.png", 100, 2000, 4000)
    levels(tmp_path / "b.png", 100, 30_000, 60_000)
    result = support(tmp_path, 3)
    assert result.images[result.names.index("a.png")].max() < -0.85
    assert result.notes == ()


def test_a_portable_gray_map_says_its_white_itself(tmp_path: Path) -> None:
    (tmp_path / "a.pgm").write_bytes(b"P5 40 40 4095\n" + np.full((40, 40), 200, ">u2").tobytes())
    assert abs(int(read(tmp_path / "a.pgm").pixels.max()) - 200 / 4095 * 255) <= 1


@pytest.mark.parametrize("top", [1.0, 255.0])
def test_float_tiffs_are_read_as_shares_or_as_levels(tmp_path: Path, top: float) -> None:
    Image.fromarray(np.full((40, 40), top / 2, np.float32)).save(tmp_path / "a.tif")
    pixels = read(tmp_path / "a.tif").pixels.astype(int)
    assert np.abs(pixels - 127.5).max() <= 1


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_float_tiffs_that_are_no_numbers_are_refused(tmp_path: Path, value: float) -> None:
    Image.fromarray(np.full((40, 40), value, np.float32)).save(tmp_path / "a.tif")
    refusal(lambda: read(tmp_path / "a.tif"))


def test_lab_and_one_bit_tiffs(tmp_path: Path) -> None:
    Image.fromarray(np.full((40, 40, 3), (128, 0, 0), np.uint8), "LAB").save(tmp_path / "lab.tif")
    assert 90 < read(tmp_path / "lab.tif").pixels.mean() < 150
    drawing(1).convert("1").save(tmp_path / "bit.tif")
    pixels = read(tmp_path / "bit.tif").pixels
    assert pixels.min() < 30
    assert pixels.max() == 255


def test_whole_numbers_beyond_16_bits_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.full((40, 40), 2_000_000, np.int32)).save(tmp_path / "a.tif")
    refusal(lambda: read(tmp_path / "a.tif"))


def see_through(mode: str, level: int, path: Path) -> None:
    """A square of one gray level on nothing, in a mode that can hold it."""
    gray = Image.new("L", (64, 64), level)
    alpha = Image.new("L", (64, 64), 0)
    alpha.paste(255, (16, 16, 48, 48))
    if mode == "P":
        image = Image.new("P", (64, 64), 0)
        image.putpalette([255, 0, 255, level, level, level])
        image.paste(1, (16, 16, 48, 48))
        image.save(path, transparency=0)
        return
    image = gray.convert(mode)
    image.putalpha(alpha)
    image.save(path)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
@pytest.mark.parametrize(("level", "ground", "named"), [(0, 255, "white"), (128, 255, "white"), (255, 0, "black")])
def test_transparency_gets_a_ground_that_shows_the_picture(
    tmp_path: Path, mode: str, level: int, ground: int, named: str
) -> None:
    see_through(mode, level, tmp_path / "a.png")
    image = read(tmp_path / "a.png", 3)
    assert (image.pixels[0, 0] == ground).all()
    assert (image.pixels[16, 16] == level).all()
    assert any("transparent" in note and named in note for note in image.notes)


def test_an_opaque_alpha_channel_is_not_worth_a_note(tmp_path: Path) -> None:
    drawing(1).convert("RGBA").save(tmp_path / "a.png")
    assert read(tmp_path / "a.png").notes == ()


@pytest.mark.parametrize("ending", ["gif", "webp", "png"])
def test_the_first_frame_of_an_animation_is_used_and_said(tmp_path: Path, ending: str) -> None:
    frames = [Image.new("RGB", (64, 64), colour) for colour in ((250, 0, 0), (0, 250, 0), (0, 0, 250))]
    frames[0].save(tmp_path / f"a.{ending}", save_all=True, append_images=frames[1:], duration=100)
    image = read(tmp_path / f"a.{ending}", 3)
    assert np.abs(image.pixels.astype(int) - (250, 0, 0)).max() < 12
    assert any("first frame" in note for note in image.notes)


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("ending", ["png", "jpg", "tif", "webp"])
def test_exif_orientation_is_undone(tmp_path: Path, orientation: int, ending: str) -> None:
    upright = Image.new("L", (64, 48), 255)
    upright.paste(0, (4, 4, 40, 12))
    upright.paste(0, (4, 4, 12, 28))
    upright.save(tmp_path / "upright.png")
    method = STORED[orientation]
    stored = upright if method is None else upright.transpose(method)
    exif = Image.Exif()
    exif[274] = orientation
    stored.save(tmp_path / f"a.{ending}", exif=exif)
    difference = read(tmp_path / f"a.{ending}").pixels.astype(int) - read(tmp_path / "upright.png").pixels
    assert np.abs(difference).mean() < 6


def test_damaged_exif_does_not_cost_the_picture(tmp_path: Path) -> None:
    drawing(1).save(tmp_path / "a.jpg", exif=b"Exif\0\0II*\0\xff\xff\xff\x7f")
    assert read(tmp_path / "a.jpg").pixels.min() < 60


@pytest.mark.parametrize("name", ["a.JPG", "a.Jpeg", "a.webp", "a.avif", "a.PgM", "a.TGA", "a.JFIF", "a.ico", "a.dib", "a.pnm"])
def test_endings_in_any_case_are_found(tmp_path: Path, name: str) -> None:
    if name.endswith("avif") and not features.check("avif"):
        pytest.skip("this Pillow reads no AVIF")
    drawing(1).save(tmp_path / name)
    assert support(tmp_path).names == (name,)


@pytest.mark.parametrize("name", ["a.jfi", "a.jpe", "a.jif", "a.apng", "a"])
def test_files_of_less_common_endings_or_none_are_read_by_their_content(tmp_path: Path, name: str) -> None:
    drawing(1).save(tmp_path / name, format="PNG")
    assert support(tmp_path).names == (name,)


def test_only_what_is_called_tga_is_read_as_tga(tmp_path: Path) -> None:
    drawing(1).save(tmp_path / "plain.png")
    drawing(1).save(tmp_path / "a.tga", compression="tga_rle")
    drawing(1).save(tmp_path / "b.tga", format="PNG")
    plain = read(tmp_path / "plain.png").pixels
    assert np.array_equal(read(tmp_path / "a.tga").pixels, plain)
    assert np.array_equal(read(tmp_path / "b.tga").pixels, plain)
    (tmp_path / "a.tga").rename(tmp_path / "a.png")
    assert "none of" in refusal(lambda: read(tmp_path / "a.png"))


def test_a_tga_whose_fourth_channel_is_empty_is_not_transparent(tmp_path: Path) -> None:
    image = drawing(1).convert("RGBA")
    image.putalpha(0)
    image.save(tmp_path / "a.tga")
    drawing(1).save(tmp_path / "plain.png")
    assert np.array_equal(read(tmp_path / "a.tga").pixels, read(tmp_path / "plain.png").pixels)


def test_an_icon_that_holds_more_pixels_than_it_says_is_refused(tmp_path: Path) -> None:
    inner = png_head(20_000, 20_000) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    (tmp_path / "a.ico").write_bytes(struct.pack("<HHHBBBBHHII", 0, 1, 1, 64, 64, 0, 0, 1, 32, len(inner), 22) + inner)
    with Gauge() as gauge:
        refusal(lambda: read(tmp_path / "a.ico"))
    gauge.assert_cheap()


def test_a_telephones_picture_of_another_ending_is_told_from_damage(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"\0\0\0\x18ftypheic" + bytes(100))
    assert "pillow-heif" in refusal(lambda: read(tmp_path / "a.jpg"))


@pytest.mark.parametrize("link", [False, True])
def test_a_fifo_or_a_device_is_refused_without_waiting(tmp_path: Path, link: bool) -> None:
    if link:
        (tmp_path / "a.png").symlink_to("/dev/zero")
    else:
        os.mkfifo(tmp_path / "a.png")
    said: list[str] = []
    reader = threading.Thread(target=lambda: said.append(refusal(lambda: read(tmp_path / "a.png"))), daemon=True)
    reader.start()
    reader.join(5)
    assert said
    assert "regular" in said[0]


def test_a_folder_or_nothing_in_place_of_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").mkdir()
    refusal(lambda: read(tmp_path / "a.png"))
    refusal(lambda: read(tmp_path / "none.png"))


@pytest.mark.parametrize("where", ["convert", "resize"])
@pytest.mark.parametrize("error", [ValueError, SyntaxError, RuntimeError, TypeError, MemoryError, EOFError, struct.error])
def test_any_failure_of_pillow_is_one_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[Exception], where: str
) -> None:
    drawing(1).convert("CMYK").save(tmp_path / "a.jpg")

    def fail(*_: object, **__: object) -> None:
        raise error("two\nlines")

    monkeypatch.setattr(Image.Image, where, fail)
    assert "a.jpg" in refusal(lambda: read(tmp_path / "a.jpg"))


def test_mutated_files_are_read_or_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng, refusals = np.random.default_rng(3), 0
    monkeypatch.setattr(opening, "WHOLE", 1000)
    monkeypatch.setattr(opening, "ENOUGH", 1000)
    for ending in ("png", "jpg", "gif", "webp", "bmp", "tif", "ppm", "tga", "ico", "dib"):
        path = tmp_path / f"a.{ending}"
        drawing(1).convert("RGB").save(path, **({"compression": "tga_rle"} if ending == "tga" else {}))
        data = path.read_bytes()
        for _ in range(25):
            mutated = bytearray(data)
            for place in rng.integers(0, len(data), 3):
                mutated[place] = rng.integers(0, 256)
            path.write_bytes(mutated)
            reason = None
            try:
                assert read(path).pixels.shape == (SIZE, SIZE, 1)
            except InputError as caught:
                reason = str(caught)
            if reason is not None:
                refusals += 1
                assert path.name in reason
                assert reason.isprintable()
    assert 10 < refusals < 240  # some of either


@pytest.mark.parametrize(
    "name", ["a b.png", "\N{GRINNING FACE}.png", "'\".png", "[x].png", "a\nb.png", "-n.png", b"\xff\xfe.png"]
)
def test_any_file_name_is_read_and_shown_on_one_line(tmp_path: Path, name: str | bytes) -> None:
    path = tmp_path / os.fsdecode(name)
    drawing(1).save(tmp_path / "plain.png")
    (tmp_path / "plain.png").rename(path)
    (listed,) = support(tmp_path).names
    assert listed.isprintable()
    assert listed == shown(os.fsdecode(name))
    listed.encode("utf-8")
    path.write_bytes(b"no picture")
    assert listed in refusal(lambda: support(tmp_path))


def test_shown_leaves_ordinary_names_alone() -> None:
    assert shown(Path("/a b/[x] 'é'.png")) == "/a b/[x] 'é'.png"
    assert "\n" not in shown(Path("a\nb"))
    assert shown(Path("a\nb")) != shown(Path("ab"))


# A folder


def test_a_folder_becomes_a_support_set(tmp_path: Path) -> None:
    result = support(fill(tmp_path, 5))
    assert result.images.shape == (5, 1, SIZE, SIZE)
    assert result.images.dtype == torch.float32
    assert result.images.min() >= -1
    assert result.images.max() <= 1
    assert sorted(result.names) == [f"{i}.png" for i in range(5)]
    assert result.found == 5
    assert (result.skipped, result.warnings, result.duplicates) == ((), (), ())


def test_each_name_belongs_to_its_image(tmp_path: Path) -> None:
    result = support(fill(tmp_path, 5))
    for name, image in zip(result.names, result.images, strict=True):
        alone = torch.from_numpy(read(tmp_path / name).pixels).permute(2, 0, 1).float() / 127.5 - 1
        assert torch.allclose(image, -alone)


def test_a_missing_folder_or_a_file_is_refused(tmp_path: Path) -> None:
    assert "none" in refusal(lambda: support(tmp_path / "none"))
    drawing(1).save(tmp_path / "a.png")
    assert "not a folder" in refusal(lambda: support(tmp_path / "a.png"))


def test_an_overlong_folder_name_is_refused(tmp_path: Path) -> None:
    refusal(lambda: support(tmp_path / ("a" * 5000)))


def test_an_empty_folder_lists_what_is_accepted(tmp_path: Path) -> None:
    text = refusal(lambda: support(tmp_path))
    assert "empty" in text
    assert "png" in text
    assert "webp" in text


def test_a_folder_without_images_counts_what_it_holds(tmp_path: Path) -> None:
    for i in range(3):
        (tmp_path / f"{i}.txt").write_text("words")
    text = refusal(lambda: support(tmp_path))
    assert "3 files" in text
    assert "png" in text


def test_one_image_runs_and_warns(tmp_path: Path) -> None:
    result = support(fill(tmp_path, 1))
    assert len(result.images) == 1
    assert any("one image" in warning for warning in result.warnings)


def test_identical_images_run_and_warn(tmp_path: Path) -> None:
    for i in range(4):
        drawing(1).save(tmp_path / f"{i}.png")
    result = support(tmp_path)
    assert len(result.images) == 4
    assert len(result.warnings) == 1
    assert "same" in result.warnings[0]
    assert "4" in result.warnings[0]


def test_near_duplicates_are_named(tmp_path: Path) -> None:
    fill(tmp_path, 6)
    twin = drawing(3)
    twin.putpixel((30, 30), 128)
    twin.save(tmp_path / "twin.png")
    result = support(tmp_path)
    assert [set(pair) for pair in result.duplicates] == [{"3.png", "twin.png"}]
    assert any("nearly" in warning for warning in result.warnings)


def test_the_list_of_near_duplicates_ends(tmp_path: Path) -> None:
    for i in range(60):
        twin = drawing(1)
        twin.putpixel((30 + i % 8, 30 + i // 8), 100)
        twin.save(tmp_path / f"{i}.png")
    assert 0 < len(support(tmp_path).duplicates) <= 300


def test_a_bad_file_stops_unless_it_may_be_skipped(tmp_path: Path) -> None:
    fill(tmp_path, 3)
    (tmp_path / "bad.png").write_bytes(b"<html>")
    (tmp_path / "none.png").write_bytes(b"")
    text = refusal(lambda: support(tmp_path))
    assert "--skip-bad" in text
    assert "bad.png" in text or "none.png" in text
    result = support(tmp_path, skip_bad=True)
    assert sorted(result.names) == ["0.png", "1.png", "2.png"]
    assert sorted(name for name, _ in result.skipped) == ["bad.png", "none.png"]
    assert all(reason and reason.isprintable() for _, reason in result.skipped)


def test_nothing_but_bad_files_is_refused_either_way(tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"<html>")
    refusal(lambda: support(tmp_path, skip_bad=True))


def test_other_files_are_left_out_and_foreign_pictures_said(tmp_path: Path) -> None:
    fill(tmp_path, 2)
    for name in ("notes.txt", ".DS_Store", "Thumbs.db", ".hidden.png", "._a.heic"):
        (tmp_path / name).write_bytes(b"anything")
    for name in ("a.heic", "b.HEIF", "c.svg", "d.eps", "e.pdf"):
        (tmp_path / name).write_bytes(b"anything")
    result = support(tmp_path)
    reasons = dict(result.skipped)
    assert sorted(result.names) == ["0.png", "1.png"]
    assert sorted(reasons) == ["a.heic", "b.HEIF", "c.svg", "d.eps", "e.pdf", "notes.txt"]
    assert reasons.pop("notes.txt") == "not an image"
    assert "HEIC" in reasons["a.heic"]
    assert "vector" in reasons["c.svg"]
    assert all("PNG" in reason for reason in reasons.values())


def test_many_files_that_are_no_images_are_counted_by_their_endings(tmp_path: Path) -> None:
    fill(tmp_path, 2)
    for name in ("0.docx", "1.docx", "2.docx", "a.json", "b.JSON", "README", "c.md", "d.py", "Thumbs.db", ".DS_Store"):
        (tmp_path / name).write_bytes(b"anything")
    result = support(tmp_path)
    assert result.skipped == ()
    assert result.passed_over == 8
    assert result.notes == ("8 files are no images: 3 .docx, 2 .json, 1 .md and 2 others",)


def test_an_image_of_another_ending_is_said(tmp_path: Path) -> None:
    fill(tmp_path, 2)
    drawing(3).save(tmp_path / "a.download", format="PNG")
    ((name, reason),) = support(tmp_path).skipped
    assert name == "a.download"
    assert "an image by its content" in reason


def test_folders_in_the_folder_are_merged_and_said(tmp_path: Path) -> None:
    for i, name in enumerate(("a", "b b", "c", "d", "e")):
        fill(tmp_path / name, 1, first=i)
        places = i + 1
        notes = support(tmp_path).notes
        if places == 1:
            assert notes == ()
        if places == 2:
            assert notes == (f"2 folders are merged: a, b b; for new images of each of them: metagan augment {tmp_path} -o OUT",)
    assert notes[0].startswith("5 folders are merged: a, b b, c and 2 more; ")
    fill(tmp_path / "a", 1, first=8)
    assert support(tmp_path / "a").notes == ()
    fill(tmp_path / "a" / "in a", 1, first=9)
    assert support(tmp_path / "a").notes[0].startswith("1 folder in it is merged with its own images: in a; ")
    assert support(tmp_path / "a").notes[0].endswith(f"metagan augment {tmp_path}/a -o OUT")
    (tmp_path / "a" / "in a" / "9.png").unlink()
    fill(tmp_path, 1, first=7)
    assert support(tmp_path).notes[0].startswith("5 folders in it are merged with its own images: a, b b, c and 2 more; ")
    assert support(tmp_path, deep=False).notes == ()


def test_folders_in_the_folder_are_read_and_hidden_ones_are_not(tmp_path: Path) -> None:
    fill(tmp_path / "a" / "b", 2)
    fill(tmp_path / "c", 1, first=2)
    fill(tmp_path / ".thumbnails", 2, first=3)
    assert sorted(support(tmp_path).names) == ["a/b/0.png", "a/b/1.png", "c/2.png"]


def test_links_that_loop_or_dangle_are_skipped_and_said(tmp_path: Path) -> None:
    fill(tmp_path, 2)
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere.png")
    (tmp_path / "ring.png").symlink_to(tmp_path / "ring.png")
    result = support(tmp_path)
    assert sorted(result.names) == ["0.png", "1.png"]
    assert sorted(name for name, _ in result.skipped) == ["gone.png", "loop", "ring.png"]
    assert all("link" in reason for _, reason in result.skipped)


def test_links_to_files_are_read(tmp_path: Path) -> None:
    drawing(1).save(tmp_path / "elsewhere.png")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").symlink_to(tmp_path / "elsewhere.png")
    assert support(tmp_path / "in").names == ("a.png",)


def test_a_fifo_and_a_device_in_a_folder_are_skipped_and_said(tmp_path: Path) -> None:
    fill(tmp_path, 2)
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "device.png").symlink_to("/dev/zero")
    results: list[Support] = []
    reader = threading.Thread(target=lambda: results.append(support(tmp_path)), daemon=True)
    reader.start()
    reader.join(10)
    assert results
    assert sorted(results[0].names) == ["0.png", "1.png"]
    assert sorted(name for name, _ in results[0].skipped) == ["device.png", "pipe.png"]


def test_an_unreadable_file_is_refused(open_folder: Path, ordinary_user: Callable[[], None]) -> None:
    fill(open_folder, 3)
    (open_folder / "1.png").chmod(0)
    ordinary_user()
    assert "1.png" in refusal(lambda: support(open_folder))
    assert [name for name, _ in support(open_folder, skip_bad=True).skipped] == ["1.png"]


@pytest.mark.parametrize("mode", [0o000, 0o444])  # neither listed nor entered; listed but not entered
@pytest.mark.parametrize("inner", [False, True])
def test_an_unreadable_folder_is_refused(open_folder: Path, ordinary_user: Callable[[], None], mode: int, inner: bool) -> None:
    fill(open_folder, 1)
    closed = fill(open_folder / "closed", 2)
    closed.chmod(mode)
    ordinary_user()
    assert "closed" in refusal(lambda: support(open_folder if inner else closed))


def test_a_folder_behind_a_closed_one_is_refused(open_folder: Path, ordinary_user: Callable[[], None]) -> None:
    fill(open_folder / "closed" / "in", 2)
    (open_folder / "closed").chmod(0)
    ordinary_user()
    refusal(lambda: support(open_folder / "closed" / "in"))


def test_a_file_that_vanishes_after_the_scan_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, 2)

    def late(path: Path, *options: Any, **named: Any) -> ReadImage:
        path.unlink()
        return read_image(path, *options, **named)

    monkeypatch.setattr(readers, "read_image", late)
    assert ".png" in refusal(lambda: support(tmp_path))


def test_renaming_and_reordering_change_nothing(tmp_path: Path) -> None:
    fill(tmp_path / "a", 8)
    (tmp_path / "b" / "deep").mkdir(parents=True)
    for i, place in enumerate((5, 2, 7, 0, 1, 6, 3, 4)):
        source = (tmp_path / "a" / f"{i}.png").read_bytes()
        (tmp_path / "b" / ("deep" if i % 2 else ".") / f"z{place}.jpeg").write_bytes(source)
    assert torch.equal(support(tmp_path / "a").images, support(tmp_path / "b").images)


def test_of_many_images_some_are_chosen_by_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path / "a", 40)
    (tmp_path / "b").mkdir()
    for i in range(40):
        (tmp_path / "b" / f"{(i * 7) % 40}.png").write_bytes((tmp_path / "a" / f"{i}.png").read_bytes())
    decoded: list[Path] = []

    def counting(path: Path, *options: Any, **named: Any) -> ReadImage:
        decoded.append(path)
        return read_image(path, *options, **named)

    monkeypatch.setattr(readers, "read_image", counting)
    one = support(tmp_path / "a", most=6)
    assert len(decoded) == 6, "images that are not used must not be decoded"
    assert len(one.images) == 6
    assert one.found == 40
    assert any("40 images found" in note and "6" in note for note in one.notes)
    assert torch.equal(one.images, support(tmp_path / "b", most=6).images)


# Gray folders: ink +1 on ground -1


@pytest.mark.parametrize(("ink", "ground", "light"), [(0, 255, False), (255, 0, True)])
def test_ink_is_plus_one_whichever_way_round(tmp_path: Path, ink: int, ground: int, light: bool) -> None:
    for i in range(4):
        drawing(i, ink, ground).save(tmp_path / f"{i}.png")
    result = support(tmp_path)
    assert result.light_on_dark is light
    assert (result.images[..., 0, :] == -1).all()
    assert (result.images.amax((1, 2, 3)) > 0.9).all()


@pytest.mark.parametrize(("ink", "ground"), [(0, 255), (255, 0)])
def test_the_minority_is_turned_over_and_said(tmp_path: Path, ink: int, ground: int) -> None:
    for i in range(5):
        drawing(i, ink, ground).save(tmp_path / f"{i}.png")
    drawing(5, ground, ink).save(tmp_path / "5.png")
    result = support(tmp_path)
    assert result.light_on_dark is (ground == 0)
    assert (result.images[..., 0, :] == -1).all()
    assert (result.images[..., -1, :] == -1).all()
    assert any("other way round" in note and "1" in note for note in result.notes)


def test_a_folder_of_one_polarity_has_no_note_about_it(tmp_path: Path) -> None:
    assert support(fill(tmp_path, 4)).notes == ()


def test_colours_are_kept_or_said_to_be_lost(tmp_path: Path) -> None:
    for i in range(3):
        Image.merge("RGB", (drawing(i), drawing(i), Image.new("L", (64, 64), 255))).save(tmp_path / f"{i}.png")
    colour = support(tmp_path, 3)
    assert colour.images.shape == (3, 3, SIZE, SIZE)
    assert not colour.light_on_dark
    assert (colour.images[:, 2] == 1).all()
    assert (colour.images[:, 0] < -0.5).any()
    assert not any("gray" in note for note in colour.notes)
    assert any("gray" in note for note in support(tmp_path, 1).notes)


def test_dark_colour_folders_stay_as_they_are(tmp_path: Path) -> None:
    for i in range(3):
        drawing(i, 255, 0).convert("RGB").save(tmp_path / f"{i}.png")
    result = support(tmp_path, 3)
    assert not result.light_on_dark
    assert (result.images[..., 0, :] == -1).all()


def test_what_was_done_to_images_reaches_the_notes(tmp_path: Path) -> None:
    fill(tmp_path, 2)
    see_through("RGBA", 0, tmp_path / "clear.png")
    drawing(7).save(tmp_path / "moving.gif", save_all=True, append_images=[drawing(8)])
    notes = " | ".join(support(tmp_path).notes)
    assert "first frame" in notes
    assert "transparent" in notes
