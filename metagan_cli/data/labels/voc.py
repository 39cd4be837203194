"""Pascal VOC's XML: a file for each image, with boxes."""

import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.parsers import expat

from metagan_cli.data.labels.things import NO_KEYPOINTS, Thing, box, edges, number, whole
from metagan_cli.data.labels.upright import turn_between, upright
from metagan_cli.data.readers.files import shown
from metagan_cli.errors import InputError

DEEPEST = 50  # elements in one another
EDGES = ("xmin", "ymin", "xmax", "ymax")
NESTED = ("actions", "attributes")  # parts of an object that hold no places; others would be wrong in another image
_FIRST = re.compile(rb"<([A-Za-z_][^\s/>]*)")


def starts_like_voc(head: bytes) -> bool:
    """Whether the first element in a file's first bytes is an annotation."""
    first = _FIRST.search(head)
    return first is not None and first[1] == b"annotation"


def read_voc(where: str, data: bytes, size: tuple[int, int], image: Path) -> tuple[Thing, ...]:
    """The things of an image of that width and height.

    VOC itself counts pixels from 1 and means the last one too; most tools do not. The numbers are taken as they are written, as
    edges in pixels from 0. Raises InputError with the field.
    """
    root = _parsed(where, data)
    said = _size(f"{where}: size", root)
    turn = turn_between(f"{where}: size", said, size, image) if said else None
    objects = root.findall("object")
    return tuple(upright(_thing(f"{where}: object {n}", o), turn, said or size) for n, o in enumerate(objects, 1))


def written_voc(where: str, data: bytes, name: str, size: tuple[int, int], things: Sequence[Thing]) -> bytes:
    """An image's XML with another image's name, size and things.

    Edges are rounded to whole pixels, and at least one apart; what lies outside the image is left out.
    """
    root = _parsed(where, data)
    for old in [*root.findall("object"), *root.findall("path")]:
        root.remove(old)
    _child(root, "filename").text = shown(name)
    for side, pixels in zip(("width", "height"), size, strict=True):
        _child(_child(root, "size"), side).text = str(pixels)
    root.extend(_object(thing, found, size) for thing in things if (found := edges(thing.rings, size)))
    ET.indent(root, "\t")
    text: bytes = ET.tostring(root, encoding="utf-8")
    return text + b"\n"


def _parsed(where: str, data: bytes) -> ET.Element:
    """The root of a file without a DOCTYPE, and so without entities of its own."""
    parser, builder, depth = expat.ParserCreate(), ET.TreeBuilder(), 0

    def begin(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > DEEPEST:
            raise InputError(f"{where}: more than {DEEPEST} elements in one another")
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    def refuse(*_: object) -> None:
        raise InputError(f"{where}: has a DOCTYPE, which is not read: remove it")

    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = begin, end, builder.data
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, ValueError, LookupError) as error:  # the last two of an encoding that is none
        raise InputError(f"{where}: damaged XML ({shown(str(error))})") from error
    root: ET.Element = builder.close()
    if root.tag != "annotation":
        raise InputError(f"{where}: damaged: begins with {shown(root.tag[:40])} instead of annotation")
    return root


def _size(where: str, root: ET.Element) -> tuple[int, int] | None:
    """Width and height as a file says them; nothing where it leaves them out or zero."""
    texts = [(root.findtext(f"size/{side}") or "0").strip() for side in ("width", "height")]
    width, height = (whole(number(text)) for text in texts)
    if width is None or height is None or min(width, height) < 0:
        raise InputError(f"{where}: {shown(' x '.join(texts)[:40])} is no width and height")
    return (width, height) if width and height else None


def _thing(where: str, element: ET.Element) -> Thing:
    name, bounds = (element.findtext("name") or "").strip(), element.find("bndbox")
    if not name:
        raise InputError(f"{where}: has no name")
    if bounds is None:
        raise InputError(f"{where}: has no bndbox")
    values = []
    for edge in EDGES:
        text = (bounds.findtext(edge) or "").strip()
        if (value := number(text)) is None:
            raise InputError(f"{where}: {edge} is {shown(text[:20]) or 'missing'}, which is no number of pixels")
        values.append(value)
    left, top, right, bottom = values
    if left >= right or top >= bottom:
        raise InputError(f"{where}: bndbox: a box of no area")
    extra = {child.tag: _content(child) for child in element if child.tag not in ("name", "bndbox") and _is_kept(child)}
    return Thing(name, (box(left, top, right, bottom),), True, NO_KEYPOINTS, extra=extra)


def _is_kept(child: ET.Element) -> bool:
    return len(child) == 0 or child.tag in NESTED


def _content(element: ET.Element) -> Any:
    """The text of an element, or the tags and contents of those in it."""
    return tuple((child.tag, _content(child)) for child in element) if len(element) else (element.text or "").strip()


def _element(tag: str, content: Any) -> ET.Element:
    element = ET.Element(tag)
    if isinstance(content, str):
        element.text = content
    else:
        element.extend(_element(*item) for item in content)
    return element


def _object(thing: Thing, found: tuple[float, float, float, float], size: tuple[int, int]) -> ET.Element:
    left, right = _apart(found[0], found[2], size[0])
    top, bottom = _apart(found[1], found[3], size[1])
    bounds = tuple((edge, str(pixels)) for edge, pixels in zip(EDGES, (left, top, right, bottom), strict=True))
    extra: Mapping[str, Any] = thing.extra
    return _element("object", (("name", str(thing.kind)), *extra.items(), ("bndbox", bounds)))


def _apart(first: float, last: float, most: int) -> tuple[int, int]:
    """Two edges as whole numbers that differ."""
    low, high = round(first), round(last)
    return (low, high) if low < high else (min(low, most - 1), min(low, most - 1) + 1)


def _child(parent: ET.Element, tag: str) -> ET.Element:
    found = parent.find(tag)
    return ET.SubElement(parent, tag) if found is None else found
