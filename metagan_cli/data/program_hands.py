"""Hands drawn by program, at random: there is no end of them, and what they make of a drawing is known exactly."""

import torch
from torch import Tensor

from metagan_cli.images.styling import Styling
from metagan_cli.rng import between, chance, one_of

FORMS = {  # by channels, the commoner ones more often
    1: ("keep", "keep", "keep", "solid", "solid", "outline", "outline", "duotone", "tinted", "hatch"),
    3: ("keep", "solid", "solid", "outline", "duotone", "duotone", "tinted", "tinted", "inlay", "inlay", "hatch"),
}


def draw_hand(rng: torch.Generator, channels: int) -> Styling:
    """One at random: mostly few changes, at times many; in gray or in colour."""
    form = one_of(FORMS[channels], rng)
    badge = one_of(("disc", "square", "round"), rng) if chance(0.12, rng) else "none"
    shadow = (round(between(-4, 4, rng)), round(between(-4, 4, rng))) if chance(0.12, rng) else (0, 0)
    return Styling(
        form=form,
        weight=between(-1.2, 2.2, rng) if chance(0.75, rng) else 0.0,
        line=between(0.6, 1.9, rng),
        soft=between(0.6, 2.2, rng) if chance(0.4, rng) else 0.0,
        slant=between(-0.3, 0.3, rng) if chance(0.25, rng) else 0.0,
        wide=between(0.7, 1.0, rng) if chance(0.25, rng) else 1.0,
        badge=badge,
        shadow=shadow,
        rough=between(0.3, 0.9, rng) if chance(0.15, rng) else 0.0,
        cells=one_of((2, 3, 4), rng) if chance(0.1, rng) else 0,
        slope=between(0, 0.5, rng),
        pitch=between(4, 8, rng),
        colours=_tones(rng) if channels == 1 else _colours(rng),
    )


def _tones(rng: torch.Generator) -> tuple[Tensor, ...]:
    """Of gray images: nothing, ink, and two tones between."""
    shade, fill = (torch.rand(2, generator=rng) * torch.tensor([0.9, 1.1]) - 0.6).split(1)
    return torch.tensor([-1.0]), torch.tensor([1.0]), shade, fill


def _colours(rng: torch.Generator) -> tuple[Tensor, ...]:
    """A palette: mostly a white ground and dark lines, and one to four fills of one strength and lightness."""
    draw = torch.rand(12, generator=rng).tolist()
    white, black = torch.ones(3), -torch.ones(3)
    ground = white if draw[0] < 0.8 else _tinted(draw[1], 0.3, 0.85) if draw[0] < 0.9 else _tinted(draw[1], 0.3, -0.7)
    dark = bool(ground.mean() > 0)
    line = (black if dark else white) if draw[2] < 0.4 else _tinted(draw[3], 0.8, -0.5 if dark else 0.6)
    count, strength, light = 1 + int(4 * draw[4]), 0.4 + 0.6 * draw[5], 0.7 * draw[6] - 0.2
    hue, apart = draw[7], 0.1 + 0.3 * draw[8]
    fills = [_tinted(hue + apart * number, strength, light) for number in range(count)]
    return ground, line, torch.lerp(ground, black if dark else white, 0.15 + 0.4 * draw[9]), *fills


def _tinted(hue: float, strength: float, light: float) -> Tensor:
    """A colour [3] of a hue in turns, a strength in [0, 1] and a mean in [-1, 1]."""
    wave = torch.cos(2 * torch.pi * (hue + torch.tensor([0.0, -1 / 3, 1 / 3])))
    return (light + strength * wave * (1 - abs(light))).clamp(-1, 1)
