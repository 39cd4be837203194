"""Bringing plain drawings near a folder's hand by program, before the painter takes them over."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from metagan_cli.data.sources.styles import slant
from metagan_cli.images.distance import line_weight, stroke_weights
from metagan_cli.images.lean import lean
from metagan_cli.images.paints import covered, mixed
from metagan_cli.images.styling import NEVER, PLAIN, TONED, Fields, Styling, fields_of, fitting, laid_out, styled_logits
from metagan_cli.workflows.kinship import hands_in
from metagan_cli.workflows.letterforms import proportions
from metagan_cli.workflows.measured import Measured, body_of, extents_of, thinnest_of

WEIGHTS = (-1.0, -0.5, 0.0, 0.6, 1.2)  # pixels that edges are moved, at first
LINES = (0.6, 0.9, 1.3, 1.8)  # half the widths of outlines, likewise
FINER_WEIGHTS, FINER_LINES = (-0.3, 0.3), (-0.2, 0.2)  # and around the best of them
SOFT, WIDE = (0.7, 1.3), (0.85, 0.92)
THINNEST, THICKEST = -2.0, 4.0  # pixels between which the weight of what is written is looked for
SECANTS, BOTH_SIDES, FLATTEST = 3, 2.0, 0.8  # steps of that, and how much thicker a pixel makes lines, at first and at least
TRIED, SLANTS, STRAIGHT = 0.2, (-0.6, 0.6), 0.05  # a slant that tells what slants do, all there are, and those that are none
SIZES, OF_LETTERS = (0.7, 1.35), (0.5, 2.0)  # times as large that drawings become: as a type's capitals fill a square or not
AS_LARGE = 0.04  # what of it is not worth moving drawings
SLACK = 0.05  # of likeness, by which what was found is better than it is: it is the best of many by this very figure
SOFTEST = 1.0  # pixels that the soft edges of what is slanted reach beyond where it ends
GAIN, BENT = 0.003, 0.02  # of likeness that a further change has to bring, and one that leaves upright what was
WEIGHED = {1: 0.2, 3: 0.05}  # of likeness, that lines e times as thick or dark are worth, by channels: in colour fills are not
HOLLOW = ("outline", "duotone")  # forms that have lines of their own
FORMS_OF_LINES, FORMS_OF_SOLIDS = ("keep", "tinted", "solid"), ("keep", "solid", "inlay", *HOLLOW)
SOLID, BROADEST = 0.6, 4.0  # share of drawings that is ink, from which they are solid, and half the width of lines in pixels
OF_ONE = ("keep", "solid")  # forms of one paint alone
EVENED = 0.025  # of the side, at most, that a plain drawing's edges are moved for its lines to weigh what others' do
FINEST = 0.6  # half the width in pixels that lines keep at least
WIDTHS, NIBS = (0.6, 1.6), (-2.0, 2.0)  # how much narrower and wider letters become, and level strokes thinner and thicker
EVEN = 0.15  # of a pixel, by which level strokes differ from upright ones that are as thick
GAP, NARROWER = 1.0, 0.1  # half the width of a gap in pixels that is left at least; and share of the gaps that are narrower


@dataclass(frozen=True)
class Manner:
    """How plain drawings are brought near."""

    hand: int  # which of the plain hands they are by
    styling: Styling
    line: int | None  # the paint of lines; none where they have that of what is filled
    fills: tuple[int, ...]  # those of what is filled, by turns


class Weights(NamedTuple):
    """Half the widths in pixels of the thinner lines of drawings, and of the narrower gaps within them: [N] each."""

    lines: Tensor
    gaps: Tensor

    @classmethod
    def of(cls, fields: Fields, solid: bool) -> "Weights":
        """Of drawings by their distances; of solids the thinnest lines."""
        lines = thinnest_of(fields.ink) if solid else line_weight(fields.ink)
        return cls(lines, line_weight(-fields.ink, fields.whole > 0, NARROWER))


class Nearing:
    """A search for the manner whose drawings look most as if the folder's hand had drawn them, to a net that tells hands."""

    def __init__(self, examples: Tensor, drawings: Sequence[Tensor], written: bool = False, same: Tensor | None = None) -> None:
        """Of examples [K, C, S, S] in [-1, 1], and some motifs in one or more plain hands, as large or larger, [N, 1, L, L] each.

        What is `written`, as letters are, is neither filled nor hollowed, but slanted and larger or smaller, and as wide as the
        folder's own drawings of the `same` motifs [N, 1, S, S] where there are.
        """
        self.written, self.side, self.same = written, examples.shape[-1], same
        self.own, self.wanted = Measured.of(examples), self._direction(examples)
        self.paints, self.several = self.own.paints, len(self.own.fills) > 1
        self.covers, self.finer = [(drawn + 1) / 2 for drawn in drawings], drawings[0].shape[-1] // self.side
        self.fields: list[Fields] = [fields_of(F.avg_pool2d(cover, self.finer)) for cover in self.covers]
        self._moved: dict[tuple[int, float, float, float], tuple[Fields, Weights]] = {}
        self.solid = [_are_solid(own) for own in self.fields]
        self.weights = [Weights.of(*pair) for pair in zip(self.fields, self.solid, strict=True)]
        self.starts = [self._sized(cover) if same is None else self._built(cover, (same + 1) / 2) for cover in self.covers]
        self.manner = Manner(0, self.starts[0], self.own.lines[0] if self.own.lines else None, self.own.fills)
        self.likeness = self.likeness_of(self.draw(self.manner))
        self._tried: dict[int, tuple[float, Manner]] = {}  # the best of each plain hand that was tried

    def search(self) -> "Nearing":
        """Itself, with the manner that was found."""
        self._write() if self.written else self._form()
        self._try(replace(self.manner, line=line) for line in self.own.lines)
        self._try(replace(self.manner, fills=(fill,)) for fill in self.own.common if len(self.manner.fills) > 1)
        if not self.written:
            self._vary("wide", WIDE, gain=BENT)
        return self

    def _form(self) -> None:
        """Tries what becomes of drawings in each form, then how thick and round they are."""
        start = self.manner
        if not self.own.lines and start.styling.form not in self._forms(0):
            self.likeness = -math.inf
        for hand in range(len(self.covers)):
            for form in self._forms(hand):
                formed = replace(start, hand=hand, styling=replace(start.styling, form=form))
                self._vary(*self._lines_of(hand, form), start=formed)
        if self.own.line is None or self.solid[self.manner.hand]:
            self._vary("weight", [self.manner.styling.weight + more for more in FINER_WEIGHTS])
        if self.own.line is None:
            self._vary("line", [self.manner.styling.line + more for more in FINER_LINES])
        self._vary("soft", SOFT)

    def _lines_of(self, hand: int, form: str) -> tuple[str, Sequence[float]]:
        """What of a form to try for its lines to be as thick as the folder's: what was measured, or else some."""
        measured = self.own.line
        if form in HOLLOW:
            return "line", LINES if measured is None else (measured,)
        if measured is None or self.solid[hand]:
            return "weight", WEIGHTS
        return "weight", (measured - float(self.weights[hand].lines.median()),)

    def _write(self) -> None:
        """Tries what is written, as much slanted and as thick as the examples: by which plain hand, how round, and how narrow."""
        self._try(self._weighed(replace(self.manner, hand=hand, styling=start)) for hand, start in enumerate(self.starts))
        best = self.manner
        self._try(self._weighed(replace(best, styling=replace(best.styling, soft=soft))) for soft in SOFT)
        for wide in WIDE if self.same is None else ():  # which makes upright strokes thinner
            self._try([self._weighed(replace(self.manner, styling=replace(self.manner.styling, wide=wide)))], BENT)

    def _sized(self, cover: Tensor) -> Styling:
        """Where to start with a plain hand's drawings, ink [N, 1, L, L] in [0, 1]: as large as the examples, and as slanted."""
        size = self.own.extent / float(extents_of(2 * cover - 1).median())
        if not self.written:
            return replace(PLAIN, size=_within(size, SIZES) if abs(size - 1) > AS_LARGE else 1.0)
        return replace(PLAIN, size=_within(size, OF_LETTERS), slant=self._slant(cover))

    def _built(self, cover: Tensor, same: Tensor) -> Styling:
        """Likewise with the same motifs by the folder, ink [N, 1, S, S]: also as wide, and level strokes as much lighter."""
        leaning = self._slant(cover, same)
        upright = 2 * laid_out(same, replace(PLAIN, slant=-leaning)) - 1
        size, wide = proportions(upright, 2 * F.avg_pool2d(cover, self.finer) - 1)
        start = replace(PLAIN, size=_within(size, OF_LETTERS), wide=_within(wide, WIDTHS))
        plain = 2 * F.avg_pool2d(laid_out(cover, start), self.finer) - 1
        nib = stroke_weights(upright).contrast - stroke_weights(plain).contrast
        return replace(start, slant=leaning / start.wide, nib=_within(nib, NIBS) if abs(nib) > EVEN else 0.0)

    def _weighed(self, manner: Manner) -> Manner:
        """The same with edges moved until lines are as thick as the examples', by secants."""
        wanted, known, weight = float(self.own.body[0].exp()), list[tuple[float, float]](), 0.0
        for _ in range(SECANTS):
            drawn = self.draw(replace(manner, styling=replace(manner.styling, weight=weight)))
            known.append((weight, float(body_of(drawn)[0].exp())))
            (low, thin), (high, thick) = known[0], known[-1]
            slope = (thick - thin) / (high - low) if high != low else BOTH_SIDES
            weight = _within(high + (wanted - thick) / max(slope, FLATTEST), (THINNEST, THICKEST))
        return replace(manner, styling=replace(manner.styling, weight=weight))

    def _slant(self, cover: Tensor, same: Tensor | None = None) -> float:
        """By how much a plain hand's drawings have to be slanted to lean as the examples do: strokes, or else all ink.

        Where the folder has the `same` motifs, that is what most of them say, and next to nothing is nothing.
        """
        upright = None if self.own.lean is None else lean(2 * cover - 1)
        if self.own.lean is not None and upright is not None:
            return _within(self.own.lean - upright, SLANTS)
        none, some = (slant(2 * laid_out(cover, replace(PLAIN, slant=some)) - 1) for some in (0.0, TRIED))
        if same is not None:
            found = float((slant(2 * same - 1) - none).median() / ((some - none).mean() / TRIED))
            return _within(found, SLANTS) if abs(found) > STRAIGHT else 0.0
        return _within(TRIED * (self.own.slant - float(none.mean())) / (float((some - none).mean()) or 1.0), SLANTS)

    def _forms(self, hand: int) -> list[str]:
        """What can be made of a plain hand's drawings, of these paints: what is hollow would lose lines where it is hollowed.

        Solids are not all of one paint where a folder's are of several, and hollow where its images are of lines; where those
        have no lines, solids are what there is, if a plain hand has some.
        """
        solids = [form for form in FORMS_OF_SOLIDS if form != "keep" or not self.several]
        if self.own.line is not None:
            solids = [form for form in solids if form in HOLLOW or form == "inlay"]
        forms = solids if self.solid[hand] else list(FORMS_OF_LINES)
        if not self.own.lines:
            return [form for form in forms if form in OF_ONE] if self.solid[hand] or not any(self.solid) else []
        return [form for form in forms if self.manner.fills or form not in TONED]

    def draw(self, manner: Manner) -> Tensor:
        """The drawings in a manner: [N, C, S, S] in [-1, 1]."""
        fields, known = self._laid_out(manner.hand, manner.styling)
        logits = styled_logits(self._evened(fields, manner, known), manner.styling)
        painted = torch.stack([self.painted(one, manner, number) for number, one in enumerate(logits)])
        return mixed(covered(painted)[None], self.paints)[0]

    def _laid_out(self, hand: int, styling: Styling) -> tuple[Fields, Weights]:
        """A plain hand's drawings where a styling puts them, found once: most stylings that are tried move nothing further."""
        if not styling.moves:
            return self.fields[hand], self.weights[hand]
        place = (hand, styling.slant, styling.wide, styling.size)
        if place not in self._moved:
            fields = fields_of(F.avg_pool2d(laid_out(self.covers[hand], styling), self.finer))
            self._moved[place] = fields, Weights.of(fields, self.solid[hand])
        return self._moved[place]

    def turn(self, number: int) -> Manner:
        """The manner at first, then the best ones of the other plain hands by turns, the best first; then all drawn once more."""
        others = [
            self._tried.get(hand, (-math.inf, replace(self.manner, hand=hand)))
            for hand in range(len(self.covers))
            if hand != self.manner.hand
        ]
        manners = [self.manner, *(manner for _, manner in sorted(others, key=lambda pair: -pair[0]))]
        again, place = divmod(number, len(manners))
        return replace(manners[place], hand=manners[place].hand + again * len(self.covers))

    def logits(self, ink: Tensor, manner: Manner, number: int, exact: bool = False) -> Tensor:
        """Logits [P, S, S] of the folder's paints of motif `number`, drawn by a manner's plain hand.

        That is ink in [-1, 1], as large or some times larger: [1, L, L]; edges may be as `exact` as that tells.
        """
        cover, finer = (ink[None] + 1) / 2, ink.shape[-1] // self.side
        heavier = (max(manner.styling.weight, 0.0) + SOFTEST) / self.side
        styling = fitting(cover, manner.styling, self.own.room - 2 * heavier)
        placed = laid_out(cover, styling, heavier + (1 - self.own.room) / 2)
        fields = fields_of(placed, finer) if exact else fields_of(F.avg_pool2d(placed, finer))
        return self.painted(styled_logits(self._evened(fields, manner), styling)[0], manner, number)

    def painted(self, parts: Tensor, manner: Manner, number: int) -> Tensor:
        """Logits [3, S, S] of ground, ink and tone as those of the folder's paints [P, S, S]."""
        ground, ink, tone = parts
        found = torch.full((self.paints.colours.shape[1], *ground.shape), NEVER)
        found[0] = ground
        fill = manner.fills[number % len(manner.fills)] if manner.fills else manner.line or 0
        filled = manner.line is None or (manner.styling.form == "solid" and self.paints.colours.shape[2] == 3)
        found[fill] = tone if fill else ground
        line = fill if filled or manner.line is None else manner.line
        found[line] = torch.maximum(found[line], ink)
        return found

    def _evened(self, fields: Fields, manner: Manner, known: Weights | None = None) -> Fields:
        """Drawings of lines, all of the weight that most of a plain hand's have: those come from several people.

        Of solids, those that would have thinner lines than the examples become heavier. By no more than leaves the gaps within
        them, when their edges are moved by the manner's weight.
        """
        if self.written:
            return fields
        hand = manner.hand % len(self.covers)
        solid, weight = self.solid[hand], manner.styling.weight
        own, gaps = known or Weights.of(fields, solid)
        usual = self.own.thinnest - weight if solid else float(self.weights[hand].lines.median())
        wanted = max(usual, FINEST - weight)
        limit = EVENED * self.side
        most = torch.where(gaps > 0, gaps - GAP - weight, limit).clamp(0, limit - min(weight, 0.0) if solid else limit)
        moved = torch.where(own > 0, wanted - own, 0.0).clamp(min=0.0 if solid else -limit).minimum(most)[:, None, None, None]
        return fields._replace(ink=fields.ink + moved, whole=fields.whole + moved)

    def likeness_of(self, images: Tensor) -> float:
        """How much images [N, C, S, S] look as if the folder's hand had drawn them: at most 1."""
        weighed = WEIGHED[images.shape[1]] * (body_of(images) - self.own.body).abs().sum()
        return float(self._direction(images) @ self.wanted - weighed)

    def are_nearer(self, images: Tensor, drawn: Tensor) -> bool:
        """Whether images [N, C, S, S] are nearer to the folder's hand than the same motifs are as this search would draw them."""
        return self.likeness_of(images) > self.likeness_of(drawn) - SLACK

    def _direction(self, images: Tensor) -> Tensor:
        """What tells the hand of images [N, C, S, S], as a unit vector."""
        return F.normalize(hands_in(images).mean(0), dim=0)

    def _vary(self, name: str, values: Iterable[float], start: Manner | None = None, gain: float = GAIN) -> None:
        """Tries other values of one of a styling's numbers."""
        manner = start or self.manner
        changes: list[dict[str, Any]] = [{name: value} for value in values]
        self._try((replace(manner, styling=replace(manner.styling, **change)) for change in changes), gain)

    def _try(self, manners: Iterable[Manner], gain: float = GAIN) -> None:
        for manner in list(manners):
            likeness = self.likeness_of(self.draw(manner))
            if manner.hand not in self._tried or likeness > self._tried[manner.hand][0]:
                self._tried[manner.hand] = likeness, manner
            if likeness > self.likeness + gain:
                self.manner, self.likeness = manner, likeness


def _within(value: float, bounds: tuple[float, float]) -> float:
    return min(max(value, bounds[0]), bounds[1])


def _are_solid(fields: Fields) -> bool:
    """Whether drawings are filled, and not of lines, closed ones or open ones."""
    ink, whole = ((field > 0).float().sum() for field in fields[:2])
    return bool(ink >= SOLID * whole) and float(line_weight(fields.ink).median()) > BROADEST
