"""sample: an adapted model, or a folder, to new images."""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from metagan_cli.config import FORMATS
from metagan_cli.data.readers.geometry import Form, check_size
from metagan_cli.data.restoring import given_back
from metagan_cli.errors import OutputError, UsageError
from metagan_cli.images.copies import CopyReport, copy_report
from metagan_cli.images.sheets import picture, tile, to_bytes
from metagan_cli.sampling.sampler import Sampler
from metagan_cli.sampling.seeds import shorten
from metagan_cli.store import pictures
from metagan_cli.workflows.progress import Report, silent
from metagan_cli.workflows.ready import Ready
from metagan_cli.workflows.vectors import as_svg, drawing_of

GRID_LIMIT = 10_000  # images in one picture
AREA_LIMIT = 2**28  # pixels of one picture
STILL = (".png", ".webp", ".jpg", ".jpeg")
MOVING = (".gif", ".webp")
CLEAR = (".png", ".webp")  # what can be transparent
AS_DRAWN = ("truncation", "columns", "size", "scale", "with_support")  # and of a request, but for which images it asks for
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


def check_images(request: SampleRequest, images: Tensor, form: Form) -> None:
    """Refuses images [K, C, S, S] whose samples cannot be written as asked. Raises UsageError."""
    if request.each is not None and request.format == "svg":
        drawing_of(images, form)


def sample(ready: Ready, request: SampleRequest, report: Report = silent) -> Sampled:
    """Draws the images of a request and writes them. Raises UsageError or OutputError, the former before any work."""
    start = time.monotonic()
    check_request(request)
    check_images(request, ready.state.bases[0].float().cpu(), ready.form)
    _check_area(request, ready)
    text = {
        "kind": "sample",
        "model": ready.hash,
        "base": ready.base.hash,
        "seeds": shorten(request.seeds),
        "walk": request.walk_count,
    }
    text |= {name: getattr(request, name) for name in AS_DRAWN} | ({"adapt": ready.settings} if ready.settings else {})
    sampler = Sampler(ready.base.nets, ready.state, request.truncation)
    kept: list[Tensor] = []
    count = request.walk_count or len(request.seeds)
    report("samples", 0, count)
    if request.each is not None:
        _prepare_folder(request)
    for place, images in _blocks(sampler, request):
        if request.each is not None:
            _write_each(request, place, images, ready, text)
        if request.out is not None or len(kept) * len(images) < TESTED:
            kept.append(images)
        report("samples", place + len(images), count)
    drawn = torch.cat(kept)
    if request.out is not None:
        _write_sheet(request.out, drawn, ready, request, text)
    copies = copy_report(drawn[:TESTED], ready.state.bases[0].float().cpu()) if request.walk_count is None else None
    return Sampled(count, request.out, request.each, copies, time.monotonic() - start, ready.warnings)


def draw(ready: Ready, seeds: Sequence[int], truncation: float, size: str, scale: int) -> list[Image.Image]:
    """The images of these seeds, in the folder's form and the wanted size. Raises UsageError for a size that cannot be."""
    check_size(size)
    sampler, drawn = Sampler(ready.base.nets, ready.state, truncation), []
    for images in sampler.stream(seeds):
        cells = given_back(to_bytes(images, ready.light_on_dark), ready.form, size)
        drawn += [picture(cell, scale) for cell in cells]
    return drawn


def _check_area(request: SampleRequest, ready: Ready) -> None:
    width, height = ready.form.size(ready.base.config.image_size, request.size)
    count = request.walk_count or len(request.seeds)
    area = width * height * request.scale**2 * (count if request.out is not None else 1)
    if area > AREA_LIMIT:
        raise UsageError(
            f"--size {request.size}: a picture of {area // 10**6} million pixels is more than {AREA_LIMIT // 10**6}; "
            "ask for smaller or fewer images, or for single ones with --each"
        )


def _blocks(sampler: Sampler, request: SampleRequest) -> Iterator[tuple[int, Tensor]]:
    if request.walk_count is not None:
        yield 0, sampler.walk(request.seeds, request.walk_count)
        return
    place = 0
    for images in sampler.stream(request.seeds):
        yield place, images
        place += len(images)


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


def _write_each(request: SampleRequest, place: int, images: Tensor, ready: Ready, text: dict[str, Any]) -> None:
    assert request.each is not None
    if is_svg := request.format == "svg":
        drawing = drawing_of(ready.state.bases[0].float().cpu(), ready.form)
        files = to_bytes(images, ready.light_on_dark)
    else:
        files = _as_files(images, ready, request, f".{request.format}")
    for i, image in enumerate(files, start=place):
        alone = {"kind": "single", "model": text["model"], "truncation": request.truncation}
        alone |= {"walk": request.walk_count, "frame": i} if request.walk_count else {"seed": request.seeds[i]}
        path = request.each / f"{i:06d}.{request.format}"
        if is_svg:
            pictures.write_svg(path, as_svg(image, drawing, ready.form, request.size, request.scale), alone)
        else:
            pictures.write_picture(path, picture(image, request.scale), alone)


def _write_sheet(out: Path, images: Tensor, ready: Ready, request: SampleRequest, text: dict[str, Any]) -> None:
    ending = out.suffix.lower()
    cells = _as_files(images, ready, request, ending)
    if request.walk_count is not None and ending in MOVING:
        pictures.write_animation(out, [picture(cell, request.scale) for cell in cells], text)
        return
    columns = request.columns or math.ceil(math.sqrt(len(cells)))
    ground = 0 if ready.light_on_dark else 255
    sheet = tile(cells, columns, ground)
    if request.with_support:
        examples = _as_files(ready.state.bases[0].float().cpu(), ready, request, ending)
        sheet = _beside(tile(examples, _support_columns(len(examples), sheet.shape[0] // (cells.shape[1] + 2)), ground), sheet)
    pictures.write_picture(out, picture(sheet, request.scale), text)


def _as_files(images: Tensor, ready: Ready, request: SampleRequest, ending: str) -> Tensor:
    """Images [N, C, S, S] in [-1, 1] as uint8 [N, H, W, C] for files of this ending, in the folder's form and the wanted size."""
    return given_back(to_bytes(images, ready.light_on_dark), ready.form, request.size, opaque=ending not in CLEAR)


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
