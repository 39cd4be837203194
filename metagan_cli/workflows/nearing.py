"""Bringing plain drawings near a folder's hand by program, before the painter takes them over."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from metagan_cli.images.ink import ink_of
from metagan_cli.images.styling import PLAIN, Fields, Styling, drawn_from, fields_of, laid_out
from metagan_cli.rng import generator_for
from metagan_cli.workflows.kinship import hands_in

WEIGHTS = (-1.0, -0.5, 0.0, 0.6, 1.2)  # pixels that edges are moved, at first
LINES = (0.6, 0.9, 1.3, 1.8)  # half the widths of outlines, likewise
FINER_WEIGHTS, FINER_LINES = (-0.3, 0.3), (-0.2, 0.2)  # and around the best of them
SOFT, WIDE, SLANTS, TONES = (0.7, 1.3), (0.85, 0.92), (-0.15, 0.15), (-0.7, -0.1, 0.3)
GAIN = 0.003  # of likeness that a further change has to bring


class Nearing:
    """A search for the styling whose drawings look most as if the folder's hand had drawn them, to a net that tells hands."""

    def __init__(self, examples: Tensor, drawings: Sequence[Tensor]) -> None:
        """Of examples [K, C, S, S] in [-1, 1], and some motifs in one or more plain hands, [N, 1, S, S] each."""
        self.wanted = F.normalize(hands_in(ink_of(examples)).mean(0), dim=0)
        self.covers = [(ink + 1) / 2 for ink in drawings]
        self.fields: list[Fields] = [fields_of(cover) for cover in self.covers]
        self.which, self.styling = 0, PLAIN
        self.likeness = self._likeness(0, PLAIN)

    def search(self) -> tuple[int, Styling]:
        """Which plain hand to start from, and what to make of it."""
        for which in range(len(self.covers)):
            self._try(which, (replace(PLAIN, form=form, weight=w) for form in ("keep", "solid", "tinted") for w in WEIGHTS))
            self._try(which, (replace(PLAIN, form=form, line=line) for form in ("outline", "duotone") for line in LINES))
        self._vary("weight", (self.styling.weight + more for more in FINER_WEIGHTS))
        self._vary("line", (self.styling.line + more for more in FINER_LINES))
        self._vary("soft", SOFT)
        self._vary("wide", WIDE)
        self._vary("slant", SLANTS)
        *others, _ = self.styling.colours
        self._try(self.which, (replace(self.styling, colours=(*others, torch.tensor([tone]))) for tone in TONES))
        return self.which, self.styling

    def _vary(self, name: str, values: Iterable[float]) -> None:
        self._try(self.which, [replace(self.styling, **{name: value}) for value in values])  # type: ignore[arg-type]

    def _try(self, which: int, stylings: Iterable[Styling]) -> None:
        for styling in stylings:
            likeness = self._likeness(which, styling)
            if likeness > self.likeness + GAIN:
                self.which, self.styling, self.likeness = which, styling, likeness

    def _likeness(self, which: int, styling: Styling) -> float:
        moved = styling.slant or styling.wide != PLAIN.wide
        fields = fields_of(laid_out(self.covers[which], styling)) if moved else self.fields[which]
        seen = hands_in(drawn_from(fields, styling, generator_for(0, "nearing")))
        return float(F.normalize(seen.mean(0), dim=0) @ self.wanted)
