"""Augmentation gain: whether a few-shot classifier gets better when generated images join the few real ones.

The protocol of F2GAN's table (Hong et al. 2020): a net that has learned on other tasks learns unseen ones as its classes, from K
real images of each. Here it is the judge that recognises, under a layer that begins with the distances from the real images'
means, as linear functions of its features (Snell et al. 2017, section 2.4; Triantafillou et al. 2020). It is trained three times:
on the real images alone, with classical augmentation, and with generated images beside the real ones.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from metagan_cli.evaluation.judges import Embedding, see
from metagan_cli.evaluation.references import jittered
from metagan_cli.rng import generator_for

FEWEST_STEPS, STEPS_A_CLASS = 200, 2  # of Adam
BATCH, RATE = 64, 5e-5  # gentle: what the net has learned tells more than a few images do
GENERATED = 64  # images a class beside the real ones, generated or turned


@dataclass(frozen=True)
class Gain:
    """Accuracies on held-out real images, in [0, 1]."""

    shots: int
    real: float  # trained on the K real images alone
    augmented: float  # on slightly turned copies of them as well
    generated: float  # on generated images as well


def augmentation_gain(net: Embedding, real: Tensor, generated: Tensor, test: Tensor, seed: int = 0) -> Gain:
    """What copies of the net learn from real images [T, K, C, S, S] and generated ones [T, N, C, S, S], in [-1, 1].

    Tested on other real ones [T, R, C, S, S].
    Raises ValueError for a single task: there is nothing to classify.
    """
    if len(real) < 2:
        raise ValueError("a classifier needs two tasks")
    turned = torch.stack([jittered(images, generated.shape[1], "medium", seed + i) for i, images in enumerate(real)])
    own, tested = _seen(real), _seen(test)
    sets = ([own], [own, _seen(turned)], [own, _seen(generated)])
    return Gain(real.shape[1], *(_accuracy(net, images, tested, seed) for images in sets))


@torch.no_grad()
def by_prototypes(net: Embedding, real: Tensor) -> nn.Linear:
    """The layer that says how near features are to each class's mean: -|z - p|^2, less what is the same for all classes.

    For pictures real [T, K, C, 50, 50] and the net's projection z.
    """
    means = torch.stack([net(pictures)[1].mean(0) for pictures in real])
    layer: nn.Linear = nn.utils.skip_init(nn.Linear, means.shape[1], len(means))
    layer.weight.copy_(2 * means)
    layer.bias.copy_(-means.square().sum(1))
    return layer


def _accuracy(start: Embedding, sets: Sequence[Tensor], test: Tensor, seed: int) -> float:
    """Accuracy on test pictures [T, R, C, 50, 50] of a net that each step saw as much of every set [T, N, C, 50, 50].

    The first set holds the real ones.
    """
    tasks = len(test)
    steps = max(FEWEST_STEPS, STEPS_A_CLASS * tasks)
    rng = generator_for(seed, "classifier")
    own = copy.deepcopy(start).eval()
    net = nn.Sequential(own.body, own.head, by_prototypes(own, sets[0])).requires_grad_(True).train()
    adam = torch.optim.Adam(net.parameters(), RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, steps)
    for _ in range(steps):
        pictures, labels = [], []
        for images in sets:
            task = torch.randint(tasks, (BATCH // len(sets),), generator=rng)
            number = torch.randint(images.shape[1], (len(task),), generator=rng)
            pictures.append(images[task, number])
            labels.append(task)
        loss = F.cross_entropy(net(torch.cat(pictures)), torch.cat(labels))
        adam.zero_grad(set_to_none=True)
        loss.backward()
        adam.step()
        schedule.step()
    net.eval()
    with torch.no_grad():
        guesses = torch.stack([net(images).argmax(1) for images in test])
    return float((guesses == torch.arange(tasks)[:, None]).float().mean())


def _seen(images: Tensor) -> Tensor:
    """Images [T, N, C, S, S] as the judges see them."""
    return torch.stack([see(some) for some in images])
