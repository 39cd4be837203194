"""Files: atomic, with the mode that the umask gives, and without leftovers."""

import os
import stat
from pathlib import Path

import pytest
import torch
from PIL import Image

from metagan_cli.errors import InputError, OutputError
from metagan_cli.images.sheets import picture, tile, to_bytes
from metagan_cli.store import files, pictures
from metagan_cli.store.tensors import read_tensors, write_tensors


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "file"
    target.write_bytes(b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="No space left"):
        files.write_bytes(target, b"new")
    assert target.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_mode_by_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        files.write_bytes(tmp_path / "file", b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640


def test_orphans_are_swept(tmp_path: Path) -> None:
    orphan, mine = tmp_path / f".model.99{files.TEMPORARY}", tmp_path / ".hidden"
    orphan.touch()
    mine.touch()
    files.sweep(tmp_path)
    assert not orphan.exists()
    assert mine.exists()


def test_tensors_come_back(tmp_path: Path) -> None:
    tensors = {"a": torch.randn(3, 4).to(torch.float16), "b": torch.arange(5)}
    digest = write_tensors(tmp_path / "t.safetensors", "run", tensors, {"step": 3})
    file = read_tensors(tmp_path / "t.safetensors", ("run",))
    assert file.hash == digest
    assert file.metadata["step"] == 3
    assert all(torch.equal(file.tensors[name], tensors[name]) for name in tensors)


def test_a_header_of_any_length_is_read(tmp_path: Path) -> None:
    """Its length comes first in the file, and some lengths look like the first bytes of a pickle."""
    tensors, seen = {"a": torch.zeros(1)}, set()
    for length in range(0, 1400, 8):
        write_tensors(tmp_path / "t.safetensors", "run", tensors, {"pad": length * "x"})
        seen.add((tmp_path / "t.safetensors").read_bytes()[:2])
        assert read_tensors(tmp_path / "t.safetensors", ("run",)).metadata["pad"] == length * "x"
    assert b"\x80\x04" in seen


def test_grid() -> None:
    images = torch.linspace(-1, 1, 5)[:, None, None, None].expand(5, 1, 4, 4)
    dark, light = to_bytes(images, light_on_dark=True), to_bytes(images, light_on_dark=False)
    assert dark[:, 0, 0, 0].tolist() == [0, 64, 128, 191, 255]
    assert light[0, 0, 0, 0] == 255
    sheet = tile(dark, 3, ground=7)
    assert sheet.shape == (2 * 6 + 2, 3 * 6 + 2, 1)
    assert sheet[3, 9, 0] == 64
    assert sheet[9, 15, 0] == 7
    assert sheet[0, 0, 0] == 7
    assert picture(sheet, 3).size == (60, 42)


@pytest.mark.parametrize("name", ["a.png", "a.webp", "a.jpg", "a.gif"])
def test_pictures_carry_their_text(name: str, tmp_path: Path) -> None:
    image = Image.new("L", (20, 20), 128)
    pictures.write_picture(tmp_path / name, image, {"kind": "sample", "seeds": "0-3"})
    text = pictures.read_text(tmp_path / name)
    assert text["seeds"] == "0-3"
    assert pictures.written_by_metagan(tmp_path / name)
    image.save(tmp_path / name)
    assert not pictures.written_by_metagan(tmp_path / name)
    with pytest.raises(InputError):
        pictures.read_text(tmp_path / name)
