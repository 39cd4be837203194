"""What an evaluation works with: models, judges and the source of its tasks, loaded once."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from torch import nn

from metagan_cli.config import AdaptConfig, DataConfig, EvaluateConfig
from metagan_cli.data.sources.open import open_source
from metagan_cli.data.sources.tasks import Say, TaskSource
from metagan_cli.devices import choose_device
from metagan_cli.errors import InputError, UsageError
from metagan_cli.evaluation.inception import cached_inception
from metagan_cli.evaluation.judges import Judges
from metagan_cli.evaluation.outside import OutsideNet, outside_net
from metagan_cli.store.features import load_judges
from metagan_cli.store.models import BaseModel, load_model
from metagan_cli.store.shipped import find_features, find_model
from metagan_cli.workflows.suited import suited_model

FEATURES = ("own", "imagenet")  # nets that judge; the second beside the first
LOOKS = 16  # images of a folder that are looked at to choose a model


@dataclass(frozen=True)
class Setup:
    """All that an evaluation works on."""

    models: tuple[BaseModel, ...]
    judges: Judges
    judges_hash: str
    source: TaskSource
    settings: EvaluateConfig
    inception: nn.Module | None  # where its weights are on this machine
    outside: OutsideNet | None = None  # where it was asked for


def set_up(
    models: Sequence[str],
    data: DataConfig,
    settings: EvaluateConfig,
    device: str = "auto",
    say: Say = lambda line: None,
    features: str = FEATURES[0],
) -> Setup:
    """Loads everything, once; `say` is told what of the data is skipped.

    Features are our own, or those of the outside net as well (`imagenet`).
    Raises CheckpointError for a model, InputError for the data, UsageError where models do not go together or a net is missing.
    """
    if features not in FEATURES:
        raise UsageError(f"--features {features}: use {' or '.join(FEATURES)}")
    outside = outside_net() if features == "imagenet" else None
    loaded = ready_models(models, device)
    config = loaded[0].config
    judges, digest = load_judges(find_features("judges", config.channels))
    source = open_source(data, config.image_size, config.channels, say=say).all_tasks()
    return Setup(loaded, judges, digest, source, settings, cached_inception(), outside)


def default_model(source: str) -> str:
    """The shipped model that suits a folder of images or of task folders; of any other source, glyph."""
    folder = Path(source)
    if not folder.is_dir():
        return "glyph"
    first = min((place for place in folder.iterdir() if place.is_dir()), default=folder)
    try:
        return suited_model(first, AdaptConfig(skip_bad=True), most=LOOKS).model.name
    except InputError:  # which the evaluation itself will explain
        return "glyph"


def ready_models(names: Sequence[str], device: str = "auto") -> tuple[BaseModel, ...]:
    """Base models with distinct names, on the device that they are to run on.

    Raises CheckpointError, and UsageError for models that cannot see the same images.
    """
    loaded = _with_distinct_names([ready_model(name, device) for name in names])
    if len({(model.config.image_size, model.config.channels) for model in loaded}) > 1:
        raise UsageError("models of different sizes or colours cannot be compared on the same images")
    return loaded


def ready_model(name: str, device: str = "auto") -> BaseModel:
    """A base model on the device that it is to run on. Raises CheckpointError."""
    model, chosen = load_model(find_model(name)), choose_device(device)
    model.nets.to(chosen)
    model.learner.to(chosen)
    return model


def _with_distinct_names(models: Sequence[BaseModel]) -> tuple[BaseModel, ...]:
    """The models, those of one name with the beginning of their hashes beside it."""
    often = Counter(model.name for model in models)
    marked = [replace(m, metadata=m.metadata | {"name": f"{m.name} {m.hash[:6]}"}) for m in models]
    return tuple(mark if often[plain.name] > 1 else plain for plain, mark in zip(models, marked, strict=True))
