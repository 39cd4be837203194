"""Reptile over all weights (Nichol et al. 2018; FIGR: Clouatre & Demers 2019).

The inner loop trains a private copy of all networks on one task's images; the outer loop moves the shared weights towards
what those copies became. There is nothing else: no outer critic and no learned optimizer. Inner steps go along evened
gradients, as those of the other gradient learners; where the game is Wasserstein's they are FIGR's: SGD, with WGAN-GP's penalty.
"""

import copy
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from metagan_cli.config import ModelConfig
from metagan_cli.learners.base import Learner, TaskWeights, players, seen
from metagan_cli.learners.game import InnerGame, Round
from metagan_cli.learners.steps import evened
from metagan_cli.networks.bundle import Networks
from metagan_cli.networks.state import PARTS, TaskState, state_of
from metagan_cli.networks.weights import flat, put
from metagan_cli.objectives.gan_losses import gradient_penalty
from metagan_cli.ranks import ALONE

RATE = 3e-4  # about the root mean square of an inner step in each tensor of weights
FIGR_RATE = 1e-3  # of SGD, in both players
# times as many packs as adaptations by other learners look at: chance moves all weights further than it moves a state
PACKS_FACTOR = 4
PENALTY = 10.0  # weight of the gradient penalty, where the game is Wasserstein's


class ReptileLearner(Learner):
    """A task's state holds the generator's weights themselves, and what its own encoder sees in the support."""

    opens_weights = True

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.as_figr = config.inner_loss == "wasserstein"
        self.packs_factor = 1 if self.as_figr else PACKS_FACTOR

    def begin(self, nets: Networks, support: Tensor) -> TaskState:
        """What the encoder sees; the weights are the shared ones."""
        return seen(nets, support)

    def refine(self, nets: Networks, state: TaskState, step: int, game: InnerGame, rng: torch.Generator) -> TaskState:
        """A step of each task's own weights."""
        copies = self.task_weights(nets, state.bases, 1, game, rng, state.memory)
        whole = state_of({name: torch.cat([c.state.tensors()[name] for c in copies]) for name in PARTS})
        return whole.remembering(*(torch.stack(vectors) for vectors in zip(*(c.weights for c in copies), strict=True)))

    def task_weights(
        self,
        nets: Networks,
        support: Tensor,
        steps: int,
        game: InnerGame,
        rng: torch.Generator,
        start: tuple[Tensor, ...] = (),
    ) -> list[TaskWeights]:
        """For each task a copy of the networks, trained for `steps` on its images [B, K, C, S, S].

        `start` holds both sides' weights [B, .] to go on from, where they are not the shared ones. Chance passes over the tasks
        of a batch that others train.
        """
        part, alone = game.part or ALONE.part(len(support)), replace(game, part=None)
        vectors = start or [flat(side).expand(len(support), -1) for side in players(nets)]
        own, copies = copy.deepcopy(nets), []
        for number in range(part.tasks):
            task = number - part.rows.start
            if task not in range(len(support)):
                for _ in range(steps):
                    self._pass_over(own, support.shape[1], alone, rng)
                continue
            for side, vector in zip(players(own), vectors, strict=True):
                put(side, vector[task])
            images = support[task : task + 1]
            for _ in range(steps):
                last = self._train(own, images, alone, rng)
            with torch.no_grad():
                adapted = replace(seen(own, images), weights=flat(own.generator)[None])
            copies.append(TaskWeights(adapted, tuple(flat(side) for side in players(own)), last))
        return copies

    def _pass_over(self, own: Networks, shots: int, game: InnerGame, rng: torch.Generator) -> None:
        """Draws what `_train` does, in its order."""
        game.chance(own, 1, shots, rng)
        if self.as_figr:
            torch.rand(1, game.packs * game.pack, generator=rng)
            game.chance(own, 1, shots, rng)

    def _train(self, own: Networks, support: Tensor, game: InnerGame, rng: torch.Generator) -> Round:
        """One step of both players in place: at once, or, as in FIGR, the min player's after the max player's."""
        down, up = players(own)
        with torch.enable_grad():
            found = game.losses(own, seen(own, support), rng)
            if self.as_figr:
                share = torch.rand(found.real.shape[:2], generator=rng).to(support.device)
                penalty = gradient_penalty(lambda x: own.discriminator(x, found.bases), found.real, found.fake.detach(), share)
                _descend(up, _gradients(up, found.upward.sum() + PENALTY * penalty), FIGR_RATE)
                _descend(down, _gradients(down, game.losses(own, seen(own, support), rng).downward.sum()), FIGR_RATE)
            else:
                upward = _gradients(up, found.upward.sum(), again=True)
                downward = _gradients(down, found.downward.sum())
                _descend(up, [evened(g.reshape(1, -1)) for g in upward], RATE)
                _descend(down, [evened(g.reshape(1, -1)) for g in downward], RATE)
        return found


def _gradients(part: nn.Module, loss: Tensor, again: bool = False) -> tuple[Tensor, ...]:
    """Of a loss whose graph serves `again`, or is freed."""
    return torch.autograd.grad(loss, list(part.parameters()), retain_graph=again, materialize_grads=True)


@torch.no_grad()
def _descend(part: nn.Module, gradients: Sequence[Tensor], rate: float) -> None:
    for parameter, gradient in zip(part.parameters(), gradients, strict=True):
        parameter.sub_(rate * gradient.view_as(parameter))
