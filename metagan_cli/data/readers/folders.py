"""A folder of images as a support set: the same whatever the files are called."""

import hashlib
import heapq
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from metagan_cli.data.readers.files import ENDINGS, REFUSED, ReadImage, read_image, shown
from metagan_cli.data.readers.geometry import Form, are_pixel_art, common_form
from metagan_cli.errors import InputError
from metagan_cli.images.ground import border

MOST = 512  # images read from one folder
NEAR = 0.02  # mean difference of two thumbnails, as a share of the range, below which they are near-duplicates
PAIRS = 200  # near-duplicate pairs that are listed
THUMBNAIL = 16


@dataclass(frozen=True)
class Support:
    """What a folder holds."""

    images: Tensor  # float32 [N, C, S, S] in [-1, 1]; gray ones with ink +1 on ground -1
    names: tuple[str, ...]  # N file names, below the folder
    found: int  # images in the folder, of which N are used
    skipped: tuple[tuple[str, str], ...]  # file names and reasons
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    duplicates: tuple[tuple[str, str], ...]  # names of images that are nearly the same
    form: Form
    light_on_dark: bool
    colourful: bool  # whether most of the images have colours

    def tell_skipped(self, say: Callable[[str], None], place: str = "") -> None:
        """A line for each file that was skipped, its name below `place`."""
        for name, reason in self.skipped:
            say(f"skipped {place}{name}: {reason}")


def read_folder(
    folder: Path,
    *,
    size: int,
    channels: int,
    fit: str = "pad",
    skip_bad: bool = False,
    most: int = MOST,
    deep: bool = True,
    report: Callable[[int, int], None] = lambda done, whole: None,
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
    found: list[tuple[Path, ReadImage]] = []
    for done, path in enumerate(chosen):
        report(done, len(chosen))
        try:
            image = read_image(path, size, channels, fit)
        except InputError as error:
            if not skip_bad:
                raise InputError(f"{error}; --skip-bad goes on without it") from error
            skipped.append((shown(path.relative_to(folder)), str(error).removeprefix(f"{shown(path)}: ")))
            continue
        if image.sheet:
            skipped.append((shown(path.relative_to(folder)), "a sheet of samples that metagan drew"))
        else:
            found.append((path, image))
    if not are_pixel_art([image.outline for _, image in found]):  # some small pictures among others
        found = [(p, read_image(p, size, channels, fit, by_pixels=False) if i.outline.block else i) for p, i in found]
    read = [(shown(path.relative_to(folder)), image) for path, image in found]
    if not read:
        raise InputError(f"{shown(folder)}: none of its {len(candidates)} images can be used; the first: {skipped[-1][1]}")
    read.sort(key=lambda item: (hashlib.blake2b(item[1].pixels.tobytes()).digest(), item[0]))
    notes = _notes(read, len(candidates), channels)
    pixels = torch.from_numpy(np.stack([image.pixels for _, image in read])).permute(0, 3, 1, 2)
    names = tuple(name for name, _ in read)
    light, flipped = _polarity(pixels) if channels == 1 else (False, torch.zeros(len(names), dtype=torch.bool))
    if flipped.any():
        notes.append(f"{int(flipped.sum())} images have dark and light the other way round: turned over like the rest")
    images = pixels.float() / 127.5 - 1
    if channels == 1:
        sign = torch.where(flipped == light, -1.0, 1.0)
        images = images * sign[:, None, None, None]
    duplicates = _duplicates(images, names)
    return Support(
        images=images,
        names=names,
        found=len(candidates),
        skipped=tuple(skipped),
        notes=tuple(notes),
        warnings=tuple(_warnings(images, duplicates)),
        duplicates=duplicates,
        form=common_form([image.outline for _, image in read], fit, [image.ground for _, image in read]),
        light_on_dark=light,
        colourful=sum(image.colourful for _, image in read) * 2 > len(read),
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


def _notes(read: list[tuple[str, ReadImage]], found: int, channels: int) -> list[str]:
    notes = [f"{found} images found, {len(read)} of them used"] if found > len(read) else []
    counts: dict[str, int] = {}
    for _, image in read:
        for note in image.notes:
            counts[note] = counts.get(note, 0) + 1
    notes += [f"{count} of {len(read)} images {note}" for note, count in counts.items()]
    if channels == 1 and any(image.colourful for _, image in read):
        notes.append("colours are read as gray")
    return notes


def _polarity(pixels: Tensor) -> tuple[bool, Tensor]:
    """Whether the folder is light on dark, and which of its images [N, 1, S, S] are the other way round."""
    ground = border(pixels).float().flatten(1).median(1).values
    light = bool(ground.median() < 128)
    return light, ground > 200 if light else ground < 55


def _duplicates(images: Tensor, names: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    small = torch.nn.functional.adaptive_avg_pool2d(images, THUMBNAIL).flatten(1)
    apart = torch.cdist(small, small, p=1) / (2 * small.shape[1])
    near = (apart < NEAR * _scale(small)).triu(1).nonzero()[:PAIRS].tolist()
    return tuple((names[i], names[j]) for i, j in near)


def _scale(small: Tensor) -> float:
    """Sparse drawings differ in few pixels: what counts as near is measured against how much ink there is."""
    return float((small - small.median()).abs().mean().clamp(0.02, 0.5))


def _warnings(images: Tensor, duplicates: tuple[tuple[str, str], ...]) -> list[str]:
    count = len(images)
    if count == 1:
        return ["one image only: the samples will be variants of it; five or more show what may vary"]
    if (images == images[0]).all():
        return [f"all {count} images are the same picture: the samples will be variants of it"]
    if duplicates:
        return [f"{len(duplicates)} pairs of images are nearly the same, as {duplicates[0][0]} and {duplicates[0][1]}"]
    return []
