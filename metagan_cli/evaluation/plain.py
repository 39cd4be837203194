"""How clean pictures are, without any net: what is even in them, and how sharp, straight and black-and-white they are."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from metagan_cli.images.gradients import squared_gradients

EVEN = 2 / 127.5  # by how much a channel of neighbours that count as even may differ: two levels of 255
DIRECTIONS = 12  # of edges, over half a turn
MIDDLE = 0.8  # how far from mid-gray, in [0, 1], a pixel counts as one of the half-tones


def flatness(images: Tensor) -> Tensor:
    """The share of pixels that are even with all of their four neighbours: [N], of images [N, C, S, S] in [-1, 1]."""
    across, down = ((images.diff(dim=d).abs().amax(1, keepdim=True) <= EVEN).float() for d in (3, 2))
    even = F.pad(across, (1, 0), value=1.0) * F.pad(across, (0, 1), value=1.0)
    even = even * F.pad(down, (0, 0, 1, 0), value=1.0) * F.pad(down, (0, 0, 0, 1), value=1.0)
    return even.mean((1, 2, 3))


def orientations(images: Tensor) -> Tensor:
    """How evenly edges, by their strength, point in all directions: [N], from 0 (one alone) to 1 (all alike).

    The entropy of a histogram of gradients; ruled drawings have few directions, wavering ones many.
    """
    light = images.mean(1)
    across, down = light[:, 1:-1, 2:] - light[:, 1:-1, :-2], light[:, 2:, 1:-1] - light[:, :-2, 1:-1]
    place = (torch.atan2(down, across) / math.pi * DIRECTIONS).flatten(1)
    strength = (across.square() + down.square()).flatten(1)
    mass = torch.zeros(len(images), DIRECTIONS, dtype=strength.dtype, device=images.device)
    for which, share in ((place.floor(), 1 - place % 1), (place.floor() + 1, place % 1)):  # the two bins beside it
        mass = mass.scatter_add(1, which.long() % DIRECTIONS, share * strength)
    share = mass / mass.sum(1, keepdim=True).clamp(min=1e-9)
    return -(share * share.clamp(min=1e-9).log()).sum(1) / math.log(DIRECTIONS)


def half_tones(images: Tensor) -> Tensor:
    """The share of pixels that are neither nearly black nor nearly white: [N]."""
    return (images.mean(1).abs() < MIDDLE).float().mean((1, 2))


FIGURES = {"flatness": flatness, "gradient": squared_gradients, "orientations": orientations, "halftones": half_tones}
