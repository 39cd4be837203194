"""The labels of a class's images, carried along to its new ones."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from metagan_cli.data.labels.book import LabelBook
from metagan_cli.data.labels.masks import read_mask, write_mask
from metagan_cli.data.labels.run_lengths import mask_of, runs_of
from metagan_cli.data.labels.things import Labelled, Thing
from metagan_cli.data.placing import of_image, of_result
from metagan_cli.data.readers.support import Support
from metagan_cli.networks.generator.plan import Plan
from metagan_cli.networks.generator.render import Picture, Renderer
from metagan_cli.store.files import write_bytes
from metagan_cli.store.manifests import Record
from metagan_cli.workflows.augment.carrying import Array, Bearing
from metagan_cli.workflows.painting import Painting

REMEMBERED = 64  # images whose masks are in memory


class Labels:
    """The labels of a few images that are looked at together."""

    def __init__(self, book: LabelBook, paths: Sequence[Path], support: Support, painting: Painting, least: float) -> None:
        """Of a support's images, by their paths below the tree, and what paints new ones of them."""
        self.book, self.paths, self.support, self.least = book, paths, support, least
        self.form, self.wanted, ready = painting.ready.form, painting.size, painting.ready
        self.size, examples = (painting.width, painting.height), ready.examples
        self.renderer = painting.renderer or Renderer(
            examples, lambda number: Picture(examples[number]), ready.base.nets.generator.rules, examples.shape[-1]
        )
        finer = support.at_side
        self.placements = [of_image(outline, finer.fitting, finer.size) for outline in support.outlines]
        self.result = of_result(self.form, self.renderer.side, self.wanted)
        in_pixels = self.form.in_pixels(self.renderer.side)
        self.drawn = (self.form.width // self.form.block, self.form.height // self.form.block) if in_pixels else None
        self.of, self.mask = lru_cache(None)(self._of), lru_cache(REMEMBERED)(self._mask)

    def write(self, out: Path, number: int, new: Path, plan: Plan) -> Record:
        """Writes the labels, each in a file of its own, of a new image that starts from this one; of others a record."""
        own, bearing = self.of(number), self._bearing(plan)
        found = {name: bearing.things(partial(self._things, name), self.least) for name in own.things}
        files = self.book.beside(self.paths[number], new, self.size, found)
        if own.mask is not None:
            mask = self._with_ink(bearing).mask(self.mask)
            files.append((self.book.mask_path(self.paths[number], new), write_mask(mask, own.mask)))
        for path, data in files:
            write_bytes(out / path, data)
        record: Record = {"labels": [path.as_posix() for path, _ in files]} if files else {}
        if "coco" in found:
            record |= {"size": list(self.size), "things": [as_record(thing) for thing in found["coco"]]}
        return record

    def _of(self, number: int) -> Labelled:
        outline = self.support.outlines[number]
        return self.book.of(self.paths[number], outline.width, outline.height)

    def _things(self, name: str, number: int) -> Sequence[Thing]:
        return self.of(number).things.get(name, ())

    def _mask(self, number: int) -> Array:
        """The mask of an image; nothing is marked of one that has none."""
        outline, path = self.support.outlines[number], self.of(number).mask
        if path is None:
            return np.zeros((outline.height, outline.width), np.uint8)
        return read_mask(path, outline.width, outline.height, self.support.files[number])

    def _bearing(self, plan: Plan) -> Bearing:
        side = self.renderer.side
        parts = tuple(self.renderer.parts(plan, side))
        return Bearing(plan, parts, side, self.placements, self.result, self.size, self.drawn)

    def _with_ink(self, bearing: Bearing) -> Bearing:
        """The same with what became of ink, where that was closed or opened."""
        plan = bearing.plan
        if plan.residual.shape[1] != 1 or not plan.residual.any():
            return bearing
        unpainted = replace(plan, residual=plan.residual.new_zeros(plan.residual.shape))
        before, after = (self.renderer.draw(one, 0).colour[0] for one in (unpainted, plan))
        return replace(bearing, before=before, after=after)


def as_record(thing: Thing) -> Record:
    """A thing as plain values."""
    return {
        "kind": thing.kind,
        "rings": [ring.round(2).tolist() for ring in thing.rings],
        "is_box": thing.is_box,
        "keypoints": thing.keypoints.round(2).tolist(),
        "mask": None if thing.mask is None else runs_of(thing.mask),
        "extra": dict(thing.extra),
    }


def thing_of(record: Record) -> Thing:
    """A thing from plain values."""
    rings = tuple(np.array(ring, np.float64).reshape(-1, 2) for ring in record["rings"])
    keypoints, runs = np.array(record["keypoints"], np.float64).reshape(-1, 3), record["mask"]
    mask = None if runs is None else mask_of(runs, (runs["size"][1], runs["size"][0]))
    return Thing(record["kind"], rings, record["is_box"], keypoints, mask, record["extra"])
