"""The outer loop of guests: motifs by other hands, painted by a hand, against what that hand drew of them."""

import copy
from collections.abc import Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from metagan_cli.config import Recipe
from metagan_cli.devices import compute
from metagan_cli.images.shifts import placed
from metagan_cli.learners.base import Learner
from metagan_cli.networks.bundle import Networks
from metagan_cli.networks.discriminator import Discriminator
from metagan_cli.networks.generator.guests import GuestPainter
from metagan_cli.networks.hand_net import HandNet
from metagan_cli.objectives.energy_distance import Yardstick, energy_score
from metagan_cli.objectives.gan_losses import drift_penalty, noise_penalty
from metagan_cli.objectives.pixels import pixels_apart
from metagan_cli.objectives.thermostat import Thermostat
from metagan_cli.ranks import ALONE, Part, Ranks
from metagan_cli.rng import generator_for, seeded
from metagan_cli.training.outer_loop import StepStats
from metagan_cli.training.upkeep import Resumable, average, set_rates

BESIDE = 2  # support images that the critic sees beside a guest and what became of it
CRITIC = 128, 64, 24  # channels at 8x8, at 16x16 and at half the side; it does not ship
LARGEST = 5.0  # norm of a gradient
DECIDED = 0.5  # share of the steps until how far pixels are from being of one paint has its whole weight
BY_HAND = Yardstick(lambda hands: [hands], straight=1.0, kernel=0.0, reach=1.0, square=0.5)  # of what a net tells hands by


