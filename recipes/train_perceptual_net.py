"""Trains the perceiver, the feature net by which the outer loop compares samples with real images.

python -m recipes.train_perceptual_net [--channels 1] [--minutes 12] [--out pretrained/perceiver-gray.safetensors]

Its features tell a task from one example and an image by its distorted versions at once. Its architecture, input and losses are
not the judges', and it judges nothing; development tasks stay apart.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from metagan_cli.data.sources.open import open_source
from metagan_cli.data.sources.tasks import TaskSource
from metagan_cli.devices import choose_precision, compute
from metagan_cli.networks.perceptual_net import PerceptualNet, build_perceptual_net
from metagan_cli.rng import generator_for
from metagan_cli.store.features import save_perceptual_net
from metagan_cli.store.shipped import features_name
from recipes.train_judges import SIZE, SOURCES, distort, fit, nt_xent, one_shot, prototypical, tasks_of

WAYS, QUERIES, BATCH = 40, 2, 80  # of an episode, and images that are distorted
RATE = 1.5e-3


def main() -> None:
    """Trains the net and writes it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--channels", type=int, default=1, choices=(1, 3))
    parser.add_argument("--minutes", type=float, default=12)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    net, device = build_perceptual_net(options.channels), torch.device("cpu")
    splits = [open_source(source, SIZE, options.channels) for source in SOURCES[options.channels]]
    tasks, weights = [split.train for split in splits], torch.tensor([source.weight for source in SOURCES[options.channels]])
    precision = choose_precision("auto", device)

    def loss(step: int) -> Tensor:
        with compute(device, precision):
            return loss_of(net, tasks, weights, options.seed, step)

    steps = fit(net, loss, 60 * options.minutes, RATE)
    held_out, identity = splits[0].held_out, net.eval().identity
    score = one_shot(lambda images: identity(net(images)[0]), held_out)
    print(f"one-shot, 20 ways, held-out tasks of {held_out.name}: {100 * score:.1f} %")
    out = options.out or Path("pretrained") / features_name("perceiver", options.channels)
    save_perceptual_net(out, net, {"seed": options.seed, "steps": steps, "one_shot": round(score, 4)})
    print(f"wrote {out}")


def loss_of(net: PerceptualNet, tasks: Sequence[TaskSource], weights: Tensor, seed: int, step: int) -> Tensor:
    """Both losses of one step."""
    rng = generator_for(seed, "perceiver", step)
    many = tasks_of(tasks, weights, WAYS, 1 + QUERIES, rng)
    single = tasks_of(tasks, weights, BATCH, 1, rng)[:, 0]
    features, _ = net(torch.cat([many.flatten(0, 1), distort(single, rng), distort(single, rng)]))
    whose, which = net.identity(features[: -2 * BATCH]), net.contrast(features[-2 * BATCH :])
    return prototypical(whose.unflatten(0, (WAYS, 1 + QUERIES))) + nt_xent(which)


if __name__ == "__main__":
    main()
