"""Folders of images: what commands say of them, and what does not matter."""

import json
from functools import partial
from pathlib import Path

import numpy as np
from conftest import draw_folder, run
from PIL import Image


def test_files_that_are_no_images_are_said(tiny_model: Path, tmp_path: Path) -> None:
    folder, adapt = draw_folder(tmp_path / "images", 3), partial(run, "adapt", "images", "--from", tiny_model, cwd=tmp_path)
    for i in range(6):
        (folder / f"{i}.docx").write_text("words")
    ran = adapt("--json")
    assert json.loads(ran.out)["notes"] == ["6 files are no images: 6 .docx"]
    assert "6 files are no images: 6 .docx" in ran.err
    assert "; 6 skipped" in adapt("--overwrite").out
    (folder / "5.docx").unlink()
    ran = adapt("--overwrite")
    assert "; 5 skipped" in ran.out
    assert "skipped 4.docx: not an image" in ran.err


def test_order_and_names_do_not_matter(tiny_model: Path, tmp_path: Path) -> None:
    draw_folder(tmp_path / "images", 5)
    (tmp_path / "renamed").mkdir()
    for i in range(5):
        (tmp_path / "renamed" / f"{'edcba'[i]}.png").write_bytes((tmp_path / "images" / f"{i}.png").read_bytes())
    for name in ("images", "renamed"):
        ran = run("sample", name, "--from", tiny_model, "-n", "3", "--each", f"{name}-out", cwd=tmp_path)
        assert ran.code == 0, ran.err
    files = [sorted((tmp_path / f"{name}-out").iterdir()) for name in ("images", "renamed")]
    assert [a.read_bytes() for a in files[0]] == [b.read_bytes() for b in files[1]]


def test_light_on_dark_comes_back_so(tiny_model: Path, tmp_path: Path) -> None:
    draw_folder(tmp_path / "images", 4)
    for path in (tmp_path / "images").iterdir():
        Image.fromarray(255 - np.asarray(Image.open(path))).save(path)
    ran = run("sample", "images", "--from", tiny_model, "-n", "4", "--each", "out", cwd=tmp_path)
    assert ran.code == 0, ran.err
    means = [np.asarray(Image.open(path)).mean() for path in (tmp_path / "out").iterdir()]
    assert max(means) < 100
