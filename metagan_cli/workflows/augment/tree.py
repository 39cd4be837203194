"""What lies in a tree of class folders."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from metagan_cli.data.labels.book import LabelBook
from metagan_cli.data.readers.files import shown
from metagan_cli.data.readers.folders import scan
from metagan_cli.errors import InputError
from metagan_cli.store.manifests import NAME
from metagan_cli.workflows.adapt import MOST_SHOTS

EACH = 16  # new images for which another group of a large class's examples is worth learning


@dataclass(frozen=True)
class ClassFolder:
    """The images of one folder."""

    name: str  # its path below the tree, . for the tree itself
    images: tuple[Path, ...]  # paths below the tree

    def groups(self, count: int) -> list[tuple[Path, ...]]:
        """Images that are looked at together, group by group, for `count` new ones: all of a small class, some of a huge one."""
        wanted = max(1, min(-(-len(self.images) // MOST_SHOTS), count // EACH))
        chosen = self.images
        if wanted > 1 or len(chosen) > MOST_SHOTS:
            chosen = tuple(sorted(chosen, key=_digest)[: wanted * MOST_SHOTS])
        return [chosen[start::wanted] for start in range(wanted)]


@dataclass(frozen=True)
class Tree:
    """A tree of class folders."""

    place: Path
    classes: tuple[ClassFolder, ...]  # by name
    others: tuple[Path, ...]  # paths below it of all other files: labels, lists, licences
    skipped: tuple[tuple[str, str], ...]  # images that are none, and reasons
    book: LabelBook

    def state_of(self, folder: ClassFolder) -> str:
        """What changes where any of a class's images does: a digest of their names and contents. Raises InputError."""
        digest = hashlib.blake2b(digest_size=8)
        for path in folder.images:
            digest.update(f"{os.fsencode(path)!r}\n".encode())
            try:
                with (self.place / path).open("rb") as file:
                    digest.update(hashlib.file_digest(file, "blake2b").digest())
            except OSError as error:
                raise InputError(f"{shown(self.place / path)}: cannot be read ({error.strerror or error})") from error
        return digest.hexdigest()


def read_tree(place: Path) -> Tree:
    """Finds classes, which are folders that hold images themselves, and labels. Raises InputError where there are none."""
    if (place / NAME).exists():
        raise InputError(
            f"{shown(place)}: holds a {NAME} already, and its new images would count as originals; give the tree itself"
        )
    found = scan(place, deep=True)
    images = [path.relative_to(place) for path in found.images]
    book = LabelBook(place, images)
    labels = [path for path in images if book.is_label(path)]
    marked, classes = set(labels), dict[Path, list[Path]]()
    for path in images:
        if path not in marked:
            classes.setdefault(path.parent, []).append(path)
    if not classes:
        raise InputError(f"{shown(place)}: no images in it or in folders in it; a tree of class folders is wanted")
    folders = [ClassFolder(parent.as_posix(), tuple(paths)) for parent, paths in classes.items()]
    folders.sort(key=lambda folder: os.fsencode(folder.name))
    others = sorted([*labels, *(path.relative_to(place) for path in found.others)], key=os.fsencode)
    return Tree(place, tuple(folders), tuple(others), tuple(found.skipped), book)


def _digest(path: Path) -> bytes:
    return hashlib.blake2b(os.fsencode(path), digest_size=8).digest()
