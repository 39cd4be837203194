"""Trains the feature nets that judge samples, and says how well they do on characters that they never saw.

python -m recipes.train_judges [--channels 1] [--minutes 20] [--out pretrained/judges-gray.safetensors]
python -m recipes.train_judges --from pretrained/judges-gray.safetensors --nets identity --minutes 30    # goes on with one net
python -m recipes.train_judges --from pretrained/judges-gray.safetensors --nets classes --minutes 8 --device cuda
                                      # the same net, gray, told which of all training characters and many doodles an image is

Only training classes: development alphabets and each source's held-out tasks stay apart. The nets never train a generator.
"""

import argparse
import math
import multiprocessing
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from metagan_cli.config import DataConfig
from metagan_cli.data.augmentation import augment
from metagan_cli.data.episodes import draw_task
from metagan_cli.data.sources.doodles import doodle_tasks
from metagan_cli.data.sources.open import open_source
from metagan_cli.data.sources.tasks import ArrayTasks, TaskSource
from metagan_cli.devices import choose_device, choose_precision, compute
from metagan_cli.evaluation.judges import Embedding, build_judges, see
from metagan_cli.images.resampling import sample_bilinear
from metagan_cli.rng import generator_for
from metagan_cli.store.features import load_judges, save_judges
from metagan_cli.store.shipped import features_name
from metagan_cli.store.tensors import read_metadata
from recipes.held_out import ALPHABETS, AVATARS, CLIP_ART, EMOJI, ICONS, PHOTOGRAPHS, TILES

SOURCES = {
    1: (
        DataConfig("data/omniglot_105.npz", 6.0, exclude=ALPHABETS),
        DataConfig("doodles", 1.0),
        DataConfig("data/icons_concept_gray_64.npz", 1.0),
        DataConfig("data/fonts_latin_64.npz", 0.5, by=("glyph",)),
    ),
    3: (
        DataConfig("data/emoji_vendor_subgroup_64.npz", 2.0, exclude=EMOJI),
        DataConfig("data/dicebear_64.npz", 1.0, exclude=AVATARS),
        DataConfig("data/icons_color_pack_64.npz", 1.0, exclude=ICONS),
        DataConfig("data/openclipart_64.npz", 1.0, exclude=CLIP_ART),
        DataConfig("data/crawl_tiles_32.npz", 1.0, exclude=("player/", *TILES)),
        DataConfig("data/caltech101_64.npz", 1.5, exclude=PHOTOGRAPHS),
        DataConfig("data/emoji_vendor_subgroup_64.npz", 1.0, by=("emoji",), exclude=EMOJI),
    ),
}
# Icons of one concept and one letter in many fonts share a meaning rather than a shape: learning to tell those, the prototypical
# net came to forgive any distortion (copies turned by 30 degrees: 93 % recognised).
SAME_SHAPE = {1: 2, 3: 7}  # how many of the sources it is trained on
SIZE = 64  # pixels of the images that are judged, and shrunk to SIDE by the nets themselves
WAYS, QUERIES = 80, 2  # of the prototypical net's episodes, from one example (Snell et al. 2017)
BATCH, TEMPERATURE = 128, 0.5  # of the contrastive embedding (same; SimCLR: Chen et al. 2020)
CLASS_BATCH, CLASS_WAYS = 1024, 256  # of the stage with classes: images a step, and ways of every fourth one
WOBBLE, BEND, CELLS = 0.08, 0.02, 4  # deviation of the entries of their maps, and of a smooth bend on so many cells a side
ORIENTATIONS, FEW = 8, 4  # of each task; images whose mean a prototype begins at
DRAWN, DRAWN_SHARE = 3000, 0.4  # doodles among the tasks, and the share of images that are theirs
AHEAD = 5.0  # by how much faster than the net its prototypes learn
RATE, FINAL = 1e-3, 0.05  # Adam; the rate falls by a cosine to this share
TURN, SCALE, SHIFT, SHEAR, TILT = 15, (0.75, 1.33), 0.1, 10, 0.25  # of distortions: degrees, times, sides, degrees, perspective


