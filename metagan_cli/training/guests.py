"""The outer loop's update from episodes of hand and motif: guests, painted by a hand, against what that hand drew."""

import copy
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from metagan_cli.config import ModelConfig
from metagan_cli.data.guests import GuestEpisode
from metagan_cli.networks.discriminator import Discriminator
from metagan_cli.networks.generator.guests import GuestPainter
from metagan_cli.networks.generator.repaint import REACH, within_reach

SHIFTS = 2  # pixels either way by which a truth may lie elsewhere
SCALES = (1, 2, 4)


class GuestLoop:
    def __init__(self, config: ModelConfig, painter: GuestPainter, describe, rate: float, critic: float) -> None:
        self.painter, self.describe, self.weight = painter, describe, critic
        self.average = copy.deepcopy(painter)
        self.critic = Discriminator(replace(config, pack=3, critic_tokens=112, width=64, fine=24)).to(memory_format=torch.channels_last)
        self.down = torch.optim.Adam(painter.parameters(), rate, betas=(0.0 if critic else 0.9, 0.99))
        self.up = torch.optim.Adam(self.critic.parameters(), 2.5 * rate, betas=(0.5, 0.99))
        self.updates = 0

    def step(self, episode: GuestEpisode, factor: float, rng: torch.Generator) -> dict[str, float]:
        for adam, base in ((self.down, self.down.defaults["lr"]), (self.up, self.up.defaults["lr"])):
            for group in adam.param_groups:
                group["lr"] = base * factor
        support, guests, truths = episode.support, episode.guests, episode.truths
        with torch.autocast("cpu", torch.bfloat16):
            fake, _ = self.painter(guests, self.painter.hand(support))
            fooled = torch.zeros(())
            if self.weight:
                fooled = self._fooled(support, guests, truths, fake, rng)
        flat, wanted = fake.flatten(0, 1), placed(truths.flatten(0, 1), fake.detach().flatten(0, 1))
        near = sum(F.l1_loss(F.avg_pool2d(flat, k), F.avg_pool2d(wanted, k)) for k in SCALES)
        with torch.autocast("cpu", torch.bfloat16):
            seen = zip(self.describe(fake), self.describe(wanted.unflatten(0, truths.shape[:2])), strict=True)
            alike = sum(F.mse_loss(a, b) / b.var().clamp(min=1e-6) for a, b in seen) / 4
        self.down.zero_grad(set_to_none=True)
        (near + alike + self.weight * fooled).backward()
        nn.utils.clip_grad_norm_(self.painter.parameters(), 5.0)
        self.down.step()
        self.updates += 1
        decay = min(0.998, (1 + self.updates) / (10 + self.updates))
        with torch.no_grad():
            for mean, current in zip(self.average.parameters(), self.painter.parameters(), strict=True):
                mean.lerp_(current, 1 - decay)
        return {"near": float(near), "alike": float(alike), "fooled": float(fooled)}


def placed(truths: Tensor, images: Tensor) -> Tensor:
    """Truths [N, C, S, S], moved by at most SHIFTS pixels each way to where they are nearest to images of the same shape."""
    side = truths.shape[-1]
    framed = F.pad(truths, 4 * [SHIFTS], mode="replicate")
    best = torch.full_like(truths[:, 0, 0, 0], torch.inf)
    found = truths
    for down in range(2 * SHIFTS + 1):
        for across in range(2 * SHIFTS + 1):
            moved = framed[..., down : down + side, across : across + side]
            apart = (moved - images).abs().mean((1, 2, 3)) + 1e-4 * (abs(down - SHIFTS) + abs(across - SHIFTS))
            nearer = apart < best
            best = torch.where(nearer, apart, best)
            found = torch.where(nearer[:, None, None, None], moved, found)
    return found
