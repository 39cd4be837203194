"""Small classifiers, to see whether further images help to learn classes: a net from scratch, and a layer on an outside net."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.transforms import v2

from metagan_cli.evaluation.outside import FEATURES as OUTSIDE_FEATURES
from metagan_cli.evaluation.outside import OutsideNet, side_for
from metagan_cli.rng import generator_for, seeded

WIDTHS = (32, 64, 96, 128)  # channels of the net from scratch, each at half the side
STEPS, BATCH, RATE, DECAY = 240, 64, 2e-3, 0.05  # of AdamW
COPIES = 5  # of each real image that a layer learns from, where images are transformed by chance
LAYER_STEPS, LAYER_RATE, LAYER_DECAY = 200, 0.02, 1e-3
Report = Callable[[int, int], None]  # told how much is done, of how much
POLICIES: dict[str, Callable[[], Any]] = {
    "TrivialAugment": lambda: v2.TrivialAugmentWide(),
    "AutoAugment": lambda: v2.AutoAugment(),
}


ALONE, OURS, BOTH = "originals alone", "new images", "new images, TrivialAugment"
METHODS = (ALONE, *POLICIES, OURS, BOTH)
SCRATCH, FEATURES = "a net from scratch", "a layer on the outside net"
Right = dict[tuple[str, str], Tensor]  # by classifier and method, which test images are told rightly: bool [R]


@dataclass(frozen=True)
class Lessons:
    """What a classifier learns from: sets of images uint8 [N, C, S, S] with their classes [N], each as often, and a policy."""

    sets: tuple[tuple[Tensor, Tensor], ...]  # the real ones first
    policy: str | None = None  # of POLICIES, by which all are transformed by chance

    def batch(self, count: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """At most so many images [N, C, S, S] in [-1, 1], drawn by chance, and their classes."""
        transform = POLICIES[self.policy]() if self.policy else None
        images, labels = list[Tensor](), list[Tensor]()
        for some, classes in self.sets:
            number = torch.randint(len(some), (count // len(self.sets),), generator=rng)
            chosen = some[number]
            images.append(chosen if transform is None else torch.stack([transform(image) for image in chosen]))
            labels.append(classes[number])
        return in_range(torch.cat(images)), torch.cat(labels)


def compared(
    real: Sequence[Tensor], new: Sequence[Tensor], test: Sequence[Tensor], outside: OutsideNet | None, seed: int, report: Report
) -> Right:
    """What each classifier tells rightly when it learns by each method, of classes' images uint8 [N, C, S, S].

    Learned from real ones and new ones, tested on others; without the outside net, from scratch alone.
    """
    own, further, (tested, truth) = _together(real), _together(new), _together(test)
    lessons = {ALONE: Lessons((own,)), OURS: Lessons((own, further)), BOTH: Lessons((own, further), "TrivialAugment")}
    lessons |= {policy: Lessons((own,), policy) for policy in POLICIES}
    known = [_features(outside, in_range(images)) for images in (own[0], tested)] if outside is not None else []
    found = Right()
    for number, method in enumerate(METHODS):
        report(number, len(METHODS))
        found[SCRATCH, method] = _from_scratch(lessons[method], tested, seed) == truth
        if outside is not None:
            found[FEATURES, method] = _by_features(outside, lessons[method], known[0], known[1], seed) == truth
    report(len(METHODS), len(METHODS))
    return found


def in_range(images: Tensor) -> Tensor:
    """Images uint8 as floats in [-1, 1]."""
    return images.float() / 127.5 - 1


def net_from_scratch(channels: int, classes: int) -> nn.Module:
    """Convolutions, each at half the side of the one before, and a layer on their means."""
    layers = list[nn.Module]()
    for before, width in zip((channels, *WIDTHS), WIDTHS, strict=False):
        layers += [nn.Conv2d(before, width, 3, 2, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(WIDTHS[-1], classes))


def _from_scratch(lessons: Lessons, test: Tensor, seed: int) -> Tensor:
    """The classes [R] that a net which learned from scratch says of test images."""
    rng, classes = generator_for(seed, "classifier"), int(lessons.sets[0][1].max()) + 1
    with seeded(rng):
        net = net_from_scratch(test.shape[1], classes).to(memory_format=torch.channels_last)
        adam = torch.optim.AdamW(net.parameters(), RATE, weight_decay=DECAY)
        schedule = torch.optim.lr_scheduler.OneCycleLR(adam, RATE, STEPS)
        for _ in range(STEPS):
            images, labels = lessons.batch(BATCH, rng)
            _descend(adam, F.cross_entropy(net(images.contiguous(memory_format=torch.channels_last)), labels))
            schedule.step()
    with torch.no_grad():
        return torch.as_tensor(net.eval()(in_range(test)).argmax(1))


def _features(outside: OutsideNet, images: Tensor) -> Tensor:
    """What the outside net sees [N, FEATURES] of images [N, C, S, S] in [-1, 1]."""
    seen = outside.describe(images, side_for(images.shape[-1]))
    return torch.as_tensor(F.normalize(seen, dim=1) * OUTSIDE_FEATURES**0.5)


def _by_features(outside: OutsideNet, lessons: Lessons, known: Tensor, seen: Tensor, seed: int) -> Tensor:
    """The classes [R] that a layer on the outside net's features, known of the real ones, says of features of test images."""
    rng, (real, labels) = generator_for(seed, "layer"), lessons.sets[0]
    classes = int(labels.max()) + 1
    with seeded(rng):
        if lessons.policy or len(lessons.sets) > 1:
            drawn, theirs = lessons.batch(COPIES * len(real), rng)
            known, labels = torch.cat([known, _features(outside, drawn)]), torch.cat([labels, theirs])
    layer = nn.Linear(known.shape[1], classes)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    adam = torch.optim.AdamW(layer.parameters(), LAYER_RATE, weight_decay=LAYER_DECAY)
    for _ in range(LAYER_STEPS):
        _descend(adam, F.cross_entropy(layer(known), labels))
    with torch.no_grad():
        return torch.as_tensor(layer(seen).argmax(1))


def _descend(adam: torch.optim.Optimizer, loss: Tensor) -> None:
    adam.zero_grad(set_to_none=True)
    loss.backward()
    adam.step()


def _together(classes: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Images of all classes, and the class of each."""
    labels = torch.cat([torch.full((len(images),), number) for number, images in enumerate(classes)])
    return torch.cat(list(classes)), labels
