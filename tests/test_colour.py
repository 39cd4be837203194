"""Colours turned about the gray axis."""

import math

import pytest
import torch
from conftest import gaussian

from metagan_cli.images.colour import tinted

RED, YELLOW, GREEN, BLUE = ((1.0, -1.0, -1.0), (1.0, 1.0, -1.0), (-1.0, 1.0, -1.0), (-1.0, -1.0, 1.0))


def colours(*values: tuple[float, float, float]) -> torch.Tensor:
    return torch.tensor(values)[:, :, None, None]


def amounts(hue: float = 0.0, strength: float = 0.0, light: float = 0.0) -> torch.Tensor:
    return torch.tensor([hue, strength, light])[None, :, None, None]


def test_zeros_change_nothing() -> None:
    images = gaussian("pixels", 5, 3, 8, 8).clamp(-1, 1)
    assert torch.allclose(tinted(images, amounts()), images, atol=1e-3)


def test_a_third_of_a_turn_permutes_the_primaries() -> None:
    turned = tinted(colours(RED, GREEN, BLUE), amounts(hue=2 * math.pi / 3))
    found = {tuple(colour) for colour in turned.flatten(1).round().tolist()}
    assert found == {RED, GREEN, BLUE}
    assert not torch.allclose(turned, colours(RED, GREEN, BLUE), atol=0.1)


def test_white_and_black_stay() -> None:
    ends = colours((1.0, 1.0, 1.0), (-1.0, -1.0, -1.0))
    assert torch.allclose(tinted(ends, amounts(1.0, 0.4, 0.4)), ends, atol=1e-3)


@pytest.mark.parametrize("light", [-1.0, 1.0])
def test_nearly_white_and_nearly_black_stay_so(light: float) -> None:
    ends = colours((0.99, 0.99, 0.99), (-0.99, -0.99, -0.99))
    assert torch.allclose(tinted(ends, amounts(light=light)), ends, atol=0.02)


def test_strength_and_light() -> None:
    dull = colours((0.5, 0.3, 0.1))
    strong, light, dark = (
        tinted(dull, amounts(**{name: by})) for name, by in (("strength", 0.5), ("light", 0.5), ("light", -0.5))
    )
    assert strong.flatten().std() > dull.flatten().std()
    assert torch.allclose(strong.mean(), dull.mean(), atol=1e-4)
    assert light.mean() > dull.mean() + 0.1
    assert dark.mean() < dull.mean() - 0.1


def test_each_place_may_have_its_own() -> None:
    images, own = colours(YELLOW).expand(1, 3, 4, 4), torch.zeros(1, 3, 4, 4)
    own[:, 0, :, 2:] = 1.0
    found = tinted(images, own)
    assert torch.allclose(found[..., :2], images[..., :2], atol=1e-3)
    assert not torch.allclose(found[..., 2:], images[..., 2:], atol=0.1)
