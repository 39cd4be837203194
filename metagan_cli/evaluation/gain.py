"""Augmentation gain: does a few-shot classifier get better when generated images join the few real ones?

The protocol of F2GAN's table (Hong et al. 2020): unseen tasks are the classes, each has K real images to train on, the rest
test. A small convolutional net is trained from scratch three times: on the real images alone, with classical augmentation,
and with generated images beside the real ones.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from metagan_cli.evaluation.judges import see
from metagan_cli.evaluation.references import jittered
from metagan_cli.rng import generator_for, seeded

FEWEST_STEPS, STEPS_A_CLASS = 200, 4  # of Adam
BATCH, RATE = 128, 2e-3


@dataclass(frozen=True)
class Gain:
    """Accuracies on held-out real images, in [0, 1]."""

    shots: int
    real: float  # trained on the K real images alone
    augmented: float  # on slightly turned copies of them as well
    generated: float  # on generated images as well


def augmentation_gain(real: Tensor, generated: Tensor, test: Tensor, seed: int = 0) -> Gain:
    """Real images [T, K, C, S, S], generated ones [T, N, C, S, S] and held-out real ones [T, R, C, S, S], in [-1, 1].

    Raises ValueError for a single task: there is nothing to classify.
    """
    if len(real) < 2:
        raise ValueError("a classifier needs two tasks")
    turned = torch.stack([jittered(images, generated.shape[1], "medium", seed + i) for i, images in enumerate(real)])
    accuracies = [_accuracy(real, extra, test, seed) for extra in (None, turned, generated)]
    return Gain(real.shape[1], *accuracies)


def _accuracy(real: Tensor, extra: Tensor | None, test: Tensor, seed: int) -> float:
    """Accuracy on the test images of a net that each step saw half real, half extra images, where there are any."""
    tasks = len(real)
    steps = max(FEWEST_STEPS, STEPS_A_CLASS * tasks)
    rng = generator_for(seed, "classifier")
    with seeded(generator_for(seed, "classifier weights")):
        net = _classifier(real.shape[2], tasks)
    sets = [_seen(images) for images in ([real] if extra is None else [real, extra])]
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
        guesses = net(_seen(test).flatten(0, 1)).argmax(1).view(tasks, -1)
    return float((guesses == torch.arange(tasks)[:, None]).float().mean())


def _seen(images: Tensor) -> Tensor:
    """Images [T, N, C, S, S] as the judges see them, at half the size."""
    small = F.avg_pool2d(see(images.flatten(0, 1)), 2)
    return small.view(*images.shape[:2], *small.shape[1:])


def _classifier(channels: int, classes: int) -> nn.Module:
    layers: list[nn.Module] = []
    for i in range(3):
        layers += [nn.Conv2d(channels if i == 0 else 32, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(32 * 9, classes))
