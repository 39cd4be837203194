"""Pixel art stays in whole blocks, from the support images to the samples."""

from dataclasses import replace

import pytest
import torch
from conftest import TINY, gaussian
from torch import Tensor

from metagan_cli.images.pixel_art import drawn_side, in_blocks
from metagan_cli.learners.build import build_learner
from metagan_cli.learners.game import InnerGame
from metagan_cli.networks.bundle import build_networks
from metagan_cli.networks.state import draw_latents
from metagan_cli.rng import generator_for


def sprites(count: int, channels: int, side: int = 2, size: int = 32) -> Tensor:
    """Pictures [count, channels, size, size] of large pixels on a ground of one colour, as the program reads pixel art."""
    drawn = torch.full((count, channels, size // side, size // side), -1.0)
    middle = slice(size // side // 4, -(size // side // 4))
    drawn[..., middle, middle] = gaussian("sprites", *drawn[..., middle, middle].shape).clamp(-1, 1)
    return drawn.repeat_interleave(side, -2).repeat_interleave(side, -1)


def test_the_side_of_a_drawn_pixel() -> None:
    fine, coarse, smooth = sprites(4, 3), sprites(4, 3, side=4), gaussian("smooth", 4, 3, 32, 32)
    mostly = torch.cat([fine[:3], smooth[:1]])
    mixed = torch.cat([fine[:2], coarse[:2]])
    half = torch.cat([fine[:2], smooth[:2]])
    support = torch.stack([fine, coarse, smooth, mostly, mixed, half])
    assert drawn_side(support).tolist() == [2, 4, 1, 2, 2, 1]


def test_blocks_are_made_alike() -> None:
    images = gaussian("images", 3, 1, 8, 8)
    made = in_blocks(images, torch.tensor([1, 2, 4]))
    assert torch.equal(made[0], images[0])
    assert drawn_side(made[1:, None]).tolist() == [2, 4]
    assert torch.allclose(made.mean((1, 2, 3)), images.mean((1, 2, 3)), atol=1e-6)


@pytest.mark.parametrize("channels", [1, 3])
def test_samples_are_pixel_art_where_the_examples_are(channels: int) -> None:
    config = replace(TINY, channels=channels)
    nets, learner = build_networks(config, generator_for(0, "weights")), build_learner(config)
    support = torch.stack([sprites(4, channels), gaussian("smooth", 4, channels, 32, 32).clamp(-1, 1)])
    latents = draw_latents(2, 8, nets.generator.latent_sizes, generator_for(0, "latents"))
    images, bases, _ = nets.generator(latents, learner.adapt(nets, support, 0, InnerGame(), generator_for(0, "adapt")))
    assert drawn_side(images).tolist() == [2, 1]
    assert (images - bases)[0].abs().mean() > 0.02  # bent they are


def test_the_bend_of_pixel_art_can_be_learned() -> None:
    config = replace(TINY, channels=3)
    nets, learner = build_networks(config, generator_for(0, "weights")), build_learner(config)
    support = sprites(4, 3)[None]
    state = learner.adapt(nets, support, 0, InnerGame(), generator_for(0, "adapt"))
    latents = draw_latents(1, 8, nets.generator.latent_sizes, generator_for(0, "latents"))
    images, _, _ = nets.generator(latents, state)
    images[..., :16].sum().backward()
    assert nets.generator.affine.weight.grad is not None
    assert nets.generator.affine.weight.grad.abs().max() > 0
