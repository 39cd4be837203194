"""models: what ships, with its cards."""

from typing import Any

from metagan_cli.errors import UsageError
from metagan_cli.store.shipped import shipped_models


def models(name: str | None = None) -> list[dict[str, Any]]:
    """Name, path, card, size in pixels, channels, first line and text of each shipped model, or of the one of that name.

    Raises UsageError where none has it.
    """
    found = [model for model in shipped_models() if name in (None, model.name)]
    if name and not found:
        raise UsageError(f"models {name}: ships not; metagan models lists those that do")
    return [
        {
            "name": model.name,
            "path": str(model.path),
            "card": str(model.card),
            "size": model.image_size,
            "channels": model.channels,
            "about": model.about,
            "text": model.text,
        }
        for model in found
    ]
