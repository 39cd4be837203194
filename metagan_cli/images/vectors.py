"""Pictures as SVG: ink and flat colours as smooth outlines, pixel art as rectangles."""

import io
import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from metagan_cli.errors import UsageError
from metagan_cli.images.gradients import squared_gradients
from metagan_cli.images.ground import border
from metagan_cli.images.shares import shared_colours

SIDE = 1024  # pixels of the longer side of what is traced, at least
MARGIN = 2  # pixels around a picture that are traced with it, so that outlines run straight out of it
BELOW = 8  # pixels, at least, that colours reach below those drawn after them: outlines are followed to a few pixels
CRISP = 0.5  # how much of what splines blur is undone: all would bring stairs back
SMOOTH = {"mode": "spline", "corner_threshold": 45, "splice_threshold": 45, "length_threshold": 30.0, "path_precision": 0}
Size = tuple[int, int]  # width and height
Colour = tuple[int, ...]  # red, green, blue, alpha
NOTHING = (0, 0, 0, 0)


def tracer(wanted: str = "--format svg", extra: str = "svg") -> Any:
    """The package that follows outlines, which an extra brings. Raises UsageError where it is not installed."""
    try:
        import vtracer
    except ImportError as error:
        raise UsageError(f"{wanted}: pip install 'metagan[{extra}]' first") from error
    return vtracer


def outline_of(share: Tensor, factor: int, smooth: bool) -> str:
    """Where ink covers more than half of pixels [H, W], as an SVG path in which a pixel has so many units.

    Outlines are smooth, or run along the pixels. Raises UsageError where the tracer is not installed.
    """
    framed = F.pad(share[None], 4 * [MARGIN])
    if smooth:
        return _followed(_enlarged(framed, factor)[0] > 0.5, factor, **SMOOTH)
    large = framed[0].repeat_interleave(factor, 0).repeat_interleave(factor, 1)
    return _followed(large > 0.5, factor, mode="none")


