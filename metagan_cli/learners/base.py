"""The interface of all meta-learners, and the inner adversarial game that they play."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from metagan_cli import adversarial
from metagan_cli.config import ModelConfig
from metagan_cli.energy import by_features, energy_by_task
from metagan_cli.networks.bundle import Networks
from metagan_cli.networks.generator import REACH, each, gain_sizes, within_reach
from metagan_cli.resampling import twice_differentiable
from metagan_cli.state import Latents, TaskState

INNER_PACKS = 3  # packs a task in an inner step of meta-training
RATED_STEPS = 4  # inner steps of full size
BLIND = 3.0  # how much further inner steps go at first where they alone tell tasks apart
JUDGE_RATE = 0.02  # root mean square of the max player's step along a unit gradient


class Learner(nn.Module, ABC):
    """Turns a support set into a task state; its own weights are shared by all tasks."""

    second_order = False  # whether the outer loss goes through the inner gradients as well
    calm = 1  # how many times the usual packs an adaptation looks at
    feed_forward = False  # whether the state is good before any inner step, so that meta-training may leave them out

    @abstractmethod
    def begin(self, nets: Networks, support: Tensor) -> TaskState:
        """The state of support [B, K, C, S, S] before any inner step."""

    @abstractmethod
    def refine(self, nets: Networks, state: TaskState, step: int, game: "InnerGame", rng: torch.Generator) -> TaskState:
        """The state after inner adversarial step number `step`, on the state's own support images."""

    def adapt(self, nets: Networks, support: Tensor, steps: int, game: "InnerGame", rng: torch.Generator) -> TaskState:
        """The first state, then `steps` inner steps; fewer than `game.fewest` shots take none."""
        state = self.begin(nets, support)
        for step in range(game.allowed(steps, support.shape[1])):
            state = self.refine(nets, state, step, game, rng)
        return replace(state, memory=())


def seen(nets: Networks, support: Tensor) -> TaskState:
    """What the encoder makes of support [B, K, C, S, S], with nothing adapted yet; nothing, where all is left to inner steps."""
    tokens, code = nets.encoder(support)
    if not nets.config.feed_forward:
        tokens, code = torch.zeros_like(tokens), torch.zeros_like(code)
    gains, judge, weights = (support.new_zeros(len(support), n) for n in (nets.generator.gains, nets.discriminator.judges, 0))
    return TaskState(support, tokens, code, gains, judge, weights)


def fade(step: int) -> float:
    """By how much inner step number `step` is shortened: later ones fall as 1 / step."""
    return min(1.0, RATED_STEPS / (step + 1))


class LearnedStart(Learner):
    """A learner whose first state is the same for every task, and learned (Finn et al. 2017).

    What a task's images look like still reaches the generator as tokens: it has to know the image that a sample starts from.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.code = nn.Parameter(0.02 * torch.randn(config.tokens))
        self.gains = nn.Parameter(torch.zeros(sum(gain_sizes(config))))

    def begin(self, nets: Networks, support: Tensor) -> TaskState:
        tasks = len(support)
        return replace(seen(nets, support), code=self.code.expand(tasks, -1), gains=self.gains.expand(tasks, -1))


def stride(config: ModelConfig) -> float:
    """By how much inner steps of an untrained learner are longer than usual."""
    return 1.0 if config.feed_forward else BLIND


def inner_game(config: ModelConfig, packs: int = INNER_PACKS) -> "InnerGame":
    """The game that a model of this architecture plays."""
    return InnerGame(config.inner_loss, config.inner_energy, config.inner_perception, config.pack, packs)


def adaptation_game(config: ModelConfig, learner: Learner, packs: int) -> "InnerGame":
    """The same as an adaptation by this learner plays it, where the usual number of packs an inner step is `packs`."""
    return inner_game(config, packs * learner.calm)


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
    gains_each: Tensor  # [B, N, G]
    judge: Tensor  # [B, J]
    downward: Tensor  # [B], the min player's loss
    upward: Tensor  # [B], the max player's

    @property
    def code(self) -> Tensor:
        """The gradient of the code [B, D]."""
        return self.code_each.sum(1)

    @property
    def gains(self) -> Tensor:
        """The gradient of the gains [B, G]."""
        return self.gains_each.sum(1)


@dataclass(frozen=True)
class InnerGame:
    """min over the generator's state, max over the discriminator's: one task's own images against its samples.

    The generator's side also lowers the energy distance of its samples from all support images but that which each starts from.
    """

    form: str = "relativistic"
    energy: float = 1.0  # weight of the energy distance
    perception: float = 0.0  # and of the same by the perceiver's features
    pack: int = 2
    packs: int = INNER_PACKS
    first_order: bool = False  # gradients are constants, whoever asks for others

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
            parts = (each(state.code, count), each(state.gains, count), state.judge)
            code, gains, judge = (t if t.requires_grad else t.detach().requires_grad_() for t in parts)
            round_ = self.losses(nets, state.moved(code, gains, judge), rng)
            (up,) = torch.autograd.grad(round_.upward.sum(), judge, retain_graph=True, create_graph=second_order)
            down = torch.autograd.grad(round_.downward.sum(), (code, gains), create_graph=second_order)
        return Turn(down[0], down[1], up, round_.downward.detach(), round_.upward.detach())

    def losses(self, nets: Networks, state: TaskState, rng: torch.Generator) -> "Round":
        """Draws real images and samples, and scores both.

        Real packs are support images beside another support image; false packs are samples that start from it.
        """
        real, fake, bases, others = self._draw(nets, state, rng)
        scores = nets.discriminator(torch.cat([real, fake.to(real.dtype)], 1), torch.cat([bases, bases], 1), state.judge)
        true, false = scores.chunk(2, 1)
        downward = adversarial.generator_loss(self.form, true, false)
        support, drawn = within_reach(state.bases) / REACH, fake / REACH
        if self.energy:
            downward = downward + self.energy * energy_by_task(support, drawn, self.pack, counted=others)
        if self.perception and nets.perceiver is not None:
            by = by_features(nets.perceiver.describe)
            downward = downward + self.perception * energy_by_task(support, drawn, self.pack, by, others)
        return Round(downward, adversarial.discriminator_loss(self.form, true, false), true, false, real, fake, bases)

    def _draw(self, nets: Networks, state: TaskState, rng: torch.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Real images, samples, the support images beside both, [B, packs * pack, C, S, S] each.

        And, [B, packs * pack, K] of 0 and 1, the support images that a sample has nothing from.
        """
        device, (b, k) = state.bases.device, state.bases.shape[:2]
        chosen = adversarial.distinct(b, k, self.packs, self.pack + 1, rng).to(device)
        row = torch.arange(b, device=device)[:, None]
        real = within_reach(state.bases[row, chosen[..., 1:].flatten(1)])
        pick = ((chosen[..., 0] + 0.5) / k).repeat_interleave(self.pack, 1)
        z_size, noise_size = nets.generator.latent_sizes
        count = self.packs * self.pack
        latents = Latents(
            torch.randn(b, count, z_size, generator=rng).to(device),
            torch.randn(b, count, noise_size, generator=rng).to(device),
            pick,
            torch.rand(b, count, generator=rng).to(device) if nets.generator.colour else pick,
        )
        fake, bases = nets.generator(latents, state)
        return real, fake, bases, (~nets.generator.sources(latents, k)).to(real.dtype)
