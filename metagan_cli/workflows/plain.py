"""The bank's motifs as drawings at a model's size, and those that stand for a plain hand."""

import torch
from torch import Tensor

from metagan_cli.config import ModelConfig
from metagan_cli.images.drawings import draw_svg
from metagan_cli.store.motifs import Drawing, bank

PLAIN = 10  # motifs that show the plain hand: the commonest icons


def drawn(drawing: Drawing, config: ModelConfig) -> Tensor:
    """A drawing [C, S, S] in [-1, 1] as a model takes it, gray ones with ink 1, others black on white."""
    ink = draw_svg(drawing.body, config.image_size)
    return ink if config.channels == 1 else -ink.expand(config.channels, -1, -1)


def plain_drawings(config: ModelConfig) -> Tensor:
    """What shows the hand of the bank's outlines [1, PLAIN, C, S, S]."""
    return torch.stack([drawn(motif.drawings[0], config) for motif in bank().group("icons")[:PLAIN]])[None]
