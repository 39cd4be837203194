"""The outside net's benchmark: folders of people's own, with a stand-in for the net, and what it writes."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from conftest import TINY, draw_folder
from PIL import Image
from test_outside import Means

from benchmarks import outside as benchmark
from benchmarks.results import RESULTS
from metagan_cli.data.readers.folders import read_folder
from metagan_cli.errors import InputError
from metagan_cli.evaluation.outside import OutsideNet
from metagan_cli.evaluation.scores import Score
from metagan_cli.learners.build import build_learner
from metagan_cli.networks.bundle import build_networks
from metagan_cli.rng import generator_for
from metagan_cli.store.models import save_model
from metagan_cli.store.shipped import ShippedModel
from metagan_cli.workflows import suited
from metagan_cli.workflows.evaluate import setup as setting
from metagan_cli.workflows.evaluate.baselines import REALS


@pytest.fixture
def two_models(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiny models for gray and colour in place of those that ship, and a stand-in for the net."""
    config, path = replace(TINY, channels=3), tmp_path / "bright.safetensors"
    nets = build_networks(config, generator_for(0, "bright"))
    save_model(path, config, nets, build_learner(config), {"name": "bright", "step": 0, "seed": 0, "data": []})
    gray, colour = (
        ShippedModel(file.stem, file, file, "", "", TINY.image_size, channels, None)
        for file, channels in ((tiny_model, 1), (path, 3))
    )
    monkeypatch.setattr(suited, "choose_model", lambda colourful: colour if colourful else gray)
    monkeypatch.setattr(setting, "outside_net", lambda: OutsideNet(Means()))


def draw_colours(folder: Path, count: int, red: int) -> Path:
    """A folder of that many discs in colours of their own."""
    folder.mkdir(parents=True)
    for i in range(count):
        image = Image.new("RGB", (90, 60), (255, 255, 255))
        image.paste((red, 10 * i, 255 - 15 * i), (20 + i, 10, 60 + i, 50))
        image.save(folder / f"{i}.png")
    return folder


def main(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["outside", *map(str, arguments)])
    benchmark.main()


@pytest.mark.slow
def test_folders_of_a_tree_are_judged_by_the_models_that_suit_them(
    two_models: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tree = tmp_path / "mine"
    draw_folder(tree / "runes", 12, task=3, size=24)
    draw_folder(tree / "signs", 15, task=4, size=80)
    draw_folder(tree / "few", 11)
    draw_colours(tree / "discs", 12, red=200)
    (tree / "empty").mkdir()
    (tree / ".hidden").mkdir()
    before = RESULTS.read_bytes()
    main(monkeypatch, "--tree", tree, "--sheets", tmp_path / "sheets")
    said = capsys.readouterr()
    head, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in said.out.splitlines()]
    assert head == ["set", "who draws", *benchmark.COLUMNS]
    sets = {"mine, bright (1)": "**bright**", "mine, tiny (2)": "**tiny**"}
    assert [row[:2] for row in rows] == [[name, who] for name, model in sets.items() for who in (model, *benchmark.SHOWN)]
    assert all(row[2] == "-" for row in rows)  # too few tasks to ask which one it is
    assert all(float(cell) > -1000 for row in rows for cell in row[3:])
    assert f"left out: {tree / 'few'}: 11 images; a task needs 12" in said.err
    assert f"left out: {tree / 'empty'}: an empty folder" in said.err
    assert "hidden" not in said.err
    assert len(list((tmp_path / "sheets").iterdir())) == 2
    assert RESULTS.read_bytes() == before


def test_a_tree_without_tasks_is_refused(two_models: None, tmp_path: Path) -> None:
    draw_folder(tmp_path / "tree" / "few", 3)
    with pytest.raises(InputError, match="no folder of 12 images"):
        list(benchmark.judge_tree(tmp_path / "tree", None, None))


def test_the_first_images_are_examples_and_all_folders_hold_out_as_many(tmp_path: Path) -> None:
    folders = [
        (name, read_folder(draw_folder(tmp_path / name, n), size=32, channels=1).images) for name, n in (("a", 12), ("b", 17))
    ]
    tasks = benchmark.split(folders, 20)
    for task, (name, images) in zip(tasks, folders, strict=True):
        assert task.title == name
        assert torch.equal(torch.cat([task.support, task.more, task.truth]), images[:12])
        assert [len(part) for part in (task.support, task.more, task.truth)] == [8, 2, 2]
    (most,) = benchmark.split(folders[1:], 3)
    assert len(most.more) == len(most.truth) == 3


def judged(name: str, model: str, own: float, copies: float) -> benchmark.Judged:
    """A set in which MMDs of the model, slight copies and held-out images are such."""

    def score(mmd: float) -> Score:
        values = {figure: torch.full((2,), 0.5) for figure, _, _ in benchmark.COLUMNS.values()}
        return Score.of(values | {"outside mmd": torch.full((2,), mmd)})

    return benchmark.Judged(name, model, 128, {model: score(own), benchmark.NEAR: score(copies), REALS: score(-0.0001)})


def test_table_and_cards_are_rewritten_between_their_marks(tmp_path: Path) -> None:
    results = tmp_path / "results.md"
    for path in (results, tmp_path / "glyph.md", tmp_path / "picture.md"):
        path.write_text(f"before\n{benchmark.BEGIN}stale\n{benchmark.END}after\n")
    sets = [judged("fonts", "glyph", 0.3, 0.2), judged("emoji", "picture", 0.1, 0.2), judged("tiles", "picture", 0.3, 0.2)]
    benchmark.write(sets, results, tmp_path)
    texts = {name: (tmp_path / f"{name}.md").read_text() for name in ("results", "glyph", "picture")}
    for text in texts.values():
        assert text.startswith(f"before\n{benchmark.BEGIN}")
        assert text.endswith(f"{benchmark.END}after\n")
        assert "stale" not in text
    assert "| emoji | **picture** | 50.0 | 0.50 | 100 | 50 | 0.50 | 0.50 | 0.50 | 0.50 |\n" in texts["results"]
    assert "| tiles | 50.0 | 300 | 200 | 0 | 50 | 0.50 | 0.50 | 0.50 |\n" in texts["picture"]
    assert (
        "samples lie nearer to held-out images than slight copies of the examples do in emoji, and no nearer in tiles."
        in texts["picture"]
    )
    assert "samples lie no nearer to held-out images than slight copies of the examples do in fonts." in texts["glyph"]
    assert "emoji" not in texts["glyph"]


@pytest.mark.parametrize("model", ["glyph", "picture"])
def test_shipped_cards_have_their_marks(model: str) -> None:
    text = (benchmark.CARDS / f"{model}.md").read_text()
    assert text.count(benchmark.BEGIN) == text.count(benchmark.END) == 1
