"""The learners by name."""

import torch

from metagan_cli.config import ModelConfig
from metagan_cli.learners.attention import AttentionLearner
from metagan_cli.learners.base import Learner
from metagan_cli.rng import seeded

LEARNERS: dict[str, type[AttentionLearner]] = {"attention": AttentionLearner}


def build_learner(config: ModelConfig, generator: torch.Generator | None = None) -> Learner:
    """The learner that the architecture names, with weights drawn from the generator."""
    with seeded(generator):
        return LEARNERS[config.learner](config)
