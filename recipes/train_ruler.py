"""Trains the ruler, the net that tells ruled drawings from those of a free hand.

python -m recipes.train_ruler [--minutes 30] [--out pretrained/ruler-gray.safetensors]

Ruled are type and vector icons; by hand are characters, digits and doodles, and what is ruled under a random warp: so it has to
look at how lines run. Both are made thicker, thinner, softer, turned, stretched and moved alike. Development tasks stay apart.
"""

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from metagan_cli.config import DataConfig
from metagan_cli.data.episodes import draw_task
from metagan_cli.data.sources.open import open_source
from metagan_cli.data.sources.tasks import TaskSource
from metagan_cli.networks.generator.warp import resized
from metagan_cli.networks.ruler import Ruler
from metagan_cli.rng import generator_for, seeded
from metagan_cli.store.features import save_ruler
from metagan_cli.store.shipped import features_name
from recipes.held_out import ALPHABETS
from recipes.train_judges import SIZE, fit

HAND = (
    DataConfig("data/omniglot_105.npz", 2.0, exclude=ALPHABETS),
    DataConfig("doodles", 1.0),
    DataConfig("data/mnist_t10k_28.npz", 0.6),
)
RULED = (
    DataConfig("data/icon_styles_gray_64.npz", 2.0),
    DataConfig("data/icons_concept_gray_64.npz", 1.0),
    DataConfig("data/fonts_latin_64.npz", 1.5),
    DataConfig("data/fonts_nonlatin_64.npz", 1.0),
)
BY_HAND, WARPED, STRAIGHT = 16, 8, 16  # images of a batch
RATE = 3e-3
THICKER, THINNER, SOFTER, AS_THEY_ARE = 0.25, 0.15, 0.5, 0.3  # shares of the images
THIN = 0.6  # of its ink that a drawing has to keep to be made thinner
TURN, STRETCH, SLANT, SHIFT = 0.07, 0.1, 0.05, 0.08  # deviations: radians, logarithm, shear, half sides
WARP, CELLS = (0.03, 0.12), 4  # range of the deviation of a random warp, in half sides, and its cells a side


def main() -> None:
    """Trains the net, says how well it does on held-out tasks, and writes it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, default=Path("pretrained") / features_name("ruler", 1))
    options = parser.parse_args()
    with seeded(generator_for(options.seed, "ruler")):
        net = Ruler()
    hand, ruled = ([open_source(source, SIZE, 1) for source in sources] for sources in (HAND, RULED))
    weights = [torch.tensor([source.weight for source in sources]) for sources in (HAND, RULED)]
    train = [[split.train for split in splits] for splits in (hand, ruled)]
    steps = fit(net, partial(loss_of, net, train, weights, options.seed), 60 * options.minutes, RATE)
    held_out = [(split.held_out, is_ruled) for splits, is_ruled in ((hand, False), (ruled, True)) for split in splits]
    right = {source.name: share_right(net.eval(), source, is_ruled) for source, is_ruled in held_out if source.tasks(1)}
    print(", ".join(f"{name} {100 * share:.1f} %" for name, share in right.items()))
    mean = sum(right.values()) / len(right)
    save_ruler(options.out, net, {"seed": options.seed, "steps": steps, "right": round(mean, 4)})
    print(f"wrote {options.out}")


def loss_of(net: Ruler, sources: Sequence[Sequence[TaskSource]], weights: Sequence[Tensor], seed: int, step: int) -> Tensor:
    """Cross-entropy of one step, of sources by hand and ruled ones."""
    rng = generator_for(seed, "ruler", step)
    drawn, ruled = (
        torch.cat([draw_task(some[int(i)], 1, rng) for i in torch.multinomial(share, count, replacement=True, generator=rng)])
        for some, share, count in zip(sources, weights, (BY_HAND, WARPED + STRAIGHT), strict=True)
    )
    images = torch.cat([drawn, ruled])
    low, high = WARP
    size = low + (high - low) * torch.rand(len(images), 1, 1, 1, generator=rng)
    warp = size * torch.randn(len(images), 2, CELLS, CELLS, generator=rng)
    place = torch.arange(len(images))
    bent = (place >= BY_HAND) & (place < BY_HAND + WARPED)
    changed = moved(inked(images, rng), warp * bent[:, None, None, None], rng)
    kept = (torch.rand(len(images), generator=rng) < AS_THEY_ARE) & ~bent
    seen = torch.where(kept[:, None, None, None], images, changed)
    truth = (place >= BY_HAND + WARPED).float()
    return F.binary_cross_entropy_with_logits(net(seen), truth)


def inked(images: Tensor, rng: torch.Generator) -> Tensor:
    """Some of images [N, 1, S, S] with thicker or thinner strokes, some softer."""
    thick, thin = F.max_pool2d(images, 3, 1, 1), -F.max_pool2d(-images, 3, 1, 1)
    left = (thin > 0).float().mean((1, 2, 3)) > THIN * (images > 0).float().mean((1, 2, 3))
    draw = torch.rand(len(images), generator=rng)
    images = torch.where((draw < THICKER)[:, None, None, None], thick, images)
    images = torch.where((left & (draw > 1 - THINNER))[:, None, None, None], thin, images)
    soft = torch.rand(len(images), 1, 1, 1, generator=rng) * (torch.rand(len(images), 1, 1, 1, generator=rng) < SOFTER)
    return images.lerp(F.avg_pool2d(images, 3, 1, 1, count_include_pad=False), soft)


def moved(images: Tensor, warp: Tensor, rng: torch.Generator) -> Tensor:
    """Images [N, 1, S, S] under random affine maps and a flow [N, 2, c, c]."""
    n = len(images)
    turn, slant = TURN * torch.randn(n, generator=rng), SLANT * torch.randn(n, generator=rng)
    linear = torch.stack([torch.stack([turn.cos(), slant - turn.sin()], 1), torch.stack([turn.sin(), turn.cos()], 1)], 1)
    linear = linear * torch.exp(STRETCH * torch.randn(n, 2, 1, generator=rng))
    theta = torch.cat([linear, SHIFT * torch.randn(n, 2, 1, generator=rng)], 2)
    grid = F.affine_grid(theta, list(images.shape), align_corners=False) + resized(warp, images.shape[-1]).permute(0, 2, 3, 1)
    return F.grid_sample(images + 1, grid, align_corners=False) - 1


@torch.no_grad()
def share_right(net: Ruler, source: TaskSource, ruled: bool, count: int = 200) -> float:
    """The share of images of a source that the net takes for what they are."""
    rng = generator_for(0, "ruler")
    images = torch.cat([draw_task(source, 1, rng) for _ in range(count)])
    return float(((net(images) > 0) == ruled).float().mean())


if __name__ == "__main__":
    main()
