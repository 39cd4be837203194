"""Model files that are missing, damaged, foreign, newer or changed: exit code 4 and one line."""

import json
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import TINY, draw_folder, refused, run
from safetensors.torch import load, save, save_file

from metagan_cli.store.tensors import FORMAT, write_tensors
from metagan_cli.values import to_dict


@pytest.fixture
def refuse(tmp_path: Path) -> Callable[[str], str]:
    """Runs adapt from the model file of that name, which must fail with exit code 4; returns its line."""
    draw_folder(tmp_path / "images", 2)
    return lambda name: refused(4, "adapt", "images", "--from", name, cwd=tmp_path)


def rewritten(
    path: Path,
    source: Path,
    tensors: Callable[[dict[str, torch.Tensor]], object] = lambda tensors: None,
    metadata: Callable[[dict[str, Any]], object] = lambda metadata: None,
) -> None:
    """A copy of a model with changes to its tensors or metadata, whose hash is right again."""
    data = source.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    head = json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["metagan"])
    loaded = load(data)
    tensors(loaded)
    kind = head.pop("kind")
    for key in ("format", "version", "hash"):
        head.pop(key)
    metadata(head)
    write_tensors(path, kind, loaded, head)


def test_missing(refuse: Callable[[str], str]) -> None:
    assert "no such model file" in refuse("nowhere.safetensors")
    assert "no shipped model of that name" in refuse("nobody")


