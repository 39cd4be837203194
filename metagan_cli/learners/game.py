"""The inner adversarial game: one task's own images against its samples."""

from dataclasses import dataclass

import torch
from torch import Tensor

from metagan_cli.config import ModelConfig
from metagan_cli.images.resampling import twice_differentiable
from metagan_cli.networks.bundle import Networks
from metagan_cli.networks.generator.modulation import each
from metagan_cli.networks.generator.repaint import REACH, within_reach
from metagan_cli.networks.state import Latents, TaskState
from metagan_cli.objectives.energy_distance import by_features, energy_by_task
from metagan_cli.objectives.gan_losses import discriminator_loss, generator_loss
from metagan_cli.ranks import ALONE, Part

INNER_PACKS = 3  # packs a task in an inner step of meta-training


def inner_game(config: ModelConfig, packs: int = INNER_PACKS) -> "InnerGame":
    """The game that a model of this architecture plays."""
    return InnerGame(config.inner_loss, config.inner_energy, config.inner_perception, config.pack, packs)


@dataclass(frozen=True)
class Round:
    """The losses of both players [B], the scores [B, packs] and the images [B, packs * pack, C, S, S] that they came from."""

    downward: Tensor  # the min player's
    upward: Tensor  # the max player's
    true: Tensor
    false: Tensor
    real: Tensor
    fake: Tensor
    bases: Tensor


@dataclass(frozen=True)
class Turn:
    """What both players see before they move; gradients are those of each task's own loss."""

    code_each: Tensor  # [B, N, D]: by way of each of the N samples
    modulation_each: Tensor  # [B, N, G]
    critic_modulation: Tensor  # [B, J]
    downward: Tensor  # [B], the min player's loss
    upward: Tensor  # [B], the max player's

    @property
    def code(self) -> Tensor:
        """The gradient of the code [B, D]."""
        return self.code_each.sum(1)

    @property
    def modulation(self) -> Tensor:
        """The gradient of the modulation [B, G]."""
        return self.modulation_each.sum(1)


@dataclass(frozen=True)
class InnerGame:
    """min over the generator's state, max over the discriminator's: one task's own images against its samples.

    The generator's side also lowers the energy distance of its samples from all support images but that which each starts from.
    """

    objective: str = "relativistic"
    energy: float = 1.0  # weight of the energy distance
    perception: float = 0.0  # and of the same by the perceptual net's features
    pack: int = 2
    packs: int = INNER_PACKS
    first_order: bool = False  # gradients are constants, whoever asks for others
    part: Part | None = None  # of a batch of tasks, where others play for the rest

    @property
    def fewest(self) -> int:
        """The fewest shots that it can be played with: a pack of real images beside another one."""
        return self.pack + 1

    def allowed(self, steps: int, shots: int) -> int:
        """Of so many inner steps those that a task of so many images can take: all or none."""
        return steps if shots >= self.fewest else 0

    def play(self, nets: Networks, state: TaskState, rng: torch.Generator, second_order: bool = False) -> Turn:
        """Losses and their gradients. With `second_order` the gradients are functions of the state, not constants."""
        second_order = second_order and not self.first_order
        if second_order:
            nets = nets.with_frozen_critic()
        else:
            state = state.detached()
        with torch.enable_grad(), twice_differentiable(second_order):
            count = self.packs * self.pack
            parts = (each(state.code, count), each(state.modulation, count), state.critic_modulation)
            code, modulation, critic_modulation = (t if t.requires_grad else t.detach().requires_grad_() for t in parts)
            round_ = self.losses(nets, state.moved(code, modulation, critic_modulation), rng)
            (up,) = torch.autograd.grad(round_.upward.sum(), critic_modulation, retain_graph=True, create_graph=second_order)
            down = torch.autograd.grad(round_.downward.sum(), (code, modulation), create_graph=second_order)
        return Turn(down[0], down[1], up, round_.downward.detach(), round_.upward.detach())

    def losses(self, nets: Networks, state: TaskState, rng: torch.Generator) -> "Round":
        """Draws real images and samples, and scores both.

        Real packs are support images beside another support image; false packs are samples that start from it.
        """
        real, fake, bases, others = self._draw(nets, state, rng)
        true, false = (nets.discriminator(some, bases, state.critic_modulation) for some in (real, fake.to(real.dtype)))
        downward = generator_loss(self.objective, true, false)
        support, drawn = within_reach(state.bases) / REACH, fake / REACH
        if self.energy:
            downward = downward + self.energy * energy_by_task(support, drawn, self.pack, counted=others, part=self.part)
        if self.perception and nets.perceiver is not None:
            by = by_features(nets.perceiver.describe)
            downward = downward + self.perception * energy_by_task(support, drawn, self.pack, by, others, self.part)
        return Round(downward, discriminator_loss(self.objective, true, false), true, false, real, fake, bases)

    def _draw(self, nets: Networks, state: TaskState, rng: torch.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Real images, samples, the support images beside both, [B, packs * pack, C, S, S] each.

        And, [B, packs * pack, K] of 0 and 1, the support images that a sample has nothing from.
        """
        device, (b, k) = state.bases.device, state.bases.shape[:2]
        part = self.part or ALONE.part(b)
        chosen, z, noise, *partner = (part.of(drawn).to(device) for drawn in self.chance(nets, part.tasks, k, rng))
        row = torch.arange(b, device=device)[:, None]
        real = within_reach(state.bases[row, chosen[..., 1:].flatten(1)])
        pick = ((chosen[..., 0] + 0.5) / k).repeat_interleave(self.pack, 1)
        latents = Latents(z, noise, pick, partner[0] if partner else pick)
        fake, bases, _ = nets.generator(latents, state)
        return real, fake, bases, (~nets.generator.sources(latents, k)).to(real.dtype)

    def chance(self, nets: Networks, tasks: int, shots: int, rng: torch.Generator) -> tuple[Tensor, ...]:
        """All that `losses` draws: indices of support images [B, packs, pack + 1], then latents [B, packs * pack, .].

        Those are z and noise, and in colour the partners.
        """
        count = self.packs * self.pack
        chosen = distinct(tasks, shots, self.packs, self.pack + 1, rng)
        z, noise = (torch.randn(tasks, count, size, generator=rng) for size in nets.generator.latent_sizes)
        return (chosen, z, noise, torch.rand(tasks, count, generator=rng)) if nets.generator.colour else (chosen, z, noise)


def distinct(tasks: int, shots: int, packs: int, size: int, generator: torch.Generator) -> Tensor:
    """`packs` draws of `size` different support images for each task: indices [B, packs, size]."""
    order = torch.rand(tasks, packs, shots, generator=generator).argsort(-1)
    return order[..., :size]
