"""Animations: their first frame is an image, or all of their frames are, where asked."""

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import draw_folder, run
from PIL import Image

from metagan_cli.data.readers.folders import read_folder
from metagan_cli.data.readers.support import MOST_FRAMES, Support


def support(folder: Path, **options: Any) -> Support:
    return read_folder(folder, size=32, channels=1, **options)


@pytest.mark.parametrize("ending", ["gif", "webp", "png"])
def test_frames_are_images_where_asked(tmp_path: Path, tiny_model: Path, ending: str) -> None:
    drawn = draw_folder(tmp_path / "drawn", 5, size=32)
    frames = [Image.open(drawn / f"{number}.png") for number in range(5)]
    walk = tmp_path / "walk"
    walk.mkdir()
    frames[0].save(walk / f"a.{ending}", save_all=True, append_images=frames[1:], lossless=True, duration=100)
    first = support(walk)
    assert len(first.images) == 1
    assert any("--frames takes all" in note for note in first.notes)
    every, alone = support(walk, frames=True), support(drawn)
    assert set(every.names) == {f"a.{ending}, frame {number}" for number in range(1, 6)}
    assert not any("frame" in note for note in every.notes)
    for number in range(5):
        seen = every.images[every.names.index(f"a.{ending}, frame {number + 1}")]
        assert (seen - alone.images[alone.names.index(f"{number}.png")]).abs().mean() < 0.02
    own = int(every.names[0][-1:]) - 1  # the number of the frame that comes first
    assert (every.at_side(0, 16) == alone.at_side(alone.names.index(f"{own}.png"), 16)).mean() > 0.9
    ran = run("adapt", "walk", "--frames", "--json", "--from", tiny_model, "--steps", 0, cwd=tmp_path)
    assert json.loads(ran.out)["support"]["used"] == 5


def test_long_animations_give_some_of_their_frames(tmp_path: Path) -> None:
    moving = [Image.new("L", (8, 8), 2 * number) for number in range(100)]
    moving[0].save(tmp_path / "long.gif", save_all=True, append_images=moving[1:])
    assert len(support(tmp_path, frames=True).images) == MOST_FRAMES
