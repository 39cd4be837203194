"""Samples as pictures in their folder's form and the wanted size, painted with the examples' own pixels where they were kept."""

from collections.abc import Iterator

import torch
from torch import Tensor

from metagan_cli.data.restoring import given_back
from metagan_cli.images.resampling import at_side
from metagan_cli.images.sheets import to_bytes
from metagan_cli.networks.generator.render import Picture, Renderer
from metagan_cli.networks.state import Latents
from metagan_cli.sampling.sampler import Sampler
from metagan_cli.workflows.ready import Ready

LARGEST, LARGEST_CELL = 1024, 256  # pixels on the longer side of a single picture and of a sheet's cell, unless asked otherwise


def size_of(ready: Ready, wanted: str, most: int) -> str:
    """The size that is meant, by `check_size`'s words: `auto` is the folder's own, as far as the examples were kept so large."""
    if wanted != "auto" or ready.form.block:
        return wanted
    side = ready.natives.side if ready.natives else ready.base.config.image_size
    return str(min(max(ready.form.width, ready.form.height) or side, side if ready.natives is None else most))


class Painting:
    """Gives samples back at one size."""

    def __init__(self, ready: Ready, sampler: Sampler, wanted: str, most: int = LARGEST) -> None:
        self.ready, self.sampler, self.size = ready, sampler, size_of(ready, wanted, most)
        model = ready.base.config.image_size
        self.width, self.height = ready.form.size(model, self.size)
        natives, longer = ready.natives, max(self.width, self.height)
        self.side = min(longer, natives.side) if natives and self.size != "model" else model
        self.renderer: Renderer | None = None
        if self.side > model and not ready.form.in_pixels(model):
            rules = ready.base.nets.generator.rules
            self.renderer = Renderer(ready.state.bases[0].float().cpu(), self._example, rules, self.side)

    def pictures(self, images: Tensor, latents: Latents, opaque: bool = False) -> Iterator[Tensor]:
        """Samples [N, C, S, S] in [-1, 1] and their latents as uint8 [H, W, C], one after the other; C is 4 where transparent."""
        if self.renderer is None:
            yield from given_back(to_bytes(images, self.ready.light_on_dark), self.ready.form, self.size, opaque)
            return
        for plan in self.sampler.plans(latents):
            for number in range(len(plan.start)):
                yield self._given(self.renderer.draw(plan, number), opaque)

    def examples(self, opaque: bool = False) -> Iterator[Tensor]:
        """The support images themselves, likewise."""
        support = self.ready.state.bases[0].float().cpu()
        if self.renderer is None:
            yield from given_back(to_bytes(support, self.ready.light_on_dark), self.ready.form, self.size, opaque)
            return
        for number in range(len(support)):
            yield self._given(self._example(number), opaque)

    def _example(self, number: int) -> Picture:
        natives = self.ready.natives
        assert natives is not None
        alpha = natives.alpha(number)
        shrunk = None if alpha is None else (at_side(2 * alpha[None] - 1, self.side)[0] + 1) / 2
        return Picture(at_side(natives.image(number)[None], self.side)[0], shrunk)

    def _given(self, picture: Picture, opaque: bool) -> Tensor:
        form, pixels = self.ready.form, to_bytes(picture.colour[None], self.ready.light_on_dark)
        if opaque or form.clear < 0 or picture.alpha is None:
            return given_back(pixels, form, self.size, opaque)[0]
        alpha = picture.alpha.permute(1, 2, 0)[None]
        colour = (form.clear + (pixels.float() - form.clear) / alpha.clamp(min=1 / 255)).clamp(0, 255)
        cut = torch.cat([colour.expand(-1, -1, -1, 3), 255 * alpha], 3).round().byte()
        return given_back(cut, form, self.size, opaque=True)[0]
