"""sample: an adapted model, or a folder, to new images."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from metagan_cli.config import FORMATS
from metagan_cli.data.readers.geometry import Form, check_size
from metagan_cli.errors import OutputError, UsageError
from metagan_cli.images.copies import CopyReport, copy_report
from metagan_cli.images.sheets import picture, tile
from metagan_cli.sampling.drawn import Drawn, SampleSource
from metagan_cli.sampling.members import HalfAndHalf
from metagan_cli.sampling.sampler import Sampler
from metagan_cli.sampling.seeds import shorten
from metagan_cli.store import pictures
from metagan_cli.workflows.guests import Guests, akin, guests_for, members_of
from metagan_cli.workflows.painting import LARGEST, LARGEST_CELL, Painting, size_of
from metagan_cli.workflows.progress import Report, silent
from metagan_cli.workflows.ready import Ready
from metagan_cli.workflows.threads import in_threads
from metagan_cli.workflows.vectors import Drawing, as_svg, drawing_of

GRID_LIMIT = 10_000  # images in one picture
AREA_LIMIT = 2**28  # pixels of one picture
STILL = (".png", ".webp", ".jpg", ".jpeg")
MOVING = (".gif", ".webp")
CLEAR = (".png", ".webp")  # what can be transparent
AS_DRAWN = (
    "truncation",
    "columns",
    "size",
    "scale",
    "with_support",
    "motifs",
    "variants",
)  # and of a request, but for which images it asks for
TESTED = 256  # samples that the copy test looks at


@dataclass(frozen=True)
class SampleRequest:
    """What to draw and where to put it."""

    seeds: Sequence[int]
    out: Path | None  # one picture of all
    each: Path | None  # a folder for single files
    truncation: float = 1.0
    columns: int | None = None
    size: str = "auto"  # of single images; see `check_size`
    scale: int = 1
    with_support: bool = False
    walk_count: int | None = None  # frames of a walk through the seeds
    overwrite: bool = False
    inputs: Path | None = None  # the folder of examples, in which nothing is replaced
    format: str = "png"  # of single images
    motifs: str | None = None  # which new members show; see `guests_for`
    variants: bool = False  # of the examples only


@dataclass(frozen=True)
class Sampled:
    """What was written."""

    count: int
    out: Path | None
    each: Path | None
    copies: CopyReport | None
    seconds: float
    warnings: tuple[str, ...]


def check_request(request: SampleRequest) -> None:
    """Refuses before any work what cannot be done. Raises UsageError or OutputError."""
    count = request.walk_count or len(request.seeds)
    check_size(request.size)
    check_motifs(request)
    if request.format not in FORMATS:
        raise UsageError(f"--format {request.format}: must be one of {', '.join(FORMATS)}")
    if request.walk_count is not None and len(request.seeds) < 2:
        raise UsageError("--interpolate walks between seeds: give two or more with --seeds")
    if request.out is not None:
        if count > GRID_LIMIT:
            raise UsageError(f"-n {count}: one picture holds at most {GRID_LIMIT} images; use --each DIR for more")
        endings = (*STILL, ".gif") if request.walk_count else STILL
        pictures.check_target(request.out, endings, request.overwrite, request.inputs)
    if request.each is not None:
        pictures.check_folder(request.each, request.each)


def check_motifs(request: SampleRequest) -> None:
    """Refuses what goes with no motifs. Raises UsageError."""
    if request.motifs is not None and request.variants:
        raise UsageError("--motifs and --variants: variants show the examples' own motifs; leave one of them out")
    if request.motifs is not None and request.walk_count is not None:
        raise UsageError("--motifs and --interpolate: there is no way from one motif to another; leave one of them out")


def motif_count(ready: Ready, motifs: str) -> int:
    """How many motifs these words name. Raises like `guests_for`."""
    return len(guests_for(ready, motifs).names)


def check_images(request: SampleRequest, images: Tensor, form: Form) -> Drawing | None:
    """How single samples of images [K, C, S, S] are drawn, where that is as vectors. Raises UsageError where they cannot be."""
    return drawing_of(images, form) if request.each is not None and request.format == "svg" else None


def sample(ready: Ready, request: SampleRequest, report: Report = silent) -> Sampled:
    """Draws the images of a request and writes them. Raises UsageError or OutputError, the former before any work."""
    start = time.monotonic()
    check_request(request)
    guests = guests_for(ready, request.motifs) if request.motifs is not None else None
    drawing = check_images(request, ready.examples, ready.form)
    _check_area(request, ready)
    text = {
        "kind": "sample",
        "model": ready.hash,
        "base": ready.base.hash,
        "seeds": shorten(request.seeds),
        "walk": request.walk_count,
    }
    text |= {name: getattr(request, name) for name in AS_DRAWN} | ({"adapt": ready.settings} if ready.settings else {})
    source = source_of(ready, request.truncation, guests, request.variants or request.walk_count is not None)
    tested = list[Tensor]()
    count = request.walk_count or len(request.seeds)
    report("samples", 0, count)
    sheet, singles, cells = None, None, list[Tensor]()
    if request.each is not None:
        _prepare_folder(request)
        singles = Singles(request, ready, source, drawing, text)
    if request.out is not None:
        sheet = Painting(ready, request.size, LARGEST_CELL, _is_opaque(request.out.suffix))
    place = 0
    for drawn in _blocks(source, request):
        if singles is not None:
            singles.write(place, drawn)
        if sheet is not None:
            cells += sheet.pictures(drawn)
        if place < TESTED:
            tested.append(drawn.images)
        place += len(drawn.images)
        report("samples", place, count)
    if sheet is not None:
        _write_sheet(torch.stack(cells), sheet, request, text)
    looked_at = torch.cat(tested)[:TESTED]
    copies = copy_report(looked_at, ready.examples) if request.walk_count is None else None
    return Sampled(count, request.out, request.each, copies, time.monotonic() - start, ready.warnings)


def draw(
    ready: Ready,
    seeds: Sequence[int],
    truncation: float,
    size: str,
    scale: int,
    motifs: str | None = None,
    variants: bool = False,
) -> list[Image.Image]:
    """The images of these seeds, in the folder's form and the wanted size. Raises UsageError for a size that cannot be."""
    check_size(size)
    source = source_of(ready, truncation, guests_for(ready, motifs) if motifs else None, variants)
    painting = Painting(ready, size)
    return [picture(pixels, scale) for drawn in source.stream(seeds) for pixels in painting.pictures(drawn)]


