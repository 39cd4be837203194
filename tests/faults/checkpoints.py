"""Model files that are missing, damaged, foreign, newer or changed: all end with exit code 4."""

import json
import pickle
import struct
from collections.abc import Callable
from operator import itemgetter
from pathlib import Path
from typing import Any

import torch
from conftest import TINY, Ran, draw_folder, run
from safetensors.torch import load, save, save_file

from faults.case import Case, Make, Place, Row, both, drawings, file, runs, stops
from metagan_cli.store.tensors import FORMAT, write_tensors
from metagan_cli.values import to_dict

NAME = "m.safetensors"
ADAPT, SAMPLE = f"adapt images --from {NAME} --steps 0", "sample -n 1"


def metadata_of(data: bytes) -> dict[str, Any]:
    """What a model's file says of itself."""
    (length,) = struct.unpack("<Q", data[:8])
    said: dict[str, Any] = json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["metagan"])
    return said


def rewritten(
    path: Path,
    source: Path,
    tensors: Callable[[dict[str, torch.Tensor]], object] = lambda tensors: None,
    metadata: Callable[[dict[str, Any]], object] = lambda metadata: None,
) -> None:
    """A copy of a model with changes to its tensors or metadata, whose hash is right again."""
    data = source.read_bytes()
    head, loaded = metadata_of(data), load(data)
    tensors(loaded)
    kind = head.pop("kind")
    for key in ("format", "version", "hash"):
        head.pop(key)
    metadata(head)
    write_tensors(path, kind, loaded, head)


def changed(**changes: Any) -> Make:
    """The base with other tensors or metadata, beside good images."""

    def make(place: Place) -> None:
        drawings(place)
        rewritten(place.folder / NAME, place.base, **changes)

    return make


def set_to(name: str, tensor: torch.Tensor) -> Make:
    """The base with one tensor in place of its own, or besides."""
    return changed(tensors=lambda tensors: tensors.update({name: tensor}))


def with_number(value: float) -> Make:
    """The base with one value of its weights replaced."""
    return changed(tensors=lambda tensors: tensors["nets.encoder.place"].view(-1)[3:4].fill_(value))


def bytes_of(change: Callable[[bytes], bytes]) -> Make:
    """The base's bytes, changed, beside good images."""

    def make(place: Place) -> None:
        drawings(place)
        (place.folder / NAME).write_bytes(change(place.base.read_bytes()))

    return make


def flipped(data: bytes) -> bytes:
    """One bit of the weights is another."""
    return data[:-10] + bytes([data[-10] ^ 1]) + data[-9:]


def with_format(number: int, old_name: bool = False) -> Make:
    """The base under another format number, and with the architecture under its oldest name."""

    def change(data: bytes) -> bytes:
        head = metadata_of(data) | {"format": number}
        if old_name:
            head["arch"] = head.pop("model")
        return save(load(data), {"metagan": json.dumps(head)})

    return bytes_of(change)


class Trap:
    """Leaves a mark where it is unpickled."""

    def __init__(self, mark: str) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (self.mark, "w")


def trap(writer: str) -> Make:
    """A file that does something where it is unpickled."""

    def make(place: Place) -> None:
        drawings(place)
        found = Trap(str(place.folder / "sprung"))
        if writer == "pickle":
            (place.folder / NAME).write_bytes(pickle.dumps(found))
        else:
            torch.save(found, place.folder / NAME)

    return make


def adapted_here(place: Place) -> None:
    """A base of one's own, and a model adapted from it."""
    (place.folder / "base.safetensors").write_bytes(place.base.read_bytes())
    draw_folder(place.folder / "images", 3)
    ran = run("adapt", "images", "--from", "base.safetensors", "--steps", 0, cwd=place.folder)
    assert ran.code == 0, ran.err


def other_base(place: Place) -> None:
    """The base changes afterwards."""
    base = place.folder / "base.safetensors"
    rewritten(base, place.base, tensors=lambda tensors: tensors["nets.encoder.place"].add_(0.5))


def other_state(place: Place) -> None:
    """An adapted model whose state has another size."""
    changes = {"state.code": torch.zeros(1, 7)}
    rewritten(place.folder / "adapted.safetensors", place.adapted, tensors=lambda tensors: tensors.update(changes))


def without_metadata(*keys: str) -> Make:
    """An adapted model that lacks something in its metadata."""

    def make(place: Place) -> None:
        target = place.folder / "adapted.safetensors"
        rewritten(target, place.adapted, metadata=lambda head: [head.pop(key) for key in keys])

    return make


def container(entries: dict[str, Any], body: bytes) -> bytes:
    """A safetensors file with this header."""
    head = json.dumps(entries).encode()
    return struct.pack("<Q", len(head)) + head + body


