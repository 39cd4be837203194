"""A folder of images: which of its files are read, and why others are not."""

import hashlib
import heapq
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from metagan_cli.config import FITS
from metagan_cli.data.readers.files import ENDINGS, REFUSED, shown
from metagan_cli.data.readers.support import Support, read_support
from metagan_cli.errors import InputError

MOST = 512  # images read from one folder


def read_folder(
    folder: Path,
    *,
    size: int,
    channels: int,
    fit: str = FITS[0],
    skip_bad: bool = False,
    most: int = MOST,
    deep: bool = True,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Support:
    """Reads the images of a folder and, where `deep`, of the folders in it.

    Their order comes from their pixels, and so does the choice where there are more than `most`: names do not matter.
    `report` is told how many are read, of how many.
    Raises InputError where the folder or, unless `skip_bad`, any of its images cannot be read.
    """
    candidates, skipped, others = _scan(folder, deep)
    if not candidates:
        raise InputError(_nothing(folder, skipped, others))
    chosen = candidates if len(candidates) <= most else _choose(candidates, most)
    return read_support(
        shown(folder),
        [(shown(path.relative_to(folder)), path) for path in chosen],
        skipped,
        size=size,
        channels=channels,
        fit=fit,
        skip_bad=skip_bad,
        report=report,
        of=len(candidates),
    )


def _scan(folder: Path, deep: bool) -> tuple[list[Path], list[tuple[str, str]], int]:
    """Image files below a folder, files that are skipped with reasons, and the number of other files."""
    try:
        mode = folder.stat().st_mode
    except FileNotFoundError as error:
        raise InputError(f"{shown(folder)}: no such folder") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{shown(folder)}: cannot be read ({getattr(error, 'strerror', error)})") from error
    if not stat.S_ISDIR(mode):
        raise InputError(f"{shown(folder)}: a file, not a folder of images")
    candidates: list[Path] = []
    skipped: list[tuple[str, str]] = []
    others = 0
    for path in _files(folder, skipped, deep):
        ending = path.suffix.lower()
        if path.name.startswith(".") or ending not in ENDINGS:
            others += 1
            if ending in REFUSED and not path.name.startswith("."):
                skipped.append((shown(path.relative_to(folder)), REFUSED[ending]))
            continue
        reason = _not_regular(path)
        if reason:
            skipped.append((shown(path.relative_to(folder)), reason))
        else:
            candidates.append(path)
    return sorted(candidates, key=os.fsencode), sorted(skipped), others


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


def _nothing(folder: Path, skipped: list[tuple[str, str]], others: int) -> str:
    accepted = "accepted are " + " ".join(ENDINGS)
    if skipped:
        return f"{shown(folder)}: no image can be used, {len(skipped)} skipped ({skipped[0][0]}: {skipped[0][1]}); {accepted}"
    if others:
        return f"{shown(folder)}: {others} files, none of them an image; {accepted}"
    return f"{shown(folder)}: an empty folder; {accepted}"
