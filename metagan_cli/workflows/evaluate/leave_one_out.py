"""evaluate on a single folder: each image left out once."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from metagan_cli.config import DataConfig, EvaluateConfig
from metagan_cli.data.readers.folders import read_folder
from metagan_cli.data.sources.tasks import Say
from metagan_cli.errors import InputError
from metagan_cli.evaluation.metrics import evenly
from metagan_cli.images.copies import are_copies, distances, thresholds
from metagan_cli.store.models import BaseModel
from metagan_cli.workflows.evaluate.baselines import model_method
from metagan_cli.workflows.evaluate.tasks import EvaluationTask
from metagan_cli.workflows.progress import Report

MOST, MOST_SUPPORT = 10, 32  # images left out in turn, and used as support


@dataclass(frozen=True)
class LeftOut:
    """A folder judged by its own images, each left out once; distances from 0 (same) to 1 (nothing in common)."""

    images: int
    to_sample: float  # mean distance of the left-out image to the nearest of as many samples as there are others
    to_example: float  # and to the nearest of the others, which they were made from
    copies: float  # share of the samples that are copies of the others, in [0, 1]

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {k: round(v, 4) for k, v in asdict(self).items()} | {"verdict": self.verdict}

    @property
    def verdict(self) -> str:
        """Whether the samples say more than the examples did."""
        if self.to_sample < self.to_example:
            return "samples come nearer to the left-out images than the other examples do: it generalises"
        return "samples come no nearer to the left-out images than the other examples do: it varies the examples"


def is_single_folder(source: str) -> bool:
    """Whether a source is one folder of images rather than one of task folders."""
    folder = Path(source)
    return folder.is_dir() and not any(place.is_dir() for place in folder.iterdir())


def leave_one_out(
    data: DataConfig, model: BaseModel, settings: EvaluateConfig, report: Report, say: Say = lambda line: None
) -> LeftOut:
    """Adapts to all images of a folder but one, for up to MOST of them; `say` is told what is skipped.

    Raises InputError for fewer than three images.
    """
    folder, config = Path(data.source), model.config
    found = read_folder(folder, size=config.image_size, channels=config.channels, skip_bad=data.skip_bad, deep=False)
    images = found.images
    found.tell_skipped(say)
    if len(images) < 3:
        raise InputError(f"{folder}: {len(images)} images; leaving one out needs three")
    numbers = evenly(len(images), MOST)
    method, rows = model_method(model, model.name, settings.steps, settings.seed), []
    for done, number in enumerate(numbers):
        support, left = torch.cat([images[:number], images[number + 1 :]])[:MOST_SUPPORT], images[number : number + 1]
        samples = method.draw(EvaluationTask(done, "", support, left, left), [], max(settings.samples, len(support)))
        copied = are_copies(distances(samples, support), thresholds(support)).float().mean()
        to_sample, to_example = (distances(left, images).min() for images in (samples[: len(support)], support))
        rows.append((float(to_sample), float(to_example), float(copied)))
        report("leaving one out", done + 1, len(numbers))
    means = torch.tensor(rows).mean(0).tolist()
    return LeftOut(len(images), *means)
