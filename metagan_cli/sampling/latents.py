"""Latents by seed, and latents on the way from one seed's to another's."""

from collections.abc import Sequence
from dataclasses import fields

import torch
from torch import Tensor

from metagan_cli.networks.state import Latents, draw_latents
from metagan_cli.rng import generator_for

GOLDEN = 0x9E3779B97F4A7C15  # 2^64 by the golden ratio: its multiples fall evenly (Weyl's sequence; Knuth vol. 3, 6.4)


def latents_of(seeds: Sequence[int], sizes: tuple[int, int], truncation: float = 1.0, draft: int = 0) -> Latents:
    """The latents of N seeds, as one task: z and noise shrunk by the truncation in [0, 1].

    All drafts of a seed start from the same support image, and any run of seeds starts from all of them evenly.
    """
    drawn = [draw_latents(1, 1, sizes, generator_for(seed, "sample", draft)) for seed in seeds]
    z, noise, partner = (torch.cat([getattr(d, name) for d in drawn], 1) for name in ("z", "noise", "partner"))
    pick = torch.tensor([[seed * GOLDEN % 2**64 / 2**64 for seed in seeds]])
    return Latents(z * truncation, noise * truncation, pick, partner)


def together(parts: Sequence[Latents]) -> Latents:
    """Latents of the same tasks, one after the other."""
    return Latents(*(torch.cat([getattr(part, f.name) for part in parts], 1) for f in fields(Latents)))


def between(stops: Latents, count: int) -> Latents:
    """`count` latents on the way from the first of one task's latents through all others, at even steps on the sphere (slerp).

    The whole walk keeps the first one's support images: the way from one to another is not a smooth one.
    """
    number = stops.pick.shape[1]
    place = torch.linspace(0, number - 1, count)
    first = place.long().clamp(max=number - 2)
    share = (place - first)[:, None]
    z, noise = (_slerp(x[0, first], x[0, first + 1], share)[None] for x in (stops.z, stops.noise))
    return Latents(z, noise, *(which[:, :1].expand(1, count) for which in (stops.pick, stops.partner)))


def _slerp(a: Tensor, b: Tensor, share: Tensor) -> Tensor:
    cosine = torch.nn.functional.cosine_similarity(a, b, dim=1).clamp(-0.9999, 0.9999)[:, None]
    angle = cosine.acos()
    return (torch.sin((1 - share) * angle) * a + torch.sin(share * angle) * b) / torch.sin(angle)
