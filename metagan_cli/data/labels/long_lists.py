"""JSON with long lists, which are looked through item by item and stay text: as values they take many times the memory."""

import io
import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

Span = tuple[int, int]  # from where to where in a text
_DECODER = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\n\r]*")


class _Cursor:
    """A place in a JSON text; all but `skip` raise ValueError where the text is none."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0

    def skip(self) -> int:
        """Goes to what follows the white space, and returns where that is."""
        found = _SPACE.match(self.text, self.at)
        self.at = found.end() if found else self.at
        return self.at

    def meets(self, mark: str) -> bool:
        """Goes behind a mark where that is next."""
        found = self.text.startswith(mark, self.skip())
        self.at += len(mark) if found else 0
        return found

    def expect(self, mark: str) -> None:
        """Goes behind a mark that must be next."""
        if not self.meets(mark):
            raise json.JSONDecodeError(f"Expecting '{mark}'", self.text, self.at)

    def value(self) -> Any:
        """Goes behind a value."""
        found, self.at = _DECODER.raw_decode(self.text, self.skip())
        return found

    def items(self, closing: str) -> Iterator[None]:
        """Stands before each item of what was opened, and in the end behind its closing mark."""
        if self.meets(closing):
            return
        yield
        while not self.meets(closing):
            self.expect(",")
            yield


def looked_through(
    text: str, lists: Collection[str], take: Callable[[str, Any, Span], None]
) -> tuple[dict[str, Span], dict[str, Any]] | None:
    """Where the lists of those names lie in an object's text, brackets included, and its other values; nothing for no object.

    `take` is told the list, the value and the span of each item. Raises ValueError and RecursionError for what is no JSON.
    """
    cursor, spans, values = _Cursor(text), dict[str, Span](), dict[str, Any]()
    if not cursor.meets("{"):
        cursor.value()
        return None
    for _ in cursor.items("}"):
        name = cursor.value()
        if not isinstance(name, str) or name in spans or name in values:
            raise ValueError("a name that is no text, or stands twice")
        cursor.expect(":")
        start = cursor.skip()
        if name not in lists or not cursor.meets("["):
            values[name] = cursor.value()
            continue
        for _ in cursor.items("]"):
            begin = cursor.skip()
            item = cursor.value()
            take(name, item, (begin, cursor.at))
        spans[name] = (start, cursor.at)
    if cursor.skip() != len(text):
        raise json.JSONDecodeError("Extra data", text, cursor.at)
    return spans, values


def with_lists(text: str, spans: Mapping[str, Span], new: Mapping[str, Sequence[Any]], keep: bool) -> bytes:
    """The text with new items in its lists, a line for each, behind those that they have, where these are to be kept."""
    written, at = io.BytesIO(), 0
    for name, (start, end) in sorted(spans.items(), key=lambda item: item[1]):
        last = len(text[start:end].removesuffix("]").rstrip()) + start if keep else start + 1
        written.write(text[at:last].encode())
        for number, item in enumerate(new[name]):
            comma = number > 0 or last > start + 1
            written.write(f"{',' if comma else ''}\n{json.dumps(item)}".encode())
        at = last if keep and not new[name] else end - 1
    written.write(text[at:].encode())
    return written.getvalue()