def main() -> None:
    """Trains the nets side by side, and writes them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--channels", type=int, default=1, choices=(1, 3))
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--rate", type=float, default=RATE, help="Adam's, at the start")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu", help="where the stage with classes trains")
    parser.add_argument("--drawn", type=int, default=DRAWN, help="doodles that are classes")
    parser.add_argument("--nets", nargs="+", default=["identity", "description"], choices=list(LOSSES))
    parser.add_argument("--from", dest="start", type=Path, help="judges to go on from")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    sources = SOURCES[options.channels]
    judges = load_judges(options.start)[0] if options.start else build_judges(options.channels)
    steps = dict.fromkeys(LOSSES, 0) | (dict(read_metadata(options.start)["steps"]) if options.start else {})
    threads = max(1, (os.cpu_count() or 1) // len(options.nets))
    jobs = [
        (name, getattr(judges, TAUGHT[name]).state_dict() if options.start else None, options, steps[name], threads)
        for name in options.nets
    ]
    with ProcessPoolExecutor(len(jobs), multiprocessing.get_context("spawn")) as pool:
        for name, weights, taken in pool.map(train, *zip(*jobs, strict=True)):
            getattr(judges, TAUGHT[name]).load_state_dict(weights)
            steps[name] += taken
    held_out = open_source(sources[0], SIZE, options.channels).held_out
    identity = judges.identity.eval()
    score = one_shot(lambda images: identity(see(images))[1], held_out)
    print(f"one-shot, 20 ways, held-out tasks of {held_out.name}: {100 * score:.1f} %")
    out = options.out or Path("pretrained") / features_name("judges", options.channels)
    names = [f"{s.source}{' by ' + ', '.join(s.by) if s.by else ''}" for s in sources]
    save_judges(out, judges, {"data": names, "seed": options.seed, "steps": steps, "one_shot": round(score, 4)})
    print(f"wrote {out}")


def train(
    name: str, start: dict[str, Tensor] | None, options: argparse.Namespace, first: int, threads: int
) -> tuple[str, dict[str, Tensor], int]:
    """One of the nets, trained in a process of its own from step `first` on; its weights, and the steps taken."""
    torch.set_num_threads(threads)
    torch.manual_seed(options.seed)
    device = choose_device(options.device if name == "classes" else "cpu")
    net: Embedding = getattr(build_judges(options.channels), TAUGHT[name]).to(device, memory_format=torch.channels_last)
    if start is not None:
        net.load_state_dict(start)
    sources = SOURCES[options.channels][: SAME_SHAPE[options.channels] if name != "description" else None]
    tasks = [open_source(source, SIZE, options.channels).train for source in sources]
    taught: nn.Module = Recogniser(net, tasks[0], options.drawn) if name == "classes" else net
    weights = torch.tensor([source.weight for source in sources])
    precision = choose_precision("auto", device)

    def loss(step: int) -> Tensor:
        with compute(device, precision):
            return LOSSES[name](taught, tasks, weights, options.seed, first + step)

    taken = fit(taught, loss, 60 * options.minutes, options.rate)
    return name, net.cpu().state_dict(), taken


def fit(net: nn.Module, loss_of: Callable[[int], Tensor], seconds: float, rate: float = RATE) -> int:
    """Adam for that long, the rate falling with the time; returns the steps taken."""
    adam, start, step, mean = torch.optim.Adam(net.parameters(), rate), time.monotonic(), 0, 0.0
    net.train()
    while (gone := (time.monotonic() - start) / seconds) < 1:
        adam.param_groups[0]["lr"] = rate * (FINAL + (1 - FINAL) * (1 + math.cos(math.pi * gone)) / 2)
        loss = loss_of(step)
        adam.zero_grad(set_to_none=True)
        loss.backward()
        adam.step()
        step, mean = step + 1, mean + 0.02 * (loss.item() - mean) if step else loss.item()
        if step % 100 == 0:
            print(f"{step} steps  {100 * gone:.0f} %  loss {mean:.3f}", flush=True)
    return step


def tasks_of(sources: Sequence[TaskSource], weights: Tensor, count: int, images: int, rng: torch.Generator) -> Tensor:
    """`images` images of `count` random tasks [count, images, C, S, S], each task under a map of its own."""
    able = weights * torch.tensor([source.tasks(images) > 0 for source in sources])
    chosen = torch.multinomial(able, count, replacement=True, generator=rng)
    return augment(torch.stack([draw_task(sources[int(i)], images, rng) for i in chosen]), rng)


def identity_loss(net: Embedding, sources: Sequence[TaskSource], weights: Tensor, seed: int, step: int) -> Tensor:
    """The prototypical net's loss on one batch of tasks."""
    tasks = tasks_of(sources, weights, WAYS, 1 + QUERIES, generator_for(seed, "identity", step))
    return prototypical(net(see(tasks.flatten(0, 1)))[1].unflatten(0, (WAYS, 1 + QUERIES)))


def prototypical(features: Tensor) -> Tensor:
    """Cross-entropy of queries among one-image prototypes, by squared distance, of features [ways, 1 + queries, D] (same)."""
    ways, queries = len(features), features.shape[1] - 1
    apart = torch.cdist(features[:, 1:].flatten(0, 1).float(), features[:, 0].float()).square()
    return F.cross_entropy(-apart, torch.arange(ways, device=apart.device).repeat_interleave(queries))


