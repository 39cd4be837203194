"""sample: an adapted model, or a folder, to new images."""

import hashlib
import math
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from metagan_cli.config import AdaptConfig, from_dict
from metagan_cli.data.folders import Support
from metagan_cli.data.forms import Form, check_size, given_back
from metagan_cli.devices import choose_device
from metagan_cli.errors import CheckpointError, InputError, OutputError, UsageError
from metagan_cli.evaluation.copies import CopyReport, copy_report
from metagan_cli.sampling import Sampler
from metagan_cli.state import TaskState, state_of
from metagan_cli.store import pictures
from metagan_cli.store.grids import picture, tile, to_bytes
from metagan_cli.store.models import BaseModel, check_state, load_adapted, load_model
from metagan_cli.store.shipped import shipped_models
from metagan_cli.workflows.adapt import adapt_folder

GRID_LIMIT = 10_000  # images in one picture
AREA_LIMIT = 2**28  # pixels of one picture
STILL = (".png", ".webp", ".jpg", ".jpeg")
MOVING = (".gif", ".webp")
CLEAR = (".png", ".webp")  # what can be transparent
AS_ADAPTED = ("steps", "depth", "fit")  # settings of an adaptation that a picture keeps
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
    size: str = "auto"  # of single images; see data/forms.py
    scale: int = 1
    with_support: bool = False
    walk_count: int | None = None  # frames of a walk through the seeds
    overwrite: bool = False
    inputs: Path | None = None  # the folder of examples, in which nothing is replaced


@dataclass(frozen=True)
class Kept:
    """What a picture of samples keeps of its making."""

    model: str  # its hash
    seeds: str  # as --seeds takes them
    truncation: float
    columns: int | None
    scale: int
    with_support: bool
    walk: int | None  # frames
    size: str = SampleRequest.size
    adapt: AdaptConfig | None = None  # by which a folder was adapted on the way


@dataclass(frozen=True)
class Ready:
    """A task state with its base, ready to sample from."""

    state: TaskState
    base: BaseModel
    hash: str  # of the adapted model; of base, examples and settings where a folder was adapted on the way
    light_on_dark: bool
    form: Form
    support: Support | None = None  # what a folder that was adapted on the way holds
    warnings: tuple[str, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)  # by which a folder was adapted on the way


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
    if request.walk_count is not None and len(request.seeds) < 2:
        raise UsageError("--interpolate walks between seeds: give two or more with --seeds")
    if request.out is not None:
        if count > GRID_LIMIT:
            raise UsageError(f"-n {count}: one picture holds at most {GRID_LIMIT} images; use --each DIR for more")
        endings = (*STILL, ".gif") if request.walk_count else STILL
        pictures.check_target(request.out, endings, request.overwrite, request.inputs)
    if request.each is not None and request.each.exists() and not request.each.is_dir():
        raise OutputError(f"{request.each}: is a file, not a folder for single images")
    if request.each is not None and not request.each.parent.is_dir():
        raise OutputError(f"{request.each}: there is no folder {request.each.parent}; make it first")


def load_ready(source: Path, device: str = "auto", settings: AdaptConfig | None = None) -> Ready:
    """An adapted model from its file, or a folder adapted now. Raises CheckpointError or InputError."""
    if source.is_dir():
        chosen_settings = settings or AdaptConfig()
        adapted = adapt_folder(source, chosen_settings, device)
        own = {name: getattr(chosen_settings, name) for name in AS_ADAPTED}
        digest = hashlib.blake2b(f"{adapted.base.hash} {own}".encode(), digest_size=32)
        digest.update(adapted.state.bases.cpu().numpy().tobytes())
        support = adapted.support
        look = support.light_on_dark, support.form
        return Ready(adapted.state, adapted.base, digest.hexdigest(), *look, support, adapted.warnings, own)
    loaded = load_adapted(source)
    base = loaded.base or _find_base(source, loaded.metadata["base"])
    check_state(source, loaded.state, base)
    chosen = choose_device(device)
    base.nets.to(chosen)
    state = state_of({name: tensor.to(chosen) for name, tensor in loaded.state.tensors().items()})
    light_on_dark = bool(loaded.metadata.get("support", {}).get("light_on_dark"))
    return Ready(state, base, loaded.hash, light_on_dark, _form(source, loaded.metadata.get("form", {})))


def _form(source: Path, values: dict[str, Any]) -> Form:
    try:
        return from_dict(Form, values)
    except UsageError as error:
        raise CheckpointError(f"{source}: its results would have no form ({error})") from error


def _find_base(source: Path, wanted: dict[str, Any]) -> BaseModel:
    """The base that an adapted file names: among the shipped models, or where the file remembers it."""
    for model in shipped_models():
        if model.name == wanted["name"]:
            base = load_model(model.path)
            if base.hash != wanted["hash"]:
                raise CheckpointError(
                    f"{source}: was adapted from '{wanted['name']}' {wanted['hash'][:12]}, "
                    f"but the one installed is {base.hash[:12]}: adapt again"
                )
            return base
    remembered = Path(wanted.get("path", ""))
    if not wanted.get("path") or not remembered.is_file():
        raise CheckpointError(
            f"{source}: its base '{wanted['name']}' ({wanted['hash'][:12]}) is not here: adapt again with --standalone"
        )
    base = load_model(remembered)
    if base.hash != wanted["hash"]:
        raise CheckpointError(f"{source}: its base {remembered} has changed: {wanted['hash'][:12]} then, {base.hash[:12]} now")
    return base


