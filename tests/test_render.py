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
from metagan_cli.networks.generator.carry import carry_boxes, carry_mask, carry_points
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
    assert apart.max() < 0.1 * others.max()


@pytest.mark.parametrize("channels", [1, 3])
def test_large_samples_are_as_sharp_and_flat_as_the_pictures(channels: int) -> None:
    images, plan, renderer = drawn(channels)
    with torch.no_grad():
        large = torch.stack([renderer.draw(plan, i).colour for i in range(len(images))])
    enlarged = F.interpolate(images, size=(LARGE, LARGE), mode="bicubic").clamp(-1, 1)
    own = flatness(discs(3, channels)).mean()
    assert flatness(large).mean() > 0.98 * own
    assert flatness(enlarged).mean() < 0.97 * own  # which a mere enlargement is not
    disc, ground = large[..., LARGE // 2, LARGE // 2], large[..., 0, 0]
    between = [(large - colour[..., None, None]).abs().amax(1) > 0.1 for colour in (disc, ground)]
    assert (between[0] & between[1]).float().mean() < 0.02  # few pixels lie between ground and disc


def test_what_is_small_keeps_its_colour() -> None:
    """A red square too small to be an area at the model's size, on large dark discs: it does not take their colour."""
    large = discs(3, 3)
    red = torch.tensor([0.9, -0.8, -0.9])
    large[..., 20:32, 20:32] = red[:, None, None]
    nets = build_networks(replace(TINY, channels=3), generator_for(0, "weights")).eval()
    support = at_side(large, SIDE)
    latents = draw_latents(1, 6, nets.generator.latent_sizes, generator_for(0, "latents"))
    with torch.no_grad():
        plan = nets.generator(latents, seen(nets, support[None]))[2]
    plan = replace(plan, amounts=torch.zeros_like(plan.amounts))
    renderer = Renderer(support, lambda number: Picture(large[number]), VariationRules(), LARGE)
    for number in range(6):
        drawn = renderer.draw(plan, number).colour
        assert ((drawn - red[:, None, None]).abs().amax(0) < 0.05).sum() > 60


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


def swaying(size: float) -> Plan:
    """A plan of one sample that warps, and changes nothing else."""
    still = F.affine_grid(torch.eye(2, 3)[None], [1, 1, SIDE, SIDE], align_corners=False)
    flow = F.interpolate(size * gaussian("flow", 1, 2, 3, 3), size=(SIDE, SIDE), mode="bicubic").permute(0, 2, 3, 1)
    none = torch.zeros(1, 0, SIDE, SIDE)
    start = torch.zeros(1, dtype=torch.long)
    return Plan(start, start[:, None][:, :0], none, still + flow, none, torch.zeros(1, 1, SIDE, SIDE))


def test_masks_points_and_boxes_go_where_the_image_goes() -> None:
    image = -torch.ones(1, 1, LARGE, LARGE)
    image[..., 90:140, 60:180] = 1
    plan = swaying(0.12)
    renderer = Renderer(at_side(image, SIDE), lambda number: Picture(image[number]), VariationRules(), LARGE)
    drawn = renderer.draw(plan, 0).colour[0] > 0
    labels = carry_mask(renderer, plan, 0, lambda number: 7 * (image[number] > 0), outside=0)
    assert set(labels.unique().tolist()) == {0, 7}
    assert ((labels[0] > 0) != drawn).float().mean() < 0.005
    smooth = carry_mask(renderer, plan, 0, lambda number: (image[number] + 1) / 2, soft=True)
    assert ((smooth[0] > 0.5) != drawn).float().mean() < 0.005
    corners = torch.tensor([[60.0, 90], [180, 90], [180, 140], [60, 140], [120, 115]]) * 2 / LARGE - 1
    places, stay = carry_points(plan, 0, corners)
    assert stay.all()
    ys, xs = drawn.nonzero().unbind(1)
    seen = torch.stack([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]) * 2 / LARGE - 1
    box, left = carry_boxes(plan, 0, torch.tensor([[60.0, 90, 180, 140]]) * 2 / LARGE - 1)
    assert (box[0] - seen).abs().max() < 3 / LARGE
    assert float(left) == 1
    ((x, y),) = (places[4:] + 1) / 2 * LARGE
    assert drawn[int(y), int(x)]
    assert not torch.allclose(places, corners, atol=0.02)


def test_what_leaves_the_picture_is_known() -> None:
    plan = swaying(0.0)
    moved = replace(plan, grid=plan.grid + torch.tensor([0.5, 0.0]))  # everything goes left by a quarter of the picture
    places, stay = carry_points(moved, 0, torch.tensor([[-0.8, 0.0], [0.4, 0.2]]))
    assert stay.tolist() == [False, True]
    assert torch.allclose(places[1], torch.tensor([-0.1, 0.2]), atol=0.01)
    box, left = carry_boxes(moved, 0, torch.tensor([[-0.75, -0.2, -0.25, 0.2]]))
    assert torch.allclose(box[0], torch.tensor([-1.0, -0.2, -0.75, 0.2]), atol=0.02)
    assert float(left) == pytest.approx(0.5, abs=0.03)


def test_ground_that_a_donor_shows_is_ground() -> None:
    """Where a donor's bar is narrower its ground shows at the sides: that stays white, though another colour is nearer."""
    images = torch.ones(2, 3, LARGE, LARGE)
    images[0, :, 40:220, 80:176] = images[1, :, 40:220, 112:144] = -0.7
    images[:, :, 8:40, 112:144] = torch.tensor([0.8, 0.6, 0.4])[:, None, None]
    taken = torch.zeros(1, 1, SIDE, SIDE)
    taken[..., 5:28, 10:22] = 1
    still = swaying(0.0)
    plan = replace(still, donors=torch.ones(1, 1, dtype=torch.long), taken=taken, amounts=torch.zeros(1, 3, SIDE, SIDE))
    renderer = Renderer(at_side(images, SIDE), lambda number: Picture(images[number]), VariationRules(), LARGE)
    assert (renderer.draw(plan, 0).colour - images[1]).abs().max() < 0.05


def test_lent_parts_bring_their_masks() -> None:
    images = torch.ones(2, 3, LARGE, LARGE)
    images[1, :, 96:160, 96:160] = -0.5
    plan = swaying(0.0)
    taken = torch.zeros(1, 1, SIDE, SIDE)
    taken[..., 12:20, 12:20] = 1
    plan = replace(plan, donors=torch.ones(1, 1, dtype=torch.long), taken=taken, amounts=torch.zeros(1, 3, SIDE, SIDE))
    renderer = Renderer(at_side(images, SIDE), lambda number: Picture(images[number]), VariationRules(), LARGE)
    carried = carry_mask(renderer, plan, 0, lambda number: (images[number, :1] < 0).float())
    assert ((carried[0] > 0) != (images[1, 0] < 0)).float().mean() < 0.001
    assert ((renderer.draw(plan, 0).colour[0] < 0) != (images[1, 0] < 0)).float().mean() < 0.001
