"""New images of classes as a data set for torch, drawn when they are asked for."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from PIL import Image
from torch.utils.data import Dataset

from metagan_cli.config import AdaptConfig, AugmentConfig
from metagan_cli.data.readers.geometry import check_size
from metagan_cli.errors import InputError
from metagan_cli.evaluation.metrics import evenly
from metagan_cli.images.sheets import picture
from metagan_cli.sampling.sampler import CHUNK, Sampler
from metagan_cli.store.models import load_model
from metagan_cli.workflows.adapt import MOST_SHOTS, learn
from metagan_cli.workflows.augment.tree import read_tree
from metagan_cli.workflows.painting import Painting
from metagan_cli.workflows.progress import silent
from metagan_cli.workflows.ready import Ready, ready_of

Pictures = Sequence[Path | Image.Image]
Transform = Callable[[Image.Image], Any]
KEPT_BYTES = 2.5e8  # of pictures that are remembered


class NewImages(Dataset[tuple[Any, int]]):
    """`count` new images of each of several classes: pairs of a picture, or what a transform makes of it, and its class's number.

    Image i of a class is the same whenever and wherever it is drawn, in whichever worker; `start_epoch` asks for others.
    """

    def __init__(self, classes: Mapping[str, Ready], wanted: AugmentConfig, transform: Transform | None = None) -> None:
        """Of what was learned of each class."""
        self.classes, self.wanted, self.transform = tuple(classes), wanted, transform
        self._readies, self._epoch = tuple(classes.values()), 0
        self._drawn_before: dict[tuple[int, int], list[Image.Image]] = {}  # by class and block
        self._painting = self._all_painting()  # before workers are forked

    def start_epoch(self, number: int) -> None:
        """Makes this epoch's images others than those of all epochs before. To be called before workers start."""
        self._epoch, self._drawn_before = number, {}

    def __len__(self) -> int:
        return len(self.classes) * self.wanted.count

    def __getitem__(self, index: int) -> tuple[Any, int]:
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[tuple[Any, int]]:
        """Several at once, as loaders ask for them: those of a class are drawn together."""
        places = defaultdict[int, list[int]](list)
        for place, index in enumerate(indices):
            if not -len(self) <= index < len(self):
                raise IndexError(f"{index}: there are {len(self)} images")
            places[index % len(self) // self.wanted.count].append(place)
        found: list[tuple[Any, int]] = [(None, 0)] * len(indices)
        for label, some in places.items():
            seeds = [self._seed(indices[place] % len(self)) for place in some]
            for place, image in zip(some, self._drawn(label, seeds), strict=True):
                found[place] = (image if self.transform is None else self.transform(image), label)
        return found

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_painting"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ = state
        self._painting = self._all_painting()  # which cannot be sent to workers that are started anew

    def _all_painting(self) -> list[tuple[Sampler, Painting]]:
        """What draws each class."""
        samplers = [Sampler(ready.base.nets, ready.state, self.wanted.truncation) for ready in self._readies]
        return list(zip(samplers, (Painting(ready, self.wanted.size) for ready in self._readies), strict=True))

    def _seed(self, index: int) -> int:
        return self.wanted.seed + self._epoch * self.wanted.count + index % self.wanted.count

    def _drawn(self, label: int, seeds: Sequence[int]) -> list[Image.Image]:
        """The images of these seeds; where all of an epoch's fit in memory, with those that are drawn as quickly beside them."""
        _, painting = self._painting[label]
        if len(self) * 3 * painting.width * painting.height > KEPT_BYTES:
            return self._block(label, tuple(seeds))
        blocks = {seed: self._kept(label, seed // CHUNK) for seed in seeds}
        return [blocks[seed][seed % CHUNK] for seed in seeds]

    def _block(self, label: int, seeds: tuple[int, ...]) -> list[Image.Image]:
        sampler, painting = self._painting[label]
        return [picture(pixels, 1) for drawn in sampler.stream(seeds) for pixels in painting.pictures(drawn)]

    def _kept(self, label: int, block: int) -> list[Image.Image]:
        """CHUNK images with seeds from a multiple of CHUNK on, which are remembered until another epoch begins."""
        if (label, block) not in self._drawn_before:
            self._drawn_before[label, block] = self._block(label, tuple(range(block * CHUNK, (block + 1) * CHUNK)))
        return self._drawn_before[label, block]


def new_images(
    data: object, wanted: AugmentConfig, settings: AdaptConfig, device: str = "auto", transform: Transform | None = None
) -> NewImages:
    """New images of the classes of data: a tree of class folders, a mapping of names to images, or a data set of torchvision's.

    That is of pairs of a picture and its class's number, as are ImageFolder and others without a transform. Of large classes
    MOST_SHOTS images are looked at. Raises InputError for the images, UsageError for the size.
    """
    check_size(wanted.size)
    load, readies = lru_cache(maxsize=2)(load_model), dict[str, Ready]()
    for name, images in _by_class(data).items():
        chosen = [images[place] for place in evenly(len(images), MOST_SHOTS)]
        readies[name] = ready_of(learn(chosen, settings, device, silent, load=load), settings)
    return NewImages(readies, wanted, transform)


def _by_class(data: Any) -> dict[str, Pictures]:
    """The images of each class, by its name, in the order of the classes' numbers."""
    if isinstance(data, Path):
        tree = read_tree(data)
        return {folder.name: [data / path for path in folder.images] for folder in tree.classes}
    if isinstance(data, Mapping):
        return {str(name): [image if isinstance(image, Image.Image) else Path(image) for image in data[name]] for name in data}
    pairs = getattr(data, "samples", None)  # of ImageFolder and its kind: files, none of which is opened here
    if pairs is None:
        pairs = (data[number] for number in range(len(data)))
    found = defaultdict[int, list[Path | Image.Image]](list)
    for image, label in pairs:
        if not isinstance(image, Image.Image | str | Path):
            raise InputError(f"images of the data set are {type(image).__name__}, not pictures: give it without a transform")
        found[int(label)].append(image if isinstance(image, Image.Image) else Path(image))
    names = getattr(data, "classes", None) or range(max(found, default=-1) + 1)
    if set(found) != set(range(len(names))):
        raise InputError(f"the data set has no images of class {min(set(range(len(names))) ^ set(found))}")
    return {str(name): found[number] for number, name in enumerate(names)}
