"""How pictures are fitted into a square, and how results get their folder's form back."""

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import run
from PIL import Image, ImageDraw

from metagan_cli.data.readers.folders import read_folder
from metagan_cli.data.readers.geometry import Fitting, Form, check_size, common_form, outline, squared
from metagan_cli.data.readers.support import Support
from metagan_cli.data.restoring import given_back
from metagan_cli.errors import UsageError
from metagan_cli.images.sheets import to_bytes
from metagan_cli.values import from_dict, to_dict

RED, GREEN, WHITE = (200, 30, 40), (20, 160, 60), (255, 255, 255)


def sprite(width: int, height: int, block: int = 1, seed: int = 0) -> Image.Image:
    """A sprite of three colours at random, each of its pixels drawn as a block."""
    chosen = np.random.default_rng(seed).integers(0, 3, (height, width))
    pixels = np.array([RED, GREEN, WHITE], dtype=np.uint8)[chosen]
    return Image.fromarray(pixels.repeat(block, 0).repeat(block, 1))


def photograph(width: int, height: int, seed: int = 1) -> Image.Image:
    values = np.random.default_rng(seed).integers(0, 256, (height // 8 + 1, width // 8 + 1, 3)).astype(np.uint8)
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
    square = torch.from_numpy(squared(image, 64, Fitting("pad"), form.block))[None]
    assert square.shape == (1, 64, 64, 3)
    noisy = (square.float() + 20 * torch.randn(square.shape, generator=torch.Generator().manual_seed(0))).clamp(0, 255).byte()
    for pixels in (square, noisy):  # the palette takes small errors away
        assert np.array_equal(given_back(pixels, form, "auto")[0].numpy(), np.asarray(image))
    large = given_back(square, form, f"{width * 3}x{height * 3}")[0].numpy()
    assert np.array_equal(large, np.asarray(sprite(width, height, 3)))


def test_a_shape_comes_back_without_its_padding() -> None:
    image = photograph(120, 60)
    form = common_form([outline(np.asarray(image))] * 3, "pad")
    square = torch.from_numpy(squared(image, 64, Fitting("pad"), 0))[None]
    back = given_back(square, form, "auto")
    assert back.shape == (1, 32, 64, 3)
    assert torch.equal(back, square[:, 16:48])
    assert given_back(square, form, "folder").shape == (1, 60, 120, 3)
    assert given_back(square, form, "128").shape == (1, 64, 128, 3)
    assert given_back(square, form, "50x40").shape == (1, 40, 50, 3)


def test_cropping_takes_the_middle() -> None:
    image = Image.new("RGB", (120, 60), RED)
    image.paste(GREEN, (30, 0, 90, 60))
    assert (squared(image, 64, Fitting("crop"), 0) == np.array(GREEN)).all()
    assert not (squared(image, 64, Fitting("pad"), 0) == np.array(GREEN)).all(2).all()
    form = common_form([outline(np.asarray(photograph(120, 60)))], "crop")
    assert form.size(64, "auto") == (64, 64)
    assert form.size(64, "folder") == (60, 60)


def test_cropped_pixel_art_keeps_to_its_pixels() -> None:
    image = sprite(13, 10, 20)
    form = common_form([outline(np.asarray(image))], "crop")
    back = given_back(torch.from_numpy(squared(image, 64, Fitting("crop"), form.block))[None], form, "auto")[0].numpy()
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


def on_paper(width: int, height: int, seed: int = 0) -> Image.Image:
    """A drawing on a plain ground."""
    image = Image.new("RGB", (width, height), (250, 248, 240))
    ImageDraw.Draw(image).ellipse((0.2 * width, 0.2 * height, 0.8 * width, (0.7 + 0.01 * seed) * height), fill=RED)
    return image


def fill(folder: Path, *images: Image.Image) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(images):
        image.save(folder / f"{number}.png")
    return folder


def given(support: Support, wanted: str = "auto") -> torch.Tensor:
    """A folder's own images as results."""
    return given_back(to_bytes(support.images), support.form, wanted)


def test_photographs_fill_the_square_and_come_back_in_their_shape(tmp_path: Path) -> None:
    images = [photograph(96, 60, seed) for seed in range(3)]
    support = read_folder(fill(tmp_path, *images), size=64, channels=3)
    assert support.form == Form(96, 60, "fill")
    assert support.notes == ()
    stretched = {image.resize((64, 64), Image.Resampling.LANCZOS).tobytes() for image in images}
    assert {square.numpy().tobytes() for square in to_bytes(support.images)} == stretched
    assert given(support).shape == (3, 40, 64, 3)
    back = given(support, "folder").float()
    assert max(min((back - torch.tensor(np.asarray(image)).float()).abs().mean((1, 2, 3))) for image in images) < 12
    tall = read_folder(fill(tmp_path / "tall", *(i.transpose(Image.Transpose.TRANSPOSE) for i in images)), size=64, channels=3)
    assert given(tall).shape == (3, 64, 40, 3)
    turned = given(tall).transpose(1, 2).float()
    assert max(min((turned - one).abs().mean((1, 2, 3))) for one in given(support).float()) < 1, "wide and tall alike"


def test_photographs_of_several_shapes_are_cut_to_their_mean(tmp_path: Path) -> None:
    shapes = [(60, 100), (100, 60), (60, 100), (100, 60)]
    support = read_folder(fill(tmp_path, *(photograph(*shape, seed) for seed, shape in enumerate(shapes))), size=64, channels=3)
    assert support.form == Form(60, 60, "fill")
    assert support.notes == ("4 of 4 images cut about their middles to one shape, 60 x 60",)
    boxes = [((width - 60) // 2, (height - 60) // 2, (width + 60) // 2, (height + 60) // 2) for width, height in shapes]
    middles = [photograph(*shape, seed).crop(box) for seed, (shape, box) in enumerate(zip(shapes, boxes, strict=True))]
    cut = {middle.resize((64, 64), Image.Resampling.BICUBIC).tobytes() for middle in middles}
    assert {square.numpy().tobytes() for square in to_bytes(support.images)} == cut


def test_a_long_photograph_is_cut_before_it_is_stretched(tmp_path: Path) -> None:
    support = read_folder(fill(tmp_path, *(photograph(200, 20, seed) for seed in range(2))), size=64, channels=3)
    assert support.form == Form(60, 20, "fill")
    assert "2 of 2 images cut" in support.notes[0]


@pytest.mark.parametrize("shapes", [[(96, 60)] * 3, [(96, 60), (60, 96), (80, 80)]], ids=["one shape", "several"])
def test_drawings_on_a_plain_ground_are_padded(shapes: list[tuple[int, int]], tmp_path: Path) -> None:
    folder = fill(tmp_path, *(on_paper(*shape, seed) for seed, shape in enumerate(shapes)))
    support, padded = (read_folder(folder, size=64, channels=3, fit=fit) for fit in ("auto", "pad"))
    assert torch.equal(support.images, padded.images)
    assert support.form == padded.form
    assert support.form.fit == "pad"
    filled = read_folder(folder, size=64, channels=3, fit="fill")
    assert filled.form.fit == "fill"
    assert not torch.equal(filled.images, padded.images)


def test_square_photographs_and_pixel_art_are_never_stretched(tmp_path: Path) -> None:
    square = fill(tmp_path / "square", *(photograph(80, 80, seed) for seed in range(3)))
    assert read_folder(square, size=64, channels=3).form == Form(80, 80)
    art = fill(tmp_path / "art", *(sprite(16, 24, 2, seed) for seed in range(3)))
    asked, padded = (read_folder(art, size=64, channels=3, fit=fit) for fit in ("fill", "pad"))
    assert asked.form == padded.form
    assert torch.equal(asked.images, padded.images)


def test_a_form_is_never_left_to_be_decided() -> None:
    with pytest.raises(UsageError, match="auto"):
        Form(fit="auto")


def test_a_picture_of_padded_images_is_drawn_again_so(tmp_path: Path, tiny_model: Path) -> None:
    fill(tmp_path / "mine", *(photograph(96, 60, seed) for seed in range(3)))
    command = ["sample", "mine", "--from", tiny_model, "--depth", "state", "-n", "3"]
    assert run(*command, "--fit", "pad", "-o", "padded.png", cwd=tmp_path).code == 0
    assert run(*command, "-o", "filled.png", cwd=tmp_path).code == 0
    assert run(*command[:4], "--like", "padded.png", "-o", "again.png", cwd=tmp_path).code == 0
    padded, filled, again = ((tmp_path / f"{name}.png").read_bytes() for name in ("padded", "filled", "again"))
    assert again == padded
    assert np.asarray(Image.open(tmp_path / "filled.png")).shape == np.asarray(Image.open(tmp_path / "padded.png")).shape
    assert filled != padded


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
    assert read_folder(tmp_path, size=64, channels=3, fit="pad").form.words == "of several shapes"


def test_a_small_picture_among_others_is_no_pixel_art(tmp_path: Path) -> None:
    """Seven large discs and a small one: the small one fills its square like the rest."""
    for number in range(8):
        side = 40 if number == 7 else 96
        picture = Image.new("L", (side, side), 255)
        ImageDraw.Draw(picture).ellipse((0.1 * side, 0.1 * side, 0.9 * side, (0.8 + 0.01 * number) * side), fill=0)
        picture.save(tmp_path / f"{number}.png")
    ink = (read_folder(tmp_path, size=64, channels=1).images > 0).float().mean((1, 2, 3))
    assert float(ink.min()) > 0.8 * float(ink.max())
