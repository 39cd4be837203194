"""Bringing plain drawings near a folder's hand by program, before the painter takes them over."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import torch.nn.functional as F
from torch import Tensor

from metagan_cli.data.sources.styles import thickness
from metagan_cli.images.ink import ink_of
from metagan_cli.images.paints import mixed, paints_of
from metagan_cli.images.styling import PLAIN, Fields, Styling, fields_of, laid_out, styled_logits
from metagan_cli.workflows.kinship import hands_in

WEIGHTS = (-1.0, -0.5, 0.0, 0.6, 1.2)  # pixels that edges are moved, at first
LINES = (0.6, 0.9, 1.3, 1.8)  # half the widths of outlines, likewise
FINER_WEIGHTS, FINER_LINES = (-0.3, 0.3), (-0.2, 0.2)  # and around the best of them
SOFT, WIDE, SLANTS = (0.7, 1.3), (0.85, 0.92), (-0.15, 0.15)
GAIN, BENT = 0.003, 0.02  # of likeness that a further change has to bring, and one that leaves upright what was
WEIGHED = 0.1  # of likeness, that e times as thick lines are worth


class Nearing:
    """A search for the styling whose drawings look most as if the folder's hand had drawn them, to a net that tells hands."""

    def __init__(self, examples: Tensor, drawings: Sequence[Tensor]) -> None:
        """Of examples [K, C, S, S] in [-1, 1], and some motifs in one or more plain hands, [N, 1, S, S] each."""
        ink = ink_of(examples)
        self.paints = paints_of(ink[None])
        self.wanted, self.thickness = _direction(ink), thickness(ink).mean()
        self.covers = [(drawn + 1) / 2 for drawn in drawings]
        self.fields: list[Fields] = [fields_of(cover) for cover in self.covers]
        self.which, self.styling = 0, PLAIN
        self.likeness = self.likeness_of(self.draw(0, PLAIN))

    def search(self) -> tuple[int, Styling]:
        """Which plain hand to start from, and what to make of it."""
        toned = bool(self.paints.there[0, 2])
        kept, hollow = (("keep", "solid", "tinted"), ("outline", "duotone")) if toned else (("keep", "solid"), ("outline",))
        for which in range(len(self.covers)):
            self._try(which, (replace(PLAIN, form=form, weight=w) for form in kept for w in WEIGHTS))
            self._try(which, (replace(PLAIN, form=form, line=line) for form in hollow for line in LINES))
        self._vary("weight", (self.styling.weight + more for more in FINER_WEIGHTS))
        self._vary("line", (self.styling.line + more for more in FINER_LINES))
        self._vary("soft", SOFT)
        self._vary("wide", WIDE, BENT)
        self._vary("slant", SLANTS, BENT)
        return self.which, self.styling

    def draw(self, which: int, styling: Styling) -> Tensor:
        """The drawings of one plain hand, so styled: [N, 1, S, S] in [-1, 1]."""
        moved = styling.slant or styling.wide != PLAIN.wide
        fields = fields_of(laid_out(self.covers[which], styling)) if moved else self.fields[which]
        return mixed(styled_logits(fields, styling)[None], self.paints)[0]

    def likeness_of(self, ink: Tensor) -> float:
        """How much drawings [N, 1, S, S] look as if the folder's hand had drawn them: at most 1."""
        heavier = (thickness(ink).mean() / self.thickness).log().abs()
        return float(_direction(ink) @ self.wanted - WEIGHED * heavier)

    def _vary(self, name: str, values: Iterable[float], gain: float = GAIN) -> None:
        self._try(self.which, [replace(self.styling, **{name: value}) for value in values], gain)  # type: ignore[arg-type]

    def _try(self, which: int, stylings: Iterable[Styling], gain: float = GAIN) -> None:
        for styling in stylings:
            likeness = self.likeness_of(self.draw(which, styling))
            if likeness > self.likeness + gain:
                self.which, self.styling, self.likeness = which, styling, likeness


def near_logits(ink: Tensor, styling: Styling) -> Tensor:
    """Logits [3, S, S] of gray paints of a drawing [1, S, S] in [-1, 1], so styled."""
    return styled_logits(fields_of(laid_out((ink[None] + 1) / 2, styling)), styling)[0]


def _direction(ink: Tensor) -> Tensor:
    return F.normalize(hands_in(ink).mean(0), dim=0)
