"""The outer loop's update: the critic, then everything that is shared, from one batch of tasks."""

import copy
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from metagan_cli.config import Recipe
from metagan_cli.devices import compute
from metagan_cli.images.corruptions import blemish_packs, foreign_of
from metagan_cli.images.typical import most_typical_first
from metagan_cli.learners.base import Learner, players
from metagan_cli.learners.build import build_learner
from metagan_cli.learners.game import inner_game
from metagan_cli.networks.bundle import Networks, build_networks
from metagan_cli.networks.generator.repaint import REACH, within_reach
from metagan_cli.networks.perceptual_net import PerceptualNet
from metagan_cli.networks.state import TaskState, draw_latents
from metagan_cli.networks.weights import named
from metagan_cli.objectives.energy_distance import by_features, energy_score
from metagan_cli.objectives.gan_losses import drift_penalty, noise_penalty
from metagan_cli.objectives.thermostat import Thermostat
from metagan_cli.ranks import ALONE, Ranks
from metagan_cli.rng import generator_for
from metagan_cli.training.upkeep import Resumable, average, set_rates

LARGEST = 20.0  # norm of a second-order gradient: it is about 10 in first order, through several inner steps a million at times
LEARNER_RATE = 5.0  # how much faster than the networks the learner learns: it has a part in some episodes only


@dataclass(frozen=True)
class StepStats:
    """One outer step in figures."""

    step: int
    shots: int
    inner_steps: int
    critic_loss: float
    generator_loss: float | None  # none where the generator waited
    energy: float | None  # energy distance of samples from queries; likewise
    blemish_loss: float | None  # critic's loss on blemished images: ln 2 where it cannot tell them from real ones
    margin: float  # mean score of real packs less that of false ones
    spread: float  # standard deviation of all scores; zero is a dead critic
    penalty: float  # the thermostat's weight

    def as_dict(self) -> dict[str, Any]:
        """The figures by name, for a line of stats, where the blemish loss is called `told`."""
        return {"told" if name == "blemish_loss" else name: value for name, value in asdict(self).items()}


