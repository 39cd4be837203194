"""The models that come with metagan."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metagan_cli.errors import CheckpointError, UsageError
from metagan_cli.store.places import FOLDERS, shipped_file
from metagan_cli.store.tensors import read_metadata

MARKS = re.compile(r"^<!--.*?-->\n", re.MULTILINE)  # between which programs rewrite a card


@dataclass(frozen=True)
class ShippedModel:
    """A model file beside its card."""

    name: str
    path: Path
    card: Path
    about: str  # the card's first line of text
    text: str  # all of the card but its marks
    image_size: int
    channels: int
    domain: dict[str, Any] | None  # of the tasks that it was trained on


def shipped_models() -> tuple[ShippedModel, ...]:
    """All shipped models, by name."""
    found: dict[str, Path] = {}
    for folder in FOLDERS:
        for path in sorted(folder.glob("*.safetensors")):
            found.setdefault(path.stem, path)
    heads = {name: (path, read_metadata(path)) for name, path in sorted(found.items())}
    return tuple(_describe(name, path, head) for name, (path, head) in heads.items() if head["kind"] == "model")


def find_model(name: str) -> Path:
    """The file of a shipped name, or the path itself. Raises CheckpointError where there is neither."""
    for model in shipped_models():
        if model.name == name:
            return model.path
    path = Path(name)
    if not path.exists() and not path.suffix:
        names = ", ".join(model.name for model in shipped_models()) or "none"
        raise CheckpointError(f"{name}: no such file, and no shipped model of that name (there is: {names})")
    return path


def features_name(kind: str, channels: int) -> str:
    """What the file of feature nets is called: of the judges, or of the perceptual net."""
    return f"{kind}-{'gray' if channels == 1 else 'colour'}.safetensors"


def find_features(kind: str, channels: int) -> Path:
    """The shipped file of feature nets for gray or colour images. Raises CheckpointError where there is none."""
    name = features_name(kind, channels)
    found = shipped_file(name)
    if found is None:
        raise CheckpointError(f"pretrained/{name}: the feature nets are missing from this installation")
    return found


def choose_model(colourful: bool) -> ShippedModel:
    """The shipped model that suits a folder. Raises UsageError where none ships."""
    models = shipped_models()
    if not models:
        raise UsageError("no model ships with this installation; name one with --from")
    return next((m for m in models if (m.channels == 3) == colourful), models[0])


def _describe(name: str, path: Path, metadata: dict[str, Any]) -> ShippedModel:
    card = path.with_suffix(".md")
    text = MARKS.sub("", card.read_text(encoding="utf-8")) if card.is_file() else ""
    about = next((line for line in text.splitlines() if line and not line.startswith("#")), "")
    model = metadata["model"]
    return ShippedModel(name, path, card, about, text, int(model["image_size"]), int(model["channels"]), metadata.get("domain"))
