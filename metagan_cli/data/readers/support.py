"""Images as a support set: the same in whatever order they come and whatever they are called."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from metagan_cli.data.readers.files import ReadImage, read_image, shown
from metagan_cli.data.readers.geometry import Form, are_pixel_art, common_form
from metagan_cli.data.readers.levels import white_of
from metagan_cli.errors import InputError
from metagan_cli.images.ground import border

NEAR = 0.02  # mean difference of two thumbnails, as a share of the range, below which they are near-duplicates
SOME = 0.25  # share of the images with colours, above which a folder has them
PAIRS = 200  # near-duplicate pairs that are listed
THUMBNAIL = 16

Named = tuple[str, Path | Image.Image]  # an image's name, and the file or the opened picture
Count = Callable[[int, int], None]  # told how many are done, of how many


@dataclass(frozen=True)
class Support:
    """What a folder holds."""

    images: Tensor  # float32 [N, C, S, S] in [-1, 1]; gray ones with ink +1 on ground -1
    names: tuple[str, ...]  # N file names, below the folder
    found: int  # images in the folder, of which N are used
    skipped: tuple[tuple[str, str], ...]  # file names and reasons
    others: int  # files that are no images, too many to stand among those skipped
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    duplicates: tuple[tuple[str, str], ...]  # names of images that are nearly the same
    form: Form
    light_on_dark: bool
    colourful: bool  # whether so many of the images have colours that something would be missed without

    @property
    def passed_over(self) -> int:
        """How many files of the folder were not read."""
        return len(self.skipped) + self.others

    def tell_skipped(self, say: Callable[[str], None], place: str = "") -> None:
        """A line for each file that was skipped, its name below `place`."""
        for name, reason in self.skipped:
            say(f"skipped {place}{name}: {reason}")


def read_images(
    images: Sequence[Path | Image.Image], *, size: int, channels: int, fit: str = "pad", skip_bad: bool = False, report: Count
) -> Support:
    """Reads files and opened pictures. Raises InputError where there are none or, unless `skip_bad`, one cannot be read."""
    if not images:
        raise InputError("no images were given")
    named = [(shown(i) if isinstance(i, Path) else f"image {number}", i) for number, i in enumerate(images)]
    return read_support("the images given", named, [], size=size, channels=channels, fit=fit, skip_bad=skip_bad, report=report)


def read_support(
    place: str,
    chosen: Sequence[Named],
    skipped: Sequence[tuple[str, str]],
    *,
    size: int,
    channels: int,
    fit: str,
    skip_bad: bool,
    report: Count,
    of: int | None = None,
    others: int = 0,
    told: Sequence[str] = (),
) -> Support:
    """Reads the images chosen `of` so many that a place holds, where files were skipped and noted already.

    Raises InputError where none or, unless `skip_bad`, any of the images cannot be read.
    """
    skipped, count = list(skipped), len(chosen) if of is None else of
    found: list[tuple[Named, ReadImage]] = []
    for done, (name, source) in enumerate(chosen):
        report(done + 1, len(chosen))
        try:
            image = read_image(source, size, channels, fit, name=name)
        except InputError as error:
            if not skip_bad:
                raise InputError(f"{error}; --skip-bad goes on without it") from error
            label = shown(source) if isinstance(source, Path) else name
            skipped.append((name, str(error).removeprefix(f"{label}: ")))
            continue
        if image.sheet:
            skipped.append((name, "a sheet of samples that metagan drew"))
        else:
            found.append(((name, source), image))
    by_pixels = are_pixel_art([image.outline for _, image in found])
    white = white_of(max((image.peak for _, image in found), default=0))
    for place_in_row, ((name, source), image) in enumerate(found):
        is_drawn_alone = image.outline.block > 0 and not by_pixels  # some small pictures among others
        if is_drawn_alone or (image.peak and white_of(image.peak) != white):
            found[place_in_row] = (name, source), read_image(source, size, channels, fit, by_pixels, name, white)
    read = [(name, image) for (name, _), image in found]
    if not read:
        raise InputError(f"{place}: none of its {count} images can be used; the first: {skipped[-1][1]}")
    read.sort(key=lambda item: (hashlib.blake2b(item[1].pixels.tobytes()).digest(), item[0]))
    notes = [*told, *_notes(read, count, channels)]
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
        found=count,
        skipped=tuple(skipped),
        others=others,
        notes=tuple(notes),
        warnings=tuple(_warnings(images, duplicates)),
        duplicates=duplicates,
        form=common_form([image.outline for _, image in read], fit, [image.ground for _, image in read]),
        light_on_dark=light,
        colourful=sum(image.colourful for _, image in read) > SOME * len(read),
    )


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