class Recogniser(nn.Module):
    """The prototypical net beside a learned prototype of every task, which begins at the mean of a few of its images.

    The tasks are a source's, and so many doodles. A task turned or mirrored is another one: eight of each.
    """

    images: Tensor
    maps: Tensor

    def __init__(self, net: Embedding, source: TaskSource, drawn: int = 0) -> None:
        super().__init__()
        if not isinstance(source, ArrayTasks):
            raise ValueError("a drawn family has no end of classes")
        shots = min(len(numbers) for numbers in source.members)
        images = torch.stack([source.images[numbers[:shots]] for numbers in source.members])
        self.net, self.known = net, len(images)
        if drawn:
            images = torch.cat([images, doodles(drawn, shots, images.shape[-1])])
        device = next(net.parameters()).device
        self.register_buffer("images", images.to(device), persistent=False)
        maps = torch.stack([orientation(number) for number in range(ORIENTATIONS)])
        self.register_buffer("maps", maps.to(device), persistent=False)
        with torch.no_grad():
            net.eval()
            rng, every = generator_for(0, "classes"), torch.arange(len(images) * ORIENTATIONS)
            means = [self.project(some.repeat_interleave(FEW), rng).unflatten(0, (-1, FEW)).mean(1) for some in every.split(256)]
        self.ahead = nn.Parameter(torch.cat(means) / AHEAD)

    def project(self, labels: Tensor, rng: torch.Generator) -> Tensor:
        """The net's projections [N, 128] of an image of each class [N], each under a small map and bend of its own."""
        n, device = len(labels), self.images.device
        number = torch.randint(self.images.shape[1], (n,), generator=rng).to(device)
        linear = torch.eye(2) + WOBBLE * torch.randn(n, 2, 2, generator=rng)
        bend = (BEND * torch.randn(n, 2, CELLS, CELLS, generator=rng)).to(device)
        labels = labels.to(device)
        images = self.images[labels // ORIENTATIONS, number].float() / 127.5 - 1
        turned = linear.to(device) @ self.maps[labels % ORIENTATIONS]
        grid = F.affine_grid(F.pad(turned, (0, 1)), list(images.shape), align_corners=False)
        bent = F.interpolate(bend, size=images.shape[-2:], mode="bicubic", align_corners=False).permute(0, 2, 3, 1)
        projected: Tensor = self.net(see(sample_bilinear(images + 1, grid + bent) - 1))[1]
        return projected.float()

    def labels(self, count: int, rng: torch.Generator) -> Tensor:
        """Random classes [count], of which doodles are a fixed share."""
        tasks = torch.randint(self.known, (count,), generator=rng)
        if drawn := len(self.images) - self.known:
            some = torch.rand(count, generator=rng) < DRAWN_SHARE
            tasks = torch.where(some, self.known + torch.randint(drawn, (count,), generator=rng), tasks)
        return tasks * ORIENTATIONS + torch.randint(ORIENTATIONS, (count,), generator=rng)

    def among_all(self, rng: torch.Generator) -> Tensor:
        """Cross-entropy of a batch among all classes, by squared distance."""
        labels = self.labels(CLASS_BATCH, rng)
        projected = self.project(labels, rng)
        with torch.autocast(projected.device.type, enabled=False):
            prototypes = AHEAD * self.ahead
            odds = 2 * projected @ prototypes.T - prototypes.square().sum(1)
            return F.cross_entropy(odds, labels.to(odds.device))

    def from_one(self, rng: torch.Generator) -> Tensor:
        """The prototypical net's loss among a few classes."""
        labels = self.labels(CLASS_WAYS, rng).repeat_interleave(1 + QUERIES)
        return prototypical(self.project(labels, rng).unflatten(0, (CLASS_WAYS, 1 + QUERIES)))


def doodles(tasks: int, shots: int, size: int) -> Tensor:
    """Training doodles uint8 [tasks, shots, 1, S, S], drawn by all processors."""
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool:
        drawn = pool.map(_doodle, range(tasks), repeat(shots), repeat(size), chunksize=50)
        return torch.from_numpy(np.stack(list(drawn)))


def _doodle(task: int, shots: int, size: int) -> "np.ndarray[Any, Any]":
    torch.set_num_threads(1)
    found: np.ndarray[Any, Any] = doodle_tasks(size, 1).train.draw(task, shots, generator_for(task, "doodle classes")).numpy()
    return found


def orientation(number: int) -> Tensor:
    """One of the eight maps [2, 2] of a square onto itself."""
    quarter = torch.tensor([[0.0, -1.0], [1.0, 0.0]])
    turned = torch.linalg.matrix_power(quarter, number % 4)
    return torch.as_tensor(torch.diag(torch.tensor([-1.0 if number >= 4 else 1.0, 1.0])) @ turned)


def classes_loss(taught: Recogniser, sources: Sequence[TaskSource], weights: Tensor, seed: int, step: int) -> Tensor:
    """The loss among all classes, at every fourth step that among a few of them from one image each."""
    rng = generator_for(seed, "classes", step)
    return taught.from_one(rng) if step % 4 == 3 else taught.among_all(rng)


def contrast_loss(net: Embedding, sources: Sequence[TaskSource], weights: Tensor, seed: int, step: int) -> Tensor:
    """NT-Xent of two distorted versions of each image of a batch (Chen et al. 2020, eq. 1)."""
    rng = generator_for(seed, "description", step)
    images = tasks_of(sources, weights, BATCH, 1, rng)[:, 0]
    views = see(torch.cat([distort(images, rng), distort(images, rng)]))
    return nt_xent(net(views)[1])


def nt_xent(projected: Tensor) -> Tensor:
    """Which is the other version of each of N images, of projections [2 N, D]: first versions, then second ones (same)."""
    unit = F.normalize(projected.float(), dim=1)
    alike = unit @ unit.T / TEMPERATURE - torch.diag(torch.full((len(unit),), math.inf))
    return F.cross_entropy(alike, torch.arange(len(unit)).roll(len(unit) // 2))


def distort(images: Tensor, rng: torch.Generator) -> Tensor:
    """Images [N, C, S, S], each cropped and stretched, or turned and sheared, or tilted."""
    n, side = len(images), images.shape[-1]

    def between(low: float, high: float, shape: tuple[int, ...] = ()) -> Tensor:
        return torch.empty(n, *shape).uniform_(low, high, generator=rng)

    scale, turn = between(math.log(SCALE[0]), math.log(SCALE[1])).exp(), between(-TURN, TURN).deg2rad()
    shear = between(-SHEAR, SHEAR).deg2rad().tan()
    stretch = between(math.log(0.8), math.log(1.2)).exp().sqrt()
    zero, one = torch.zeros(n), torch.ones(n)
    crop = torch.stack([stretch / scale, zero, zero, 1 / (stretch * scale)], 1)
    turned = torch.stack([turn.cos(), shear - turn.sin(), turn.sin(), turn.cos()], 1) / scale[:, None]
    kind = torch.randint(3, (n,), generator=rng)[:, None]
    straight = torch.stack([one, zero, zero, one], 1)
    linear = torch.where(kind == 0, crop, torch.where(kind == 1, turned, straight)).view(n, 2, 2)
    shift = between(-2 * SHIFT, 2 * SHIFT, (2,))[:, :, None]
    tilt = torch.where(kind == 2, between(-TILT, TILT, (2,)), torch.zeros(n, 2))
    axis = torch.linspace(-1, 1, side)
    points = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), 2).view(1, -1, 2)
    grid = (points @ linear.transpose(1, 2) + shift.transpose(1, 2)) / (1 + points @ tilt[:, :, None])
    ground = -1.0 if images.shape[1] == 1 else 1.0
    moved = F.grid_sample(images - ground, grid.view(n, side, side, 2), align_corners=False)
    return torch.as_tensor(moved + ground)


@torch.no_grad()
def one_shot(features_of: Callable[[Tensor], Tensor], source: TaskSource, ways: int = 20, episodes: int = 200) -> float:
    """Accuracy among 20 held-out tasks from one image each, in [0, 1]; quarter turns make more tasks of them."""
    right = 0.0
    for episode in range(episodes):
        rng = generator_for(episode, "one shot")
        count = source.tasks(2)
        chosen = torch.randperm(4 * count, generator=rng)[:ways].tolist()
        pairs = [source.draw(i // 4, 2, rng).float().div(127.5).sub(1).rot90(i % 4, (2, 3)) for i in chosen]
        features = features_of(torch.stack(pairs).flatten(0, 1)).unflatten(0, (len(chosen), 2))
        right += float((torch.cdist(features[:, 1], features[:, 0]).argmin(1) == torch.arange(len(chosen))).float().mean())
    return right / episodes


LOSSES: dict[str, Callable[..., Tensor]] = {
    "identity": identity_loss,
    "classes": classes_loss,
    "description": contrast_loss,
}
TAUGHT = {"identity": "identity", "classes": "identity", "description": "description"}  # the net that each of them teaches

if __name__ == "__main__":
    main()
