"""Networks for colour that begin as a gray model: what that one knows of shapes need not be learned again."""

from dataclasses import replace

import torch
from torch import Tensor

from metagan_cli.networks.bundle import Networks, build_networks
from metagan_cli.networks.discriminator import FIRST
from metagan_cli.networks.generator.guests import GuestPainter

# layers that look at images, and layers that paint them
LOOKING = (
    "encoder.trunk.stem.fine.weight",
    f"discriminator.{FIRST}",
    "generator.finish.weight",
    "generator.paint.weight",
)
PAINTING = ("generator.out.weight", "generator.out.bias")
HAND_SEEN, PAINT_SEEN = "hand.fine.weight", "hand.colour.weight"  # what a painter of guests sees of images, and of a paint


def in_colour(gray: Networks, rng: torch.Generator) -> Networks:
    """Networks that do with black and white pictures of three channels what `gray` does with its one, light on dark.

    Only their tints, and the part swap, have new weights, drawn from the generator.
    """
    found = build_networks(replace(gray.config, channels=3), rng, gray.generator.rules)
    weights, before = found.state_dict(), gray.state_dict()
    for name, weight in before.items():
        if name.startswith("perceiver."):
            continue
        if name in LOOKING:
            kept = gray.config.fine if name == "generator.finish.weight" else 0
            folded = weight.shape[1] if name == "generator.paint.weight" else 4  # pixels of one channel
            weights[name] = torch.cat([weight[:, :kept], _for_each_channel(weight[:, kept:], folded)], 1)
        elif name in PAINTING:
            weights[name] = -weight.repeat(3, *[1] * (weight.ndim - 1))
        else:
            weights[name] = _beginning_with(weight, weights[name])
    found.load_state_dict(weights)
    return found


def painter_in_colour(gray: GuestPainter, size: int) -> GuestPainter:
    """A painter that does with black and white pictures of three channels what `gray` does with its one, light on dark."""
    found, weights = GuestPainter(3, size), gray.state_dict()
    seen, paint = weights[HAND_SEEN], weights[PAINT_SEEN]
    weights[HAND_SEEN] = torch.cat([_for_each_channel(seen[:, :4], 4), seen[:, 4:]], 1)  # images, and their ink
    weights[PAINT_SEEN] = torch.cat([-paint[:, :1].expand(-1, 3) / 3, paint[:, 1:]], 1)  # its colour, and how much there is of it
    found.load_state_dict(weights)
    return found


def _for_each_channel(weight: Tensor, folded: int) -> Tensor:
    """Weights [O, I, k, k] that read gray images, whose ink is light, for the mean of three channels, whose ink is dark."""
    return torch.as_tensor(-weight.unflatten(1, (-1, folded)).repeat_interleave(3, 1).flatten(1, 2) / 3)


def _beginning_with(weight: Tensor, wider: Tensor) -> Tensor:
    """The wider weights, or ones of the same shape, with the others in their first places."""
    wider = wider.clone()
    wider[tuple(slice(size) for size in weight.shape)] = weight
    return wider