def source_of(ready: Ready, truncation: float, guests: Guests | None, variants: bool) -> SampleSource:
    """What draws a folder's samples: variants of its examples, new members of the set that it stands for, or both by turns.

    New members of these guests, where there are any; without them by what the folder's images are. Raises UsageError where guests
    are wanted and the folder holds pictures.
    """
    family = None if variants else ready.family
    if guests is not None:
        if family is not None and family.kind == "pictures":
            raise UsageError("--motifs: the folder holds pictures, to which no motifs can be brought; leave it out")
        return members_of(ready, guests)
    brings = "variants" if family is None else family.brings
    if brings == "members":
        return members_of(ready, akin(ready), asked=False)
    sampler = Sampler(ready.base.nets, ready.state, truncation)
    return sampler if brings == "variants" else HalfAndHalf(members_of(ready, akin(ready), asked=False), sampler)


def _check_area(request: SampleRequest, ready: Ready) -> None:
    size = size_of(ready, request.size, LARGEST_CELL if request.out is not None else LARGEST)
    width, height = ready.form.size(ready.base.config.image_size, size)
    count = request.walk_count or len(request.seeds)
    area = width * height * request.scale**2 * (count if request.out is not None else 1)
    if area > AREA_LIMIT:
        raise UsageError(
            f"--size {request.size}: a picture of {area // 10**6} million pixels is more than {AREA_LIMIT // 10**6}; "
            "ask for smaller or fewer images, or for single ones with --each"
        )


