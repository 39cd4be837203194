"""Samples as pictures in their folder's form and the wanted size, painted with the examples' own pixels where they were kept."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import torch
from torch import Tensor

from metagan_cli.data.restoring import given_back
from metagan_cli.images.paints import Paints
from metagan_cli.images.resampling import at_side
from metagan_cli.images.sheets import to_bytes
from metagan_cli.networks.generator.plan import Plan
from metagan_cli.networks.generator.render import Picture, Renderer
from metagan_cli.sampling.drawn import Drawn
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

    def __init__(self, ready: Ready, wanted: str, most: int = LARGEST, opaque: bool = False) -> None:
        """At a size by `check_size`'s words, of which `auto` is at most so large; `opaque` where files cannot be transparent."""
        self.ready, self.size, self.opaque = ready, size_of(ready, wanted, most), opaque
        model = ready.base.config.image_size
        self.width, self.height = ready.form.size(model, self.size)
        self.renderer: Renderer | None = None
        if ready.natives and not ready.form.in_pixels(model):
            self.side = min(max(self.width, self.height), ready.natives.side)
            if self.side > model:
                self.renderer = Renderer(ready.examples, self._example, ready.base.nets.generator.rules, self.side)

    def pictures(self, drawn: Drawn) -> Iterator[Tensor]:
        """Samples as uint8 [H, W, C], one after the other; C is 4 where transparent."""
        return (paint() for paint in self.works(drawn))

    def plans(self, drawn: Drawn) -> list[Plan]:
        """The plans of those samples that start from support images, each alone."""
        return [] if drawn.plan is None else [drawn.plan.part(number) for number in range(len(drawn.variants))]

    def works(self, drawn: Drawn, plans: Sequence[Plan] | None = None) -> list[Callable[[], Tensor]]:
        """The same as what paints each, which threads may share; by its plans, where those are known already."""
        works: list[Callable[[], Tensor]] = [partial(self._given, Picture(image)) for image in drawn.images]
        if self.renderer is None:
            return works
        if plans is None:
            plans = self.plans(drawn)
        for place, plan in zip(drawn.variants, plans, strict=True):
            works[place] = partial(self._painted, self.renderer, plan)
        if drawn.logits is not None and drawn.paints is not None:
            for place, logits in zip(drawn.members, drawn.logits, strict=True):
                works[place] = partial(self._member, self.renderer, drawn.paints, logits)
        return works

    def examples(self) -> Iterator[Tensor]:
        """The support images themselves, likewise."""
        pictures = map(Picture, self.ready.examples) if self.renderer is None else self.renderer.pictures()
        return map(self._given, pictures)

    def _example(self, number: int) -> Picture:
        assert self.ready.natives is not None
        colour, alpha = self.ready.natives.picture(number)
        shrunk = None if alpha is None else (at_side(2 * alpha[None] - 1, self.side)[0] + 1) / 2
        return Picture(at_side(colour[None], self.side)[0], shrunk)

    def _member(self, renderer: Renderer, paints: Paints, logits: Tensor) -> Tensor:
        return self._given(renderer.paint(paints, logits))

    def _painted(self, renderer: Renderer, plan: Plan) -> Tensor:
        return self._given(renderer.draw(plan, 0))

    def _given_back(self, images: Tensor) -> Tensor:
        return given_back(to_bytes(images, self.ready.light_on_dark), self.ready.form, self.size, self.opaque)

    def _given(self, picture: Picture) -> Tensor:
        form = self.ready.form
        if self.opaque or form.clear < 0 or picture.alpha is None:
            return self._given_back(picture.colour[None])[0]
        pixels = to_bytes(picture.colour[None], self.ready.light_on_dark)
        alpha = picture.alpha.permute(1, 2, 0)[None]
        colour = (form.clear + (pixels.float() - form.clear) / alpha.clamp(min=1 / 255)).clamp(0, 255)
        cut = torch.cat([colour.expand(-1, -1, -1, 3), 255 * alpha], 3).round().byte()
        return given_back(cut, form, self.size, opaque=True)[0]
