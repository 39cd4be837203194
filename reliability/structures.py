"""Files that are sound in form, and say what makes no sense: drawn by hypothesis, a batch for each seed."""

import io
import json
import math
import string
import struct
import zipfile
from collections.abc import Callable
from functools import lru_cache
from typing import Any
from xml.sax.saxutils import escape

import hypothesis
import hypothesis.extra.numpy as arrays
import numpy as np
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from PIL import Image

MASKS = [*((mode, "PNG") for mode in ("1", "L", "P", "RGB", "LA", "RGBA", "I;16"))]  # modes, and formats that hold them
MASKS += [(mode, "TIFF") for mode in ("I", "F", "CMYK", "LAB")]
BATCH = 25  # examples that are drawn together
NUMBERS = st.one_of(
    st.integers(-3, 40),
    st.sampled_from((0, -1, 2**31, 2**63, 2**64, 10**30, 10**400)),
    st.floats(allow_nan=True, allow_infinity=True),
)
TEXTS = st.one_of(st.text(max_size=8), st.sampled_from(("", "\0", "\n", "a" * 5000, "../x", "\x1b[31m", "F32", "nan")))
LEAVES = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS)
VALUES = st.recursive(
    LEAVES, lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)), max_leaves=8
)
Draw = Callable[[Any], Any]


@st.composite
def twisted(draw: Draw, value: Any) -> Any:
    """A value of lists and dictionaries, with one to three of its parts replaced, left out, doubled or of another name."""
    for _ in range(draw(st.sampled_from((1, 1, 2, 3)))):
        value = _twist(draw, value)
    return value


def _twist(draw: Draw, value: Any) -> Any:
    if not isinstance(value, dict | list) or not value or draw(st.integers(0, 9)) == 0:
        return draw(VALUES)
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    key, way = draw(st.sampled_from(keys)), draw(st.integers(0, 9))
    changed = value.copy()
    if way < 6:
        changed[key] = _twist(draw, value[key])
    elif way == 6:
        del changed[key]
    elif way == 7 and isinstance(changed, list):
        changed.insert(key, value[key])
    elif isinstance(changed, list):
        changed[key] = value[draw(st.sampled_from(keys))]
    elif way == 7:
        changed[draw(TEXTS)] = changed.pop(key)
    else:
        changed[key] = value[draw(st.sampled_from(keys))]
    return changed


def toml(value: Any) -> str:
    """A value as TOML has it, in one line; nothing is an empty text."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(str(key))} = {toml(part)}" for key, part in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return '""' if value is None else json.dumps(value)


def recipes(good: dict[str, Any]) -> st.SearchStrategy[bytes]:
    """Recipes like one that is good."""

    def text(value: Any) -> bytes:
        rows = value.items() if isinstance(value, dict) else [("name", value)]
        return "".join(f"{json.dumps(str(key))} = {toml(part)}\n" for key, part in rows).encode(errors="replace")

    return twisted(good).map(text)


def json_files(good: Any) -> st.SearchStrategy[bytes]:
    """JSON like one that is good."""
    return twisted(good).map(lambda value: json.dumps(value).encode())


def tensor_files(good: bytes, hash_of: Callable[[bytes], str]) -> st.SearchStrategy[bytes]:
    """Safetensors files with another header, or other metadata beside the right hash."""
    (length,) = struct.unpack("<Q", good[:8])
    header, body = json.loads(good[8 : 8 + length]), good[8 + length :]
    said = json.loads(header["__metadata__"]["metagan"])

    def file(head: Any) -> bytes:
        text = json.dumps(head).encode()
        return struct.pack("<Q", len(text)) + text + body

    def with_metadata(metadata: Any) -> bytes:
        if isinstance(metadata, dict) and "hash" in metadata:
            metadata = metadata | {"hash": hash_of(body)}
        return file(header | {"__metadata__": {"metagan": json.dumps(metadata)}})

    return st.one_of(twisted(header).map(file), twisted(said).map(with_metadata), twisted(said).map(with_metadata))


@st.composite
def packed_arrays(draw: Draw) -> bytes:
    """A .npz of arrays that might be images, labels and names."""
    count = draw(st.integers(0, 5))
    shapes = st.one_of(
        st.tuples(st.just(count), st.integers(0, 9), st.integers(0, 9)),
        st.tuples(st.just(count), st.integers(0, 9), st.integers(0, 9), st.integers(0, 4)),
        arrays.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=4),
    )
    kinds = st.one_of(st.just(np.dtype(np.uint8)), arrays.scalar_dtypes())
    some = st.one_of(st.just((count,)), arrays.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=6))
    whole = arrays.arrays(np.int64, (count,), elements=st.integers(-1, 3))
    text = arrays.arrays(np.dtype("U3"), st.integers(0, 4))
    found = {
        "images": draw(st.one_of(arrays.arrays(np.uint8, shapes), arrays.arrays(kinds, shapes))),
        "labels": draw(st.one_of(whole, whole, arrays.arrays(kinds, some))),
        "names": draw(st.one_of(text, text, arrays.arrays(kinds, some))),
    }
    if draw(st.integers(0, 5)) == 0:
        found.pop(draw(st.sampled_from(sorted(found))))
    if draw(st.integers(0, 5)) == 0:
        found[draw(st.sampled_from(("images", "labels", "names")))] = np.array([None, {}], dtype=object)
    buffer = io.BytesIO()
    with zipfile.ZipFile(
        buffer, "w", draw(st.sampled_from((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)))
    ) as packed:
        for name, array in found.items():
            inner = io.BytesIO()
            np.save(inner, array, allow_pickle=True)
            packed.writestr(f"{name}.npy", inner.getvalue())
    return buffer.getvalue()


def lines_of_numbers() -> st.SearchStrategy[bytes]:
    """A text of YOLO's kind."""
    share = st.floats(0, 1).map(lambda value: f"{value:.4f}")
    word = st.one_of(share, share, share, st.integers(0, 3).map(str), NUMBERS.map(_said), st.text(string.printable, max_size=4))
    line = st.lists(word, min_size=0, max_size=14).map(" ".join)
    return st.lists(line, max_size=4).map(lambda rows: "\n".join(rows).encode(errors="replace"))


