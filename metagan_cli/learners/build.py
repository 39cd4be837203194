"""The learners by name."""

from collections.abc import Callable

import torch

from metagan_cli.config import ModelConfig
from metagan_cli.learners.attention import AttentionLearner
from metagan_cli.learners.base import Learner
from metagan_cli.learners.gradient import GradientLearner
from metagan_cli.learners.reptile import ReptileLearner
from metagan_cli.learners.rnn import RecurrentLearner
from metagan_cli.rng import seeded

LEARNERS: dict[str, Callable[[ModelConfig], Learner]] = {
    "attention": AttentionLearner,
    "rnn": RecurrentLearner,
    "gradient": GradientLearner,
    "gradient reptile": ReptileLearner,
}


def build_learner(config: ModelConfig, generator: torch.Generator | None = None) -> Learner:
    """The learner that the architecture names, with weights drawn from the generator."""
    name = f"{config.learner} {config.algorithm}"
    with seeded(generator):
        return LEARNERS.get(name, LEARNERS[config.learner])(config)
