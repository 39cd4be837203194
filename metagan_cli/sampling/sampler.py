"""Samples by seed: each image depends on its seed, the state and the truncation alone."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from metagan_cli.images.copies import are_copies, distances, thresholds
from metagan_cli.networks.bundle import Networks
from metagan_cli.networks.generator.plan import Plan
from metagan_cli.networks.generator.plan import together as plans_together
from metagan_cli.networks.generator.repaint import REACH
from metagan_cli.networks.state import Latents, TaskState, draw_latents
from metagan_cli.rng import generator_for
from metagan_cli.sampling.drawn import Drawn
from metagan_cli.sampling.latents import between, latents_of, together

CHUNK = 16  # every forward pass has this many samples: results of a convolution may depend on the batch's shape
BLOCK = 4 * CHUNK  # samples that are judged together
DRAFTS = 4  # most drafts of one sample
FURTHER = 3  # and more of one whose drafts were all copies
REFUSED = 0.25  # share of drafts that the discriminator sends back
COPY = 1e3  # taken from the score of a copy: more than all scores differ
WIDER = 1 / 3  # by so much each draft that is drawn because all before were copies has larger latents than the last one
REFERENCES, PEERS = 32, 2  # drafts, at least, that set the bar; how many of them each draft is judged beside


class Sampler:
    """Draws samples of one task, and draws again what the discriminator finds worse than most.

    Rejection by a discriminator (Azadi et al. 2019), which is trained to tell real images from blemished ones as well: it
    finds lost strokes and blots. Copies of a support image, by the copy test, are drawn again as well, each time from wider
    latents, and some FURTHER times if need be. A sample is the first of DRAFTS drafts that passes, or the best of them; all start
    from the same support image, and are judged beside other drafts that start there.
    """

    def __init__(self, nets: Networks, state: TaskState, truncation: float = 1.0, drafts: int = DRAFTS) -> None:
        self.nets, self.state, self.truncation, self.drafts = nets, state, truncation, drafts
        self.shots = state.bases.shape[1]
        self.level, self.bar = torch.zeros(self.shots), float("-inf")
        if drafts > 1:
            each = max(PEERS + nets.discriminator.pack - 1, math.ceil(REFERENCES / self.shots))
            base, number = torch.arange(self.shots).repeat(each), torch.arange(each).repeat_interleave(self.shots)
            drawn = draw_latents(1, len(base), nets.generator.latent_sizes, generator_for(0, "references"))
            references = replace(drawn, pick=(base[None] + 0.5) / self.shots)
            self.references = self._generate(references)[0].unflatten(0, (each, self.shots))
            scores = self._scores(self.references.flatten(0, 1), base, number + 1).view(each, self.shots)
            self.level = scores.mean(0)
            self.bar = float((scores - self.level).quantile(REFUSED))
            self.examples = state.bases[0].float().cpu()
            self.redraws = thresholds(self.examples)

    def draw(self, seeds: Sequence[int]) -> Tensor:
        """Samples [N, C, S, S] in [-1, 1], in memory on the CPU."""
        return torch.cat([drawn.images for drawn in self.stream(seeds)])

    def stream(self, seeds: Sequence[int]) -> Iterator[Drawn]:
        """Samples in blocks of at most BLOCK, for any number of seeds."""
        for start in range(0, len(seeds), BLOCK):
            images, plan, _, scores = self._accepted(seeds[start : start + BLOCK])
            scores = torch.where(scores < -COPY / 2, scores + COPY, scores)
            yield _variants(images, plan, scores if self.drafts > 1 else None)

    def walk(self, seeds: Sequence[int], count: int) -> Drawn:
        """`count` images on the way from the first seed's sample through those of all others."""
        return _variants(*self._generate(between(self._accepted(seeds)[2], count)))

    def _accepted(self, seeds: Sequence[int]) -> tuple[Tensor, Plan, Latents, Tensor]:
        """The samples of these seeds with their plans, the latents that they come from, and their scores, as by `_judged`."""
        latents = self._latents(seeds)
        images, plan, scores = self._judged(latents)
        draft, last = 1, self.drafts + FURTHER if self.drafts > 1 else 1
        while draft < last:
            bar = self.bar if draft < self.drafts else -COPY / 2
            refused = (scores < bar).nonzero()[:, 0]
            if not len(refused):
                break
            copied = scores[refused] < -COPY / 2
            turns = 1 if copied.any() else min(self.drafts - draft, max(1, CHUNK // len(refused)))  # that one pass has room for
            other = self._drafts([seeds[i] for i in refused.tolist()], range(draft, draft + turns), copied)
            drawn, planned, found = self._judged(other)
            for rows in torch.arange(len(found)).chunk(turns):
                better = (scores[refused] < bar) & (found[rows] > scores[refused])
                place, taken = refused[better], rows[better]
                images[place], scores[place] = drawn[taken], found[taken]
                plan.replace(place, planned, taken)
                for name in ("z", "noise", "partner"):
                    getattr(latents, name)[:, place] = getattr(other, name)[:, taken]
            draft += turns
        return images, plan, latents, scores

    def _drafts(self, seeds: Sequence[int], numbers: Sequence[int], copied: Tensor) -> Latents:
        """Latents of these drafts of each of N seeds, one draft after the other; wider where `copied` [N], as all before were."""
        width = torch.cat([torch.where(copied, 1 + WIDER * number, 1.0) for number in numbers])
        return self.nets.generator.widened(together([self._latents(seeds, number) for number in numbers]), width[None])

    def _latents(self, seeds: Sequence[int], draft: int = 0) -> Latents:
        return latents_of(seeds, self.nets.generator.latent_sizes, self.truncation, draft)

    def _judged(self, latents: Latents) -> tuple[Tensor, Plan, Tensor]:
        """Drafts with their plans, and their scores [N] above the mean of their support image's drafts.

        Scores are zeros where nothing is drawn again.
        """
        (images, plan), base = self._generate(latents), latents.base_index(self.shots)[0]
        if self.drafts == 1:
            return images, plan, torch.zeros(len(images))
        scores = self._scores(images, base, torch.zeros(len(images), dtype=torch.long)) - self.level[base]
        copied = are_copies(distances(images, self.examples), self.redraws)
        return images, plan, scores - COPY * copied

    def _generate(self, latents: Latents) -> tuple[Tensor, Plan]:
        """Samples [N, C, S, S] in [-1, 1] for N latents of one task, and their plans, on the CPU."""
        images, plans = zip(*self._drawn(latents), strict=True)
        return torch.cat(images), plans_together(plans)

    def _drawn(self, latents: Latents) -> Iterator[tuple[Tensor, Plan]]:
        """The same chunk by chunk, each filled to CHUNK."""
        for start in range(0, latents.pick.shape[1], CHUNK):
            some = latents.part(slice(1), slice(start, start + CHUNK))
            whole, count = some.map(lambda tensor: filled(tensor[0])[None]), some.pick.shape[1]
            with torch.no_grad():
                images, _, plan = self.nets.generator(whole.to(self.state.code.device), self.state)
            yield (images[0, :count].float() / REACH).clamp(-1, 1).cpu(), plan.part(slice(count)).to(torch.device("cpu"))

    @torch.no_grad()
    def _scores(self, images: Tensor, base: Tensor, first: Tensor) -> Tensor:
        """The discriminator's mean scores [N] of images [N, C, S, S] in packs with PEERS of the drafts from their support image.

        `base` [N] is the index of that image, `first` [N] the number of the first of those drafts.
        """
        device, pack, parts = self.state.code.device, self.nets.discriminator.pack, []
        for start in range(0, len(images), CHUNK):
            some, own, number = (filled(t[start : start + CHUNK]) for t in (images, base, first))
            beside = self.state.bases[0, own.to(device)].repeat_interleave(pack, 0)[None]
            total = torch.zeros(CHUNK)
            for i in range(PEERS):
                peers = [self.references[(number + i + j) % len(self.references), own] for j in range(pack - 1)]
                packed = REACH * torch.stack([some, *peers], 1).flatten(0, 1)[None]
                total += self.nets.discriminator(packed.to(device), beside)[0].cpu()
            parts.append(total[: len(images[start : start + CHUNK])] / PEERS)
        return torch.cat(parts)


def _variants(images: Tensor, plan: Plan, scores: Tensor | None = None) -> Drawn:
    return Drawn(images, tuple(range(len(images))), plan, scores)


def filled(rows: Tensor) -> Tensor:
    """Rows [N, ...], N at most CHUNK, with the first repeated up to CHUNK."""
    return torch.cat([rows, rows[:1].expand(CHUNK - len(rows), *rows.shape[1:])])
