"""GAN losses and penalties of the inner and the outer loop.

With scores r of real and f of false packs, sigma the logistic function and softplus(x) = log(1 + exp(x)):

    minimax         D: softplus(-r) + softplus(f)     G: -softplus(f)         (Goodfellow et al. 2014, eq. 1)
    non-saturating  D: softplus(-r) + softplus(f)     G: softplus(-f)         (same, section 3)
    relativistic    D: softplus(f - r)                G: softplus(r - f)      (Jolicoeur-Martineau 2019; R3GAN)
    wasserstein     D: f - r                          G: r - f                (Arjovsky et al. 2017)

The outer loss is the relativistic one; the inner objective is any of them.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def discriminator_loss(form: str, real: Tensor, fake: Tensor) -> Tensor:
    """What the max player minimises; scores [B, P], P packs a task; a scalar."""
    if form == "relativistic":
        return F.softplus(fake - real).mean()
    if form == "wasserstein":
        return (fake - real).mean()
    return (F.softplus(-real) + F.softplus(fake)).mean()


def generator_loss(form: str, real: Tensor, fake: Tensor) -> Tensor:
    """What the min player minimises; scores [B, P]; a scalar."""
    if form == "relativistic":
        return F.softplus(real - fake).mean()
    if form == "wasserstein":
        return (real - fake).mean()
    if form == "minimax":
        return -F.softplus(fake).mean()
    return F.softplus(-fake).mean()


def noise_penalty(clean: Tensor, noisy: Tensor) -> Tensor:
    """E[(C(x) - C(x + noise))^2]: a finite difference of the critic's gradient (zero-centred), with no second derivative."""
    return (clean - noisy).square().mean()


class Thermostat:
    """Keeps the critic ahead, but not out of reach, by the weight of its penalty.

    Where the critic wins outright the weight grows; where it loses its lead the weight falls.
    """

    def __init__(self, weight: float, low: float = 0.5, high: float = 0.62, every: int = 10) -> None:
        self.weight, self.low, self.high, self.every = weight, low, high, every
        self.losses: list[float] = []

    def watch(self, loss: float) -> None:
        """Takes the critic's loss of one step, and after `every` of them moves the weight."""
        self.losses.append(loss)
        if len(self.losses) < self.every:
            return
        mean = sum(self.losses) / len(self.losses)
        if mean < self.low:
            self.weight = min(self.weight * 1.15, 1000.0)
        elif mean > self.high:
            self.weight = max(self.weight * 0.9, 0.01)
        self.losses = []


def unit(gradient: Tensor) -> Tensor:
    """A gradient [B, X] of root mean square one in each task, so that step sizes mean the same for all tasks."""
    return gradient / (gradient.square().mean(1, keepdim=True).sqrt() + 1e-12)


def distinct(tasks: int, shots: int, packs: int, size: int, generator: torch.Generator) -> Tensor:
    """`packs` draws of `size` different support images for each task: indices [B, packs, size]."""
    order = torch.rand(tasks, packs, shots, generator=generator).argsort(-1)
    return order[..., :size]
