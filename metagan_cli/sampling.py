"""Samples by seed: each image depends on its seed, the state and the truncation alone."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from metagan_cli.networks.generator import REACH, Generator
from metagan_cli.rng import generator_for
from metagan_cli.state import Latents, TaskState, draw_latents

CHUNK = 16  # every forward pass has this many samples: results of a convolution may depend on the batch's shape


def latents_of(seeds: Sequence[int], sizes: tuple[int, int], truncation: float = 1.0) -> Latents:
    """The latents of N seeds, as one task: z and noise shrunk by the truncation in [0, 1]."""
    drawn = [draw_latents(1, 1, sizes, generator_for(seed, "sample")) for seed in seeds]
    z, noise, pick = (torch.cat([getattr(d, name) for d in drawn], 1) for name in ("z", "noise", "pick"))
    return Latents(z * truncation, noise * truncation, pick)


def walk(seeds: Sequence[int], count: int, sizes: tuple[int, int], truncation: float = 1.0) -> Latents:
    """`count` latents on the way from the first seed through all others, at even steps on the sphere (slerp).

    The whole walk starts from the first seed's support image: those cannot be mixed.
    """
    stops = latents_of(seeds, sizes, truncation)
    place = torch.linspace(0, len(seeds) - 1, count)
    first = place.long().clamp(max=len(seeds) - 2)
    share = (place - first)[:, None]
    z, noise = (_slerp(x[0, first], x[0, first + 1], share)[None] for x in (stops.z, stops.noise))
    return Latents(z, noise, stops.pick[:, :1].expand(1, count))


def _slerp(a: Tensor, b: Tensor, share: Tensor) -> Tensor:
    cosine = torch.nn.functional.cosine_similarity(a, b, dim=1).clamp(-0.9999, 0.9999)[:, None]
    angle = cosine.acos()
    return (torch.sin((1 - share) * angle) * a + torch.sin(share * angle) * b) / torch.sin(angle)


def draw_samples(generator: Generator, state: TaskState, seeds: Sequence[int], truncation: float = 1.0) -> Tensor:
    """Samples [N, C, S, S] in [-1, 1] of one task, in memory."""
    return torch.cat(list(stream_samples(generator, state, seeds, truncation)))


def stream_samples(generator: Generator, state: TaskState, seeds: Sequence[int], truncation: float = 1.0) -> Iterator[Tensor]:
    """Samples in chunks of at most CHUNK, for any number of seeds."""
    for start in range(0, len(seeds), CHUNK):
        yield generate(generator, state, latents_of(seeds[start : start + CHUNK], generator.latent_sizes, truncation))


@torch.no_grad()
def generate(generator: Generator, state: TaskState, latents: Latents) -> Tensor:
    """Samples [N, C, S, S] in [-1, 1] on the CPU for the latents of one task, chunk by chunk, each filled to CHUNK."""
    device, parts = state.code.device, []
    for start in range(0, latents.pick.shape[1], CHUNK):
        part = [t[:, start : start + CHUNK] for t in (latents.z, latents.noise, latents.pick)]
        count = part[2].shape[1]
        filled = [torch.cat([t, t[:, :1].expand(-1, CHUNK - count, *t.shape[2:])], 1) for t in part]
        images, _ = generator(Latents(*filled).to(device), state)
        parts.append((images[0, :count].float() / REACH).clamp(-1, 1).cpu())
    return torch.cat(parts)
