"""Labels along with the pixels: what a sample's plan does to its image, done to masks, boxes, polygons and keypoints."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw
from torch import Tensor

from metagan_cli.data.labels.things import Points, Thing, box, seen
from metagan_cli.data.placing import Placement
from metagan_cli.images.polygons import area_of, clip, round_in
from metagan_cli.images.resampling import sample_bilinear
from metagan_cli.networks.generator.plan import Plan
from metagan_cli.networks.generator.render import grid_at

TAKEN = 0.5  # of a part's soft edge, from which a place is the donor's
COARSE = 128  # pixels a side in which shares of things are counted
STEPS, FURTHEST = 8, 0.25  # of the search for where a place went, and how far one goes, in half sides
FILLED = 3  # pixels of the plan, at most, that labels follow where ink was closed or opened
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Bearing:
    """What a sample's labels need to know of it."""

    plan: Plan  # of the one sample
    parts: tuple[tuple[int, Tensor], ...]  # the images that lend parts, and where: masks [1, L, L]
    side: int  # L: pixels a side of the square that it is drawn in
    placements: Sequence[Placement]  # of the images in their squares
    result: Placement  # of what is written
    size: tuple[int, int]  # width and height of it
    drawn: tuple[int, int] | None = None  # drawn pixels across and down, of pixel art
    before: Tensor | None = None  # ink [L, L] as it came from its places, where ink was closed and opened thereafter
    after: Tensor | None = None  # and as it became

    @cached_property
    def grid(self) -> Tensor:
        """The place that each pixel of the square comes from, [L, L, 2]."""
        return grid_at(self.plan.grid, self.side)[0]

    @cached_property
    def sources(self) -> Tensor:
        """The number of the image that each pixel of the square comes from, int [L, L]."""
        found = torch.full((self.side, self.side), int(self.plan.start))
        for donor, mask in self.parts:
            there = sample_bilinear(mask[None], self.grid[None])[0, 0] > TAKEN
            found[there] = donor
        return found

    def mask(self, labels: Callable[[int], Array]) -> Array:
        """Labels [H, W, ...] of the sample, of the images' own by their numbers; beyond an image's border they are 0."""
        found: Array | None = None
        for number in self.sources.unique().tolist():
            own = labels(number)
            places = self.placements[number].back(self.grid.double().numpy())
            inside = ((places >= 0) & (places < (own.shape[1], own.shape[0]))).all(2)
            there = inside & (self.sources.numpy() == number)
            if found is None:
                found = np.zeros((self.side, self.side, *own.shape[2:]), own.dtype)
            found[there] = voted(own, places[there])
        assert found is not None
        return self._in_result(self._following(found))

    def things(self, labels: Callable[[int], Sequence[Thing]], least: float) -> list[Thing]:
        """The things of the image that the sample starts from, and those of its donors that came along.

        Where less than a share `least` of one is left, be it given away or out of sight, it is dropped.
        """
        start = int(self.plan.start)
        found = [self._moved(thing, start, labels, least) for thing in labels(start)]
        for donor in sorted({donor for donor, _ in self.parts if donor != start}):
            found += [self._moved(thing, donor, labels, least) for thing in labels(donor)]
        return [thing for thing in found if thing is not None]

    def _moved(self, thing: Thing, number: int, labels: Callable[[int], Sequence[Thing]], least: float) -> Thing | None:
        placement, start = self.placements[number], int(self.plan.start)
        if thing.mask is not None:
            return self._with_mask(thing, number, least)
        if thing.rings and self._share(thing, number) < least:
            return None
        keypoints = self._keypoints(thing, number, labels)
        if not thing.rings:  # keypoints alone, or what is said of the image as a whole
            there = number == start and ((keypoints[:, 2] > 0).any() or not len(keypoints))
            return replace(thing, keypoints=keypoints) if there else None
        rings, whole, left = list[Points](), 0.0, 0.0
        for ring in thing.rings:
            moved = self.forward(placement(round_in(ring) if thing.is_box else ring))
            clipped = clip(moved, *self.size)
            whole, left = whole + area_of(moved), left + area_of(clipped)
            if len(clipped) > 2:
                rings.append(clipped)
        if not rings or left < least * whole or left <= 0:
            return None
        if thing.is_box:
            low, high = rings[0].min(0), rings[0].max(0)
            rings = [box(*low, *high)]
        return replace(thing, rings=tuple(rings), keypoints=keypoints)

    def forward(self, places: Points) -> Points:
        """Where places of the square [P, 2] went, in pixels of the result: the grid says it the other way round."""
        wanted = torch.from_numpy(np.asarray(places, np.float64))
        coarse = self.plan.grid[0].double()
        apart = (coarse.flatten(0, 1)[None] - wanted[:, None]).square().sum(2)
        nearest = apart.argmin(1)
        side = coarse.shape[0]
        at = (torch.stack([nearest % side, nearest // side], 1).double() + 0.5) / side * 2 - 1
        for _ in range(STEPS):  # Newton's method
            value, slopes = self._origin(at)
            step = torch.linalg.lstsq(slopes, (wanted - value)[..., None]).solution[..., 0]
            at = at + step.clamp(-FURTHEST, FURTHEST)
        return self.result.back(at.numpy())

    def _origin(self, at: Tensor) -> tuple[Tensor, Tensor]:
        """The places [P, 2] that those of the drawn square come from, and how they change with these: [P, 2, 2].

        Beyond its border they change as they do there.
        """
        near = 2 / self.side
        within = at.clamp(near - 1, 1 - 2 * near)
        some = within[None] + torch.tensor([[0.0, 0], [near, 0], [0, near]], dtype=torch.float64)[:, None]
        moved = sample_bilinear(self.grid.double().permute(2, 0, 1)[None], some[None])[0].permute(1, 2, 0)
        slopes = torch.stack([(moved[1] - moved[0]) / near, (moved[2] - moved[0]) / near], 2)
        return moved[0] + (slopes @ (at - within)[..., None])[..., 0], slopes

    def _share(self, thing: Thing, number: int) -> float:
        """How much of a thing the sample took: of the start what was not given away, of a donor what was lent."""
        if not self.parts and number == int(self.plan.start):
            return 1.0
        picture = Image.new("1", (COARSE, COARSE))
        draw = ImageDraw.Draw(picture)
        for ring in thing.rings:
            draw.polygon([tuple(place) for place in (self.placements[number](ring) + 1) / 2 * COARSE], fill=1)
        there = torch.from_numpy(np.array(picture))
        return float((there & (self._givers == number)).sum() / there.sum().clamp(min=1))

    @cached_property
    def _givers(self) -> Tensor:
        """The number of the image that gave each place, before it is moved, int [COARSE, COARSE]."""
        found = torch.full((COARSE, COARSE), int(self.plan.start))
        for donor, mask in self.parts:
            found[F.interpolate(mask[None], size=(COARSE, COARSE), mode="bilinear")[0, 0] > TAKEN] = donor
        return found

    def _keypoints(self, thing: Thing, number: int, labels: Callable[[int], Sequence[Thing]]) -> Points:
        """A thing's keypoints [K, 3] where they went; one that was given away is the donor's, else it is hidden."""
        found = np.array(thing.keypoints, np.float64, copy=True)
        for place in np.flatnonzero(found[:, 2] > 0):
            giver, point = number, found[place]
            if number == int(self.plan.start):
                giver = self._giver(self.placements[number](point[None, :2])[0])
                if giver != number:
                    point = self._lent(thing, int(place), giver, labels)
            found[place] = (*self.forward(self.placements[giver](point[None, :2]))[0], point[2])
        return seen(found, self.size)

    def _lent(self, thing: Thing, place: int, giver: int, labels: Callable[[int], Sequence[Thing]]) -> Points:
        """The keypoint of a thing of the same kind that lies in the part that was lent, or the own one, hidden from now on."""
        for other in labels(giver):
            if other.kind == thing.kind and len(other.keypoints) > place and other.keypoints[place, 2] > 0:
                point = np.asarray(other.keypoints[place], np.float64)
                if self._giver(self.placements[giver](point[None, :2])[0]) == giver:
                    return point
        own = np.array(thing.keypoints[place], np.float64, copy=True)
        own[2] = min(own[2], 1)
        return own

    def _giver(self, place: Points) -> int:
        column, row = (min(max(int((value + 1) / 2 * COARSE), 0), COARSE - 1) for value in place)
        return int(self._givers[row, column])

    def _with_mask(self, thing: Thing, number: int, least: float) -> Thing | None:
        """A thing that is a mask."""
        own = thing.mask
        assert own is not None
        moved = self.mask(lambda other: own if other == number else np.zeros(own.shape, bool))
        scale = abs(np.prod(self.placements[number].scale) / np.prod(self.result.scale))  # of areas, where nothing is bent
        if moved.sum() < max(1, least * own.sum() * scale):
            return None
        return replace(thing, mask=moved)

    def _following(self, labels: Array) -> Array:
        """Labels [L, L, ...] where ink was closed or opened: such a pixel has that of the nearest one that is like it now."""
        if self.before is None or self.after is None:
            return labels
        now = (self.after > 0).numpy()
        found, known = labels.copy(), (self.before > 0).numpy() == now
        for _ in range(FILLED * self.side // self.plan.grid.shape[1]):
            further = known.copy()
            for axis, step in ((0, 1), (0, -1), (1, 1), (1, -1)):
                beside = ~further & np.roll(known, step, axis) & (np.roll(now, step, axis) == now)
                found[beside] = np.roll(found, step, axis)[beside]
                further |= beside
            known = further
        return found

    def _in_result(self, labels: Array) -> Array:
        """Labels of the square [L, L, ...] as those of the result."""
        width, height = self.size
        across, down = self.drawn or self.size
        columns = (np.floor(np.arange(width) * across / width) + 0.5) * width / across
        rows = (np.floor(np.arange(height) * down / height) + 0.5) * height / down
        places = self.result(np.stack(np.broadcast_arrays(columns[None], rows[:, None]), 2))
        cells = np.clip(np.floor((places + 1) / 2 * self.side).astype(np.int64), 0, self.side - 1)
        found: Array = labels[cells[..., 1], cells[..., 0]]
        return found


def voted(labels: Array, places: Points) -> Array:
    """What four pixels of labels [H, W] have most of at each of some places [P, 2] among them, the nearer ones counting more."""
    height, width = labels.shape[:2]
    corner = np.floor(places - 0.5).astype(np.int64)
    share = places - 0.5 - corner
    votes = list[tuple[Array, Array]]()
    for right, down in ((0, 0), (1, 0), (0, 1), (1, 1)):
        weight = np.where(right, share[:, 0], 1 - share[:, 0]) * np.where(down, share[:, 1], 1 - share[:, 1])
        column, row = (
            np.clip(corner[:, axis] + more, 0, most - 1) for axis, more, most in ((0, right, width), (1, down, height))
        )
        votes.append((labels[row, column], weight))
    sums = np.stack([sum(weight * (other == label) for other, weight in votes) for label, _ in votes])
    found: Array = np.stack([label for label, _ in votes])[sums.argmax(0), np.arange(len(places))]
    return found
