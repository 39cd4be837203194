"""Sampling between pixels, where asked with every derivative: torch's own has only the first, and MAML needs the second."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from metagan_cli.images.ground import ground_of

KEYS = -0.75  # slope of the cubic kernel one pixel away, as torch has it
FRAME = 2  # pixels around a picture that the kernel may reach
Sample = Callable[[Tensor, Tensor], Tensor]  # images at the places of a grid
_twice = ContextVar("twice", default=False)


@contextmanager
def twice_differentiable(wanted: bool = True) -> Iterator[None]:
    """Whatever is sampled or attended to within can be differentiated again; sampling takes about five times as long."""
    token = _twice.set(wanted)
    try:
        yield
    finally:
        _twice.reset(token)


def differentiated_twice() -> bool:
    """Whether what is computed now is to be differentiated again."""
    return _twice.get()


def sample_bilinear(images: Tensor, grid: Tensor) -> Tensor:
    """Images [N, C, S, S] at the places grid [N, H, W, 2], (x, y) in [-1, 1] from edge to edge; zero outside: [N, C, H, W].

    torch's `grid_sample` with `align_corners=False`, or the same written out.
    """
    if not _twice.get():
        return F.grid_sample(images, grid, align_corners=False)
    return _written_out(images, grid, lambda share: {0: 1 - share, 1: share})


def sample_bicubic(images: Tensor, grid: Tensor) -> Tensor:
    """Like `sample_bilinear`, by cubic convolution (Keys 1981): it keeps edges crisper, and overshoots a little beside them."""
    if not _twice.get():
        return F.grid_sample(images, grid, mode="bicubic", align_corners=False)
    return _written_out(images, grid, _keys)


def _keys(share: Tensor) -> dict[int, Tensor]:
    """The weights of the pixels around a place that lies `share` beyond pixel 0."""

    def near(x: Tensor) -> Tensor:
        return ((KEYS + 2) * x - (KEYS + 3)) * x.square() + 1

    def far(x: Tensor) -> Tensor:
        return KEYS * (((x - 5) * x + 8) * x - 4)

    return {-1: far(1 + share), 0: near(share), 1: near(1 - share), 2: far(2 - share)}


def _written_out(images: Tensor, grid: Tensor, weigh: Callable[[Tensor], dict[int, Tensor]]) -> Tensor:
    """What `grid_sample` does, by weights of the pixels around each place; they are the same for rows and columns."""
    side = images.shape[-1]
    place = (grid + 1) * (side / 2) - 0.5
    corner = place.detach().floor()
    across, down = (weigh(share) for share in (place - corner).unbind(-1))
    flat, found = images.flatten(2), torch.zeros((), device=images.device, dtype=images.dtype)
    for i, width in across.items():
        for k, height in down.items():
            x, y = corner[..., 0].long() + i, corner[..., 1].long() + k
            inside = (x >= 0) & (x < side) & (y >= 0) & (y < side)
            index = (y.clamp(0, side - 1) * side + x.clamp(0, side - 1)).flatten(1)[:, None]
            taken = flat.gather(2, index.expand(-1, images.shape[1], -1)).unflatten(2, grid.shape[1:3])
            found = found + taken * (width * height * inside)[:, None]
    return found


def at_side(images: Tensor, side: int) -> Tensor:
    """Images [N, C, S, S] in [-1, 1] as [N, C, side, side], by cubic convolution, without aliasing where they get smaller.

    Where a whole number of pixels becomes one, it is their mean: what is even stays so.
    """
    times, rest = divmod(images.shape[-1], side)
    if rest == 0:
        return images if times == 1 else F.avg_pool2d(images, times)
    return F.interpolate(images, size=(side, side), mode="bicubic", antialias=True, align_corners=False).clamp(-1, 1)


def around(images: Tensor, size: int) -> Tensor:
    """The means of images [N, C, S, S], zero outside, over squares of `size` pixels, odd, about each: faster than pooling."""
    total = images
    for dim in (2, 3):
        framed = F.pad(total, [size // 2 if side // 2 == 3 - dim else 0 for side in range(4)])
        first, *others = (framed.narrow(dim, i, images.shape[dim]) for i in range(size))
        total = first + others[0]
        for other in others[1:]:
            total += other
    return total / size**2


def enlarged(maps: Tensor, side: int) -> Tensor:
    """Maps [N, c, s, s] at a larger side by cubic convolution, as torch's `interpolate` has it, in a fraction of its time."""
    along = _cubic(maps.shape[-1], side).to(maps)
    return along @ maps @ along.T


@lru_cache(maxsize=8)
def _cubic(few: int, many: int) -> Tensor:
    """The weights [many, few] of a row's pixels in an enlarged one's."""
    return F.interpolate(torch.eye(few)[None, None], size=(many, few), mode="bicubic")[0, 0]


def sample_nearest(images: Tensor, grid: Tensor) -> Tensor:
    """Like `sample_bilinear`, the nearest pixel itself; the places have no gradient."""
    return F.grid_sample(images, grid, mode="nearest", align_corners=False)


def sample_pictures(images: Tensor, grid: Tensor, sample: Sample = sample_bicubic) -> Tensor:
    """Images [N, 3, S, S] in [-1, 1] of any ground at the places of a grid, and on beyond a border mostly of one colour.

    Beyond any other border lies the mirror image: a picture that fills its square has no ground.
    """
    side, (ground, plain) = images.shape[-1], ground_of(images)
    ground, plain = (ground * plain[:, None])[..., None, None], plain[:, None, None, None]
    places = torch.where(plain, grid, reflected(grid, side))
    own, around = images - ground, 4 * [FRAME]
    framed = torch.where(plain, F.pad(own, around), F.pad(own, around, mode="reflect"))
    return (sample(framed, places * (side / (side + 2 * FRAME))) + ground).clamp(-1, 1)


def reflected(grid: Tensor, side: int) -> Tensor:
    """The places of a grid, with those beyond the outermost of `side` pixels' middles mirrored there: all of them are inside."""
    inside = 1 - 1 / side
    return inside * (1 - ((grid / inside + 1).remainder(4) - 2).abs())
