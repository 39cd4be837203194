"""What a folder's letters tell beside plain drawings of the same letters: which they are, how large and how wide."""

from collections.abc import Mapping
from functools import cache

import torch
from torch import Tensor

from metagan_cli.images.distance import stroke_weights
from metagan_cli.images.drawings import draw_svg
from metagan_cli.images.ink import ink_of
from metagan_cli.store.motifs import Motif
from metagan_cli.workflows.kinship import likely_letters

MOST = 8  # letters of a folder that are looked at
KNOWN = 0.66  # likeness to a letter, below which an image shows none
OPEN = 0.45  # a letter's width by its height, from which it tells how wide letters are
UNSURE = 0.5  # of the logarithm of a size, that one of likeness is worth


def letters_in(examples: Tensor) -> Mapping[int, Motif]:
    """Which letters or digits examples [K, C, S, S] in [-1, 1] show, by their numbers; those that show none are left out.

    Where forms do not tell, as of an o and an O, sizes do: letters of one hand are all about as much larger than plain ones.
    """
    likely = {number: some for number, some in enumerate(likely_letters(examples)) if some[0].likeness > KNOWN}
    numbers = list(likely)[:MOST]
    if not numbers:
        return {}
    own = boxes_of(ink_of(examples[numbers]))[:, 1]
    side = examples.shape[-1]
    sizes = [
        torch.tensor([float(height) / _height(letter.motif, side) for letter in likely[number]]).log()
        for number, height in zip(numbers, own, strict=True)
    ]
    doubts = [torch.tensor([UNSURE * (likely[n][0].likeness - letter.likeness) for letter in likely[n]]) for n in numbers]

    def away(size: float) -> list[Tensor]:
        return [(some - size).abs() + doubt for some, doubt in zip(sizes, doubts, strict=True)]

    size = min(torch.cat(sizes).tolist(), key=lambda size: sum(float(some.amin()) for some in away(size)))
    return {n: likely[n][int(some.argmin())].motif for n, some in zip(numbers, away(size), strict=True)}


def proportions(own: Tensor, plain: Tensor) -> tuple[float, float]:
    """How many times as high, and as wide for their height, letters [K, 1, S, S] in [-1, 1] are as the same ones drawn plainly.

    Of both without the width of strokes: what makes strokes heavier makes letters larger as well.
    """
    across, down = (_between_strokes(own) / _between_strokes(plain)).unbind(1)
    width, height = boxes_of(plain).unbind(1)
    wide = (across / down)[width > OPEN * height]
    return float(down.median()), float(wide.median()) if len(wide) else 1.0


def boxes_of(ink: Tensor) -> Tensor:
    """Width and height in pixels [N, 2] of what drawings [N, 1, S, S] in [-1, 1] show, to a part of a pixel."""
    cover = (ink[:, 0] + 1) / 2
    return torch.stack([cover.amax(1).sum(1), cover.amax(2).sum(1)], 1).clamp(min=1.0)


def _between_strokes(ink: Tensor) -> Tensor:
    """The same from the middles of strokes to the middles of strokes."""
    weights = stroke_weights(ink)
    return (boxes_of(ink) - 2 * torch.tensor([weights.upright, weights.level])).clamp(min=1.0)


@cache
def _height(motif: Motif, side: int) -> float:
    return float(boxes_of(draw_svg(motif.drawings[0].body, side)[None])[0, 1])
