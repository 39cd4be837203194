"""Which folders' samples can be drawn as vectors, and the drawing."""

from dataclasses import dataclass

from torch import Tensor

from metagan_cli.data.readers.geometry import Form
from metagan_cli.errors import UsageError
from metagan_cli.images.ink import is_ink
from metagan_cli.images.sheets import picture
from metagan_cli.images.vectors import in_rectangles, traced, tracer
from metagan_cli.networks.generator.flat import palette_of


@dataclass(frozen=True)
class Drawing:
    """How samples of a folder are drawn."""

    in_pixels: bool  # as rectangles
    ink: bool


def drawing_of(support: Tensor, form: Form) -> Drawing:
    """How samples of support images [K, C, S, S] in [-1, 1] with this form are drawn.

    Raises UsageError where they are neither ink, nor flat-coloured, nor pixel art, or what traces them is not installed.
    """
    if form.in_pixels(support.shape[-1]):
        return Drawing(in_pixels=True, ink=False)
    ink = support.shape[1] == 1 and is_ink(support)
    if not ink and not palette_of(support.expand(-1, 3, -1, -1)[None]).flat.all():
        raise UsageError(
            "--format svg: draws ink, flat colours and pixel art, and these images are none; --format png writes them"
        )
    tracer()
    return Drawing(in_pixels=False, ink=ink)


def as_svg(pixels: Tensor, drawing: Drawing, size: tuple[int, int], scale: int) -> str:
    """A sample uint8 [H, W, C] in its folder's form as SVG, shown at a size of (width, height), `scale` times as large."""
    shown = (scale * size[0], scale * size[1])
    return in_rectangles(picture(pixels), shown) if drawing.in_pixels else traced(picture(pixels), drawing.ink, shown)
