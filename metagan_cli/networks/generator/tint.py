"""The tint: hue, saturation and lightness changed, all alike by chance and from place to place as predicted."""

import torch
from torch import Tensor

from metagan_cli.config import VariationRules
from metagan_cli.images.colour import tinted
from metagan_cli.images.regions import Areas, region_means
from metagan_cli.networks.generator.warp import resized


def tint_amounts(jitter: Tensor, predicted: Tensor, limits: Tensor, side: int) -> Tensor:
    """By how much colours change [N, 3, side, side]: jitter [N, 3, 1, 1], and what is predicted [N, 3, 8, 8].

    `limits` [N, 3, 1, 1] are the latter's. Of gray images none of them has channels.
    """
    return jitter + limits[:, : jitter.shape[1]] * resized(predicted, side)


def tint(images: Tensor, amounts: Tensor, areas: Areas | None, rules: VariationRules) -> Tensor:
    """Images [N, 3, S, S] with colours changed by amounts [N, 3, S, S]; gray images, which have none, stay as they are.

    Even areas of the images change as a whole, where they are given.
    """
    if not amounts.shape[1]:
        return images
    if areas is not None:
        amounts = torch.where(areas.inside, region_means(amounts, areas.regions), amounts)
    most = rules.jitter_most[2]
    return tinted(images, torch.cat([amounts[:, :2], amounts[:, 2:].clamp(-most, most)], 1))
