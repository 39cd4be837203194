"""Few colours that a flat picture is made of, and each pixel's share of them: on soft edges two colours share a pixel."""

import torch
import torch.nn.functional as F
from torch import Tensor

from metagan_cli.images.regions import EVEN, even_areas, region_means

SAME = 0.12  # distance of colours that count as one
CLOSE, FAR = 0.15, 0.25  # of a pixel from what explains it well, and from what does not
SLACK = 0.05  # by how much further a mixture may be than one colour
FEW = 3  # pixels that may be explained by nothing
COLOURS, AREAS = 16, 64  # of a picture at most, and the areas, the largest, that colours are looked for in
LOOKED_AT = 2048  # pixels among which the colours of lines are looked for
REACH = 5  # pixels a side of the neighbourhood in which both colours of a soft edge are found


@torch.no_grad()
def shared_colours(picture: Tensor) -> tuple[Tensor, Tensor]:
    """The colours [P, C] of a picture [C, H, W] in [-1, 1], and its pixels' shares of them [P, H, W], of sum 1.

    Colours are those of its even areas, and then of lines, as far as they are no mixtures of two others around them.
    """
    height, width = picture.shape[1:]
    picture = F.pad(picture, (0, max(0, height - width), 0, max(0, width - height)), mode="replicate")  # regions are of squares
    regions, inside = (part[0] for part in even_areas(picture[None], EVEN))
    pixels = picture.flatten(1).T
    of_areas = _apart(region_means(picture[None], regions[None])[0].flatten(1).T[_largest(regions, inside)])
    colours = of_areas[:1]
    for colour in of_areas[1:]:
        far = _mixtures(picture, colours, len(colours), inside[0])[1]
        if ((pixels - colour).norm(dim=1)[far > CLOSE] <= SAME).sum() > FEW:
            colours = torch.cat([colours, colour[None]])
    areas = len(colours)
    while True:
        shares, far = _mixtures(picture, colours, areas, inside[0])
        lost = (far > FAR).nonzero()[:, 0]
        lost = lost[:: 1 + len(lost) // LOOKED_AT]
        lost = lost[(torch.cdist(pixels[lost], pixels[lost]) <= 2 * SAME).sum(1) > FEW]
        if len(colours) == COLOURS or not len(lost):
            return colours, shares[:, :height, :width]
        colours = torch.cat([colours, pixels[lost[far[lost].argmax()]][None]])  # the furthest: those of soft edges lie between


def _largest(regions: Tensor, inside: Tensor) -> Tensor:
    """The pixels that stand for the largest areas, int [n]; of a picture without any, for its largest regions."""
    size = torch.bincount(regions, minlength=len(regions))
    own = torch.where(inside.flatten(), size, 0) if inside.any() else size
    own = torch.where(regions == torch.arange(len(regions)), own, 0)
    found = own.topk(min(AREAS, len(own))).indices
    return found[own[found] > 0]


def _apart(colours: Tensor) -> Tensor:
    """Those of the colours [n, C] that are not the same as an earlier one, at most as many as a picture may have."""
    kept = colours[:1]
    for colour in colours[1:]:
        if len(kept) < COLOURS and (kept - colour).norm(dim=1).amin() > SAME:
            kept = torch.cat([kept, colour[None]])
    return kept


def _mixtures(picture: Tensor, colours: Tensor, areas: int, inside: Tensor) -> tuple[Tensor, Tensor]:
    """Each pixel's shares of the colours [P, H, W], and how far it is from what they explain [H * W].

    A pixel has one colour, or is a mixture of two that are found around it. The colours of lines, which come after those of
    `areas`, explain only what these do not: else soft edges would be explained by themselves.
    """
    count, size, pixels = len(colours), picture.shape[1:], picture.flatten(1).T
    apart = torch.cdist(pixels, colours)
    far, first = apart[:, :areas].min(1)
    shares = F.one_hot(first, count).T.float()
    open_ = ~(inside.flatten() & (far <= SAME))
    near: list[Tensor] = []
    for j in range(count):
        if j >= areas:
            taken = (far > CLOSE) & (apart[:, j] < far)
            far[taken], shares[:, taken] = apart[taken, j], 0
            shares[j, taken] = 1
        alone = ((shares[j] == 1) & (far <= SAME)).view(1, *size).float()
        near.append(F.max_pool2d(alone, REACH, 1, REACH // 2).flatten() > 0)
        for i in range(j):
            some = (open_ & near[i] & near[j] & ((far > CLOSE) if j >= areas else True)).nonzero()[:, 0]
            way = colours[j] - colours[i]
            part = ((pixels[some] - colours[i]) @ way / way.square().sum()).clamp(0, 1)
            off = (pixels[some] - colours[i] - part[:, None] * way).norm(dim=1)
            better = off < far[some] + SLACK * (shares[:, some].amax(0) == 1)
            some, part = some[better], part[better]
            far[some], shares[:, some] = off[better], 0
            shares[i, some], shares[j, some] = 1 - part, part
    return shares.view(count, *size), far
