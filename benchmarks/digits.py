"""Three digits of a handwriting style in, all ten out: whether they are read as such, and are of that style.

python -m benchmarks.digits [--data data/mnist_t10k_28.npz] [--styles 36] [--sheet digits.png]

A small classifier learns from every other image of MNIST's test set; the other half is asked about, and lends the styles: images
of one slant and one thickness, as `mnist-styles` has them.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from metagan_cli.config import AdaptConfig
from metagan_cli.data.sources.styles import slant, style_groups, thickness
from metagan_cli.images.ink import centre, profiles
from metagan_cli.images.sheets import picture, tile, to_bytes
from metagan_cli.rng import generator_for
from metagan_cli.store.pictures import write_png
from metagan_cli.workflows.adapt import learn
from metagan_cli.workflows.guests import guests_for, members_of
from metagan_cli.workflows.ready import ready_of

SEEN = 64  # pixels that the model sees
SIDE, BODY = 28, 20  # pixels of MNIST's pictures, and of the longer side of what they show
STEPS, BATCH, RATE = 600, 128, 2e-3
SHOWN = 3  # digits of a style that are seen
SPREAD = (0.025, 0.975)  # shares of a style's real digits between which its slant and thickness lie


def main() -> None:
    """Trains the classifier, draws ten digits of each style, and prints what comes of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, default=Path("data/mnist_t10k_28.npz"))
    parser.add_argument("--styles", type=int, default=36)
    parser.add_argument("--sheet", type=Path)
    options = parser.parse_args()
    with np.load(options.data) as packed:
        images = torch.from_numpy(packed["images"]).float()[:, None] / 127.5 - 1
        labels = torch.from_numpy(packed["labels"]).long()
    styles = style_groups(images)
    net = taught(images[::2], labels[::2])
    print(f"the other half of the images: {100 * right(net, images[1::2], labels[1::2]):.1f} % read")
    read, rows, slanted, weighed = [], [], list[bool](), list[bool]()
    for number, style in enumerate(sorted(set(styles))[: options.styles]):
        own = torch.tensor([i for i in range(1, len(styles), 2) if styles[i] == style])
        seen = shown(own, labels, generator_for(0, "digits", number))
        drawn = ten(images[seen])
        read.append(right(net, drawn, torch.arange(10)))
        for measure, found in ((slant, slanted), (thickness, weighed)):
            low, high = measure(as_seen(images[own])).quantile(torch.tensor(SPREAD)).tolist()
            found.append(low <= float(measure(drawn).mean()) <= high)
        rows.append(torch.cat([images[seen], drawn]))
    within = f"slant within the style's spread in {sum(slanted)}, thickness in {sum(weighed)} of {len(read)} styles"
    print(f"new digits: {100 * sum(read) / len(read):.1f} % read; {within}")
    if options.sheet:
        sheet = tile(to_bytes(torch.cat(rows), light_on_dark=False), SHOWN + 10)
        write_png(options.sheet, picture(sheet, 2), {"kind": "benchmark"})


def shown(own: Tensor, labels: Tensor, rng: torch.Generator) -> Tensor:
    """The numbers of SHOWN images of different digits among those of a style."""
    order = own[torch.randperm(len(own), generator=rng)]
    first = {int(labels[i]): int(i) for i in reversed(order.tolist())}
    return torch.tensor(list(first.values())[-SHOWN:])


def ten(examples: Tensor) -> Tensor:
    """Digits 0 to 9 [10, 1, 28, 28] in [-1, 1] in the hand of examples [K, 1, 28, 28]."""
    files = [picture(image) for image in to_bytes(examples, light_on_dark=True)]
    ready = ready_of(learn(files, AdaptConfig(base="glyph", steps=0)), AdaptConfig())
    source = members_of(ready, guests_for(ready, "digits"))
    return as_mnist(torch.cat([drawn.images for drawn in source.stream(range(10))]))


def as_seen(images: Tensor) -> Tensor:
    """Real digits [N, 1, 28, 28], made as large as the model sees them and small again, as new ones are."""
    return as_mnist(F.interpolate(images, size=(SEEN, SEEN), mode="bicubic", antialias=True).clamp(-1, 1))


def as_mnist(images: Tensor) -> Tensor:
    """Ink [N, 1, S, S] in [-1, 1] as MNIST has it: the longer side of what is drawn is BODY pixels, its mean in the middle."""
    ink = (images + 1) / 2
    cells = []
    for one in ink:
        rows, columns = (torch.nonzero((one[0] > 0.25).any(dim)).flatten() for dim in (1, 0))
        box = one[None, :, int(rows[0]) : int(rows[-1]) + 1, int(columns[0]) : int(columns[-1]) + 1]
        times = BODY / max(box.shape[2:])
        size = [max(1, round(times * side)) for side in box.shape[2:]]
        small = F.interpolate(box, size=size, mode="bilinear", antialias=True)
        left, top = (SIDE - size[1]) // 2, (SIDE - size[0]) // 2
        cells.append(F.pad(small, (left, SIDE - size[1] - left, top, SIDE - size[0] - top)))
    whole = torch.cat(cells)
    theta = torch.cat([torch.eye(2).expand(len(whole), 2, 2), centre(profiles(whole))[..., None]], 2)
    return 2 * F.grid_sample(whole, F.affine_grid(theta, list(whole.shape), align_corners=False), align_corners=False) - 1


def taught(images: Tensor, labels: Tensor) -> nn.Module:
    """A small convolutional net that reads digits."""
    torch.manual_seed(0)
    net = nn.Sequential(
        *(
            nn.Conv2d(1, 32, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
        ),
        *(nn.Flatten(), nn.Dropout(0.3), nn.Linear(64 * 49, 128), nn.ReLU(), nn.Linear(128, 10)),
    )
    adam = torch.optim.Adam(net.parameters(), RATE)
    for step in range(STEPS):
        some = torch.randint(len(images), (BATCH,), generator=generator_for(0, "classifier", step))
        loss = F.cross_entropy(net(images[some]), labels[some])
        adam.zero_grad()
        loss.backward()
        adam.step()
    return net.eval()


@torch.no_grad()
def right(net: nn.Module, images: Tensor, labels: Tensor) -> float:
    """The share of images [N, 1, 28, 28] that are read as labels [N] say."""
    return float((net(images).argmax(1) == labels).float().mean())


if __name__ == "__main__":
    main()
