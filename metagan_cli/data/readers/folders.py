"""A folder of images: which of its files are read, and why others are not."""

import hashlib
import heapq
import os
import shlex
import stat
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from metagan_cli.config import FITS
from metagan_cli.data.readers.files import shown
from metagan_cli.data.readers.kinds import ENDINGS, REFUSED, begins_as_image, is_hidden, is_image
from metagan_cli.data.readers.support import Support, read_support
from metagan_cli.errors import InputError

MOST = 512  # images read from one folder
NAMED = 5  # files that are no images, up to which each is named
FIRST = 3  # folders and endings that a note names


@dataclass(frozen=True)
class Scan:
    """What lies in a folder."""

    images: list[Path] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)  # names and reasons
    others: list[Path] = field(default_factory=list)  # files that are no images


def read_folder(
    folder: Path,
    *,
    size: int,
    channels: int,
    fit: str = FITS[0],
    skip_bad: bool = False,
    most: int = MOST,
    deep: bool = True,
    frames: bool = False,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Support:
    """Reads the images of a folder and, where `deep`, of the folders in it.

    Their order comes from their pixels, and so does the choice where there are more than `most`: names do not matter.
    `report` is told how many are read, of how many.
    Raises InputError where the folder or, unless `skip_bad`, any of its images cannot be read.
    """
    found = scan(folder, deep)
    if not found.images:
        raise InputError(_nothing(folder, found))
    chosen = found.images if len(found.images) <= most else _choose(found.images, most)
    named, notes = [(shown(path.relative_to(folder)), "not an image") for path in found.others], _merged(folder, found.images)
    if len(named) > NAMED:
        notes.append(f"{len(named)} files are no images: {_endings(found.others)}")
        named = []
    return read_support(
        shown(folder),
        [(shown(path.relative_to(folder)), path) for path in chosen],
        sorted([*found.skipped, *named]),
        size=size,
        channels=channels,
        fit=fit,
        skip_bad=skip_bad,
        report=report,
        of=len(found.images),
        others=len(found.others) - len(named),
        told=notes,
        frames=frames,
    )


def scan(folder: Path, deep: bool) -> Scan:
    """What lies in a folder, but for hidden files. Raises InputError where that cannot be seen."""
    try:
        mode = folder.stat().st_mode
    except FileNotFoundError as error:
        raise InputError(f"{shown(folder)}: no such folder") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{shown(folder)}: cannot be read ({getattr(error, 'strerror', error)})") from error
    if not stat.S_ISDIR(mode):
        raise InputError(f"{shown(folder)}: a file, not a folder of images")
    found = Scan()
    for path in _files(folder, found.skipped, deep):
        if is_hidden(path):
            continue
        meant = is_image(path)
        reason = _not_regular(path) if meant else _foreign(path)
        if reason:
            found.skipped.append((shown(path.relative_to(folder)), reason))
        else:
            (found.images if meant else found.others).append(path)
    found.images.sort(key=os.fsencode)
    return found


def _files(folder: Path, skipped: list[tuple[str, str]], deep: bool) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        raise InputError(f"{shown(error.filename)}: cannot be read ({error.strerror})") from error

    for place, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if deep and not name.startswith(".")]  # .thumbnails, .ipynb_checkpoints
        for name in folders:
            path = Path(place, name)
            if path.is_symlink():
                skipped.append((shown(path.relative_to(folder)), "a link to a folder"))
        yield from (Path(place, name) for name in files)


def _foreign(path: Path) -> str:
    """Why a file that is not read may be a picture all the same, or nothing."""
    if path.suffix.lower() in REFUSED:
        return REFUSED[path.suffix.lower()]
    return "an image by its content: give it an ending such as .png or .jpg" if begins_as_image(path) else ""


def _not_regular(path: Path) -> str:
    """Why a path is no file to read, or nothing."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        if os.path.islink(path):  # which, unlike Path.is_symlink, does not raise
            return "a link that leads nowhere"
        raise InputError(f"{shown(path)}: cannot be read ({error.strerror})") from error
    return "" if stat.S_ISREG(mode) else "not a regular file"


def _choose(candidates: list[Path], most: int) -> list[Path]:
    """The files with the smallest digests of their content: a choice that does not depend on names."""

    def digests() -> Iterator[tuple[bytes, int]]:
        for i, path in enumerate(candidates):
            try:
                with path.open("rb") as file:
                    yield hashlib.file_digest(file, "blake2b").digest(), i
            except OSError as error:
                raise InputError(f"{shown(path)}: cannot be read ({error.strerror})") from error

    return [candidates[i] for _, i in heapq.nsmallest(most, digests())]


def _merged(folder: Path, images: list[Path]) -> list[str]:
    """A note where the images lie in several folders, which may be classes."""
    places = {path.parent for path in images}
    inner = sorted((place for place in places if place != folder), key=os.fsencode)
    if len(places) < 2:
        return []
    names = ", ".join(shown(place.relative_to(folder)) for place in inner[:FIRST])
    if len(inner) > FIRST:
        names += f" and {len(inner) - FIRST} more"
    if folder in places:
        count = "1 folder in it is" if len(inner) == 1 else f"{len(inner)} folders in it are"
        what = f"{count} merged with its own images: {names}"
    else:
        what = f"{len(inner)} folders are merged: {names}"
    return [f"{what}; for new images of each of them: metagan augment {shlex.quote(shown(folder))} -o OUT"]


def _endings(others: list[Path]) -> str:
    """Files that are no images, counted by their endings, the most of them first."""
    endings = Counter(shown(path.suffix.lower()) or "without an ending" for path in others)
    first = sorted(endings.items(), key=lambda item: (-item[1], item[0]))[:FIRST]
    left = len(others) - sum(count for _, count in first)
    return ", ".join(f"{count} {ending}" for ending, count in first) + (f" and {left} others" if left else "")


def _nothing(folder: Path, found: Scan) -> str:
    accepted = "accepted are " + " ".join(ENDINGS)
    skipped, others = sorted(found.skipped), found.others
    if skipped:
        return f"{shown(folder)}: no image can be used, {len(skipped)} skipped ({skipped[0][0]}: {skipped[0][1]}); {accepted}"
    if others:
        return f"{shown(folder)}: {len(others)} files, none of them an image ({_endings(others)}); {accepted}"
    return f"{shown(folder)}: an empty folder; {accepted}"