def _blocks(source: SampleSource, request: SampleRequest) -> Iterator[Drawn]:
    if request.walk_count is not None:
        assert isinstance(source, Sampler)
        yield source.walk(request.seeds, request.walk_count)
    else:
        yield from source.stream(request.seeds)


def _prepare_folder(request: SampleRequest) -> None:
    assert request.each is not None
    try:
        request.each.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{request.each}: cannot be made ({error.strerror})") from error
    count = request.walk_count or len(request.seeds)
    for path in request.each.glob(f"[0-9][0-9][0-9][0-9][0-9][0-9]*.{request.format}"):
        if path.stem.isdigit() and int(path.stem) < count:
            pictures.check_target(path, (path.suffix,), request.overwrite, request.inputs)


class Singles:
    """Single files of samples in a folder, several painted and written at once."""

    def __init__(
        self, request: SampleRequest, ready: Ready, source: SampleSource, drawing: Drawing | None, text: dict[str, Any]
    ) -> None:
        """What is drawn as vectors is traced at its largest, and shown at the size of other files."""
        self.request, self.drawing, self.text = request, drawing, text
        self.painting = Painting(ready, request.size, opaque=_is_opaque(f".{request.format}"))
        self.size = self.painting.width, self.painting.height
        if drawing is not None and not drawing.in_pixels:  # pixels that were enlarged would be traced as such
            wanted = str(ready.natives.side) if ready.natives else "model"
            self.painting = Painting(ready, wanted, opaque=self.painting.opaque)

    def write(self, place: int, drawn: Drawn) -> None:
        """Writes some samples; the first has this place among all."""
        for _ in in_threads(partial(self._write, i, paint) for i, paint in enumerate(self.painting.works(drawn), start=place)):
            pass

    def _write(self, i: int, paint: Callable[[], Tensor]) -> None:
        request, image = self.request, paint()
        assert request.each is not None
        alone = {"kind": "single", "model": self.text["model"], "truncation": request.truncation}
        alone |= {"walk": request.walk_count, "frame": i} if request.walk_count else {"seed": request.seeds[i]}
        path = request.each / f"{i:06d}.{request.format}"
        if self.drawing is not None:
            pictures.write_svg(path, as_svg(image, self.drawing, self.size, request.scale), alone)
        else:
            pictures.write_picture(path, picture(image, request.scale), alone, quick=True)


def _write_sheet(cells: Tensor, painting: Painting, request: SampleRequest, text: dict[str, Any]) -> None:
    out = request.out
    assert out is not None
    if request.walk_count is not None and out.suffix.lower() in MOVING:
        pictures.write_animation(out, [picture(cell, request.scale) for cell in cells], text)
        return
    columns = request.columns or math.ceil(math.sqrt(len(cells)))
    ground = 0 if painting.ready.light_on_dark else 255
    sheet = tile(cells, columns, ground)
    if request.with_support:
        examples = torch.stack(list(painting.examples()))
        sheet = _beside(tile(examples, _support_columns(len(examples), sheet.shape[0] // (cells.shape[1] + 2)), ground), sheet)
    pictures.write_picture(out, picture(sheet, request.scale), text)


def _is_opaque(ending: str) -> bool:
    return ending.lower() not in CLEAR


def _support_columns(count: int, rows: int) -> int:
    return max(1, math.ceil(count / max(1, rows)))


def _beside(left: Tensor, right: Tensor, gap: int = 12) -> Tensor:
    """Two sheets uint8 [H, W, C] side by side on mid-gray, or on nothing, from the top."""
    height = max(left.shape[0], right.shape[0])
    between = 0 if left.shape[2] == 4 else 128
    whole = torch.full((height, left.shape[1] + gap + right.shape[1], left.shape[2]), between, dtype=torch.uint8)
    whole[: left.shape[0], : left.shape[1]] = left
    whole[: right.shape[0], left.shape[1] + gap :] = right
    return whole
