"""Bringing plain drawings near a folder's hand by program, before the painter takes them over."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from metagan_cli.data.sources.styles import slant, thickness
from metagan_cli.images.distance import line_weight, rim
from metagan_cli.images.ink import ink_of
from metagan_cli.images.paints import Paints, mixed, paints_of, shares_of
from metagan_cli.images.styling import NEVER, PLAIN, TONED, Fields, Styling, fields_of, laid_out, styled_logits
from metagan_cli.workflows.kinship import hands_in

WEIGHTS = (-1.0, -0.5, 0.0, 0.6, 1.2)  # pixels that edges are moved, at first
LINES = (0.6, 0.9, 1.3, 1.8)  # half the widths of outlines, likewise
FINER_WEIGHTS, FINER_LINES = (-0.3, 0.3), (-0.2, 0.2)  # and around the best of them
SOFT, WIDE = (0.7, 1.3), (0.85, 0.92)
THINNEST, THICKEST, HALVINGS = -2.0, 4.0, 7  # pixels between which the weight of what is written is looked for
TRIED, STEEPEST = 0.2, 0.6  # a slant that tells what slants do, and the largest
SMALLER = tuple(1 - 0.05 * step for step in range(1, 11))  # times as large, that written motifs become that a frame would cut
SMALLEST, LARGEST = 0.7, 1.35  # times as large that what is written becomes
SLACK = 0.05  # of likeness, by which what was found is better than it is: it is the best of many by this very figure
GAIN, BENT = 0.003, 0.02  # of likeness that a further change has to bring, and one that leaves upright what was
WEIGHED = 0.2  # of likeness, that lines e times as thick or dark are worth
HOLLOW = ("outline", "duotone")  # forms that have lines of their own
FORMS_OF_LINES, FORMS_OF_SOLIDS = ("keep", "tinted", "solid"), ("keep", "solid", "inlay", *HOLLOW)
SOLID = 0.6  # share of drawings that is ink, from which they are solid
OF_ONE = ("keep", "solid")  # forms of one paint alone
EVENED = 0.8  # pixels, at most, that a plain drawing's edges are moved for its lines to weigh what others' do
GAP, NARROWER = 1.0, 0.1  # half the width of a gap in pixels that is left at least; and share of the gaps that are narrower
COMMON, SEEN = 0.6, 0.01  # share of the images that have a paint, for it to be that of lines; and share of an image that has it
ALWAYS = 0.9  # and for it to fill everything, where others fill as well
OFTEN = 0.4  # of the area of the commonest paint, that makes another one fill drawings as well


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
    def of(cls, fields: Fields) -> "Weights":
        """Of drawings by their distances."""
        return cls(line_weight(fields.ink), line_weight(-fields.ink, fields.whole > 0, NARROWER))


class Nearing:
    """A search for the manner whose drawings look most as if the folder's hand had drawn them, to a net that tells hands."""

    def __init__(self, examples: Tensor, drawings: Sequence[Tensor], written: bool = False) -> None:
        """Of examples [K, C, S, S] in [-1, 1], and some motifs in one or more plain hands, [N, 1, S, S] each.

        What is `written`, as letters are, is neither filled nor hollowed, but slanted and larger or smaller.
        """
        self.written, self.side = written, examples.shape[-1]
        self.paints = paints_of(examples[None])
        self.wanted, self.body = self._direction(examples), _body(examples)
        self.slant = float(slant(ink_of(examples)).mean())
        self.covers = [(drawn + 1) / 2 for drawn in drawings]
        self.fields: list[Fields] = [fields_of(cover) for cover in self.covers]
        self._moved: dict[tuple[int, float, float, float], Fields] = {}
        self.weights = [None if written or _are_solid(own) else Weights.of(own) for own in self.fields]
        self.lines, fills, self.common = _roles(examples, self.paints)
        size = _extent(examples) / _extent(drawings[0]) if written else 1.0
        self.several = len(fills) > 1
        self.start = replace(PLAIN, size=min(max(size, SMALLEST), LARGEST))
        self.manner = Manner(0, self.start, self.lines[0] if self.lines else None, fills)
        self.likeness = self.likeness_of(self.draw(self.manner))

    def search(self) -> "Nearing":
        """Itself, with the manner that was found."""
        start = self.manner
        for hand in range(len(self.covers)):
            first = replace(start, hand=hand)
            if self.written:
                self._write(first)
                continue
            for form in self._forms(hand):
                formed = replace(first, styling=replace(self.start, form=form))
                self._vary("line" if form in HOLLOW else "weight", LINES if form in HOLLOW else WEIGHTS, formed)
        if not self.written:
            self._vary("weight", [self.manner.styling.weight + more for more in FINER_WEIGHTS])
            self._vary("line", [self.manner.styling.line + more for more in FINER_LINES])
            self._vary("soft", SOFT)
        self._try(replace(self.manner, line=line) for line in self.lines)
        self._try(replace(self.manner, fills=(fill,)) for fill in self.common if len(self.manner.fills) > 1)
        self._vary("wide", WIDE, gain=BENT)
        return self

    def _write(self, first: Manner) -> None:
        """Tries what is written upright and slanted, with sharp corners and round ones, as thick as the examples."""
        for slanted in (0.0, self._slant(first.hand)):
            for soft in (0.0, *SOFT):
                formed = replace(first, styling=replace(self.start, slant=slanted, soft=soft))
                self._vary("weight", [self._weight(formed)], formed)

    def _weight(self, manner: Manner) -> float:
        """How far edges have to be moved for lines to be as thick as the examples', by halving."""
        low, high = THINNEST, THICKEST
        for _ in range(HALVINGS):
            weight = (low + high) / 2
            drawn = self.draw(replace(manner, styling=replace(manner.styling, weight=weight)))
            low, high = (weight, high) if _body(drawn)[0] < self.body[0] else (low, weight)
        return (low + high) / 2

    def _slant(self, hand: int) -> float:
        """By how much a plain hand's drawings have to be slanted to move sideways from row to row as the examples do."""
        upright, leaning = (
            float(slant(2 * laid_out(self.covers[hand], replace(PLAIN, slant=s)) - 1).mean()) for s in (0.0, TRIED)
        )
        return min(max(TRIED * (self.slant - upright) / ((leaning - upright) or 1.0), -STEEPEST), STEEPEST)

    def _forms(self, hand: int) -> list[str]:
        """What can be made of a plain hand's drawings, of these paints: what is hollow would lose lines where it is hollowed.

        Solids are not all of one paint where a folder's are of several.
        """
        solids = [form for form in FORMS_OF_SOLIDS if form != "keep" or not self.several]
        forms = solids if _are_solid(self.fields[hand]) else list(FORMS_OF_LINES)
        if not self.lines:
            return [form for form in forms if form in OF_ONE]
        return [form for form in forms if self.manner.fills or form not in TONED]

    def draw(self, manner: Manner) -> Tensor:
        """The drawings in a manner: [N, C, S, S] in [-1, 1]."""
        known = None if manner.styling.moves else self.weights[manner.hand]
        fields = self._laid_out(manner.hand, manner.styling)
        logits = styled_logits(self._evened(fields, manner, known), manner.styling)
        return mixed(torch.stack([self.painted(one, manner, number) for number, one in enumerate(logits)])[None], self.paints)[0]

    def _laid_out(self, hand: int, styling: Styling) -> Fields:
        """A plain hand's drawings where a styling puts them, found once: most stylings that are tried move nothing further."""
        if not styling.moves:
            return self.fields[hand]
        place = (hand, styling.slant, styling.wide, styling.size)
        if place not in self._moved:
            self._moved[place] = fields_of(laid_out(self.covers[hand], styling))
        return self._moved[place]

    def logits(self, ink: Tensor, number: int) -> Tensor:
        """Logits [P, S, S] of the folder's paints of motif `number`, drawn by the manner's plain hand.

        That is ink in [-1, 1], as large or some times larger: [1, L, L].
        """
        cover, styling, finer = (ink[None] + 1) / 2, self.manner.styling, ink.shape[-1] // self.side
        fields = fields_of(laid_out(cover, styling), finer)
        for smaller in SMALLER if self.written else ():
            if float(rim(fields.ink).mul(fields.ink + styling.weight).amax()) <= 0:
                break
            fields = fields_of(laid_out(cover, replace(styling, size=smaller * styling.size)), finer)
        return self.painted(styled_logits(self._evened(fields, self.manner), styling)[0], self.manner, number)

    def painted(self, parts: Tensor, manner: Manner, number: int) -> Tensor:
        """Logits [3, S, S] of ground, ink and tone as those of the folder's paints [P, S, S]."""
        ground, ink, tone = parts
        found = torch.full((self.paints.colours.shape[1], *ground.shape), NEVER)
        found[0] = ground
        fill = manner.fills[number % len(manner.fills)] if manner.fills else manner.line or 0
        filled = manner.line is None or (manner.styling.form == "solid" and self.paints.colours.shape[2] == 3)
        found[fill] = torch.logaddexp(found[fill], tone) if fill else ground
        line = fill if filled or manner.line is None else manner.line
        found[line] = torch.logaddexp(found[line], ink)
        return found

    def _evened(self, fields: Fields, manner: Manner, known: Weights | None = None) -> Fields:
        """Drawings of lines, all of the weight that most of a plain hand's have: those come from several people.

        They become heavier by no more than leaves the gaps within them, when their edges are moved by the manner's weight.
        """
        usual = self.weights[manner.hand]
        if usual is None:
            return fields
        own, gaps = known or Weights.of(fields)
        most = torch.where(gaps > 0, gaps - GAP - max(manner.styling.weight, 0.0), EVENED).clamp(0, EVENED)
        moved = torch.where(own > 0, usual.lines.median() - own, 0.0).clamp(min=-EVENED).minimum(most)[:, None, None, None]
        return fields._replace(ink=fields.ink + moved, whole=fields.whole + moved)

    def likeness_of(self, images: Tensor) -> float:
        """How much images [N, C, S, S] look as if the folder's hand had drawn them: at most 1."""
        return float(self._direction(images) @ self.wanted - WEIGHED * (_body(images) - self.body).abs().sum())

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
            if likeness > self.likeness + gain:
                self.manner, self.likeness = manner, likeness


