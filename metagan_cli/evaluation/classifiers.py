"""Small classifiers, to see whether further images help to learn classes: a net from scratch, and a layer on an outside net."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.transforms import v2

from metagan_cli.evaluation.outside import OutsideNet, side_for
from metagan_cli.rng import generator_for, seeded

WIDTHS = (32, 64, 96, 128)  # channels of the net from scratch, each at half the side
STEPS, BATCH, RATE, DECAY = 300, 64, 2e-3, 0.05  # of AdamW
COPIES = 8  # of each real image that a layer learns from, where images are transformed by chance
HEAD_STEPS, HEAD_DECAY = 200, 1e-3
POLICIES: dict[str, Callable[[], Any]] = {
    "TrivialAugment": lambda: v2.TrivialAugmentWide(),
    "AutoAugment": lambda: v2.AutoAugment(),
}


@dataclass(frozen=True)
class Lessons:
    """What a classifier learns from: real images uint8 [N, C, S, S] and their classes [N], new ones beside them, a policy."""

    real: Tensor
    classes: Tensor
    new: Tensor | None = None  # uint8 [M, C, S, S], from which half of each batch is taken
    new_classes: Tensor | None = None
    policy: str | None = None  # of POLICIES, by which all are transformed by chance

    def batch(self, count: int, transform: Callable[[Tensor], Tensor], rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """Images [count, C, S, S] in [-1, 1] and their classes."""
        parts = [(self.real, self.classes)]
        if self.new is not None and self.new_classes is not None:
            parts.append((self.new, self.new_classes))
        images, labels = list[Tensor](), list[Tensor]()
        for some, classes in parts:
            number = torch.randint(len(some), (count // len(parts),), generator=rng)
            images.append(torch.stack([transform(image) for image in some[number]]))
            labels.append(classes[number])
        return torch.cat(images).float() / 127.5 - 1, torch.cat(labels)

    def transform(self) -> Callable[[Tensor], Tensor]:
        """What is done to each image."""
        return POLICIES[self.policy]() if self.policy else lambda image: image


def net_from_scratch(channels: int, classes: int) -> nn.Module:
    """Four convolutions, each at half the side of the one before, and a layer on their means."""
    layers = list[nn.Module]()
    for before, width in zip((channels, *WIDTHS), WIDTHS, strict=False):
        layers += [nn.Conv2d(before, width, 3, 2, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
        layers += [nn.Conv2d(width, width, 3, 1, 1, groups=8, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(WIDTHS[-1], classes))


def right_from_scratch(lessons: Lessons, test: Tensor, truth: Tensor, seed: int) -> Tensor:
    """Which test images uint8 [R, C, S, S] a net that learned from scratch tells rightly: bool [R]."""
    rng, classes = generator_for(seed, "classifier"), int(truth.max()) + 1
    with seeded(rng):
        net, transform = net_from_scratch(test.shape[1], classes).to(memory_format=torch.channels_last), lessons.transform()
        adam = torch.optim.AdamW(net.parameters(), RATE, weight_decay=DECAY)
        schedule = torch.optim.lr_scheduler.OneCycleLR(adam, RATE, STEPS)
        for _ in range(STEPS):
            images, labels = lessons.batch(BATCH, transform, rng)
            loss = F.cross_entropy(net(images.contiguous(memory_format=torch.channels_last)), labels)
            adam.zero_grad(set_to_none=True)
            loss.backward()
            adam.step()
            schedule.step()
    net.eval()
    with torch.no_grad():
        return torch.as_tensor(net(test.float() / 127.5 - 1).argmax(1) == truth)


def right_by_features(net: OutsideNet, lessons: Lessons, test: Tensor, truth: Tensor, seed: int) -> Tensor:
    """Which test images uint8 [R, C, S, S] a layer on the outside net's features tells rightly: bool [R]."""
    rng, side = generator_for(seed, "layer"), side_for(test.shape[-1])
    with seeded(rng):
        transform = lessons.transform()
        count = len(lessons.real) * (COPIES if lessons.policy or lessons.new is not None else 1)
        if count == len(lessons.real):
            images, labels = lessons.real.float() / 127.5 - 1, lessons.classes
        else:
            own, classes = lessons.batch(count, transform, rng)
            images, labels = torch.cat([lessons.real.float() / 127.5 - 1, own]), torch.cat([lessons.classes, classes])
    seen = F.normalize(net.describe(images, side), dim=1)
    layer = nn.Linear(seen.shape[1], int(truth.max()) + 1)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    scale = seen.shape[1] ** 0.5
    adam = torch.optim.AdamW(layer.parameters(), 0.02, weight_decay=HEAD_DECAY)
    for _ in range(HEAD_STEPS):
        loss = F.cross_entropy(layer(scale * seen), labels)
        adam.zero_grad(set_to_none=True)
        loss.backward()
        adam.step()
    with torch.no_grad():
        known = F.normalize(net.describe(test.float() / 127.5 - 1, side), dim=1)
        return torch.as_tensor(layer(scale * known).argmax(1) == truth)