def entry(start: int, stop: int, dtype: str = "F32") -> dict[str, Any]:
    """A tensor's place in a header."""
    return {"dtype": dtype, "shape": [(stop - start) // 4], "data_offsets": [start, stop]}


DAMAGED = {
    "empty": (b"", "empty"),
    "short": (b"abc", "truncated"),
    "huge header": (struct.pack("<Q", 2**62) + b"{}", "header"),
    "no json": (struct.pack("<Q", 4) + b"\xff{{{", "header"),
    "deep json": (struct.pack("<Q", 100_000) + b"[" * 100_000, "header"),
    "list": (struct.pack("<Q", 2) + b"[]", "header"),
    "overlap": (container({"a": entry(0, 8), "b": entry(4, 12)}, b"\0" * 12), "overlaps"),
    "bad dtype": (container({"a": entry(0, 8, "Q7")}, b"\0" * 8), "no sound entry"),
    "wrong length": (container({"a": entry(0, 8) | {"shape": [9]}}, b"\0" * 8), "shape"),
    "negative": (container({"a": entry(0, 8) | {"shape": [-2]}}, b"\0" * 8), "shape"),
    "beyond": (container({"a": entry(0, 800)}, b"\0" * 8), "truncated"),
}
GIANTS: tuple[dict[str, Any], ...] = ({"tokens": 2**20}, {"image_size": 2**16}, {"learner": "none"}, {"width": "wide"}, {"x": 1})


def giant(change: dict[str, Any]) -> Case:
    """Metadata that asks for another architecture."""
    make = changed(metadata=lambda head: head.update({"model": to_dict(TINY) | change}))
    return stops(str(change), 4, ADAPT, "does not build", make=make)


def unsprung(ran: Ran, place: Place) -> None:
    """The trap left no mark."""
    assert not (place.folder / "sprung").exists()


ROWS = (
    Row(30, "The model is missing, or a folder", (
        stops("missing", 4, "adapt images --from nowhere.safetensors", "no such model file"),
        stops("no such name", 4, "adapt images --from nobody", "no shipped model of that name"),
        stops("a folder", 4, ADAPT, "folder", make=both(drawings, lambda place: (place.folder / NAME).mkdir())),
    )),
    Row(31, "A damaged file", (
        *(stops(name, 4, ADAPT, word, make=both(drawings, file(NAME, data))) for name, (data, word) in DAMAGED.items()),
        *(stops(f"cut at {cut}", 4, ADAPT, "truncated", make=bytes_of(itemgetter(slice(cut)))) for cut in (12, 5000, -1)),
        stops("junk behind", 4, ADAPT, "junk", make=bytes_of(lambda data: data + b"junk")),
    )),
    Row(32, "A pickle", tuple(
        stops(writer, 4, ADAPT, "pickle", make=trap(writer), also=unsprung) for writer in ("pickle", "torch")
    )),
    Row(33, "Tensors that are missing, strange or of another shape", (
        stops("missing", 4, ADAPT, "tensor 'nets.encoder.place' is missing",
              make=changed(tensors=lambda tensors: tensors.pop("nets.encoder.place"))),
        stops("shape", 4, ADAPT, "nets.encoder.place", "[2, 2]", "[64, 32]",
              make=set_to("nets.encoder.place", torch.zeros(2, 2))),
        stops("unknown", 4, ADAPT, "nets.extra", make=set_to("nets.extra", torch.zeros(1))),
        stops("a name that a terminal obeys", 4, ADAPT, "nets.\\x1b[31mred", make=set_to("nets.\x1b[31mred", torch.zeros(1))),
        stops("state", 4, SAMPLE, "state.code", make=other_state),
        stops("base unnamed", 4, SAMPLE, "adapted from", make=without_metadata("base")),
    )),
    Row(34, "Weights that are no numbers", tuple(
        stops(str(value), 4, ADAPT, "NaN or infinity", make=with_number(value))
        for value in (float("nan"), float("inf"))
    )),
    Row(35, "Another program's file, or one of another kind", (
        stops("foreign", 4, ADAPT, "not one that metagan wrote", make=both(drawings, lambda place: save_file(
            {"weight": torch.zeros(3)}, place.folder / NAME, {"format": "pt"}))),
        stops("adapted as base", 4, "adapt images --from ADAPTED", "kind 'adapted'"),
    )),
    Row(36, "A newer format, and an older one", (
        stops("newer", 4, ADAPT, "upgrade", make=with_format(FORMAT + 1)),
        runs("older", ADAPT, make=with_format(0, old_name=True)),
    )),
    Row(37, "Metadata that ask for what is not built", tuple(map(giant, GIANTS))),
    Row(38, "An adapted model whose base is another", (
        stops("changed", 4, SAMPLE, "has changed", "then", "now", make=both(adapted_here, other_base)),
        stops("gone", 4, SAMPLE, "--standalone",
              make=both(adapted_here, lambda place: (place.folder / "base.safetensors").unlink())),
    )),
    Row(39, "Weights that changed since they were written", (
        stops("one bit", 4, ADAPT, "changed since they were written", make=bytes_of(flipped)),
    )),
)  # fmt: skip