def _are_solid(fields: Fields) -> bool:
    """Whether drawings are filled, and not of lines."""
    ink, whole = ((field > 0).float().sum() for field in fields[:2])
    return bool(ink >= SOLID * whole)


def _body(images: Tensor) -> Tensor:
    """Logarithms [2] of how thick lines of images [N, C, S, S] are, and how dark their ink is where there is any."""
    ink = (ink_of(images) + 1) / 2
    dark = ink.square().sum() / ink.sum().clamp(min=1e-6)
    return torch.stack([thickness(2 * ink - 1).mean(), dark]).clamp(min=1e-3).log()


def _extent(images: Tensor) -> float:
    """The median height or width, whichever is more, of ink in images [N, C, S, S], as a share of the side."""
    inked = ink_of(images)[:, 0] > 0
    sizes = torch.stack([inked.any(2).sum(1), inked.any(1).sum(1)]).amax(0)
    return float(sizes.clamp(min=1).float().median() / images.shape[-1])


def _roles(examples: Tensor, paints: Paints) -> tuple[list[int], tuple[int, ...], tuple[int, ...]]:
    """Paints of lines, in most images, the furthest from the ground first; those that fill, and that may fill everything."""
    colours, there = paints.colours[0], paints.there[0]
    if colours.shape[1] == 1:
        return [1], (2,) if there[2] else (), ()
    known = [number for number in range(1, len(colours)) if there[number]]
    whole = shares_of(examples[None], paints)[0]
    shares = -F.max_pool2d(-whole, 3, 1, 1).mean((2, 3))  # [K, P], without soft edges, which are of no paint
    area, seen = shares.mean(0), (whole.mean((2, 3)) > SEEN).float().mean(0)
    lines = sorted((p for p in known if seen[p] >= COMMON), key=lambda p: -float((colours[p] - colours[0]).abs().mean()))
    fills = sorted((p for p in known if p not in lines[:1]), key=lambda p: -float(area[p])) or known
    often = tuple(p for p in fills if area[p] >= OFTEN * area[fills[0]])
    return lines, often, tuple(p for p in often if seen[p] >= ALWAYS)
