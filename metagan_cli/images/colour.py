"""Colours turned about the gray axis, and made stronger, lighter or darker: white and black stay what they are."""

import torch
from torch import Tensor

KINDS = 3  # hue, saturation, lightness


def tinted(images: Tensor, amounts: Tensor) -> Tensor:
    """Images [N, 3, S, S] in [-1, 1] with other colours, by amounts [N, 3, S, S] or [N, 3, 1, 1]; zeros change nothing.

    The amounts are an angle of hue in radians, and the logarithms of a factor of the colour's strength and of an exponent:
    above 0 of the mean ink, which makes it less, below 0 of what is missing from full ink. So a ground that is nearly white or
    black stays so, too: neither curve is steep there.
    """
    hue, strength, light = amounts.split(1, 1)
    ink = (1 - images) / 2
    gray = ink.mean(1, keepdim=True)
    colour = ink - gray
    across = (colour.roll(1, 1) - colour.roll(-1, 1)) / 3**0.5  # a quarter turn further (Rodrigues' formula)
    turned = strength.exp() * (hue.cos() * colour + hue.sin() * across)
    some = torch.where(light < 0, 1 - gray, gray).clamp(1e-4, 1)
    less = some - some ** light.abs().exp()
    return 1 - 2 * torch.add(gray - torch.where(light < 0, -less, less), turned).clamp(0, 1)
