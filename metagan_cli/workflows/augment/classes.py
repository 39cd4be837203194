"""One class: its images learned, new ones drawn and written, their labels with them."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path

from torch import Tensor

from metagan_cli.images.copies import distances, nearest_examples, thresholds
from metagan_cli.images.sheets import picture
from metagan_cli.networks.generator.plan import Plan
from metagan_cli.sampling.drawn import Drawn
from metagan_cli.sampling.sampler import Sampler
from metagan_cli.store.manifests import Block, Record
from metagan_cli.store.pictures import write_picture
from metagan_cli.workflows.adapt import Load, learn
from metagan_cli.workflows.augment.labels import Labels
from metagan_cli.workflows.augment.request import OPAQUE, AugmentRequest
from metagan_cli.workflows.augment.tree import ClassFolder, Tree
from metagan_cli.workflows.painting import Painting
from metagan_cli.workflows.progress import silent
from metagan_cli.workflows.ready import ready_of
from metagan_cli.workflows.threads import in_threads

TRIES = 3  # times as many samples are drawn, at most, where copies are dropped


def draw_class(
    tree: Tree, folder: ClassFolder, request: AugmentRequest, device: str, load: Load
) -> tuple[Block, tuple[str, ...]]:
    """Draws and writes the new images of one class; with what should be known of them.

    Raises InputError for its images or labels, OutputError.
    """
    count, first = request.wanted(len(folder.images)), request.augment.seed
    about: Record = {"class": folder.name, "new": 0, "examples": len(folder.images), "state": tree.state_of(folder)}
    records, warnings = list[Record](), list[str]()
    groups = folder.groups(count) if count else []
    for number, paths in enumerate(groups):
        group = Group(tree, paths, request, device, load)
        share, tries = (len(range(number, most, len(groups))) for most in (count, TRIES * count))
        seeds = [first + number + place * len(groups) for place in range(tries if request.augment.drop_copies else share)]
        records += islice(group.draw(seeds), share)
        about |= {"base": group.base, "models": [*about.get("models", []), group.model]}
        warnings += group.warnings
    records.sort(key=lambda record: int(record["seed"]))
    return Block(about | {"new": len(records)}, tuple(records)), tuple(dict.fromkeys(warnings))


class Group:
    """Images of a class that are looked at together, and what draws new ones of them."""

    def __init__(self, tree: Tree, paths: Sequence[Path], request: AugmentRequest, device: str, load: Load) -> None:
        """Of paths below the tree. Raises InputError for the images."""
        learned = learn([tree.place / path for path in paths], request.adapt, device, silent, load=load)
        ready, wanted = ready_of(learned, request.adapt), request.augment
        self.out, self.wanted = request.out, wanted
        self.base, self.model, self.warnings = ready.base.name, ready.hash, learned.warnings
        self.paths = [place.relative_to(tree.place) for place in learned.support.files]
        self.examples = ready.examples
        self.within = thresholds(self.examples)
        self.sampler = Sampler(ready.base.nets, ready.state, wanted.truncation)
        self.painting = Painting(ready, wanted.size, opaque=wanted.format in OPAQUE)
        self.labels: Labels | None = None
        if tree.book.formats:
            self.labels = Labels(tree.book, self.paths, learned.support, self.painting, wanted.least)

    def draw(self, seeds: Sequence[int]) -> Iterator[Record]:
        """Draws these seeds one after the other and writes them, but for copies where those are dropped; says what each is."""
        place = 0
        for drawn in self.sampler.stream(seeds):
            block = seeds[place : place + len(drawn.images)]
            place += len(block)
            yield from in_threads(self._jobs(drawn, block))

    def _jobs(self, drawn: Drawn, seeds: Sequence[int]) -> Iterator[Callable[[], Record]]:
        """What writes samples of these seeds."""
        assert drawn.plan is not None
        starts = drawn.plan.start.tolist()
        near = nearest_examples(distances(drawn.images, self.examples), self.within)
        plans = self.painting.plans(drawn) if self.labels or self.painting.renderer else None
        for place, paint in enumerate(self.painting.works(drawn, plans)):
            _, distance, copied = near[place]
            if copied and self.wanted.drop_copies:
                continue
            original = self.paths[starts[place]]
            new = original.with_name(f"{original.stem}_new{seeds[place]:04d}.{self.wanted.format}")
            record = {"image": new.as_posix(), "class": new.parent.as_posix(), "seed": seeds[place]}
            record |= {"example": original.as_posix(), "distance": round(distance, 4), "copy": copied}
            yield partial(self._write, record, starts[place], paint, plans[place] if plans else None)

    def _write(self, record: Record, start: int, paint: Callable[[], Tensor], plan: Plan | None) -> Record:
        """Writes a new image that starts from example number `start`, and its labels."""
        new = Path(record["image"])
        text = {"kind": "single", "model": self.model, "truncation": self.wanted.truncation, "seed": record["seed"]}
        write_picture(self.out / new, picture(paint(), 1), text, quick=True)
        return record | (self.labels.write(self.out, start, new, plan) if self.labels and plan else {})
