"""Samples by seed: each image depends on its seed, the state and the truncation alone."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from metagan_cli.networks.bundle import Networks
from metagan_cli.networks.generator import REACH
from metagan_cli.rng import generator_for
from metagan_cli.state import Latents, TaskState, draw_latents

CHUNK = 16  # every forward pass has this many samples: results of a convolution may depend on the batch's shape
BLOCK = 4 * CHUNK  # samples that are judged together
DRAFTS = 4  # most drafts of one sample
REFUSED = 0.25  # share of drafts that the discriminator sends back
REFERENCES, PEERS = 32, 4  # drafts that set the bar, and for each support image those that others are judged beside


class Sampler:
    """Draws samples of one task, and draws again what the discriminator finds worse than most.

    Rejection by a discriminator (Azadi et al. 2019), which is trained to tell real images from blemished ones as well: it
    finds lost strokes and blots. A sample is the first of DRAFTS drafts above the bar, or the best of them; all start
    from the same support image.
    """

    def __init__(self, nets: Networks, state: TaskState, truncation: float = 1.0, drafts: int = DRAFTS) -> None:
        self.nets, self.state, self.truncation, self.drafts = nets, state, truncation, drafts
        self.shots = state.bases.shape[1]
        self.bar = float("-inf")
        if drafts > 1:
            self.peers = self._generate(self._evenly(self.shots * PEERS, "peers"))[0].unflatten(0, (PEERS, self.shots))
            self.bar = float(self._judged(self._evenly(REFERENCES, "references"))[1].quantile(REFUSED))

    def draw(self, seeds: Sequence[int]) -> Tensor:
        """Samples [N, C, S, S] in [-1, 1], in memory on the CPU."""
        return torch.cat(list(self.stream(seeds)))

    def stream(self, seeds: Sequence[int]) -> Iterator[Tensor]:
        """Samples in blocks of at most BLOCK, for any number of seeds."""
        for start in range(0, len(seeds), BLOCK):
            yield self._accepted(seeds[start : start + BLOCK])[0]

    def walk(self, seeds: Sequence[int], count: int) -> Tensor:
        """`count` images [count, C, S, S] on the way from the first seed's sample through those of all others."""
        stops = [self._accepted(seeds[start : start + BLOCK])[1] for start in range(0, len(seeds), BLOCK)]
        names = ("z", "noise", "pick")
        return self._generate(between(Latents(*(torch.cat([getattr(s, n) for s in stops], 1) for n in names)), count))[0]

    def _accepted(self, seeds: Sequence[int]) -> tuple[Tensor, Latents]:
        """The samples of these seeds, and the latents that they come from."""
        latents = self._latents(seeds)
        images, scores = self._judged(latents)
        for draft in range(1, self.drafts):
            refused = (scores < self.bar).nonzero()[:, 0]
            if not len(refused):
                break
            other = self._latents([seeds[i] for i in refused.tolist()], draft)
            drawn, found = self._judged(other)
            better = found > scores[refused]
            place = refused[better]
            images[place], scores[place] = drawn[better], found[better]
            latents.z[:, place], latents.noise[:, place] = other.z[:, better], other.noise[:, better]
        return images, latents

    def _latents(self, seeds: Sequence[int], draft: int = 0) -> Latents:
        return latents_of(seeds, self.nets.generator.latent_sizes, self.truncation, draft)

    def _evenly(self, count: int, stream: str) -> Latents:
        """Latents of `count` drafts that start from the support images in turn."""
        drawn = draw_latents(1, count, self.nets.generator.latent_sizes, generator_for(0, stream))
        return replace(drawn, pick=(torch.arange(count)[None] % self.shots + 0.5) / self.shots)

    @torch.no_grad()
    def _generate(self, latents: Latents, judged: bool = False) -> tuple[Tensor, Tensor]:
        """Samples [N, C, S, S] in [-1, 1] for N latents of one task, and their scores [N], in chunks all filled to CHUNK."""
        drawn, scores = [], []
        for start in range(0, latents.pick.shape[1], CHUNK):
            part = [t[:, start : start + CHUNK] for t in (latents.z, latents.noise, latents.pick)]
            count = part[2].shape[1]
            filled = Latents(*(torch.cat([t, t[:, :1].expand(-1, CHUNK - count, *t.shape[2:])], 1) for t in part))
            images, bases = self.nets.generator(filled.to(self.state.code.device), self.state)
            images = (images[0].float() / REACH).clamp(-1, 1).cpu()
            drawn.append(images[:count])
            if judged:
                scores.append(self._scores(images, bases, filled.base_index(self.shots)[0])[:count])
        return torch.cat(drawn), torch.cat(scores) if judged else torch.zeros(latents.pick.shape[1])

    def _judged(self, latents: Latents) -> tuple[Tensor, Tensor]:
        return self._generate(latents, judged=self.drafts > 1)

    def _scores(self, images: Tensor, bases: Tensor, index: Tensor) -> Tensor:
        """The discriminator's mean score [N] of images [N, C, S, S] in packs with several peers of their support image."""
        pack = self.nets.discriminator.pack
        total = torch.zeros(len(images))
        for i in range(PEERS):
            beside = [self.peers[(i + j) % PEERS, index] for j in range(pack - 1)]
            packed = REACH * torch.stack([images, *beside], 1).flatten(0, 1)[None]
            scores = self.nets.discriminator(packed.to(bases.device), bases.repeat_interleave(pack, 1))
            total += scores[0].cpu()
        return total / PEERS


def latents_of(seeds: Sequence[int], sizes: tuple[int, int], truncation: float = 1.0, draft: int = 0) -> Latents:
    """The latents of N seeds, as one task: z and noise shrunk by the truncation in [0, 1].

    All drafts of a seed start from the same support image.
    """
    first, drawn = ([draw_latents(1, 1, sizes, generator_for(seed, "sample", number)) for seed in seeds] for number in (0, draft))
    z, noise = (torch.cat([getattr(d, name) for d in drawn], 1) for name in ("z", "noise"))
    return Latents(z * truncation, noise * truncation, torch.cat([d.pick for d in first], 1))


def between(stops: Latents, count: int) -> Latents:
    """`count` latents on the way from the first of one task's latents through all others, at even steps on the sphere (slerp).

    The whole walk starts from the first one's support image: those cannot be mixed.
    """
    number = stops.pick.shape[1]
    place = torch.linspace(0, number - 1, count)
    first = place.long().clamp(max=number - 2)
    share = (place - first)[:, None]
    z, noise = (_slerp(x[0, first], x[0, first + 1], share)[None] for x in (stops.z, stops.noise))
    return Latents(z, noise, stops.pick[:, :1].expand(1, count))


def _slerp(a: Tensor, b: Tensor, share: Tensor) -> Tensor:
    cosine = torch.nn.functional.cosine_similarity(a, b, dim=1).clamp(-0.9999, 0.9999)[:, None]
    angle = cosine.acos()
    return (torch.sin((1 - share) * angle) * a + torch.sin(share * angle) * b) / torch.sin(angle)
