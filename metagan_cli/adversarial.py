"""GAN losses and penalties of the inner and the outer loop.

With scores r of real and f of false packs, sigma the logistic function and softplus(x) = log(1 + exp(x)):

    minimax         D: softplus(-r) + softplus(f)     G: -softplus(f)         (Goodfellow et al. 2014, eq. 1)
    non-saturating  D: softplus(-r) + softplus(f)     G: softplus(-f)         (same, section 3)
    relativistic    D: softplus(f - r)                G: softplus(r - f)      (Jolicoeur-Martineau 2019; R3GAN)
    wasserstein     D: f - r                          G: r - f                (Arjovsky et al. 2017)

The outer loss is the relativistic one; the inner objective is any of them.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def discriminator_loss(form: str, real: Tensor, fake: Tensor) -> Tensor:
    """What the max player minimises, a task: [B]; scores [B, P], P packs a task."""
    if form == "relativistic":
        return F.softplus(fake - real).mean(1)
    if form == "wasserstein":
        return (fake - real).mean(1)
    return (F.softplus(-real) + F.softplus(fake)).mean(1)


def generator_loss(form: str, real: Tensor, fake: Tensor) -> Tensor:
    """What the min player minimises, a task: [B]; scores [B, P]."""
    if form == "relativistic":
        return F.softplus(real - fake).mean(1)
    if form == "wasserstein":
        return (real - fake).mean(1)
    if form == "minimax":
        return -F.softplus(fake).mean(1)
    return F.softplus(-fake).mean(1)


def noise_penalty(clean: Tensor, noisy: Tensor) -> Tensor:
    """E[(C(x) - C(x + noise))^2]: a finite difference of the critic's gradient (zero-centred), with no second derivative."""
    return (clean - noisy).square().mean()


def drift_penalty(real: Tensor, fake: Tensor) -> Tensor:
    """E[(C(real) - C(fake))^2]: bounds the margin where the critic can tell everything, as at the start of training."""
    return (real - fake).square().mean()


def gradient_penalty(score: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, share: Tensor) -> Tensor:
    """E[(|grad C(x)| - 1)^2] at x between real and fake images [B, N, C, S, S] (WGAN-GP: Gulrajani et al. 2017, eq. 3).

    `share` [B, N] in [0, 1] says where between; the gradient of each task's summed scores is measured image by image.
    """
    between = torch.lerp(real, fake, share[..., None, None, None]).detach().requires_grad_()
    (gradient,) = torch.autograd.grad(score(between).sum(), between, create_graph=True)
    return (gradient.flatten(2).square().sum(2).sqrt() - 1).square().mean()


class Thermostat:
    """Keeps the critic ahead, but not out of reach.

    Where the critic wins outright the weight of its penalty grows; where it loses its lead the weight falls, and the
    generator waits for it.
    """

    EVERY, LOW, HIGH = 10, 0.42, 0.62  # the weight moves after so many steps whose mean loss is outside
    BEHIND, PATIENCE = 0.66, 3  # the generator waits above this mean loss, this many steps in a row at most
    RANGE = (0.1, 1000.0)

    def __init__(self, weight: float, waits: bool = True) -> None:
        self.weight, self.losses, self.mean, self.waited = weight, list[float](), math.log(2), 0
        self.waits = waits

    def watch(self, loss: float) -> None:
        """Takes the critic's loss of one step, and after some of them moves the weight."""
        self.losses.append(loss)
        self.mean += 0.1 * (loss - self.mean)
        if len(self.losses) < self.EVERY:
            return
        mean = sum(self.losses) / len(self.losses)
        factor = 1.15 if mean < self.LOW else 0.9 if mean > self.HIGH else 1.0
        self.weight = min(max(self.weight * factor, self.RANGE[0]), self.RANGE[1])
        self.losses = []

    def generator_waits(self) -> bool:
        """Whether this step is the critic's alone."""
        behind = self.waits and self.mean > self.BEHIND
        self.waited = self.waited + 1 if behind and self.waited < self.PATIENCE else 0
        return self.waited > 0

    def figures(self) -> dict[str, Any]:
        """Plain values that `restore` takes back."""
        return {"weight": self.weight, "losses": self.losses, "mean": self.mean, "waited": self.waited}

    def restore(self, figures: dict[str, Any]) -> None:
        """Puts back what `figures` gave."""
        self.weight, self.losses = float(figures["weight"]), list(figures["losses"])
        self.mean, self.waited = float(figures["mean"]), int(figures["waited"])


def unit(gradient: Tensor, dim: int = 1) -> Tensor:
    """A gradient [B, X] of root mean square one in each task, so that step sizes mean the same for all tasks."""
    return gradient / (gradient.square().mean(dim, keepdim=True).sqrt() + 1e-12)


def evened(gradient: Tensor) -> Tensor:
    """A gradient [B, X] whose entries keep their signs and are below 2: large ones count little more than usual ones.

    So that a few steps move all entries about as far, as Adam's do, and yet have derivatives.
    """
    return 2 * gradient / (gradient.abs() + gradient.square().mean(1, keepdim=True).sqrt() + 1e-12)


def distinct(tasks: int, shots: int, packs: int, size: int, generator: torch.Generator) -> Tensor:
    """`packs` draws of `size` different support images for each task: indices [B, packs, size]."""
    order = torch.rand(tasks, packs, shots, generator=generator).argsort(-1)
    return order[..., :size]
