"""What metagan writes into the pictures that it makes, and how it is found again."""

import json
from typing import Any

from PIL import Image

from metagan_cli import __version__

KEY = "metagan"  # of a PNG's text
DESCRIPTION = 0x010E  # the EXIF tag that carries it in WebP and JPEG


def provenance_line(text: dict[str, Any]) -> str:
    """The line that a picture carries."""
    return json.dumps({"version": __version__} | text, sort_keys=True)


def provenance_of(image: Image.Image) -> dict[str, Any]:
    """What an opened picture of metagan carries; nothing for any other."""
    line = image.info.get(KEY) or image.info.get("comment") or image.getexif().get(DESCRIPTION)
    try:
        values = dict(json.loads(str(line, "utf-8") if isinstance(line, bytes) else str(line)))
    except (ValueError, TypeError, RecursionError):  # another program's text, or none
        return {}
    return values if "version" in values else {}
