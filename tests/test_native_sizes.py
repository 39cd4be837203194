"""Images at other sizes than the model's, in the geometry of its squares; what an adapted model keeps of them."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import draw_folder, run
from PIL import Image, ImageDraw
from test_geometry import fill, on_paper, photograph, sprite
from test_transparency import BLACK, BROWN, CREAM, drawn

from metagan_cli.data.readers.folders import read_folder
from metagan_cli.data.readers.support import Support, read_images
from metagan_cli.errors import InputError
from metagan_cli.images.sheets import to_bytes

RED = (200, 30, 40)
PEAK = 1_250_000_000  # bytes that a command may take, of which importing takes nearly a half, and holes in the heap up to a fifth


def light_and_dark(side: int) -> list[Image.Image]:
    """Gray drawings, one of them turned over."""
    pictures = [on_paper(side, side + 20, seed).convert("L") for seed in range(5)]
    return [*pictures[:4], pictures[4].point([255 - level for level in range(256)])]


def of_16_bits(side: int) -> list[Image.Image]:
    levels = [np.asarray(on_paper(side, side, seed).convert("L")).astype(np.uint16) * 16 for seed in range(3)]
    return [Image.fromarray(level) for level in levels]


FOLDERS = {
    "gray": (1, "auto", light_and_dark(90)),
    "white on black": (1, "auto", [image.point([255 - v for v in range(256)]) for image in light_and_dark(90)]),
    "colour": (3, "auto", [photograph(100, 100, seed) for seed in range(3)]),
    "filled": (3, "auto", [photograph(120 + 9 * seed, 80, seed) for seed in range(3)]),
    "cropped": (3, "crop", [photograph(120, 80 + 9 * seed, seed) for seed in range(3)]),
    "padded": (3, "pad", [photograph(120, 80 + 9 * seed, seed) for seed in range(3)]),
    "very long": (3, "pad", [on_paper(700, 90, seed) for seed in range(2)]),
    "transparent": (3, "auto", [drawn(CREAM, side=99), drawn(BROWN, 3, side=99), on_paper(99, 99)]),
    "transparent gray": (1, "auto", [drawn(BLACK, side=99), drawn(CREAM, 3, side=99), drawn(BROWN, 2, side=99)]),
    "16 bits": (1, "auto", of_16_bits(90)),
    "pixel art": (3, "auto", [sprite(16, 24, 6, seed) for seed in range(3)]),
    "pixel art among others": (3, "auto", [*(photograph(90, 90, seed) for seed in range(3)), sprite(16, 16)]),
    "small": (3, "auto", [photograph(40, 30, seed) for seed in range(3)]),
}


def read(name: str, folder: Path) -> Support:
    channels, fit, images = FOLDERS[name]
    return read_folder(fill(folder, *images), size=64, channels=channels, fit=fit)


def ink(support: Support) -> torch.Tensor:
    """A support's images as bytes, with ink 255."""
    return to_bytes(support.images)


@pytest.mark.parametrize("name", FOLDERS)
def test_the_model_s_size_is_the_model_s_image(name: str, tmp_path: Path) -> None:
    support, channels = read(name, tmp_path), FOLDERS[name][0]
    again = [support.at_side(number, 64) for number in range(len(support.images))]
    assert np.array_equal(np.stack([image[..., :channels] for image in again]), ink(support).numpy())
    clear = sum(image.shape[2] > channels for image in again)
    assert clear == sum("A" in image.mode for image in FOLDERS[name][2])
    opened = read_images(FOLDERS[name][2], size=64, channels=channels, fit=FOLDERS[name][1], report=lambda done, of: None)
    assert all(np.array_equal(opened.at_side(number, 64), image) for number, image in enumerate(again))


@pytest.mark.parametrize("name", FOLDERS)
def test_larger_squares_show_the_same(name: str, tmp_path: Path) -> None:
    """Made small again by whole pixels, a square of twice the side is the model's."""
    support, channels = read(name, tmp_path), FOLDERS[name][0]
    for number, small in enumerate(ink(support).float()):
        large = support.at_side(number, 128)[..., :channels].astype(np.float64)
        means = large.reshape(64, 2, 64, 2, channels).mean((1, 3))
        assert np.abs(means - small.numpy()).mean() < 4
        middle = np.abs(np.roll(means, 1, 1) - small.numpy()).mean()
        assert np.abs(means - small.numpy()).mean() < 0.8 * middle, "nothing is moved"


def test_nothing_is_lost_at_the_native_side(tmp_path: Path) -> None:
    images = [photograph(100, 100, seed) for seed in range(3)]
    support = read_folder(fill(tmp_path, *images), size=64, channels=3)
    assert support.native_side == 100
    assert {support.at_side(number, 100).tobytes() for number in range(3)} == {image.tobytes() for image in images}


@pytest.mark.parametrize(
    ("name", "side"),
    [("gray", 110), ("filled", 129), ("cropped", 89), ("padded", 120), ("very long", 700), ("transparent", 99)]
    + [("16 bits", 90), ("pixel art", 0), ("pixel art among others", 90), ("small", 0)],
)
def test_the_native_side_is_that_of_what_is_kept(name: str, side: int, tmp_path: Path) -> None:
    assert read(name, tmp_path).native_side == side


