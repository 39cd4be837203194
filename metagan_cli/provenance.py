"""What metagan writes into the pictures that it makes, and how it is found again."""

import html
import json
import re
from typing import Any

from PIL import Image

from metagan_cli import __version__

KEY = "metagan"  # of a PNG's text
DESCRIPTION = 0x010E  # the EXIF tag that carries it in WebP and JPEG


def provenance_line(text: dict[str, Any]) -> str:
    """The line that a picture carries."""
    return json.dumps({"version": __version__} | text, sort_keys=True)


def with_provenance(svg: str, text: dict[str, Any]) -> str:
    """An SVG that carries the text as the first of its elements."""
    opening, rest = svg.split(">", 1)
    return f'{opening}>\n<metadata id="{KEY}">{html.escape(provenance_line(text), quote=False)}</metadata>{rest}'


def provenance_of_svg(svg: str) -> dict[str, Any]:
    """What an SVG of metagan carries; nothing for any other, as those are that another program saved again."""
    found = re.match(rf'<svg [^<>]*>\n<metadata id="{KEY}">([^<]*)</metadata>', svg)
    return provenance_in(html.unescape(found[1])) if found else {}


def provenance_of_page(page: str) -> dict[str, Any]:
    """What an HTML page of metagan carries in its head, in a `<meta>` that is called as the program; nothing for any other."""
    found = re.search(rf'<meta name="{KEY}" content="([^"]*)">', page)
    return provenance_in(html.unescape(found[1])) if found else {}


def provenance_of(image: Image.Image) -> dict[str, Any]:
    """What an opened picture of metagan carries; nothing for any other."""
    line = image.info.get(KEY) or image.info.get("comment") or image.getexif().get(DESCRIPTION)
    return provenance_in(line)


def provenance_in(line: object) -> dict[str, Any]:
    """What a line of metagan says; nothing for any other line."""
    try:
        values = dict(json.loads(str(line, "utf-8") if isinstance(line, bytes) else str(line)))
    except (ValueError, TypeError, RecursionError):  # another program's text, or none
        return {}
    return values if "version" in values else {}
