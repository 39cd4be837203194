"""The renderer: a plan carried out at any size gives what the model draws, as sharp as the pictures are."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from conftest import TINY, gaussian
from torch import Tensor

from metagan_cli.config import VariationRules
from metagan_cli.evaluation.plain import flatness
from metagan_cli.images.resampling import at_side
from metagan_cli.learners.base import seen
from metagan_cli.networks.bundle import build_networks
from metagan_cli.networks.generator.plan import Plan
from metagan_cli.networks.generator.render import Picture, Renderer, grid_at
from metagan_cli.networks.generator.repaint import REACH
from metagan_cli.networks.state import draw_latents
from metagan_cli.rng import generator_for

SIDE, LARGE = TINY.image_size, 8 * TINY.image_size


def discs(count: int, channels: int) -> Tensor:
    """Large pictures [count, channels, LARGE, LARGE] of a disc each, dark on white in colours of their own, or ink."""
    axis = torch.linspace(-1, 1, LARGE)
    images = []
    for i in range(count):
        disc = ((axis[None] - 0.1 * i + 0.2) ** 2 + axis[:, None] ** 2 < 0.25).float()
        colour = torch.tensor([0.4 * i - 0.7, -0.6, 0.5 - 0.4 * i])[:, None, None] if channels == 3 else torch.ones(1, 1, 1)
        ground = 1.0 if channels == 3 else -1.0
        images.append(ground + disc * (colour - ground))
    return torch.stack(images)


def drawn(channels: int, count: int = 6) -> tuple[Tensor, Plan, Renderer]:
    """Samples [count, C, SIDE, SIDE] at the model's size, their plan, and what draws them at LARGE."""
    large = discs(3, channels)
    support = at_side(large, SIDE)
    nets = build_networks(replace(TINY, channels=channels), generator_for(0, "weights")).eval()
    latents = draw_latents(1, count, nets.generator.latent_sizes, generator_for(0, "latents"))
    with torch.no_grad():
        images, _, plan = nets.generator(latents, seen(nets, support[None]))
    return images[0] / REACH, plan, Renderer(support, lambda number: Picture(large[number]), VariationRules(), LARGE)


@pytest.mark.parametrize("channels", [1, 3])
def test_large_samples_are_those_of_the_model_made_smaller(channels: int) -> None:
    images, plan, renderer = drawn(channels)
    with torch.no_grad():
        large = torch.stack([renderer.draw(plan, i).colour for i in range(len(images))])
    assert large.shape[-1] == LARGE
    apart = (at_side(large, SIDE) - images.clamp(-1, 1)).abs().mean((1, 2, 3))
    others = (at_side(large, SIDE).roll(1, 0) - images).abs().mean((1, 2, 3))
    assert apart.max() < 0.04
    assert apart.max() < 0.25 * others.min()


@pytest.mark.parametrize("channels", [1, 3])
def test_large_samples_are_as_sharp_and_flat_as_the_pictures(channels: int) -> None:
    images, plan, renderer = drawn(channels)
    with torch.no_grad():
        large = torch.stack([renderer.draw(plan, i).colour for i in range(len(images))])
    enlarged = F.interpolate(images, size=(LARGE, LARGE), mode="bicubic").clamp(-1, 1)
    own = flatness(discs(3, channels)).mean()
    assert flatness(large).mean() > 0.98 * own
    assert flatness(enlarged).mean() < 0.97 * own  # which a mere enlargement is not
    between = ((large - large.amin((2, 3), keepdim=True)).abs() > 0.1) & ((large - large.amax((2, 3), keepdim=True)).abs() > 0.1)
    assert between.any(1).float().mean() < 0.02  # few pixels lie between ground and disc


def test_strokes_that_are_closed_stay_crisp() -> None:
    """A residual that paints ink where there was none: its edge is as sharp as that of the picture."""
    large = torch.full((1, 1, LARGE, LARGE), -1.0)
    large[..., LARGE // 4 : LARGE // 2, :] = 1
    residual = torch.zeros(1, 1, SIDE, SIDE)
    residual[..., SIDE // 2 : SIDE // 2 + 4, :] = 12.0
    still = F.affine_grid(torch.eye(2, 3)[None], [1, 1, SIDE, SIDE], align_corners=False)
    none = torch.zeros(1, 0, dtype=torch.long)
    plan = Plan(torch.zeros(1, dtype=torch.long), none, torch.zeros(1, 0, SIDE, SIDE), still, residual[:, :0], residual)
    renderer = Renderer(at_side(large, SIDE), lambda number: Picture(large[number]), VariationRules(), LARGE)
    middle = renderer.draw(plan, 0).colour[0, :, LARGE // 2]
    assert middle[LARGE // 4 + 4 : LARGE // 2 + 20].min() > 0.9  # down to where the residual reaches
    assert middle[LARGE // 2 + 48 :].max() < -0.9
    assert (middle.abs() < 0.8).sum() <= 10


def test_alpha_goes_along() -> None:
    large = discs(2, 3)
    alpha = (large.mean(1, keepdim=True) < 0.9).float()
    support = at_side(large, SIDE)
    renderer = Renderer(support, lambda number: Picture(large[number], alpha[number]), VariationRules(), LARGE)
    nets = build_networks(replace(TINY, channels=3), generator_for(0, "weights")).eval()
    latents = draw_latents(1, 3, nets.generator.latent_sizes, generator_for(0, "latents"))
    with torch.no_grad():
        plan = nets.generator(latents, seen(nets, support[None]))[2]
        for number in range(3):
            colour, clear = renderer.draw(plan, number)
            assert clear is not None
            shown = (colour.mean(0, keepdim=True) < 0.9).float()
            assert (shown - clear).abs().mean() < 0.01


def test_a_grid_at_its_own_side_is_the_same() -> None:
    still = F.affine_grid(torch.eye(2, 3)[None], [1, 1, SIDE, SIDE], align_corners=False)
    grid = still + 0.1 * gaussian("grid", 1, SIDE, SIDE, 2)
    assert torch.allclose(grid_at(grid, SIDE), grid, atol=1e-5)
