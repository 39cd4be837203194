"""The learners by name."""

from metagan_cli.config import ModelConfig
from metagan_cli.learners.attention import AttentionLearner
from metagan_cli.learners.base import Learner

LEARNERS: dict[str, type[AttentionLearner]] = {"attention": AttentionLearner}


def build_learner(config: ModelConfig) -> Learner:
    """The learner that the architecture names."""
    return LEARNERS[config.learner](config)
