"""How pictures are fitted into a square, and how results get their folder's form back."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from metagan_cli.config import from_dict, to_dict
from metagan_cli.data.readers.folders import read_folder
from metagan_cli.data.readers.geometry import Form, check_size, common_form, outline, squared
from metagan_cli.data.restoring import given_back
from metagan_cli.errors import UsageError

RED, GREEN, WHITE = (200, 30, 40), (20, 160, 60), (255, 255, 255)


def sprite(width: int, height: int, block: int = 1, seed: int = 0) -> Image.Image:
    """A sprite of three colours at random, each of its pixels drawn as a block."""
    chosen = np.random.default_rng(seed).integers(0, 3, (height, width))
    pixels = np.array([RED, GREEN, WHITE], dtype=np.uint8)[chosen]
    return Image.fromarray(pixels.repeat(block, 0).repeat(block, 1))


def photograph(width: int, height: int) -> Image.Image:
    values = np.random.default_rng(1).integers(0, 256, (height // 8 + 1, width // 8 + 1, 3)).astype(np.uint8)
    return Image.fromarray(values).resize((width, height), Image.Resampling.BICUBIC)


@pytest.mark.parametrize(("width", "height", "block"), [(16, 16, 1), (32, 24, 1), (16, 16, 10), (12, 20, 3), (40, 40, 2)])
def test_pixel_art_is_seen_however_large_it_is_drawn(width: int, height: int, block: int) -> None:
    found = outline(np.asarray(sprite(width, height, block)))
    assert (found.width, found.height, found.block) == (width * block, height * block, block)
    assert {tuple(c) for c in found.colours.tolist()} == {RED, GREEN, WHITE}


@pytest.mark.parametrize(
    "image",
    [photograph(32, 32), sprite(64, 64), sprite(5, 5, 10), Image.new("RGB", (200, 200), RED), photograph(300, 200)],
    ids=["thumbnail", "large", "few pixels", "one colour", "photograph"],
)
def test_other_pictures_are_not(image: Image.Image) -> None:
    assert outline(np.asarray(image)).block == 0


def test_shaded_gray_is_no_pixel_art_and_flat_gray_is() -> None:
    levels = np.arange(28 * 28).reshape(28, 28, 1) % 100
    assert outline(levels.astype(np.uint8)).block == 0
    assert outline((levels % 4 * 80).astype(np.uint8)).block == 1


@pytest.mark.parametrize(("width", "height", "block"), [(16, 16, 1), (32, 24, 1), (24, 20, 5), (16, 9, 2)])
def test_pixel_art_comes_back_as_it_went_in(width: int, height: int, block: int) -> None:
    image = sprite(width, height, block)
    form = common_form([outline(np.asarray(image))], "pad")
    square = torch.from_numpy(squared(image, 64, "pad", form.block))[None]
    assert square.shape == (1, 64, 64, 3)
    noisy = (square.float() + 20 * torch.randn(square.shape, generator=torch.Generator().manual_seed(0))).clamp(0, 255).byte()
    for pixels in (square, noisy):  # the palette takes small errors away
        assert np.array_equal(given_back(pixels, form, "auto")[0].numpy(), np.asarray(image))
    large = given_back(square, form, f"{width * 3}x{height * 3}")[0].numpy()
    assert np.array_equal(large, np.asarray(sprite(width, height, 3)))


def test_a_shape_comes_back_without_its_padding() -> None:
    image = photograph(120, 60)
    form = common_form([outline(np.asarray(image))] * 3, "pad")
    square = torch.from_numpy(squared(image, 64, "pad", 0))[None]
    back = given_back(square, form, "auto")
    assert back.shape == (1, 32, 64, 3)
    assert torch.equal(back, square[:, 16:48])
    assert given_back(square, form, "folder").shape == (1, 60, 120, 3)
    assert given_back(square, form, "128").shape == (1, 64, 128, 3)
    assert given_back(square, form, "50x40").shape == (1, 40, 50, 3)


def test_cropping_takes_the_middle() -> None:
    image = Image.new("RGB", (120, 60), RED)
    image.paste(GREEN, (30, 0, 90, 60))
    assert (squared(image, 64, "crop", 0) == np.array(GREEN)).all()
    assert not (squared(image, 64, "pad", 0) == np.array(GREEN)).all(2).all()
    form = common_form([outline(np.asarray(photograph(120, 60)))], "crop")
    assert form.size(64, "auto") == (64, 64)
    assert form.size(64, "folder") == (60, 60)


def test_cropped_pixel_art_keeps_to_its_pixels() -> None:
    image = sprite(13, 10, 20)
    form = common_form([outline(np.asarray(image))], "crop")
    back = given_back(torch.from_numpy(squared(image, 64, "crop", form.block))[None], form, "auto")[0].numpy()
    drawn = np.asarray(sprite(13, 10))
    assert back.shape == (200, 200, 3)
    assert any(np.array_equal(back[::20, ::20], drawn[:, x : x + 10]) for x in range(4))


def test_a_folder_of_several_shapes_has_squares() -> None:
    form = common_form([outline(np.asarray(photograph(*size))) for size in ((120, 60), (60, 120))], "pad")
    assert form == Form()
    assert form.size(64, "folder") == (64, 64)


def test_a_folder_of_many_colours_keeps_the_most_needed() -> None:
    images = [np.random.default_rng(i).integers(0, 256, (10, 10, 3)).astype(np.uint8) for i in range(9)]
    form = common_form([outline(image) for image in images], "pad")
    assert form.block == 1
    assert 200 < len(form.palette) <= 256
    assert from_dict(Form, to_dict(form)) == form


def disc(side: int, colour: tuple[int, int, int], level: int) -> tuple[Image.Image, np.ndarray[Any, Any]]:
    """A soft-edged disc with a hole, transparent outside; and its alpha. On a ground of `level` it is an opaque picture."""
    axis = np.linspace(-1, 1, side)
    radius = np.hypot(*np.meshgrid(axis, axis))
    alpha = np.clip((0.7 - radius) * side / 2 + 0.5, 0, 1)
    pixels = np.broadcast_to(np.array(colour), (side, side, 3)).copy()
    pixels[radius < 0.15] = level  # as light as the ground, but within
    return Image.fromarray(np.dstack([pixels, 255 * alpha]).round().astype(np.uint8), "RGBA"), alpha


@pytest.mark.parametrize(("colour", "level"), [((200, 40, 60), 255), ((250, 240, 230), 0)])
def test_transparent_pictures_are_cut_out_again(colour: tuple[int, int, int], level: int, tmp_path: Path) -> None:
    image, alpha = disc(64, colour, level)
    image.save(tmp_path / "a.png")
    image.transpose(Image.Transpose.TRANSPOSE).save(tmp_path / "b.png")
    support = read_folder(tmp_path, size=64, channels=3)
    assert support.form.clear == level
    assert support.form.words.endswith("transparent")
    pixels = ((support.images + 1) * 127.5).round().byte().permute(0, 2, 3, 1)
    assert given_back(pixels, support.form, "auto", opaque=True).shape == (2, 64, 64, 3)
    back = given_back(pixels, support.form, "auto")[0].float()
    assert (back[..., 3] / 255 - torch.from_numpy(alpha)).abs().max() < 0.05
    seen = back[..., 3] > 128
    assert (back[..., :3] - torch.tensor(colour)).abs().amax(2)[seen].quantile(0.5) < 3
    assert back[32, 32, 3] == 255, "what is light within is no ground"


def test_transparent_pixel_art(tmp_path: Path) -> None:
    rgb = np.asarray(sprite(16, 16))
    clear = (rgb == WHITE).all(2) | (np.arange(16)[None] < 3)
    for name, pixels in (("a", rgb), ("b", rgb[::-1])):
        mask = clear if name == "a" else clear[::-1]
        Image.fromarray(np.dstack([pixels, 255 * ~mask]).astype(np.uint8), "RGBA").save(tmp_path / f"{name}.png")
    support = read_folder(tmp_path, size=64, channels=3)
    back = given_back(((support.images + 1) * 127.5).round().byte().permute(0, 2, 3, 1), support.form, "auto")
    assert back.shape == (2, 16, 16, 4)
    assert (back[:, :, :3, 3] == 0).all()
    assert set(back[..., 3].unique().tolist()) == {0, 255}
    drawn = {tuple(c) for c in back[back[..., 3] == 255][:, :3].tolist()}
    assert {RED, GREEN} <= drawn <= {RED, GREEN, WHITE}


def test_a_folder_that_is_partly_transparent_has_a_ground(tmp_path: Path) -> None:
    image, _ = disc(64, (200, 40, 60), 255)
    image.save(tmp_path / "a.png")
    for i in range(2):
        photograph(64 + i, 64 + i).save(tmp_path / f"{i}.png")
    assert read_folder(tmp_path, size=64, channels=3).form.clear == -1


@pytest.mark.parametrize("text", ["", "0", "x", "10x", "-3", "5000", "10x10x10", "big", "1.5", "٣"])
def test_sizes_that_are_none(text: str) -> None:
    with pytest.raises(UsageError, match="--size"):
        check_size(text)


@pytest.mark.parametrize("text", ["auto", "model", "folder", "1", "4096", "48x64"])
def test_sizes(text: str) -> None:
    assert check_size(text) == text


def test_a_folder_says_its_form(tmp_path: Path) -> None:
    for i in range(3):
        sprite(16, 16, 2, seed=i).save(tmp_path / f"{i}.png")
    support = read_folder(tmp_path, size=64, channels=3)
    assert support.form.words == "pixel art of 16 x 16, 3 colours"
    sharp = support.images.view(3, 3, 16, 4, 16, 4)
    assert torch.equal(sharp, sharp[:, :, :, :1, :, :1].expand_as(sharp))
    photograph(90, 60).save(tmp_path / "3.png")
    photograph(60, 60).save(tmp_path / "4.png")
    assert read_folder(tmp_path, size=64, channels=3).form.words == "of several shapes"


def test_a_small_picture_among_others_is_no_pixel_art(tmp_path: Path) -> None:
    """Seven large discs and a small one: the small one fills its square like the rest."""
    for number in range(8):
        side = 40 if number == 7 else 96
        picture = Image.new("L", (side, side), 255)
        ImageDraw.Draw(picture).ellipse((0.1 * side, 0.1 * side, 0.9 * side, (0.8 + 0.01 * number) * side), fill=0)
        picture.save(tmp_path / f"{number}.png")
    ink = (read_folder(tmp_path, size=64, channels=1).images > 0).float().mean((1, 2, 3))
    assert float(ink.min()) > 0.8 * float(ink.max())
