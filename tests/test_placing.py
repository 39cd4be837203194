"""Places of an image in its square, and of a square in its results: what is drawn there is found there."""

import numpy as np
import pytest
import torch
from PIL import Image

from metagan_cli.data.placing import of_image, of_result
from metagan_cli.data.readers.geometry import Fitting, Form, Outline, outline, squared
from metagan_cli.data.restoring import given_back

SIZE = 64


def spotted(width: int, height: int, place: tuple[float, float], radius: float) -> Image.Image:
    """A picture with one white spot."""
    y, x = np.mgrid[:height, :width] + 0.5
    return Image.fromarray(np.where((x - place[0]) ** 2 + (y - place[1]) ** 2 <= radius**2, 255, 0).astype(np.uint8))


def centre(pixels: np.ndarray) -> np.ndarray:
    """The middle of what is light in [H, W], (x, y) in pixels."""
    y, x = np.mgrid[: pixels.shape[0], : pixels.shape[1]] + 0.5
    weights = pixels / pixels.sum()
    return np.array([(weights * x).sum(), (weights * y).sum()])


@pytest.mark.parametrize("fit", ["pad", "crop", "fill"])
@pytest.mark.parametrize("sides", [(128, 128), (200, 100), (90, 160), (301, 200)])
@pytest.mark.parametrize("share", [(0.5, 0.5), (0.6, 0.35)])
def test_an_image_lies_in_its_square(fit: str, sides: tuple[int, int], share: tuple[float, float]) -> None:
    place = sides[0] * share[0], sides[1] * share[1]
    fitting = Fitting(fit, slope=1.5 if fit == "fill" else 1.0)
    pixels = squared(spotted(*sides, place, min(sides) / 16), SIZE, fitting, 0, 0)[..., 0]
    seen = of_image(Outline(*sides, 0, np.zeros((0, 1), np.uint8), True), fitting, SIZE)
    found = (centre(pixels.astype(float)) / SIZE) * 2 - 1
    assert np.abs(seen(np.array(place)) - found).max() < 1.5 / SIZE
    assert np.allclose(seen.back(seen(np.array(place))), place)


@pytest.mark.parametrize(("drawn", "block"), [((16, 16), 4), ((20, 12), 8), ((33, 40), 2)])
@pytest.mark.parametrize("fit", ["pad", "crop"])
def test_pixel_art_lies_in_its_square(drawn: tuple[int, int], block: int, fit: str) -> None:
    art = np.random.default_rng(0).integers(0, 2, (drawn[1], drawn[0])).astype(np.uint8) * 100
    art[drawn[1] // 2, drawn[0] // 2] = 255
    image = Image.fromarray(art.repeat(block, 0).repeat(block, 1))
    seen = outline(np.asarray(image)[..., None])
    assert seen.block == block
    pixels = squared(image, SIZE, Fitting(fit), block, 0)[..., 0].astype(float)
    place = (np.array([drawn[0] // 2, drawn[1] // 2]) + 0.5) * block
    found = centre((pixels == 255).astype(float)) / SIZE * 2 - 1
    assert (
        np.abs(of_image(seen, Fitting(fit), SIZE)(place) - found).max() < 1.01 / SIZE
    )  # a cut of an odd number of pixels takes one more on one side


FORMS = {
    "a square": (Form(), "auto"),
    "wide": (Form(200, 100), "folder"),
    "wide, padded in a size": (Form(200, 100), "120"),
    "stretched": (Form(160, 90, "fill"), "folder"),
    "another size": (Form(200, 100), "48x80"),
    "pixel art": (Form(80, 48, "pad", 4, ((0,), (255,))), "folder"),
}


@pytest.mark.parametrize("name", FORMS)
def test_a_result_is_cut_from_its_square(name: str) -> None:
    form, wanted = FORMS[name]
    place = np.array([0.2, -0.12])
    square = spotted(SIZE, SIZE, tuple((place + 1) / 2 * SIZE), 6)
    result = given_back(torch.from_numpy(np.array(square))[None, ..., None], form, wanted)[0, ..., 0].numpy()
    assert np.abs(of_result(form, SIZE, wanted).back(place) - centre(result.astype(float))).max() < 2.5 * result.shape[1] / SIZE
    assert result.shape[::-1] == form.size(SIZE, wanted)
