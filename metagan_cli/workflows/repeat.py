"""sample --like: a picture's images again, by what the picture keeps of its making."""

from collections.abc import Collection
from dataclasses import dataclass, fields, replace
from pathlib import Path

from metagan_cli.config import AdaptConfig
from metagan_cli.errors import InputError, UsageError
from metagan_cli.sampling.seeds import parse_seeds
from metagan_cli.store import pictures
from metagan_cli.values import from_dict
from metagan_cli.workflows.ready import AS_ADAPTED, Ready
from metagan_cli.workflows.sample import AS_DRAWN, SampleRequest


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
    motifs: str | None = None
    variants: bool = True  # earlier versions drew nothing else
    adapt: AdaptConfig | None = None  # by which a folder was adapted on the way


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