def _said(value: Any) -> str:
    return "1" + "0" * 400 if isinstance(value, int) and abs(value) > 10**300 else str(value)


@st.composite
def annotations(draw: Draw, size: tuple[int, int]) -> bytes:
    """XML of VOC's kind."""
    values = st.one_of(st.integers(-2, 45).map(str), NUMBERS.map(_said), TEXTS)

    def element(name: str, content: str) -> str:
        return "" if draw(st.integers(0, 19)) == 0 else f"<{name}>{content}</{name}>"

    def leaf(name: str, usual: object) -> str:
        return element(name, escape(draw(values)) if draw(st.integers(0, 5)) == 0 else str(usual))

    objects = []
    for number in range(draw(st.integers(0, 3))):
        edges = "".join(leaf(name, place) for name, place in zip(("xmin", "ymin", "xmax", "ymax"), (2, 3, 20, 15), strict=True))
        objects.append(element("object", leaf("name", f"cat{number}") + element("bndbox", edges) + leaf("difficult", 0)))
    picture = element("size", leaf("width", size[0]) + leaf("height", size[1]) + leaf("depth", 3))
    return element("annotation", leaf("filename", "x.png") + picture + "".join(objects)).encode(errors="replace")


@st.composite
def masks(draw: Draw, size: tuple[int, int]) -> bytes:
    """A PNG or TIFF of some mode and size."""
    sides = draw(st.one_of(st.just(size), st.just(size[::-1]), st.tuples(st.integers(1, 50), st.integers(1, 50))))
    mode, kind = draw(st.sampled_from(MASKS))
    values = np.random.default_rng(draw(st.integers(0, 99))).integers(0, 4, (sides[1], sides[0]), dtype=np.uint8)
    picture, buffer = Image.fromarray(values), io.BytesIO()
    if mode == "F":
        picture = Image.fromarray(values * np.float32(draw(NUMBERS.filter(lambda n: abs(n) < 1e30))))
    elif mode == "I":
        picture = Image.fromarray(values.astype(np.int32) * draw(st.sampled_from((1, -1, 2**28))))
    elif mode == "I;16":
        picture = Image.fromarray(values.astype(np.uint16) * 16000)
    else:
        picture = picture.convert("RGB").convert(mode) if mode in ("CMYK", "LAB") else picture.convert(mode)
    picture.save(buffer, kind, **({"transparency": draw(st.integers(0, 300))} if mode == "P" and draw(st.booleans()) else {}))
    return buffer.getvalue()


def command_lines(commands: dict[str, tuple[str, ...]]) -> st.SearchStrategy[bytes]:
    """Arguments of commands with values for some of their options, one a line."""
    values = st.one_of(
        NUMBERS.map(_said),
        st.sampled_from(
            ("0-9", "1,,2", "5-1", "48x64", "0x9", "3/2", "1/2", "auto", "all", "20m", "-1s", "cpu", "cuda:x", "digits")
        ),
        st.text(st.characters(exclude_characters="\0\n", exclude_categories=["Cs"]), min_size=1, max_size=8),
    )

    @st.composite
    def line(draw: Draw) -> bytes:
        command = draw(st.sampled_from(sorted(commands)))
        words = [command, "nowhere.safetensors"]
        for option in draw(st.lists(st.sampled_from(commands[command]), max_size=4)):
            words += [option, draw(values)]
        return "\n".join(words).encode(errors="replace")

    return line()


@lru_cache(maxsize=8)
def batch(name: str, strategy: st.SearchStrategy[bytes], seed: int, number: int) -> tuple[bytes, ...]:
    """Some examples of a strategy, the same whenever name, seed and number are."""
    found: list[bytes] = []

    @hypothesis.seed(f"{name} {seed} {number}")
    @settings(max_examples=BATCH, database=None, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @hypothesis.given(strategy)
    def collect(value: bytes) -> None:
        found.append(value)

    collect()
    return tuple(found)


def example(name: str, strategy: st.SearchStrategy[bytes], seed: int, number: int) -> bytes:
    """One example of a strategy."""
    some = batch(name, strategy, seed, number // BATCH)
    return some[number % BATCH % len(some)]
