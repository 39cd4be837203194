"""How inner steps are scaled, whichever learner takes them."""

from torch import Tensor

from metagan_cli.config import ModelConfig

RATED_STEPS = 4  # inner steps of full size
BLIND = 3.0  # how much further inner steps go at first where they alone tell tasks apart
CRITIC_RATE = 0.02  # root mean square of the max player's step along a unit gradient


def fade(step: int) -> float:
    """By how much inner step number `step` is shortened: later ones fall as 1 / step."""
    return min(1.0, RATED_STEPS / (step + 1))


def stride(config: ModelConfig) -> float:
    """By how much inner steps of an untrained learner are longer than usual."""
    return 1.0 if config.feed_forward else BLIND


def unit(gradient: Tensor, dim: int = 1) -> Tensor:
    """A gradient [B, X] of root mean square one in each task, so that step sizes mean the same for all tasks."""
    return gradient / (gradient.square().mean(dim, keepdim=True).sqrt() + 1e-12)


def evened(gradient: Tensor) -> Tensor:
    """A gradient [B, X] whose entries keep their signs and are below 2: large ones count little more than usual ones.

    So that a few steps move all entries about as far, as Adam's do, and yet have derivatives.
    """
    return 2 * gradient / (gradient.abs() + gradient.square().mean(1, keepdim=True).sqrt() + 1e-12)
