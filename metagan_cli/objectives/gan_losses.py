"""GAN losses and penalties of the inner and the outer loop.

With scores r of real and f of false packs, sigma the logistic function and softplus(x) = log(1 + exp(x)):

    minimax         D: softplus(-r) + softplus(f)     G: -softplus(f)         (Goodfellow et al. 2014, eq. 1)
    non-saturating  D: softplus(-r) + softplus(f)     G: softplus(-f)         (same, section 3)
    relativistic    D: softplus(f - r)                G: softplus(r - f)      (Jolicoeur-Martineau 2019; R3GAN)
    wasserstein     D: f - r                          G: r - f                (Arjovsky et al. 2017)

The outer loss is the relativistic one; the inner objective is any of them.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor


def discriminator_loss(objective: str, real: Tensor, fake: Tensor) -> Tensor:
    """What the max player minimises, a task: [B]; scores [B, P], P packs a task."""
    if objective == "relativistic":
        return F.softplus(fake - real).mean(1)
    if objective == "wasserstein":
        return (fake - real).mean(1)
    return (F.softplus(-real) + F.softplus(fake)).mean(1)


def generator_loss(objective: str, real: Tensor, fake: Tensor) -> Tensor:
    """What the min player minimises, a task: [B]; scores [B, P]."""
    if objective == "relativistic":
        return F.softplus(real - fake).mean(1)
    if objective == "wasserstein":
        return (real - fake).mean(1)
    if objective == "minimax":
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
