"""What a few outer steps of every learner, and of guests, make of all weights: as a program of one of several processes.

torchrun --standalone --nproc-per-node 2 tests/trained_by_ranks.py FOLDER    # writes FOLDER/CASE-RANK.safetensors
"""

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from conftest import TINY
from drawn_hands import SIDE, WITH_GUESTS, hand_net, write_hands
from safetensors.torch import save_file
from torch import Tensor

from metagan_cli.config import DataConfig, Recipe, TrainConfig
from metagan_cli.data.episodes import Episodes
from metagan_cli.data.guests import GuestEpisodes
from metagan_cli.data.sources.hands import for_training, open_hands
from metagan_cli.data.sources.open import open_source
from metagan_cli.learners.build import build_learner
from metagan_cli.networks.bundle import build_networks
from metagan_cli.networks.perceptual_net import PerceptualNet
from metagan_cli.ranks import Ranks, joined
from metagan_cli.rng import generator_for, seeded
from metagan_cli.training import guests
from metagan_cli.training.guests import GuestLoop
from metagan_cli.training.outer_loop import OuterLoop, StepStats
from metagan_cli.training.upkeep import Resumable

CPU, STEPS = torch.device("cpu"), 2
TRAIN = TrainConfig(
    steps=STEPS,
    shots=(3,),
    queries=4,
    tasks_per_batch=3,  # which two cannot share evenly
    inner_steps=2,
    inner_share=1.0,
    head_start=0,
    perception=1.0,
)
LISTENING = replace(TINY, inner_perception=1.0)
MODELS = {
    "attention": LISTENING,
    "colour": replace(LISTENING, channels=3),
    "rnn": replace(LISTENING, learner="rnn"),
    "maml": replace(LISTENING, learner="gradient", algorithm="maml"),
    "reptile": replace(LISTENING, learner="gradient", algorithm="reptile"),
    "figr": replace(LISTENING, learner="gradient", algorithm="reptile", inner_loss="wasserstein", feed_forward=False),
}
PROTOTYPE = "prototype"  # an episode of one shot, which shows the most typical image
CASES = (*MODELS, PROTOTYPE, "guests")


@dataclass(frozen=True)
class Trained:
    """All weights and optimisers before and after, and the figures of each step."""

    before: dict[str, Tensor]
    after: dict[str, Tensor]
    stats: list[StepStats]


def trained(case: str, ranks: Ranks, folder: Path) -> Trained:
    """What STEPS outer steps make of a case, in double precision: Adam makes whole steps of what is left of single zeros."""
    loop, episodes = _of_guests(ranks, folder) if case == "guests" else _of_tasks(case, ranks)
    images = [[part.double() for part in episodes.draw(number, loop.tasks).images] for number in range(STEPS)]
    for module in loop._modules().values():
        module.double()
    loop.thermostat.mean = 0.5  # the critic leads
    before = loop.tensors()
    usual = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        stats = [loop.step(number, *images[number]) for number in range(STEPS)]
    finally:
        torch.set_default_dtype(usual)
    return Trained(before, loop.tensors(), stats)


def _of_tasks(case: str, ranks: Ranks) -> tuple[Any, Any]:
    train = replace(TRAIN, shots=(1,), exemplar="prototype") if case == PROTOTYPE else TRAIN
    model = MODELS.get(case, LISTENING)
    with seeded(generator_for(0, "perceptual net")):
        net = PerceptualNet(model.channels).double().requires_grad_(False)
    loop: Resumable = OuterLoop(Recipe(case, model, train), CPU, torch.float32, net, ranks)
    return loop, Episodes([open_source(DataConfig(), model.image_size, model.channels).train], [1.0], train)


def _of_guests(ranks: Ranks, folder: Path) -> tuple[Any, Any]:
    guests.CRITIC = 32, 32, 8
    path = write_hands(folder / f"hands-{ranks.number}.npz")
    train = replace(TRAIN, shots=(2,), queries=2, critic=0.1)
    recipe = Recipe("guests", WITH_GUESTS, train, (DataConfig(str(path), shows="motif"),))
    nets = build_networks(WITH_GUESTS, generator_for(0, "painter")).eval()
    learner = build_learner(WITH_GUESTS, generator_for(0, "learner"))
    loop = GuestLoop(recipe, CPU, torch.float32, nets, learner, hand_net().double(), ranks)
    return loop, GuestEpisodes(for_training(open_hands(recipe.data, SIDE, 1)), train)


def main() -> None:
    """Writes what this process ends with in each case."""
    torch.set_num_threads(1)
    folder = Path(sys.argv[1])
    with joined() as ranks:
        for case in CASES:
            save_file(trained(case, ranks, folder).after, folder / f"{case}-{ranks.number}.safetensors")


if __name__ == "__main__":
    main()
