"""Where the labels of an image lie."""

import os
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath

from metagan_cli.data.readers.files import shown
from metagan_cli.data.readers.kinds import is_hidden
from metagan_cli.errors import InputError

HERE = "."  # the tree itself, as a folder below it


@dataclass(frozen=True)
class Way:
    """How a label lies to its image: beside it, or where the last folder called `images`, or the like, is one called `labels`."""

    old: str = ""
    new: str = ""
    tail: str = ""  # what its name has behind the image's

    def to(self, image: str, ending: str) -> str:
        """The label of an image; beside it where its path has no such folder."""
        folder, name = os.path.split(image)
        target = mirrored(folder or HERE, self) or folder or HERE
        return below(target, f"{os.path.splitext(name)[0]}{self.tail}{ending}")


BESIDE = Way()
YOLO = (BESIDE, Way("images", "labels"))
VOC = (BESIDE, *(Way(old, new) for old in ("JPEGImages", "images") for new in ("Annotations", "annotations")))
MASKS = (
    Way(tail="_mask"),
    Way("images", "masks"),
    Way("images", "masks", "_mask"),
    Way("JPEGImages", "SegmentationClass"),
)
UNCARRIED = (Way("JPEGImages", "SegmentationObject"),)  # labels all the same, and no images


@lru_cache(maxsize=10_000)
def mirrored(folder: str, way: Way) -> str | None:
    """The folder in which labels of the images of a folder lie; nothing where its path has no such part."""
    if not way.old:
        return folder
    parts = folder.split("/")
    if way.old not in parts:
        return None
    last = len(parts) - 1 - parts[::-1].index(way.old)
    return "/".join([*parts[:last], way.new, *parts[last + 1 :]])


def below(folder: str, name: str) -> str:
    """A name in a folder of the tree."""
    return name if folder == HERE else f"{folder}/{name}"


class Files:
    """The files of a tree but hidden ones, by folder and name without ending; paths are texts below it, with slashes."""

    def __init__(self, tree: Path) -> None:
        """Raises InputError where a folder cannot be read."""

        def refuse(error: OSError) -> None:
            raise InputError(f"{shown(error.filename)}: cannot be read ({error.strerror})") from error

        self._folders: dict[str, dict[str, list[str]]] = {}
        for place, folders, names in os.walk(tree, onerror=refuse):
            folders[:] = [name for name in folders if not name.startswith(".")]
            stems = self._folders[PurePosixPath(os.path.relpath(place, tree)).as_posix()] = defaultdict(list)
            for name in sorted(names):
                if not is_hidden(Path(name)):
                    stems[os.path.splitext(name)[0]].append(name)

    def find(self, image: str, ways: Sequence[Way], endings: Collection[str]) -> Iterator[tuple[Way, str]]:
        """The files with such an ending, whatever its case, that lie to an image as labels do."""
        folder, name = os.path.split(image)
        stem = os.path.splitext(name)[0]
        for way in ways:
            target = mirrored(folder or HERE, way)
            for found in self._folders.get(target or "", {}).get(stem + way.tail, ()):
                if os.path.splitext(found)[1].lower() in endings:
                    yield way, below(str(target), found)

    def ending_with(self, folder: str, ending: str) -> Iterator[str]:
        """The files of a folder with an ending, in the order of their names."""
        for names in self._folders.get(folder, {}).values():
            yield from (below(folder, name) for name in names if name.lower().endswith(ending))