def test_the_native_side_has_a_limit(tmp_path: Path) -> None:
    support = read_folder(fill(tmp_path, on_paper(1100, 900), on_paper(1200, 900)), size=64, channels=1)
    assert support.native_side == 1024
    assert support.at_side(1, 1024).shape == (1024, 1024, 1)


def test_what_is_stretched_repeats_no_line(tmp_path: Path) -> None:
    ramp = Image.fromarray(np.linspace(0, 255, 50 * 100).reshape(50, 100, 1).repeat(3, 2).astype(np.uint8))
    support = read_folder(fill(tmp_path, ramp, ramp.transpose(Image.Transpose.FLIP_LEFT_RIGHT)), size=64, channels=3, fit="fill")
    assert support.native_side == 100
    large = support.at_side(0, 100).astype(int)
    assert (large[10:90:2, 40] != large[11:91:2, 40]).any(1).all()


def test_transparent_images_come_with_their_alpha(tmp_path: Path) -> None:
    pictures = [drawn(RED, seed, side=96) for seed in range(3)]
    support = read_folder(fill(tmp_path, *pictures), size=64, channels=3)
    assert support.form.clear == 255
    found = {support.at_side(number, 96).tobytes() for number in range(3)}
    white = Image.new("RGBA", (96, 96), (255, 255, 255, 255))
    laid = [np.dstack([np.asarray(Image.alpha_composite(white, one))[..., :3], np.asarray(one)[..., 3]]) for one in pictures]
    assert found == {one.tobytes() for one in laid}


def test_ink_is_light_at_every_size_and_alpha_stays(tmp_path: Path) -> None:
    support = read_folder(fill(tmp_path, *(drawn(BLACK, seed, side=96) for seed in range(2))), size=64, channels=1)
    large = support.at_side(0, 96)
    assert large.shape == (96, 96, 2)
    assert np.array_equal(large[..., 0], large[..., 1]), "black ink is as light as it is opaque"


def test_files_that_vanish_or_change_are_told(tmp_path: Path) -> None:
    support = read_folder(draw_folder(tmp_path / "images", 3), size=32, channels=1)
    files = [tmp_path / "images" / name for name in support.names]
    assert support.at_side(1, 64).shape == (64, 64, 1)
    os.replace(files[0], files[1])
    with pytest.raises(InputError, match="vanished"):
        support.at_side(0, 64)
    with pytest.raises(InputError, match="changed while it was read"):
        support.at_side(1, 64)
    files[2].write_bytes(b"x")
    with pytest.raises(InputError, match="damaged"):
        support.at_side(2, 64)


def scene(mode: str, width: int, height: int, number: int = 0) -> Image.Image:
    """Two flat shapes on white, or where that is 0 in a palette, on that."""
    ground, first, second = {"P": (0, 1, 2), "1": (1, 0, 0), "L": (255, 120, 60)}.get(mode, ("white", "red", "blue"))
    image, unit = Image.new("RGB" if mode == "CMYK" else mode, (width, height), ground), min(width, height)
    if mode == "P":
        image.putpalette([255, 255, 255, *RED, 40, 90, 170])
    pen, left = ImageDraw.Draw(image), (width - unit) // 2
    pen.ellipse((left + 0.1 * unit, 0.2 * unit, left + (0.5 + 0.05 * number) * unit, 0.7 * unit), fill=first)
    pen.rectangle((left + 0.5 * unit, 0.5 * unit, left + 0.9 * unit, 0.9 * unit), fill=second)
    return image.convert(mode)


def hostile(folder: Path) -> Path:
    """A folder with pictures of all modes and of 1,728 to 108 million pixels, most of them larger than what is kept."""
    folder.mkdir()
    scene("L", 12_000, 9000).save(folder / "vast.jpg")
    scene("P", 9000, 12_000, 1).save(folder / "vast.png", transparency=0, compress_level=1)
    scene("RGB", 3000, 40).save(folder / "banner.png")
    scene("1", 2000, 1500, 1).save(folder / "bits.png")
    scene("CMYK", 1600, 1200, 2).save(folder / "print.jpg")
    Image.fromarray(np.asarray(scene("L", 1400, 1400, 3)).astype(np.uint16) * 257).save(folder / "deep.png")
    drawn(RED, side=640).save(folder / "clear.png")
    scene("P", 200, 300, 4).save(folder / "palette.png", transparency=0)
    for number in range(2):
        scene("RGB", 48, 36, number).save(folder / f"thumbnail{number}.jpg")
    return folder


@pytest.mark.slow
def test_a_hostile_folder_takes_bounded_memory(tmp_path: Path) -> None:
    hostile(tmp_path / "images")
    peak = "resource.getrusage(resource.RUSAGE_SELF).ru_maxrss"
    told = f"import atexit, resource, sys; atexit.register(lambda: print('peak', {peak}, file=sys.stderr))"
    drawn = ("sample -n 2 --each new", "sample -n 3 --variants --each variants")
    for command in ("adapt images --from picture --steps 0", *drawn):
        ran = run(*command.split(), cwd=tmp_path, bootstrap=told)
        assert ran.code == 0, ran.err
        assert int(ran.err.rsplit("peak", 1)[1]) * (1 if sys.platform == "darwin" else 1024) < PEAK
    for path in (*(tmp_path / "new").iterdir(), *(tmp_path / "variants").iterdir()):
        with Image.open(path) as image:
            assert (image.size, image.mode) == ((1024, 1024), "RGB"), "of several shapes, so squares"
            assert np.asarray(image)[0, 0].min() > 250
