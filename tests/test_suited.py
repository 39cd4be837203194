"""Which base suits a folder: no colour is lost in thin lines or in the dark, and half-tones are no ink."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import TINY, gaussian, run
from PIL import Image, ImageDraw

from metagan_cli.config import AdaptConfig
from metagan_cli.learners.base import seen
from metagan_cli.networks.bundle import build_networks
from metagan_cli.networks.state import draw_latents
from metagan_cli.rng import generator_for
from metagan_cli.workflows.suited import suited_model


def figure(i: int) -> Image.Image:
    """A thin dark figure whose only colour is its hair, half a per cent of the picture."""
    image = Image.new("RGB", (300, 400), "white")
    draw = ImageDraw.Draw(image)
    draw.rectangle([140, 110, 160 + 2 * i, 330], fill=(35, 35, 40))
    draw.pieslice([134, 70, 166, 104], 180, 360, fill=(210, 30, 20))
    return image


def dim(i: int) -> Image.Image:
    """A picture as dark as night, red and green."""
    field = np.random.default_rng(i).random((16, 16, 1))
    return Image.fromarray(np.concatenate([18 + 28 * field, 38 - 18 * field, 14 + 6 * field], 2).astype(np.uint8)).resize(
        (96, 96)
    )


def half_tones(i: int) -> Image.Image:
    """A gray photograph, or a radiograph."""
    y, x = np.mgrid[:96, :96]
    return Image.fromarray((140 + 40 * np.sin(x / 11 + i) + 60 * np.cos(y / 15)).clip(0, 255).astype(np.uint8))


def ink(i: int, colour: int | tuple[int, int, int] = 0, mode: str = "L") -> Image.Image:
    """A stroke on white."""
    image = Image.new(mode, (96, 96), "white")
    ImageDraw.Draw(image).line([10 + i, 80, 50, 12 + 3 * i, 84, 70], fill=colour, width=6)
    return image


def one_in_eight(i: int) -> Image.Image:
    """Black strokes, but for a blue one."""
    return ink(i, (20, 40, 220) if i == 0 else (0, 0, 0), "RGB")


@pytest.mark.parametrize(
    ("draw", "base", "why"),
    [
        (figure, "picture", "images have colours"),
        (dim, "picture", "images have colours"),
        (half_tones, "picture", "images have half-tones"),
        (ink, "glyph", "most images have no colours"),
        (one_in_eight, "glyph", "most images have no colours"),
    ],
)
def test_the_base_is_the_one_that_suits(draw: Callable[[int], Image.Image], base: str, why: str, tmp_path: Path) -> None:
    for i in range(8):
        draw(i).save(tmp_path / f"{i}.png")
    suited = suited_model(tmp_path, AdaptConfig())
    assert (suited.model.name, suited.reason) == (base, why)
    assert suited.support.images.shape[1] == suited.model.channels


def test_adapt_says_which_base_and_why(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for i in range(3):
        half_tones(i).save(tmp_path / "images" / f"{i}.png")
    ran = run("adapt", "images", "--steps", "0", "--depth", "state", cwd=tmp_path)
    assert ran.code == 0, ran.err
    assert "half-tones" in ran.out + ran.err
    drawn = run("sample", "-n", "4", "-o", "out.png", cwd=tmp_path)
    assert drawn.code == 0, drawn.err
    pixels = np.asarray(Image.open(tmp_path / "out.png").convert("RGB")).astype(int)
    assert np.ptp(pixels, axis=2).max() == 0  # gray stays gray


def test_what_has_no_colour_gets_none() -> None:
    nets = build_networks(replace(TINY, channels=3), generator_for(0, "weights")).eval()
    gray = gaussian("gray", 1, 3, 1, 32, 32).clamp(-0.9, 0.9).expand(-1, -1, 3, -1, -1)
    coloured = gaussian("coloured", 1, 3, 3, 32, 32).clamp(-0.9, 0.9)
    latents = draw_latents(1, 6, nets.generator.latent_sizes, generator_for(0, "latents"))
    with torch.no_grad():
        spreads = []
        for support in (gray, coloured):
            images = nets.generator(latents, seen(nets, support))[0]
            spreads.append(float((images.amax(2) - images.amin(2)).max()))
    assert spreads[0] < 1e-6
    assert spreads[1] > 0.1
