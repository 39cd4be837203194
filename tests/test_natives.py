"""The examples at their own size, in memory and in an adapted model's file."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import draw_folder, refused, run
from faults.checkpoints import rewritten
from PIL import Image, features
from test_geometry import fill, photograph, sprite
from test_transparency import BROWN, drawn

from metagan_cli import adapt, load
from metagan_cli.config import AdaptConfig
from metagan_cli.data.readers.folders import read_folder
from metagan_cli.errors import CheckpointError
from metagan_cli.images.natives import Natives, natives_of
from metagan_cli.store.models import load_adapted
from metagan_cli.workflows.adapt import learn
from metagan_cli.workflows.ready import load_ready


def pixels(channels: int, side: int = 40) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.random.default_rng(channels).integers(0, 256, (side, side, channels)).astype(np.uint8)


@pytest.mark.parametrize("webp", [True, False])
@pytest.mark.parametrize(("channels", "clear"), [(1, False), (1, True), (3, False), (3, True)])
def test_nothing_is_lost(channels: int, clear: bool, webp: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not webp:
        monkeypatch.setattr(features, "check", lambda name: False)
    given = pixels(channels + clear)
    natives = natives_of([given[..., :channels], given], 40, channels)
    assert natives.coded[1][8:12] == b"WEBP" if webp else natives.coded[1][1:4] == b"PNG"
    assert natives.bytes == sum(map(len, natives.coded))
    for number in range(2):
        image = natives.picture(number)[0]
        assert image.dtype == torch.float32
        assert torch.equal(((image + 1) * 127.5).round().byte(), torch.from_numpy(given[..., :channels]).permute(2, 0, 1))
    assert natives.picture(0)[1] is None
    alpha = natives.picture(1)[1]
    if clear:
        assert alpha is not None
        assert torch.equal((alpha * 255).round().byte(), torch.from_numpy(given[..., -1:]).permute(2, 0, 1))
    else:
        assert alpha is None


def test_a_damaged_one_is_told() -> None:
    whole = natives_of([pixels(3)], 40, 3).coded[0]
    for coded, said in ((whole[:-40], "damaged"), (b"", "damaged"), (natives_of([pixels(3, 41)], 41, 3).coded[0], "41 x 41")):
        with pytest.raises(CheckpointError, match=said):
            Natives(40, 3, (coded,)).picture(0)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    """A folder of three pictures of 80 px and a model of 32 px adapted to it."""
    place = tmp_path_factory.mktemp("natives")
    fill(place / "images", *(photograph(80, 80, seed) for seed in range(3)))
    ran = run("adapt", "images", "--from", tiny_model, "--steps", "0", cwd=place)
    assert ran.code == 0, ran.err
    return place


def test_the_command_keeps_them_and_inspect_says_so(large: Path) -> None:
    loaded = load_adapted(large / "adapted.safetensors")
    support = read_folder(large / "images", size=32, channels=1)
    assert loaded.natives is not None
    assert loaded.natives.side == support.native_side == 80
    assert len(loaded.natives.coded) == 3
    for number in range(3):
        own = torch.from_numpy(support.at_side(number, 80)).permute(2, 0, 1).float() / 127.5 - 1
        assert torch.equal(loaded.natives.picture(number)[0], own)
        small = torch.nn.functional.interpolate(own[None], size=(32, 32), mode="area")[0]
        apart = [(small - base.float()).abs().mean() for base in loaded.state.bases[0]]
        assert int(np.argmin(apart)) == number, "they stand in the state's order"
    told = json.loads(run("inspect", "adapted.safetensors", "--json", cwd=large).out)
    assert told["examples"] == f"3 at 80 px, {loaded.natives.bytes / 1000:.1f} kB"
    assert told["values"] == sum(tensor.numel() for tensor in loaded.state.tensors().values())
    assert f"examples     {told['examples']}" in run("inspect", "adapted.safetensors", cwd=large).out


def test_a_compact_file_keeps_none_and_draws_the_same(large: Path, tiny_model: Path) -> None:
    command = ["adapt", "images", "--from", tiny_model, "--steps", "0", "--compact", "-o", "compact.safetensors"]
    assert run(*command, cwd=large).code == 0
    assert load_adapted(large / "compact.safetensors").natives is None
    told = json.loads(run("inspect", "compact.safetensors", "--json", cwd=large).out)
    assert told["examples"] == "at the model's size only: larger results are enlarged"
    for name in ("adapted", "compact"):
        drawn = run("sample", f"{name}.safetensors", "-n", "2", "--size", "model", "-o", f"{name}.png", cwd=large)
        assert drawn.code == 0
    a, b = (Image.open(large / f"{name}.png").tobytes() for name in ("adapted", "compact"))
    assert a == b
    loaded = [load_adapted(large / f"{name}.safetensors") for name in ("adapted", "compact")]
    assert all(torch.equal(t, loaded[1].state.tensors()[name]) for name, t in loaded[0].state.tensors().items())
    assert loaded[0].hash != loaded[1].hash


def test_what_is_sampled_from_has_them(large: Path, tiny_model: Path) -> None:
    settings = AdaptConfig(str(tiny_model), steps=0)
    for source in (large / "images", large / "adapted.safetensors"):
        natives = load_ready(source, settings=settings).natives
        assert natives is not None
        assert natives.coded == load_adapted(large / "adapted.safetensors").natives.coded  # type: ignore[union-attr]
    model = adapt(large / "images", base=str(tiny_model), steps=0)
    saved = load(model.save(large / "own.safetensors"))
    assert saved.ready.natives is not None
    assert saved.ready.natives.coded == model.ready.natives.coded  # type: ignore[union-attr]
    assert adapt(large / "images", base=str(tiny_model), steps=0, compact=True).ready.natives is None


@pytest.mark.parametrize("kind", ["pixel art", "small"])
def test_where_nothing_is_lost_none_are_kept(kind: str, tmp_path: Path, tiny_model: Path) -> None:
    pictures = {"pixel art": [sprite(16, 16, 6), sprite(16, 16, 6, 1)], "small": [photograph(32, 30), photograph(30, 32, 2)]}
    adapted = learn(fill(tmp_path, *pictures[kind]), AdaptConfig(str(tiny_model), steps=0))
    assert adapted.natives is None


def test_as_many_are_kept_as_the_state_has(tmp_path: Path, tiny_model: Path) -> None:
    folder = draw_folder(tmp_path / "images", 34, size=64)
    adapted = learn(folder, AdaptConfig(str(tiny_model), steps=0))
    assert adapted.natives is not None
    assert len(adapted.natives.coded) == len(adapted.images) == 32
    assert adapted.natives.side == 64


def test_transparent_ones_keep_their_alpha(tmp_path: Path, tiny_model: Path) -> None:
    folder = fill(tmp_path, drawn(BROWN, side=70), drawn(BROWN, 4, side=70))
    natives = learn(folder, AdaptConfig(str(tiny_model), steps=0)).natives
    assert natives is not None
    alpha = natives.picture(0)[1]
    assert alpha is not None
    assert alpha.shape == (1, 70, 70)
    assert (float(alpha.amin()), float(alpha.amax())) == (0, 1)
    assert (natives.picture(0)[0][alpha == 0] == -1).all(), "ground is no ink"


def coded(side: int, form: str = "WEBP") -> torch.Tensor:
    buffer = io.BytesIO()
    Image.new("RGB", (side, side)).save(buffer, form)
    return torch.frombuffer(bytearray(buffer.getvalue()), dtype=torch.uint8)


FAULTS: dict[str, tuple[dict[str, torch.Tensor | None], dict[str, Any], str]] = {
    "cut": ({"native.1": coded(80)[:-9]}, {}, "kept example 1 is damaged"),
    "no picture": ({"native.1": torch.zeros(9, dtype=torch.uint8)}, {}, "kept example 1 is damaged"),
    "another format": ({"native.1": coded(80, "BMP")}, {}, "kept example 1 is damaged"),
    "larger than said": ({"native.2": coded(5000)}, {}, "kept example 2 is 5000 x 5000, not 80"),
    "huge": ({"native.2": coded(16383)}, {}, "kept example 2 is"),
    "no bytes": ({"native.0": torch.zeros(80, 80)}, {}, "no bytes"),
    "one too many": ({"native.3": coded(80)}, {}, "keeps 4 examples, its state has 3"),
    "other names": ({"native.x": coded(80), "native.0": None}, {}, "keeps 3 examples, its state has 3"),
    "none": ({f"native.{number}": None for number in range(3)}, {}, "keeps 0 examples, its state has 3"),
    "another count": ({}, {"natives": {"side": 80, "count": 10**9}}, "keeps 3 examples, its state has 3"),
    "too large": ({}, {"natives": {"side": 2049, "count": 3}}, "2049 pixels a side; it may be 33 to 2048"),
    "too small": ({}, {"natives": {"side": 32, "count": 3}}, "32 pixels a side"),
    "unsaid": ({}, {"natives": {"side": "80"}}, "does not say how large"),
    "nothing said": ({}, {"natives": None}, "does not say how large"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_files_with_faults(name: str, large: Path, tmp_path: Path) -> None:
    tensors, metadata, said = FAULTS[name]

    def change(loaded: dict[str, torch.Tensor]) -> None:
        for key, tensor in tensors.items():
            loaded.pop(key, None)
            if tensor is not None:
                loaded[key] = tensor

    source = large / "adapted.safetensors"
    rewritten(tmp_path / "a.safetensors", source, tensors=change, metadata=lambda head: head.update(metadata))
    assert said in refused(4, "sample", "a.safetensors", "-n", "1", cwd=tmp_path)
