"""The interface of all meta-learners, and the inner adversarial game that they play."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from metagan_cli import adversarial
from metagan_cli.energy import energy_score
from metagan_cli.networks.bundle import Networks
from metagan_cli.networks.generator import REACH
from metagan_cli.state import Latents, TaskState

INNER_PACKS = 2  # packs a task in an inner step of meta-training


class Learner(nn.Module, ABC):
    """Turns a support set into a task state; its own weights are shared by all tasks."""

    @abstractmethod
    def begin(self, nets: Networks, support: Tensor) -> TaskState:
        """The state of support [B, K, C, S, S] after the first, feed-forward step."""

    @abstractmethod
    def refine(self, nets: Networks, state: TaskState, step: int, game: "InnerGame", rng: torch.Generator) -> TaskState:
        """The state after inner adversarial step number `step`, on the state's own support images."""

    def adapt(self, nets: Networks, support: Tensor, steps: int, game: "InnerGame", rng: torch.Generator) -> TaskState:
        """Feed-forward step, then `steps` inner steps; fewer than `game.fewest` shots take none."""
        state = self.begin(nets, support)
        if support.shape[1] >= game.fewest:
            for step in range(steps):
                state = self.refine(nets, state, step, game, rng)
        return state


@dataclass(frozen=True)
class InnerGame:
    """min over the generator's state, max over the discriminator's: one task's own images against its samples.

    The generator's side also lowers the energy distance of its samples from the real ones beside them.
    """

    form: str = "relativistic"
    energy: float = 1.0  # weight of the energy distance
    pack: int = 2
    packs: int = INNER_PACKS

    @property
    def fewest(self) -> int:
        """The fewest shots that it can be played with: a pack of real images beside another one."""
        return self.pack + 1

    def gradients(self, nets: Networks, state: TaskState, rng: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """First-order gradients of both players' losses: of code [B, D], gains [B, G] and judge [B, J].

        Real packs are support images beside another support image; false packs are samples that start from it.
        """
        device = state.bases.device
        code, gains, judge = (t.detach().requires_grad_() for t in (state.code, state.gains, state.judge))
        state = state.detached().moved(code, gains, judge)
        b, k = state.bases.shape[:2]
        chosen = adversarial.distinct(b, k, self.packs, self.pack + 1, rng).to(device)
        row = torch.arange(b, device=device)[:, None]
        real = state.bases[row, chosen[..., 1:].flatten(1)].clamp(-REACH, REACH)
        pick = (chosen[..., 0] + 0.5) / k
        z_size, noise_size = nets.generator.latent_sizes
        count = self.packs * self.pack
        latents = Latents(
            torch.randn(b, count, z_size, generator=rng).to(device),
            torch.randn(b, count, noise_size, generator=rng).to(device),
            pick.repeat_interleave(self.pack, 1),
        )
        with torch.enable_grad():
            fake, bases = nets.generator(latents, state)
            scores = nets.discriminator(torch.cat([real, fake.to(real.dtype)], 1), torch.cat([bases, bases], 1), judge)
            true, false = scores.chunk(2, 1)
            upward = adversarial.discriminator_loss(self.form, true, false)
            downward = adversarial.generator_loss(self.form, true, false)
            downward = downward + self.energy * energy_score(real / REACH, fake / REACH, self.pack)
            (judge_gradient,) = torch.autograd.grad(upward, judge, retain_graph=True)
            code_gradient, gains_gradient = torch.autograd.grad(downward, (code, gains))
        return code_gradient, gains_gradient, judge_gradient
