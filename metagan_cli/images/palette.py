"""Few colours that stand for a picture's, and one picture of a folder in the colours that another has at the same places."""

import torch
import torch.nn.functional as F
from torch import Tensor

from metagan_cli.images.resampling import around

COLOURS = 12  # of a picture
SAME = 0.25  # how far apart pixels of one colour may be, as in JPEG files, in [-1, 1] for each channel
ROUNDS = 4  # of k-means (Lloyd 1982), from colours that lie as far apart as can be (Gonzalez 1985)
BETWEEN = 0.05  # by how much a pixel of a soft edge is lighter than one neighbour and darker than another


@torch.no_grad()
def few_colours(images: Tensor) -> tuple[Tensor, Tensor]:
    """Colours [N, COLOURS, 3] that stand for those of images [N, 3, S, S], and which of them each pixel has: int [N, S * S]."""
    pixels = images.flatten(2).transpose(1, 2).float()
    row = torch.arange(len(pixels), device=pixels.device)
    chosen = [pixels.median(1).values]
    nearest = torch.full_like(pixels[..., 0], torch.inf)
    for _ in range(COLOURS - 1):
        nearest = nearest.minimum((pixels - chosen[-1][:, None]).square().sum(2))
        further = (nearest.amax(1) > SAME**2)[:, None]
        chosen.append(torch.where(further, pixels[row, nearest.argmax(1)], chosen[0]))
    colours = torch.stack(chosen, 1)
    for _ in range(ROUNDS):
        member = F.one_hot(torch.cdist(pixels, colours).argmin(2), COLOURS).float()
        size = member.sum(1)[..., None]
        colours = torch.where(size > 0, member.transpose(1, 2) @ pixels / size.clamp(min=1), colours)
    return colours, torch.cdist(pixels, colours).argmin(2)


@torch.no_grad()
def recoloured(support: Tensor, which: Tensor, like: Tensor, agreement: float) -> Tensor:
    """Support images number `which` [B, N] in the colours of those number `like` [B, N], of [B, K, 3, S, S]: [B * N, 3, S, S].

    Each of an image's few colours becomes that which the other has most where it is, if that is so in more than this share of its
    places, and also the other way round: hair takes the colour of hair, a mouth that the other has not keeps its own. Within a
    colour shades stay.
    """
    row = torch.arange(len(support), device=support.device)[:, None]
    colours, members = (found.unflatten(0, support.shape[:2]) for found in few_colours(support.flatten(0, 1)))
    own, other, mine, its = (found[row, of].flatten(0, 1) for found in (colours, members) for of in (which, like))
    change = _changes(own, other, mine, its, agreement)
    moved = change.gather(1, mine[..., None].expand(-1, -1, 3)).transpose(1, 2).unflatten(2, support.shape[3:])
    images = support[row, which].flatten(0, 1)
    return torch.add(images, _soft_edges(images, moved)).clamp(-1, 1)


@torch.no_grad()
def recolouring(support: Tensor, which: int, like: int, agreement: float) -> tuple[Tensor, Tensor]:
    """What `recoloured` does to image `which` of [K, 3, S, S]: its few colours [COLOURS, 3], and what is added to each."""
    colours, members = few_colours(support[[which, like]])
    change = _changes(colours[:1], colours[1:], members[:1], members[1:], agreement)
    return colours[0], change[0]


@torch.no_grad()
def with_colours(image: Tensor, colours: Tensor, change: Tensor) -> Tensor:
    """An image [3, H, W], to each of whose pixels what belongs to the nearest of so many colours [P, 3] is added, [P, 3]."""
    if not change.any():
        return image
    pixels = image.flatten(1).T
    nearest = torch.cdist(pixels, colours).argmin(1)
    moved = change[nearest].T.view_as(image)
    return torch.add(image, _soft_edges(image[None], moved[None])[0]).clamp(-1, 1)


def _changes(own: Tensor, other: Tensor, mine: Tensor, its: Tensor, agreement: float) -> Tensor:
    """What is added to images' few colours [N, P, 3], by others' [N, P, 3] and which of them each pixel has: [N, P, 3]."""
    shared = F.one_hot(mine, COLOURS).float().transpose(1, 2) @ F.one_hot(its, COLOURS).float()
    most = shared.argmax(2)
    mutual = shared.argmax(1).gather(1, most) == torch.arange(COLOURS, device=most.device)
    sure = mutual & (shared.amax(2) > agreement * shared.sum(2).clamp(min=1))
    return torch.as_tensor((other.gather(1, most[..., None].expand_as(own)) - own) * sure[..., None])


def _soft_edges(images: Tensor, moved: Tensor) -> Tensor:
    """What each pixel changes by [N, 3, S, S]; those of soft edges by the mean of their neighbours that are of none.

    A pixel of a soft edge lies between its neighbours in lightness, and at most two of them are as light as it is.
    """
    light = images.mean(1, keepdim=True)
    framed, (height, width) = F.pad(light, 4 * [1], mode="replicate"), images.shape[2:]
    darker, lighter, alike = (torch.zeros_like(light, dtype=kind) for kind in (torch.bool, torch.bool, torch.int8))
    for place in range(9):
        further = framed[..., place // 3 :, place % 3 :][..., :height, :width] - light
        darker |= further < -BETWEEN
        lighter |= further > BETWEEN
        alike += further.abs() < BETWEEN
    clear = (~(darker & lighter) | (alike > 3)).float()
    near = around(clear, 3)
    mean = around(clear * moved, 3) / near.clamp(min=1e-6)
    return torch.where((clear > 0) | (near == 0), moved, mean)
