"""The tint: hue, saturation and lightness changed, all alike by chance and from place to place as predicted."""

import torch
from torch import Tensor

from metagan_cli.config import VariationRules
from metagan_cli.images.colour import tinted
from metagan_cli.images.regions import Areas, region_means
from metagan_cli.networks.generator.warp import resized


def tint(images: Tensor, jitter: Tensor, predicted: Tensor, limits: Tensor, areas: Areas | None, rules: VariationRules) -> Tensor:
    """Images [N, 3, S, S] with colour jitter [N, 3, 1, 1] and a predicted change [N, 3, 8, 8]; `limits` [N, 3, 1, 1] are its.

    Even areas of the images change as a whole, where they are given. Gray images, whose jitter and prediction have
    no channels, stay as they are.
    """
    if not jitter.shape[1]:
        return images
    amounts = jitter + limits * resized(predicted, images.shape[-1])
    if areas is not None:
        amounts = torch.where(areas.inside, region_means(amounts, areas.regions), amounts)
    most = rules.jitter_most[2]
    return tinted(images, torch.cat([amounts[:, :2], amounts[:, 2:].clamp(-most, most)], 1))
