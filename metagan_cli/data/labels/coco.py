"""COCO's JSON: one file for many images."""

import itertools
import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metagan_cli.data.labels.annotations import annotation_of, thing_of
from metagan_cli.data.labels.long_lists import Span, looked_through, with_lists
from metagan_cli.data.labels.things import Thing, plausible, whole
from metagan_cli.data.labels.upright import turn_between, upright
from metagan_cli.data.readers.files import shown
from metagan_cli.errors import InputError

MOST_BYTES = 1_000_000_000
Id = int | str
IMAGES, ANNOTATIONS = "images", "annotations"
ELSEWHERE = ("coco_url", "flickr_url", "url", "path")  # of an image: where the original is found


@dataclass(frozen=True)
class Entry:
    """A new image of a file."""

    name: str  # its file_name
    original: Id
    size: tuple[int, int]  # width and height in pixels
    things: Sequence[Thing]


def open_coco(label: str, data: bytes) -> "CocoFile | None":
    """A JSON file of objects; nothing for any other. Raises InputError for one that is meant to be one, and is damaged."""
    if b'"images"' not in data or not (b'"annotations"' in data or b'"file_name"' in data):
        return None
    try:
        file = CocoFile(label, data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{label}: damaged JSON ({shown(str(error)[:160])})") from error
    return file if file.is_of_objects else None


class CocoFile:
    """A file with images, annotations and categories; the first two stay text until they are asked for."""

    def __init__(self, label: str, text: str) -> None:
        """Raises InputError where a field is wrong, and ValueError or RecursionError where the text is no JSON."""
        self.names: dict[Id, str] = {}  # the file_name of each image
        self._label, self._text = label, text
        self._images: dict[Id, Span] = {}
        self._annotations: defaultdict[Id, list[Span]] = defaultdict(list)
        self._annotation_ids: set[Id] = set()
        self._order: list[str] = []  # of the names in an annotation
        self._problem, self._is_panoptic, self._counts = "", False, Counter[str]()
        self._lists, values = looked_through(text, (IMAGES, ANNOTATIONS), self._take) or ({}, {})
        categories = values.get("categories")
        self.is_of_objects = len(self._lists) == 2 and isinstance(categories, list) and not self._is_panoptic
        if not self.is_of_objects or not isinstance(categories, list):
            return
        ids = [item.get("id") if isinstance(item, dict) else None for item in categories]
        if not all(type(known) is int for known in ids):
            self._problem = self._problem or "categories: one has no id that is a whole number"
        if self._problem:
            raise InputError(f"{label}: {self._problem}")
        self._categories = set(ids)

    def _take(self, name: str, item: Any, span: Span) -> None:
        """Notes an image or an annotation, or what is wrong with the first that is, which matters only in a file of objects."""
        self._counts[name] += 1
        self._is_panoptic |= isinstance(item, dict) and "segments_info" in item
        if not isinstance(item, dict) or not _is_id(item.get("id")):
            wrong = "has no id that is a whole number or a text"
        else:
            wrong = self._take_image(item, span) if name == IMAGES else self._take_annotation(item, span)
        if wrong:
            self._problem = self._problem or f"{name}: number {self._counts[name]} {wrong}"

    def _take_image(self, item: dict[str, Any], span: Span) -> str:
        if item["id"] in self.names:
            return "has the id of another"
        if not isinstance(item.get("file_name"), str):
            return "has no file_name"
        self.names[item["id"]], self._images[item["id"]] = item["file_name"], span
        return ""

    def _take_annotation(self, item: dict[str, Any], span: Span) -> str:
        if not _is_id(item.get("image_id")):
            return "has no image_id that is a whole number or a text"
        self._annotations[item["image_id"]].append(span)
        self._annotation_ids.add(item["id"])
        self._order = self._order or list(item)
        return ""

    def things(self, known: Id, size: tuple[int, int], image: Path) -> tuple[Thing, ...]:
        """The things of one of its images, of that width and height. Raises InputError with the annotation and the field."""
        where = f"{self._label}: image {_said(known)}"
        said = _size(where, self._value(self._images[known]))
        turn = turn_between(where, said, size, image) if said else None
        return tuple(upright(self._thing(span, said or size), turn, said or size) for span in self._annotations.get(known, ()))

    def _thing(self, span: Span, size: tuple[int, int]) -> Thing:
        annotation = self._value(span)
        where = f"{self._label}: annotation {_said(annotation['id'])}"
        thing = thing_of(where, annotation, size)
        if thing.kind not in self._categories:
            raise InputError(f"{where}: category_id {thing.kind} is none of the categories")
        return thing

    def with_new(self, new: Iterable[Entry], originals: bool) -> bytes:
        """The file with new images, and without those that it has unless `originals`."""
        image_ids, annotation_ids = _following(self.names), _following(self._annotation_ids)
        images, annotations = [], []
        for entry in new:
            image = self._value(self._images[entry.original])
            image |= {"id": next(image_ids), "file_name": entry.name, "width": entry.size[0], "height": entry.size[1]}
            images.append({name: value for name, value in image.items() if name not in ELSEWHERE})
            for thing in entry.things:
                if (annotation := annotation_of(thing, entry.size)) is not None:
                    annotation = {"id": next(annotation_ids), "image_id": image["id"], **annotation}
                    annotations.append({name: annotation[name] for name in self._order if name in annotation} | annotation)
        return with_lists(self._text, self._lists, {IMAGES: images, ANNOTATIONS: annotations}, originals)

    def _value(self, span: Span) -> Any:
        return json.loads(self._text[slice(*span)])


def _is_id(value: object) -> bool:
    return type(value) in (int, str)


def _said(known: Id) -> str:
    return json.dumps(known)[:40]  # of printable characters alone, whatever a text holds


def _following(known: Collection[Id]) -> Iterator[Id]:
    """Ids that follow the largest of those known, as texts where all of those are."""
    numbers = [int(i) for i in known if isinstance(i, int) or (i.isdecimal() and len(i) < 19)]
    are_texts = bool(known) and all(isinstance(i, str) for i in known)
    return (str(number) if are_texts else number for number in itertools.count(max([0, *numbers]) + 1))


def _size(where: str, image: dict[str, Any]) -> tuple[int, int] | None:
    """Width and height as a file says them; nothing where it leaves them out or zero."""
    said = [image.get("width") or 0, image.get("height") or 0]
    width, height = (whole(plausible(value)) for value in said)
    if width is None or height is None or min(width, height) < 0:
        raise InputError(f"{where}: width and height are no whole numbers of pixels")
    return (width, height) if width and height else None
