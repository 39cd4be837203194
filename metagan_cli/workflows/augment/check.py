"""Do new images help to learn the classes of a tree? By cross-validation on its originals."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from metagan_cli.config import AdaptConfig
from metagan_cli.errors import InputError
from metagan_cli.evaluation.classifiers import BOTH, METHODS, OURS, Right, compared
from metagan_cli.evaluation.metrics import Figure, evenly, figure
from metagan_cli.evaluation.outside import outside_net_if_there
from metagan_cli.images.sheets import as_bytes
from metagan_cli.rng import generator_for
from metagan_cli.sampling.sampler import Sampler
from metagan_cli.store.models import BaseModel, load_model
from metagan_cli.workflows.adapt import learn
from metagan_cli.workflows.augment.request import AugmentRequest
from metagan_cli.workflows.augment.tree import ClassFolder, read_tree
from metagan_cli.workflows.progress import Report, silent
from metagan_cli.workflows.suited import read_for, suited_model

FOLDS, FEWEST = 3, 3  # parts of a class by turns tested; and images of a class that is looked at
CLASSES, IMAGES, NEW = 20, 30, 32  # at most: classes, originals and new images of each
LOOKED_AT = 64  # images that the base model is chosen by


@dataclass(frozen=True)
class Checked:
    """How well classes are learned with new images and without."""

    classes: int
    images: int  # originals, each tested once
    folds: int
    new: int  # of each class and fold
    base: str
    right: Right

    @property
    def classifiers(self) -> list[str]:
        """Those that were asked."""
        return list(dict.fromkeys(classifier for classifier, _ in self.right))

    @property
    def methods(self) -> list[str]:
        """By which each learned."""
        return list(dict.fromkeys(method for _, method in self.right))

    def accuracy(self, classifier: str, method: str) -> Figure:
        """The share of originals that are told rightly, with its interval."""
        return figure(self.right[classifier, method])

    def gain(self, classifier: str) -> tuple[str, str, Figure]:
        """The better way with new images, the best without, and what the former adds, with its interval (paired)."""
        ours, others = ([m for m in METHODS if (m in (OURS, BOTH)) is with_new] for with_new in (True, False))
        best, before = (max(some, key=lambda m: float(self.right[classifier, m].float().mean())) for some in (ours, others))
        return best, before, figure(self.right[classifier, best].float() - self.right[classifier, before].float())

    def verdict(self, classifier: str) -> str:
        """In words whether new images help."""
        best, before, gain = self.gain(classifier)
        points = f"{100 * gain.mean:+.1f} points ({100 * gain.low:+.1f} to {100 * gain.high:+.1f}) over {before}"
        if gain.low > 0:
            return f"{best} help: {points}"
        if gain.high < 0:
            return f"new images do not help, they harm: {points}"
        return f"no help can be told: {best} {points}"

    def as_dict(self) -> dict[str, Any]:
        """All figures by name."""
        rows = [
            {"classifier": classifier, "method": method, **{name: round(getattr(f, name), 4) for name in ("mean", "low", "high")}}
            for classifier, method in self.right
            for f in (self.accuracy(classifier, method),)
        ]
        verdicts = {classifier: self.verdict(classifier) for classifier in self.classifiers}
        about = {name: getattr(self, name) for name in ("classes", "images", "folds", "new", "base")}
        return about | {"rows": rows, "verdicts": verdicts}


def check(request: AugmentRequest, device: str = "auto", report: Report = silent) -> Checked:
    """Learns the classes of a tree in each of a few ways, without a part of them, and tests on that part, by turns.

    Raises InputError where fewer than two classes have FEWEST images.
    """
    tree = read_tree(request.tree)
    folders = [folder for folder in tree.classes if len(folder.images) >= FEWEST]
    folders = [folders[number] for number in evenly(len(folders), CLASSES)] if folders else []
    if len(folders) < 2:
        raise InputError(f"{request.tree}: to check, two classes of {FEWEST} images are needed")
    chosen = [_shuffled(folder, request.augment.seed)[:IMAGES] for folder in folders]
    looked_at = [path for paths in chosen for path in paths][:: max(1, sum(map(len, chosen)) // LOOKED_AT)]
    base = load_model(suited_model([tree.place / path for path in looked_at], request.adapt).model.path)
    request = replace(request, adapt=replace(request.adapt, base=str(base.path), fit="crop", compact=True))
    folds, new = min(FOLDS, *map(len, chosen)), min(NEW, request.augment.count)
    outside, parts = outside_net_if_there(), list[Right]()
    seeds = range(request.augment.seed, request.augment.seed + new)
    for fold in range(folds):
        sets = list[tuple[Tensor, Tensor, Tensor]]()
        for number, paths in enumerate(chosen):
            report("classes learned", fold * len(chosen) + number, folds * len(chosen))
            files = [tree.place / path for path in paths]
            taught = [path for place, path in enumerate(files) if place % folds != fold]
            sets.append(sets_of(base, taught, files[fold::folds], request.adapt, seeds, request.augment.truncation, device))
        real, drawn, test = zip(*sets, strict=True)
        parts.append(compared(real, drawn, test, outside, fold, partial(report, f"classifiers of part {fold + 1} of {folds}")))
    right = {key: torch.cat([part[key] for part in parts]) for key in parts[0]}
    return Checked(len(chosen), len(next(iter(right.values()))), folds, new, base.name, right)


def sets_of(
    base: BaseModel,
    taught: Sequence[Path | Image.Image],
    tested: Sequence[Path | Image.Image],
    settings: AdaptConfig,
    seeds: Sequence[int],
    truncation: float = 1.0,
    device: str = "auto",
) -> tuple[Tensor, Tensor, Tensor]:
    """A class's images that are learned from, new ones of them, and those that are tested: uint8 [N, C, S, S] each.

    Raises InputError.
    """
    learned = learn(taught, settings, device, silent, load=lambda path: base)
    drawn = Sampler(base.nets, learned.state, truncation).draw(seeds)
    held_out = read_for(tested, base.config, settings, silent).images
    real, new, test = map(as_bytes, (learned.images, drawn, held_out))
    return real, new, test


def _shuffled(folder: ClassFolder, seed: int) -> list[Path]:
    rng = generator_for(seed, f"check {folder.name}")
    return [folder.images[number] for number in torch.randperm(len(folder.images), generator=rng).tolist()]