class OuterLoop(Resumable):
    """Networks, learner, their averages and optimisers; `step` is one update of all of them."""

    def __init__(
        self,
        recipe: Recipe,
        device: torch.device,
        dtype: torch.dtype,
        perceptual_net: PerceptualNet | None = None,
        ranks: Ranks = ALONE,
    ) -> None:
        """Of a perceptual net where the recipe listens to one; `ranks` says who trains beside this process."""
        train = recipe.train
        self.part = ranks.part(train.tasks_per_batch)
        self.tasks: Sequence[int] = self.part.with_before  # that one lends blemishes
        if device.type == "cpu":  # else threads add the gradients of an index in any order, and no run could be repeated
            torch.use_deterministic_algorithms(True, warn_only=True)
        self.recipe, self.device, self.dtype = recipe, device, dtype
        self.perceived = None
        if perceptual_net is not None and train.perception:
            self.perceived = by_features(perceptual_net.to(device).describe, train.middle)
        self.nets = build_networks(recipe.model, generator_for(train.seed, "weights"), recipe.variation).to(device)
        if self.nets.perceiver is not None and perceptual_net is not None:
            self.nets.perceiver.load_state_dict(perceptual_net.state_dict())
        self.learner = build_learner(recipe.model, generator_for(train.seed, "learner")).to(device)
        self.averages = copy.deepcopy(self.generating())
        self.game = replace(inner_game(recipe.model), part=self.part)
        self.thermostat = Thermostat(train.penalty)
        self.updates = 0  # of the generator
        self.generator_adam = torch.optim.Adam(self._groups(), train.generator_rate, betas=(0.0, 0.99))
        self.critic_adam = torch.optim.Adam(self.nets.discriminator.parameters(), train.critic_rate, betas=(0.5, 0.99))

    def generating(self) -> nn.ModuleDict:
        """All that the generator's side learns: encoder, generator and learner."""
        parts = {"encoder": self.nets.encoder, "generator": self.nets.generator, "learner": self.learner}
        return nn.ModuleDict(parts)

    def _groups(self) -> list[dict[str, Any]]:
        """What the generator's optimiser moves, and how many times the usual rate."""
        networks = [*self.nets.encoder.parameters(), *self.nets.generator.parameters()]
        learner = [parameter for parameter in self.learner.parameters() if parameter.requires_grad]
        groups = [{"params": networks, "rate_multiplier": 1.0}, {"params": learner, "rate_multiplier": LEARNER_RATE}]
        return [group for group in groups if group["params"]]

    def step(self, number: int, support: Tensor, query: Tensor) -> StepStats:
        """Outer step `number`: adapt to the support, sample, and let critic and generator learn from the queries.

        Both are images [., ., C, S, S] in [-1, 1] of a batch's tasks that `tasks` names.
        """
        train = self.recipe.train
        rng = generator_for(train.seed, "outer", number)
        set_rates([(self.generator_adam, train.generator_rate), (self.critic_adam, train.critic_rate)], train, number)
        self.game = replace(self.game, first_order=number < train.first_order * train.steps)
        support, query = self._shown(support, query)
        support, query, foreign = (images[: len(self.part.own)] for images in (support, query, foreign_of(query)))
        if self.learner.opens_weights:
            return self._step_towards_tasks(number, torch.cat([support, query], 1), rng)
        inner_steps = self._inner_steps(support.shape[1], rng)
        learns = not self.thermostat.generator_waits() and number >= train.head_start
        with compute(self.device, self.dtype):
            with torch.set_grad_enabled(learns):
                state = self.learner.adapt(self.nets, support, inner_steps, self.game, rng)
                fake, bases = self._sample(state, rng)
            scores, critic_loss, blemish_loss = self._critic_step(query, foreign, fake.detach().float(), bases, rng)
            self.thermostat.watch(critic_loss)
            real, false = scores.chunk(2, 1)
            generator_loss, energy = self._generator_step(fake, bases, real, query) if learns else (None, None)
        return self._stats(number, support, inner_steps, (critic_loss, generator_loss, energy, blemish_loss), (real, false))

    def _shown(self, support: Tensor, query: Tensor) -> tuple[Tensor, Tensor]:
        """Support and query on the device; where one example is to be typical, that image is it, and the others are queries."""
        support, query = (images.to(self.device, non_blocking=True) for images in (support, query))
        if self.recipe.train.exemplar == "random" or support.shape[1] > 1 or self.perceived is None:
            return support, query
        images = torch.cat([support, query], 1)
        with torch.no_grad():
            _, _, contrast, _ = self.perceived.describe(images)
        images = most_typical_first(images, contrast)
        return images[:, :1], images[:, 1:]

    def _stats(
        self,
        number: int,
        support: Tensor,
        inner_steps: int,
        losses: tuple[float, float | None, float | None, float | None],
        scores: tuple[Tensor, Tensor],
    ) -> StepStats:
        """Figures of a step: losses (critic, generator, energy, blemishes), the part's scores [., P] of real and false packs."""
        critic_loss, generator_loss, energy, blemish_loss = losses
        real, false = (self.part.gather(part) for part in scores)
        return StepStats(
            step=number,
            shots=support.shape[1],
            inner_steps=inner_steps,
            critic_loss=critic_loss,
            generator_loss=generator_loss,
            energy=energy,
            blemish_loss=blemish_loss,
            margin=float((real - false).mean()),
            spread=float(torch.cat([real, false], 1).std()),
            penalty=self.thermostat.weight,
        )

    def _step_towards_tasks(self, number: int, images: Tensor, rng: torch.Generator) -> StepStats:
        """Moves all shared weights towards what each task's inner loop made of them, by Adam as FIGR does (Reptile)."""
        steps = max(1, self.recipe.train.inner_steps)
        with compute(self.device, self.dtype):
            found = self.learner.task_weights(self.nets, images, steps, self.game, rng)
        adams = (self.generator_adam, self.critic_adam)
        for side, adam, weights in zip(players(self.nets), adams, zip(*(own.weights for own in found), strict=True), strict=True):
            for name, target in named(side, torch.stack(weights).mean(0)).items():
                parameter = side.get_parameter(name)
                parameter.grad = parameter.detach() - target
            self.part.average_gradients(adam)
            adam.step()
        self.updates += 1
        average(self.averages, self.generating(), self.updates, self.recipe.train.ema)
        last = [own.last for own in found]
        both = [r.upward for r in last], [r.downward for r in last]
        upward, downward = (self.part.gather(torch.cat(losses)).mean().item() for losses in both)
        scores = torch.cat([r.true for r in last]).detach(), torch.cat([r.false for r in last]).detach()
        return self._stats(number, images, steps, (upward, downward, None, None), scores)

    def _inner_steps(self, shots: int, rng: torch.Generator) -> int:
        train = self.recipe.train
        draw, steps = (
            float(torch.rand((), generator=rng)),
            int(torch.randint(1, max(train.inner_steps, 1) + 1, (), generator=rng)),
        )
        takes = draw < train.inner_share or not self.learner.feed_forward
        return self.game.allowed(steps, shots) if train.inner_steps and takes else 0

    def _sample(self, state: TaskState, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        sizes = self.nets.generator.latent_sizes
        latents = draw_latents(self.part.tasks, self.recipe.train.queries, sizes, rng, self.recipe.model.pack)
        fake, bases, _ = self.nets.generator(latents.map(self.part.of).to(self.device), state)
        return fake, bases

    def _critic_step(
        self, query: Tensor, foreign: Tensor, fake: Tensor, bases: Tensor, rng: torch.Generator
    ) -> tuple[Tensor, float, float]:
        """Relativistic pairing losses against samples and queries blemished, by foreign tasks' images too, and the penalties.

        Returns the scores [B, 2 P] of real packs and samples, and the two losses.
        """
        train, pack = self.recipe.train, self.recipe.model.pack
        spoilt = blemish_packs(query, foreign, pack, rng, self.part)
        both = torch.cat([within_reach(query), fake.clamp(-REACH, REACH), within_reach(spoilt)], 1)
        beside = bases.repeat(1, 3, 1, 1, 1)
        packs = both.shape[1] // pack
        measured = torch.randperm(packs, generator=rng)[: max(1, round(packs * train.penalty_share))]
        some = (measured[:, None] * pack + torch.arange(pack)).flatten().to(self.device)
        clean = both[:, some]
        noise = self.part.of(torch.randn(self.part.tasks, *clean.shape[1:], generator=rng)).to(self.device)
        scores = self.nets.discriminator(
            torch.cat([both, clean + train.penalty_noise * noise], 1), torch.cat([beside, beside[:, some]], 1)
        )
        scores, noisy = scores[:, :packs], scores[:, packs:]
        real, false, blemished = scores.chunk(3, 1)
        loss = F.softplus(false - real).mean()
        blemish_loss = F.softplus(blemished - real).mean()
        penalty = self.thermostat.weight * noise_penalty(scores[:, measured.to(self.device)], noisy)
        drift = drift_penalty(real, false) + drift_penalty(real, blemished)
        self.critic_adam.zero_grad(set_to_none=True)
        (loss + train.blemishes * blemish_loss + penalty + train.drift * drift).backward()
        self.part.average_gradients(self.critic_adam)
        self.critic_adam.step()
        return torch.cat([real, false], 1).detach(), self.part.mean(loss).item(), self.part.mean(blemish_loss).item()

    def _generator_step(self, fake: Tensor, bases: Tensor, real: Tensor, query: Tensor) -> tuple[float, float]:
        """The generator's side against the updated critic; the real scores are the ones from before its update."""
        train = self.recipe.train
        self.nets.discriminator.requires_grad_(False)
        loss = F.softplus(real - self.nets.discriminator(fake, bases)).mean()
        fake, pack = fake / REACH, self.recipe.model.pack
        energy = energy_score(query, fake, pack, part=self.part)
        total = loss + train.energy * energy
        if self.perceived is not None:
            total = total + train.perception * energy_score(query, fake, pack, self.perceived, self.part)
        self.generator_adam.zero_grad(set_to_none=True)
        total.backward()
        self.part.average_gradients(self.generator_adam)
        if self.learner.second_order and not self.game.first_order:
            nn.utils.clip_grad_norm_(self.generating().parameters(), LARGEST)
        self.generator_adam.step()
        self.updates += 1
        average(self.averages, self.generating(), self.updates, self.recipe.train.ema)
        self.nets.discriminator.requires_grad_(True)
        return self.part.mean(loss).item(), self.part.mean(energy).item()

    def begin_from(self, nets: Networks, learner: Learner) -> None:
        """Takes over networks of the same architecture, but for the size of packs, and a learner where it is of the same kind."""
        self.nets.encoder.load_state_dict(nets.encoder.state_dict())
        self.nets.generator.load_state_dict(nets.generator.state_dict())
        self.nets.discriminator.take_over(nets.discriminator)
        if _shapes(learner) == _shapes(self.learner):
            self.learner.load_state_dict(learner.state_dict())
        self.averages.load_state_dict(self.generating().state_dict())

    def averaged(self) -> tuple[Networks, Learner]:
        """Networks and learner as they ship: averaged weights, and the critic as it stands."""
        learner = self.averages["learner"]
        assert isinstance(learner, Learner)
        return self.nets.with_parts(encoder=self.averages["encoder"], generator=self.averages["generator"]), learner

    def _modules(self) -> dict[str, nn.Module]:
        return {"nets": self.nets, "learner": self.learner, "averages": self.averages}

    def _adams(self) -> dict[str, torch.optim.Adam]:
        return {"generator_adam": self.generator_adam, "critic_adam": self.critic_adam}


def _shapes(part: nn.Module) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in part.state_dict().items()}