class GuestLoop(Resumable):
    """A model's guest painter, its average, a critic of its own and their optimisers; all else of it stays as it is."""

    def __init__(
        self,
        recipe: Recipe,
        device: torch.device,
        dtype: torch.dtype,
        nets: Networks,
        learner: Learner,
        net: HandNet,
        ranks: Ranks = ALONE,
    ) -> None:
        """Of a model that is to paint guests, or does already, and a net that tells hands and motifs and stays as it is.

        `ranks` says who trains beside this process.
        """
        train, model = recipe.train, recipe.model
        self.part = ranks.part(train.tasks_per_batch)
        self.tasks: Sequence[int] = self.part.own
        self.recipe, self.device, self.dtype = recipe, device, dtype
        self.nets, self.learner, self.net = nets.to(device), learner.to(device), net.requires_grad_(False).to(device)
        with seeded(generator_for(train.seed, "guests")):
            if self.nets.guests is None:
                self.nets.guests = GuestPainter(model.channels, model.image_size)
            critic = Discriminator(replace(model, pack=BESIDE + 1, critic_tokens=CRITIC[0], width=CRITIC[1], fine=CRITIC[2]))
        self.nets.to(memory_format=torch.channels_last)
        self.critic = critic.to(device).to(memory_format=torch.channels_last)
        self.painter = self.nets.guests
        self.averaged_painter = copy.deepcopy(self.painter)
        self.thermostat = Thermostat(train.penalty)
        self.updates, self.margin = 0, 1.0
        self.down = torch.optim.Adam(self.painter.parameters(), train.generator_rate, betas=(0.5 if train.critic else 0.9, 0.99))
        self.up = torch.optim.Adam(self.critic.parameters(), train.critic_rate, betas=(0.5, 0.99))

    def step(self, number: int, support: Tensor, guests: Tensor, truths: Tensor) -> StepStats:
        """Outer step `number`: support [B, K, C, S, S], guests and truths [B, N, C, S, S] in [-1, 1] of the hands in `tasks`."""
        train = self.recipe.train
        set_rates([(self.down, train.generator_rate), (self.up, train.critic_rate)], train, number)
        support, guests, truths = (images.to(self.device, non_blocking=True) for images in (support, guests, truths))
        rng, critic_loss, scores = generator_for(train.seed, "guest step", number), None, None
        with compute(self.device, self.dtype):
            images, logits, uneven = self.painter.paint(guests, self.painter.hand(support))
            if train.critic and number >= train.head_start:
                pair = torch.stack([torch.randperm(support.shape[1], generator=rng)[:BESIDE] for _ in range(self.part.tasks)])
                beside = support[torch.arange(len(support))[:, None], self.part.of(pair) % support.shape[1]]
                critic_loss, scores = self._critic_step(images.detach(), truths, guests, beside, rng)
            near, total = self._apart(images, logits, truths, train.decision * min(1.0, number / (DECIDED * train.steps)))
            total = total + train.even * uneven
            if scores is not None:
                self.critic.requires_grad_(False)
                fooled = F.softplus(scores - self._scores(images, guests, beside)).mean()
                self.critic.requires_grad_(True)
                total = total + train.critic * fooled
        self.down.zero_grad(set_to_none=True)
        total.backward()
        self.part.average_gradients(self.down)
        nn.utils.clip_grad_norm_(self.painter.parameters(), LARGEST)
        self.down.step()
        self.updates += 1
        average(self.averaged_painter, self.painter, self.updates, train.ema)
        return StepStats(
            step=number,
            shots=support.shape[1],
            inner_steps=0,
            critic_loss=critic_loss or 0.0,
            generator_loss=self.part.mean(total).item(),
            energy=self.part.mean(near).item(),
            blemish_loss=None,
            margin=self.margin,
            spread=float(self.part.gather(scores).std()) if scores is not None else 1.0,
            penalty=self.thermostat.weight,
        )

    def _apart(self, images: Tensor, logits: Tensor, truths: Tensor, decision: float) -> tuple[Tensor, Tensor]:
        """How far images [B, N, C, S, S] are from truths by pixels, and by all that counts."""
        flat = images.flatten(0, 1)
        wanted = placed(truths.flatten(0, 1), flat.detach())
        near = pixels_apart(flat, wanted)
        total = near + decision * (1 - logits.softmax(2).amax(2)).mean()
        if self.recipe.train.perception:
            total = total + self.recipe.train.perception * self._unlike(flat, wanted, len(images))
        return near, total

    def _unlike(self, images: Tensor, wanted: Tensor, tasks: int) -> Tensor:
        """How far images are from others [N, C, S, S], of so many hands, to the net: each by itself, a hand's as a set."""
        seen, known = self.net.maps(images), self.net.maps(wanted)
        parts = [_relative(a, b, self.part) for a, b in zip(seen, known, strict=True)]
        hand, motif = self.net.read(seen)
        own, shown = self.net.read(known)
        set_apart = energy_score(own.unflatten(0, (tasks, -1)), hand.unflatten(0, (tasks, -1)), by=BY_HAND, part=self.part)
        return torch.stack(parts).mean() + (set_apart + (1 - (motif * shown).sum(1)).mean()) / 2

    def _scores(self, images: Tensor, guests: Tensor, beside: Tensor) -> Tensor:
        """The critic's scores [B, N] of images beside the guests that they come from and support images [B, BESIDE, C, S, S]."""
        parts = [images, guests, beside[:, :1].expand_as(images)]
        packs = torch.stack([part.to(images.dtype) for part in parts], 2).flatten(1, 2)
        other = beside[:, 1:].expand_as(images).repeat_interleave(BESIDE + 1, 1)
        return torch.as_tensor(self.critic(packs, other))

    def _critic_step(
        self, fake: Tensor, truths: Tensor, guests: Tensor, beside: Tensor, rng: torch.Generator
    ) -> tuple[float, Tensor]:
        """Relativistic losses and penalties; returns the loss and the scores [B, N] of truths from before its update."""
        train = self.recipe.train
        both, twice = torch.cat([truths, fake.float()], 1), torch.cat([guests, guests], 1)
        noise = self.part.of(torch.randn(self.part.tasks, *both.shape[1:], generator=rng)).to(self.device)
        scores = self._scores(both, twice, beside)
        noisy = self._scores(both + train.penalty_noise * noise, twice, beside)
        real, false = scores.chunk(2, 1)
        loss = F.softplus(false - real).mean()
        penalty = self.thermostat.weight * noise_penalty(scores, noisy) + train.drift * drift_penalty(real, false)
        self.up.zero_grad(set_to_none=True)
        (loss + penalty).backward()
        self.part.average_gradients(self.up)
        self.up.step()
        told = self.part.mean(loss).item()
        self.thermostat.watch(told)
        self.margin = float(self.part.mean((real - false).mean()))
        return told, real.detach()

    def averaged(self) -> tuple[Networks, Learner]:
        """Networks and learner as they ship, with averaged weights."""
        return self.nets.with_parts(guests=self.averaged_painter), self.learner

    def _modules(self) -> dict[str, nn.Module]:
        return {"nets": self.nets, "learner": self.learner, "average": self.averaged_painter, "critic": self.critic}

    def _adams(self) -> dict[str, torch.optim.Adam]:
        return {"down": self.down, "up": self.up}


def _relative(left: Tensor, right: Tensor, part: Part) -> Tensor:
    """Mean squared difference of features in units of their variance, of all of a batch that these are a part of."""
    left, right = left.float(), right.float()
    return torch.as_tensor(F.mse_loss(left, right) / part.variance(right).clamp(min=1e-6))