def sample(ready: Ready, request: SampleRequest) -> Sampled:
    """Draws the images of a request and writes them. Raises UsageError or OutputError, the former before any work."""
    start = time.monotonic()
    check_request(request)
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
    if request.each is not None:
        _prepare_folder(request)
    for place, images in _blocks(sampler, request):
        if request.each is not None:
            _write_each(request, place, _as_files(images, ready, request), text)
        if request.out is not None or len(kept) * len(images) < TESTED:
            kept.append(images)
    drawn = torch.cat(kept)
    if request.out is not None:
        _write_sheet(request.out, drawn, ready, request, text)
    report = copy_report(drawn[:TESTED], ready.state.bases[0].float().cpu()) if request.walk_count is None else None
    count = request.walk_count or len(request.seeds)
    return Sampled(count, request.out, request.each, report, time.monotonic() - start, ready.warnings)


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
        request.each.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(f"{request.each}: cannot be made ({error.strerror})") from error
    count = request.walk_count or len(request.seeds)
    for path in request.each.glob("[0-9][0-9][0-9][0-9][0-9][0-9]*.png"):
        if path.stem.isdigit() and int(path.stem) < count:
            pictures.check_target(path, (".png",), request.overwrite, request.inputs)


def _write_each(request: SampleRequest, place: int, images: Tensor, text: dict[str, Any]) -> None:
    assert request.each is not None
    for i, image in enumerate(images, start=place):
        alone = {"kind": "single", "model": text["model"], "truncation": request.truncation}
        alone |= {"walk": request.walk_count, "frame": i} if request.walk_count else {"seed": request.seeds[i]}
        pictures.write_picture(request.each / f"{i:06d}.png", picture(image, request.scale), alone)


def _write_sheet(out: Path, images: Tensor, ready: Ready, request: SampleRequest, text: dict[str, Any]) -> None:
    cells = _as_files(images, ready, request)
    if request.walk_count is not None and out.suffix.lower() in MOVING:
        pictures.write_animation(out, [picture(cell, request.scale) for cell in cells], text)
        return
    columns = request.columns or math.ceil(math.sqrt(len(cells)))
    ground = 0 if ready.light_on_dark else 255
    sheet = tile(cells, columns, ground)
    if request.with_support:
        examples = _as_files(ready.state.bases[0].float().cpu(), ready, request)
        sheet = _beside(tile(examples, _support_columns(len(examples), sheet.shape[0] // (cells.shape[1] + 2)), ground), sheet)
    pictures.write_picture(out, picture(sheet, request.scale), text)


def _as_files(images: Tensor, ready: Ready, request: SampleRequest) -> Tensor:
    """Images [N, C, S, S] in [-1, 1] as uint8 [N, H, W, C] in the folder's form and the wanted size."""
    opaque = request.out is not None and request.out.suffix.lower() not in CLEAR
    return given_back(to_bytes(images, ready.light_on_dark), ready.form, request.size, opaque)


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


def shorten(seeds: Sequence[int]) -> str:
    """Seeds as text, runs as first-last: the form that --seeds takes."""
    parts: list[str] = []
    start = previous = seeds[0]
    for seed in (*seeds[1:], None):
        if seed is None or seed != previous + 1:
            parts.append(str(start) if start == previous else f"{start}-{previous}")
            if seed is not None:
                start = seed
        previous = seed if seed is not None else previous
    return ",".join(parts)


def parse_seeds(text: str) -> list[int]:
    """Seeds from text like 0,4-9. Raises UsageError."""
    seeds: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdigit() or (dash and not last.isdigit()):
            raise UsageError(f"--seeds {text}: write numbers and runs, as 0,4-9")
        low, high = int(first), int(last) if dash else int(first)
        if high < low:
            raise UsageError(f"--seeds {text}: {part} runs backwards")
        if high >= 2**64:
            raise UsageError(f"--seeds {text}: a seed is below 2^64")
        if high - low >= 10**7 or len(seeds) >= 10**7:
            raise UsageError(f"--seeds {text}: more than ten million seeds")
        seeds.extend(range(low, high + 1))
    return seeds


def like(path: Path) -> Kept:
    """What a picture of samples keeps of its making.

    Raises InputError where metagan did not write it or something changed it, UsageError for other pictures of ours.
    """
    text = pictures.read_text(path)
    if text.get("kind") != "sample":
        raise UsageError(f"--like {path}: not a picture of samples")
    known = {f.name for f in fields(Kept)}
    try:
        return from_dict(Kept, {name: value for name, value in text.items() if name in known})
    except (UsageError, TypeError) as error:  # of a wrong type, or missing
        raise InputError(f"{path}: what it keeps of its making was changed ({error})") from error


def requested(kept: Kept, request: SampleRequest, given: Collection[str] = ()) -> SampleRequest:
    """A request for the same images as those of a picture, but for the fields of the request that were given."""
    stored = {name: getattr(kept, name) for name in AS_DRAWN if name not in given}
    return replace(request, seeds=parse_seeds(kept.seeds), walk_count=kept.walk, **stored)


def adapted_by(kept: Kept, settings: AdaptConfig) -> AdaptConfig:
    """The settings by which the folder of a picture's examples was adapted, as far as it tells."""
    return replace(settings, **{name: getattr(kept.adapt, name) for name in AS_ADAPTED}) if kept.adapt else settings


def check_same_model(kept: Kept, ready: Ready) -> None:
    """Raises UsageError where a picture was made by another model, or from another folder."""
    if kept.model != ready.hash:
        raise UsageError(f"--like: the picture was made with model {kept.model[:12]}, this one is {ready.hash[:12]}")