def traced(image: Image.Image, ink: bool, size: Size | None = None) -> str:
    """A picture of any mode and size as SVG, to be shown at `size`, else at its own.

    Black and white alone where it is `ink`, else few colours; what is transparent stays so, and of transparent ink also what
    the ink encloses. Raises UsageError where the tracer is not installed.
    """
    colours, shares = _ink(image) if ink else _flat(image)
    factor = max(1, -(-SIDE // max(image.size)))
    box = (factor * image.width, factor * image.height)
    owner = _enlarged(F.pad(shares, 4 * [MARGIN], mode="replicate"), factor).argmax(0)
    paths = []
    for colour, mask in _layers(owner, colours, max(factor, BELOW)):
        outline = f"M0 0h{box[0]}v{box[1]}h-{box[0]}z" if mask.all() else _followed(mask, factor, **SMOOTH)
        paths += [_path(colour, outline)] if outline else []
    return _document(paths, box, size or image.size)


def in_rectangles(image: Image.Image, size: Size | None = None) -> str:
    """Pixel art as SVG with sharp edges, to be shown at `size`, else at its own: a rectangle for what is alike in a row."""
    pixels = np.array(image.convert("RGBA"))
    above: dict[tuple[int, int, int], int] = {}  # first column, length and colour of a run, and the row that it began in
    rows: dict[tuple[int, int, int, int], int] = {}  # and how many rows the run of that row goes on for
    for row, line in enumerate(pixels.view(np.uint32)[..., 0]):
        ends = np.flatnonzero(line[1:] != line[:-1]) + 1
        runs = [(int(a), int(b - a), int(line[a])) for a, b in zip([0, *ends], [*ends, len(line)], strict=True)]
        above = {run: above.get(run, row) for run in runs}
        rows |= {(*run, top): row + 1 - top for run, top in above.items()}
    by_colour = defaultdict(list)
    for (left, length, _, top), height in rows.items():
        by_colour[tuple(pixels[top, left].tolist())].append(f"M{left} {top}h{length}v{height}h-{length}z")
    paths = [_path(colour, "".join(parts)) for colour, parts in by_colour.items() if colour[3]]
    return _document(paths, image.size, size or image.size, ' shape-rendering="crispEdges"')


def _ink(image: Image.Image) -> tuple[list[Colour], Tensor]:
    """Ground and ink, black and white or the other way round, and each pixel's share of both [2, H, W].

    Transparent ink is laid on white or black, on whichever it shows more.
    """
    pixels = torch.from_numpy(np.array(image.convert("RGBA"))).float()
    alpha, light = pixels[..., 3] / 255, pixels[..., :3].mean(2)
    light = max((light * alpha + ground * (1 - alpha) for ground in (255, 0)), key=lambda x: float(squared_gradients(x[None])))
    ground = light[None, None].new_tensor(float(border(light[None]).median()))
    apart = light - ground
    most = apart.flatten()[apart.abs().argmax()]
    share = (apart / most).clamp(0, 1) if most else torch.zeros_like(light)
    dark, bright = (0, 0, 0, 255), (255, 255, 255, 255)
    colours = [bright, dark] if ground >= 128 else [dark, bright]
    return [NOTHING if alpha.min() < 0.5 else colours[0], colours[1]], torch.stack([1 - share, share])


def _flat(image: Image.Image) -> tuple[list[Colour], Tensor]:
    """A picture's few colours, and each pixel's share of them [P, H, W]; nothing is one as well."""
    pixels = torch.from_numpy(np.array(image.convert("RGBa"))).float() / 127.5 - 1  # laid on black: so edges are mixtures
    colours, shares = shared_colours(pixels.permute(2, 0, 1))
    levels = ((colours + 1) / 2).clamp(0, 1)
    alpha = levels[:, 3:]
    whole = torch.cat([levels[:, :3] / alpha.clamp(min=1 / 255), (alpha > 0.5).float()], 1).clamp(0, 1)
    return [tuple(colour) for colour in (255 * whole).round().int().tolist()], shares


def _enlarged(shares: Tensor, factor: int) -> Tensor:
    """Shares [P, H, W] so many times as large, by cubic B-splines, which smooth edges, after a part of that was undone."""
    (down, across), (own_down, own_across) = ([_splines(side, times) for side in shares.shape[1:]] for times in (factor, 1))
    crisp = shares + CRISP * (shares - own_down @ shares @ own_across.T)
    return down @ crisp @ across.T


def _splines(side: int, factor: int) -> Tensor:
    """The weight of each of `side` pixels at each place between them: [factor * side, side]."""
    place = (torch.arange(factor * side) + 0.5) / factor - 0.5
    apart = (place[:, None] - torch.arange(side)).abs()
    weight = torch.where(apart < 1, 4 / 6 - apart.square() * (1 - apart / 2), (2 - apart).clamp(min=0) ** 3 / 6)
    return weight / weight.sum(1, keepdim=True)


def _layers(owner: Tensor, colours: list[Colour], reach: int) -> Iterator[tuple[Colour, Tensor]]:
    """Colours with what is drawn in them, bool [H, W], from the largest to the smallest, by whose pixel each is: int [H, W].

    Each reaches so many pixels below those drawn after it, so that no gaps show; the first of an opaque picture reaches all over.
    """
    sizes = torch.bincount(owner.flatten(), minlength=len(colours))
    order = [number for number in sizes.argsort(descending=True).tolist() if sizes[number] and colours[number][3]]
    drawn = torch.isin(owner, torch.tensor(order))
    later = drawn.clone()
    for place, number in enumerate(order):
        own = owner == number
        later &= ~own
        if place == 0 and drawn.all():
            yield colours[number], drawn
        else:
            yield colours[number], own | (later & _around(own, reach)) if later.any() else own


def _around(mask: Tensor, reach: int) -> Tensor:
    """The pixels of [H, W] that are at most so far from those of a mask, across and down."""
    grown = mask[None, None].float()
    for across in (False, True):
        sizes = (1, 2 * reach + 1) if across else (2 * reach + 1, 1)
        grown = F.max_pool2d(grown, sizes, 1, (sizes[0] // 2, sizes[1] // 2))
    return grown[0, 0] > 0


def _followed(mask: Tensor, factor: int, **options: Any) -> str:
    """The outlines of a mask, bool [H, W], of pixels so many times enlarged, as a path without the margin."""
    trace = tracer().convert_raw_image_to_svg
    return _compact(trace(_bitmap(mask), "png", colormode="binary", filter_speckle=factor // 2, **options), factor * MARGIN)


def _bitmap(mask: Tensor) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.where(mask.numpy(), 0, 255).astype(np.uint8)).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _compact(svg: str, margin: int) -> str:
    """The outlines of all paths in whole pixels, from each point to the next, `margin` pixels further up and left."""
    found = []
    for outline, *shift in re.findall(r'<path d="([^"]*)".*?translate\((-?[\d.]+),(-?[\d.]+)\)', svg):
        here = (0, 0)
        for letter, text in re.findall(r"([MLCZ])([^MLCZ]*)", outline):
            numbers = [round(float(number)) for number in re.findall(r"-?[\d.]+", text)]
            if letter == "M":
                start = [number + round(float(more)) - margin for number, more in zip(numbers, shift, strict=True)]
                found.append("M" + _joined(start))
            elif letter == "Z":
                found.append("z")
            else:
                found.append(letter.lower() + _joined([n - here[i % 2] for i, n in enumerate(numbers)]))
            here = (numbers[-2], numbers[-1]) if numbers else here
    return "".join(found)


def _joined(numbers: list[int]) -> str:
    return " ".join(map(str, numbers)).replace(" -", "-")


def _path(colour: Colour, outline: str) -> str:
    opacity = f' fill-opacity="{colour[3] / 255:.3g}"' if colour[3] < 255 else ""
    return f'<path fill="#{bytes(colour[:3]).hex()}"{opacity} d="{outline}"/>'


def _document(paths: list[str], box: Size, size: Size, options: str = "") -> str:
    stretched = ' preserveAspectRatio="none"' if box[0] * size[1] != box[1] * size[0] else ""
    place = f'width="{size[0]}" height="{size[1]}" viewBox="0 0 {box[0]} {box[1]}"'
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" {place}{stretched}{options}>', *paths, "</svg>", ""])
