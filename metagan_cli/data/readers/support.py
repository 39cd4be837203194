"""Images as a support set: the same in whatever order they come and whatever they are called."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from metagan_cli.config import FITS
from metagan_cli.data.readers.files import Frame, ReadImage, called, file_of, frames_of, read_image, shown
from metagan_cli.data.readers.finer import Finer, Named, Read, native_side
from metagan_cli.data.readers.geometry import (
    ALIKE,
    Fitting,
    Form,
    Outline,
    are_pixel_art,
    common_fit,
    common_form,
    common_slope,
    cut_to,
)
from metagan_cli.data.readers.levels import white_of
from metagan_cli.data.readers.transparency import BLACK, WHITE, common_ground
from metagan_cli.errors import InputError
from metagan_cli.images.ground import border
from metagan_cli.images.pixel_art import MOSTLY

NEAR = 0.02  # mean difference of two thumbnails, as a share of the range, below which they are near-duplicates
SOME = 0.25  # share of the images with colours, above which a folder has them
PAIRS = 200  # near-duplicate pairs that are listed
THUMBNAIL = 16
MOST_FRAMES = 64  # of an animation
T = TypeVar("T")

Again = Callable[[Named, Fitting], ReadImage]  # reads an image
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
    native_side: int  # pixels a side of the square in which nothing is lost; 0 where the model's own holds all
    outlines: tuple[Outline, ...]  # of each
    at_side: Finer  # reads an image by its number again, at so many pixels a side

    @property
    def sizes(self) -> tuple[tuple[int, int], ...]:
        """Width and height of each image, in pixels."""
        return tuple((outline.width, outline.height) for outline in self.outlines)

    @property
    def files(self) -> tuple[Path, ...]:
        """Where each image that was read from a file lies."""
        return tuple(file_of(source) for _, source in self.at_side.sources if not isinstance(source, Image.Image))

    @property
    def passed_over(self) -> int:
        """How many files of the folder were not read."""
        return len(self.skipped) + self.others

    def tell_skipped(self, say: Callable[[str], None], place: str = "") -> None:
        """A line for each file that was skipped, its name below `place`."""
        for name, reason in self.skipped:
            say(f"skipped {place}{name}: {reason}")


def read_images(
    images: Sequence[Path | Image.Image],
    *,
    size: int,
    channels: int,
    fit: str = FITS[0],
    skip_bad: bool = False,
    frames: bool = False,
    report: Count,
) -> Support:
    """Reads files and opened pictures. Raises InputError where there are none or, unless `skip_bad`, one cannot be read."""
    if not images:
        raise InputError("no images were given")
    named = [(shown(i) if isinstance(i, Path) else f"image {number}", i) for number, i in enumerate(images)]
    how: dict[str, Any] = {
        "size": size,
        "channels": channels,
        "fit": fit,
        "skip_bad": skip_bad,
        "frames": frames,
        "report": report,
    }
    return read_support("the images given", named, [], **how)


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
    frames: bool = False,
) -> Support:
    """Reads the images chosen `of` so many that a place holds, where files were skipped and noted already.

    All `frames` of animations are images, or else the first of each.
    Raises InputError where none or, unless `skip_bad`, any of the images cannot be read.
    """
    skipped, count = list(skipped), len(chosen) if of is None else of
    found: list[Read] = []
    alone = Fitting("crop" if fit == "crop" else "pad")

    def again(named: Named, fitting: Fitting) -> ReadImage:
        return read_image(named[1], size, channels, fitting, named[0])

    chosen = [each for named in chosen for each in _frames(named)] if frames else chosen
    for done, (name, source) in enumerate(chosen):
        report(done + 1, len(chosen))
        try:
            image = again((name, source), alone)
        except InputError as error:
            if not skip_bad:
                raise InputError(f"{error}; --skip-bad goes on without it") from error
            skipped.append((name, str(error).removeprefix(f"{called(name, source)}: ")))
            continue
        if image.sheet:
            skipped.append((name, "a sheet of samples that metagan drew"))
        else:
            found.append(((name, source), image))
    if not found:
        raise InputError(f"{place}: none of its {count} images can be used; the first: {skipped[-1][1]}")
    ground = common_ground([image.contrast for _, image in found if image.contrast], channels)
    common = replace(alone, ground=ground, white=white_of(max(image.peak for _, image in found)))
    found = _on_one_ground(found, common, again)
    fitting = _common_fitting([image.outline for _, image in found], common, fit)
    read = _fitted(found, fitting, again)
    read.sort(key=lambda item: (hashlib.blake2b(item[1].pixels.tobytes()).digest(), item[0][0]))
    outlines, grounds = [image.outline for _, image in read], [image.ground for _, image in read]
    pixels = torch.from_numpy(np.stack([image.pixels for _, image in read])).permute(0, 3, 1, 2)
    names, stamps = tuple(name for (name, _), _ in read), tuple(image.stamp for _, image in read)
    light, flipped = False, torch.zeros(len(names), dtype=torch.bool)
    if channels == 1:
        light, flipped = _polarity(pixels, grounds if ground is None else [])
    ground = ground if ground is not None else BLACK if light else WHITE  # of gray drawings turned over like the rest
    form = common_form(outlines, fit, ground if sum(g is not None for g in grounds) >= MOSTLY * len(grounds) else -1)
    notes = [*told, *_notes(read, count, channels), *_cut(outlines, form)]
    if flipped.any():
        notes.append(f"{int(flipped.sum())} images have dark and light the other way round: turned over like the rest")
    turned = flipped == light if channels == 1 else flipped
    images = (pixels.float() / 127.5 - 1) * torch.where(turned, -1.0, 1.0)[:, None, None, None]
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
        form=form,
        light_on_dark=light,
        colourful=sum(image.colourful for _, image in read) > SOME * len(read),
        native_side=native_side(outlines, fitting, form, size),
        outlines=tuple(outlines),
        at_side=Finer(tuple(named for named, _ in read), stamps, size, channels, fitting, tuple(turned.tolist())),
    )


def thinned(items: Sequence[T], most: int) -> list[T]:
    """At most so many of some items, evenly chosen."""
    count = min(len(items), most)
    return [items[place * len(items) // count] for place in range(count)]


def _frames(named: Named) -> list[Named]:
    """The frames of an animation as images, at most MOST_FRAMES of them, evenly chosen; any other image alone."""
    name, source = named
    count = frames_of(source) if isinstance(source, Path) else 1
    if count < 2 or not isinstance(source, Path):
        return [named]
    return [(f"{name}, frame {number + 1}", Frame(source, number)) for number in thinned(range(count), MOST_FRAMES)]


def _on_one_ground(found: list[Read], fitting: Fitting, again: Again) -> list[Read]:
    """The images of a folder with all transparent ones on its ground, where it has one, and one white for all of 16 bits."""

    def is_common(image: ReadImage) -> bool:
        same_ground = fitting.ground is None or image.ground in (None, fitting.ground)
        return same_ground and (not image.peak or white_of(image.peak) == fitting.white)

    return [(named, image if is_common(image) else again(named, fitting)) for named, image in found]


def _common_fitting(outlines: Sequence[Outline], fitting: Fitting, fit: str) -> Fitting:
    """How every image of a folder is fitted."""
    fit = common_fit(outlines, fit)
    return replace(fitting, fit=fit, slope=common_slope(outlines) if fit == "fill" else 1.0, by_pixels=are_pixel_art(outlines))


def _fitted(found: list[Read], fitting: Fitting, again: Again) -> list[Read]:
    """The images of a folder, read again where the folder is fitted otherwise than one of them alone."""

    def is_fitted(outline: Outline) -> bool:
        sides = outline.width, outline.height
        filled = fitting.fit != "fill" or (sides[0] == sides[1] and cut_to(*sides, fitting.slope) == sides)
        return filled and (fitting.by_pixels or not outline.block)  # some small pictures among others are no pixel art

    return [(named, image if is_fitted(image.outline) else again(named, fitting)) for named, image in found]


def _cut(outlines: Sequence[Outline], form: Form) -> list[str]:
    """What to say of images that are cut to one shape."""
    if form.fit != "fill":
        return []
    slope = form.width / form.height
    longer = [max(o.width / o.height / slope, slope * o.height / o.width) for o in outlines]
    cut = sum(times > ALIKE for times in longer)
    return [f"{cut} of {len(outlines)} images cut about their middles to one shape, {form.words}"] if cut else []


def _notes(read: list[Read], found: int, channels: int) -> list[str]:
    notes = [f"{found} images found, {len(read)} of them used"] if found > len(read) else []
    counts: dict[str, int] = {}
    for _, image in read:
        for note in image.notes:
            counts[note] = counts.get(note, 0) + 1
    notes += [f"{count} of {len(read)} images {note}" for note, count in counts.items()]
    if channels == 1 and any(image.colourful for _, image in read):
        notes.append("colours are read as gray")
    return notes


def _polarity(pixels: Tensor, grounds: Sequence[int | None]) -> tuple[bool, Tensor]:
    """Whether the folder is light on dark, and which of its images [N, 1, S, S] are the other way round.

    The ground of an image is what its border has most, unless it is known.
    """
    ground = border(pixels).float().flatten(1).median(1).values
    for place, known in enumerate(grounds):
        ground[place] = ground[place] if known is None else known
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
