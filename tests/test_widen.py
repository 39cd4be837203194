"""Colour networks that begin as a gray model."""

from dataclasses import replace

import pytest
import torch
from conftest import TINY, gaussian, stirred_networks

from metagan_cli.config import VariationRules
from metagan_cli.learners.base import seen
from metagan_cli.networks.generator import repaint
from metagan_cli.networks.state import Latents
from metagan_cli.networks.widen import in_colour
from metagan_cli.rng import generator_for


def test_they_do_with_black_and_white_what_the_gray_one_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repaint, "without_grid", lambda x: x)  # which only colour networks do
    gray = stirred_networks()
    wide = in_colour(gray, generator_for(0, "colour")).eval()
    wide.generator.rules = VariationRules(repaint=(1.0, 1.0))
    wide.generator.follows = False  # nor do gray ones keep what is even
    assert wide.config == replace(TINY, channels=3)
    ink = torch.zeros(2, 3, 1, 32, 32)
    ink[:, :, :, 8:24, 10:22] = gaussian("ink", 2, 3, 1, 16, 12).sign()  # well inside: beyond the border they differ
    ink = ink.sign() - (ink == 0).float()
    z, noise = gaussian("z", 2, 4, TINY.latent), gaussian("noise", 2, 4, gray.generator.latent_sizes[1])
    noise[..., -32:] = 0  # no bend, which might leave the picture
    pick = torch.tensor([[0.1, 0.4, 0.4, 0.9]] * 2)
    dyed = torch.cat([noise[..., :-32], torch.zeros(2, 4, 2 * 2**2 + 3 + 4**2)], 2)  # no bend, tint or loan of a colour model
    for name in ("meet.weight", "lend.weight"):
        torch.nn.init.zeros_(wide.generator.get_parameter(name))
    torch.nn.init.constant_(wide.generator.get_parameter("lend.bias"), -100)  # nothing is lent
    for layer in (gray.generator.affine, wide.generator.affine, gray.generator.flow, wide.generator.flow):
        for parameter in layer.parameters():
            torch.nn.init.zeros_(parameter)
    with torch.no_grad():
        images, bases, _ = gray.generator(Latents(z, noise, pick, pick), seen(gray, ink))
        colour, wide_bases, _ = wide.generator(Latents(z, dyed, pick, pick), seen(wide, -ink.repeat(1, 1, 3, 1, 1)))
        assert not torch.allclose(images, bases, atol=0.01)
        assert torch.allclose(colour, -images.repeat(1, 1, 3, 1, 1), atol=1e-4)
        scores = gray.discriminator(images, bases), wide.discriminator(colour, wide_bases)
        assert torch.allclose(*scores, atol=1e-5)