def test_folder(refuse: Callable[[str], str], tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").mkdir()
    assert "folder" in refuse("model.safetensors")


def container(entries: dict[str, Any], body: bytes) -> bytes:
    header = json.dumps(entries).encode()
    return struct.pack("<Q", len(header)) + header + body


def entry(start: int, stop: int, dtype: str = "F32") -> dict[str, Any]:
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


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged(name: str, refuse: Callable[[str], str], tmp_path: Path) -> None:
    content, reason = DAMAGED[name]
    (tmp_path / "model.safetensors").write_bytes(content)
    assert reason in refuse("model.safetensors")


@pytest.mark.parametrize("cut", [12, 5000, -1])
def test_truncated(cut: int, refuse: Callable[[str], str], tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(tiny_model.read_bytes()[:cut])
    assert "truncated" in refuse("model.safetensors")


def test_junk_behind(refuse: Callable[[str], str], tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(tiny_model.read_bytes() + b"junk")
    assert "junk" in refuse("model.safetensors")


class Trap:
    """Leaves a mark where it is unpickled."""

    def __init__(self, mark: str) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (self.mark, "w")


@pytest.mark.parametrize("name", ["model.pt", "model.safetensors"])
@pytest.mark.parametrize("writer", ["pickle", "torch"])
def test_pickle_is_never_opened(name: str, writer: str, refuse: Callable[[str], str], tmp_path: Path) -> None:
    trap = Trap(str(tmp_path / "sprung"))
    if writer == "pickle":
        (tmp_path / name).write_bytes(pickle.dumps(trap))
    else:
        torch.save(trap, tmp_path / name)
    assert "pickle" in refuse(name)
    assert not (tmp_path / "sprung").exists()


def test_missing_tensor(refuse: Callable[[str], str], tiny_model: Path, tmp_path: Path) -> None:
    rewritten(tmp_path / "m.safetensors", tiny_model, tensors=lambda t: t.pop("nets.encoder.place"))
    assert "tensor 'nets.encoder.place' is missing" in refuse("m.safetensors")


def test_tensor_of_another_shape(refuse: Callable[[str], str], tiny_model: Path, tmp_path: Path) -> None:
    rewritten(tmp_path / "m.safetensors", tiny_model, tensors=lambda t: t.update({"nets.encoder.place": torch.zeros(2, 2)}))
    line = refuse("m.safetensors")
    assert "nets.encoder.place" in line
    assert "[2, 2]" in line
    assert "[64, 32]" in line


def test_unknown_tensor(refuse: Callable[[str], str], tiny_model: Path, tmp_path: Path) -> None:
    rewritten(tmp_path / "m.safetensors", tiny_model, tensors=lambda t: t.update({"nets.extra": torch.zeros(1)}))
    assert "nets.extra" in refuse("m.safetensors")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_not_finite(value: float, refuse: Callable[[str], str], tiny_model: Path, tmp_path: Path) -> None:
    rewritten(tmp_path / "m.safetensors", tiny_model, tensors=lambda t: t["nets.encoder.place"].view(-1)[3:4].fill_(value))
    assert "NaN or infinity" in refuse("m.safetensors")


def test_foreign(refuse: Callable[[str], str], tmp_path: Path) -> None:
    save_file({"weight": torch.zeros(3)}, tmp_path / "m.safetensors", {"format": "pt"})
    assert "not one that metagan wrote" in refuse("m.safetensors")


def test_adapted_file_is_no_base(refuse: Callable[[str], str], adapted: Path) -> None:
    assert "kind 'adapted'" in refuse(str(adapted))


def with_format(path: Path, source: Path, number: int, old_name: bool = False) -> None:
    """A copy of a model under another format number, and with the architecture under its oldest name."""
    tensors = load(source.read_bytes())
    data = source.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    head = json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["metagan"]) | {"format": number}
    if old_name:
        head["arch"] = head.pop("model")
    path.write_bytes(save(tensors, {"metagan": json.dumps(head)}))


def test_newer_format(refuse: Callable[[str], str], tiny_model: Path, tmp_path: Path) -> None:
    with_format(tmp_path / "m.safetensors", tiny_model, FORMAT + 1)
    assert "upgrade" in refuse("m.safetensors")


def test_older_format_is_migrated(tiny_model: Path, tmp_path: Path) -> None:
    draw_folder(tmp_path / "images", 2)
    with_format(tmp_path / "m.safetensors", tiny_model, 0, old_name=True)
    ran = run("adapt", "images", "--from", "m.safetensors", "--steps", "0", cwd=tmp_path)
    assert ran.code == 0, ran.err


@pytest.mark.parametrize("change", [{"tokens": 2**20}, {"image_size": 2**16}, {"learner": "none"}, {"width": "wide"}, {"x": 1}])
def test_metadata_that_asks_for_a_giant(
    change: dict[str, Any], refuse: Callable[[str], str], tiny_model: Path, tmp_path: Path
) -> None:
    rewritten(tmp_path / "m.safetensors", tiny_model, metadata=lambda head: head.update({"model": to_dict(TINY) | change}))
    assert "does not build" in refuse("m.safetensors")


def test_changed_weights(refuse: Callable[[str], str], tiny_model: Path, tmp_path: Path) -> None:
    data = bytearray(tiny_model.read_bytes())
    data[-10] ^= 1
    (tmp_path / "m.safetensors").write_bytes(data)
    assert "changed since they were written" in refuse("m.safetensors")


def test_base_that_differs(adapted: Path, tiny_model: Path, tmp_path: Path) -> None:
    base = tmp_path / "base.safetensors"
    base.write_bytes(tiny_model.read_bytes())
    draw_folder(tmp_path / "images", 3)
    assert run("adapt", "images", "--from", base, "--steps", "0", cwd=tmp_path).code == 0
    rewritten(base, tiny_model, tensors=lambda t: t["nets.encoder.place"].add_(0.5))
    line = refused(4, "sample", "-n", "1", cwd=tmp_path)
    assert "has changed" in line
    assert "then" in line
    assert "now" in line
    base.unlink()
    assert "--standalone" in refused(4, "sample", "-n", "1", cwd=tmp_path)


def test_standalone_needs_no_base(tiny_model: Path, tmp_path: Path) -> None:
    base = tmp_path / "base.safetensors"
    base.write_bytes(tiny_model.read_bytes())
    draw_folder(tmp_path / "images", 3)
    for options in (["--standalone", "-o", "whole.safetensors"], ["-o", "part.safetensors"]):
        ran = run("adapt", "images", "--from", base, "--steps", "0", *options, cwd=tmp_path)
        assert ran.code == 0, ran.err
    assert run("sample", "part.safetensors", "-n", "3", "-o", "part.png", cwd=tmp_path).code == 0
    base.unlink()
    assert run("sample", "whole.safetensors", "-n", "3", "-o", "whole.png", cwd=tmp_path).code == 0
    pictures = [(tmp_path / name).stat().st_size for name in ("part.png", "whole.png")]
    assert min(pictures) > 200


def test_state_of_another_architecture(adapted: Path, tmp_path: Path) -> None:
    rewritten(tmp_path / "a.safetensors", adapted, tensors=lambda t: t.update({"state.code": torch.zeros(1, 7)}))
    assert "state.code" in refused(4, "sample", "a.safetensors", "-n", "1", cwd=tmp_path)
