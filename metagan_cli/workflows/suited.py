"""Which shipped model suits a folder, by what its images are."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image

from metagan_cli.config import AdaptConfig, ModelConfig
from metagan_cli.data.readers.folders import read_folder
from metagan_cli.data.readers.support import Support, read_images
from metagan_cli.evaluation.domain import domain_from_dict
from metagan_cli.store.shipped import ShippedModel, choose_model
from metagan_cli.workflows.progress import Report, silent

FAR = 2.0  # distance from the ink model's tasks, in units of what is far, from which images without colours are no ink

Source = Path | Sequence[Path | Image.Image]  # a folder, or files and opened pictures


@dataclass(frozen=True)
class Suited:
    """A model with the images in its format, and why it was chosen."""

    model: ShippedModel
    support: Support
    reason: str


def suited_model(source: Source, settings: AdaptConfig, report: Report = silent, **options: Any) -> Suited:
    """The shipped model for a folder or images: that for ink, or that for pictures, where there are colours or half-tones.

    Half-tones are what lies far from all drawings that the ink model learned from, and nearer to what the other did.
    Raises InputError for the images.
    """
    ink, pictures = choose_model(colourful=False), choose_model(colourful=True)
    support = read_for(source, ink, settings, report, **options)
    if pictures == ink:
        return Suited(ink, support, "the only model")
    if support.colourful:
        return Suited(pictures, read_for(source, pictures, settings, report, **options), "images have colours")
    apart = _distance(ink, support)
    if apart > FAR:
        other = read_for(source, pictures, settings, report, **options)
        if _distance(pictures, other) < apart:
            return Suited(pictures, other, "images have half-tones")
    return Suited(ink, support, "most images have no colours")


def read_for(source: Source, model: ShippedModel | ModelConfig, settings: AdaptConfig, report: Report, **options: Any) -> Support:
    """A folder or images in a model's format. Raises InputError."""
    wanted: dict[str, Any] = {
        "size": model.image_size,
        "channels": model.channels,
        "fit": settings.fit,
        "skip_bad": settings.skip_bad,
        "frames": settings.frames,
    }
    wanted |= {"report": partial(report, "images read")} | options
    return read_folder(source, **wanted) if isinstance(source, Path) else read_images(source, **wanted)


def _distance(model: ShippedModel, support: Support) -> float:
    return domain_from_dict(model.domain).distance(support.images) if model.domain else 0.0
