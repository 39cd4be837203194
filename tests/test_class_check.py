"""Whether new images help to learn classes: classifiers that learn from them and without, and what is said of it."""

import json
from pathlib import Path

import pytest
import torch
from conftest import draw_folder, refused, run
from PIL import Image
from torch import Tensor, nn

from metagan_cli.config import AdaptConfig, AugmentConfig
from metagan_cli.evaluation import classifiers
from metagan_cli.evaluation.classifiers import ALONE, BOTH, FEATURES, METHODS, OURS, SCRATCH, compared
from metagan_cli.evaluation.outside import OutsideNet
from metagan_cli.rng import generator_for
from metagan_cli.workflows.augment import check as checking
from metagan_cli.workflows.augment.check import Checked, check
from metagan_cli.workflows.augment.request import AugmentRequest


class Means(nn.Module):
    """Features that tell where an image is light, as an outside net would give them."""

    def extract_features(self, images: Tensor) -> Tensor:
        return nn.functional.adaptive_avg_pool2d(images.mean(1, keepdim=True), 8).flatten(1)[:, :, None, None]


def lit(side: str, count: int) -> Tensor:
    """Images uint8 [N, 1, 32, 32], light on one side."""
    images = torch.randint(0, 60, (count, 1, 32, 32), generator=generator_for(count, side), dtype=torch.uint8)
    images[..., :16] += 150 if side == "left" else 0
    images[..., 16:] += 150 if side == "right" else 0
    return images


def test_classifiers_learn_what_can_be_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifiers, "STEPS", 30)
    real, new, test = ([lit(side, count) for side in ("left", "right")] for count in (6, 8, 20))
    told: list[tuple[int, int]] = []
    found = compared(real, new, test, OutsideNet(Means()), 0, lambda done, total: told.append((done, total)))
    assert set(found) == {(classifier, method) for classifier in (SCRATCH, FEATURES) for method in METHODS}
    assert all(right.shape == (40,) and right.dtype == torch.bool for right in found.values())
    for method in (ALONE, OURS):
        assert found[SCRATCH, method].float().mean() > 0.9
        assert found[FEATURES, method].float().mean() > 0.9
    assert told[-1] == (len(METHODS), len(METHODS))
    mixed = [torch.cat([left, right]) for left, right in zip(new, new[::-1], strict=True)]
    wrong = compared(real, mixed, test, None, 0, lambda done, total: None)
    assert set(wrong) == {(SCRATCH, method) for method in METHODS}
    again = compared(real, new, test, None, 0, lambda done, total: None)
    assert all(torch.equal(again[key], found[key]) for key in again)


@pytest.mark.parametrize(
    ("ours", "others", "said"),
    [((38, 30), 20, "new images help: +45.0 points"), ((10, 9), 30, "they harm"), ((31, 30), 30, "no help can be told")],
)
def test_verdicts(ours: tuple[int, int], others: int, said: str) -> None:
    counts = dict.fromkeys(METHODS, others) | dict(zip((OURS, BOTH), ours, strict=True))
    right = {(SCRATCH, method): torch.arange(40) < count for method, count in counts.items()}
    verdict = Checked(2, 40, 3, 8, "glyph", right).verdict(SCRATCH)
    assert said in verdict
    assert "over originals alone" in verdict


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for number, name in enumerate(("cat", "dog", "few")):
        draw_folder(tmp_path / "tree" / name, 4 if name != "few" else 2, task=number, size=32)
    return tmp_path / "tree"


def test_each_original_is_tested_once(tree: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifiers, "STEPS", 2)
    monkeypatch.setattr(checking, "outside_net_if_there", lambda: None)
    monkeypatch.setattr(
        checking, "suited_model", lambda *_: type("Suited", (), {"model": type("Model", (), {"path": tiny_model})})
    )
    seen: list[tuple[list[int], list[int], list[int]]] = []

    def noted(real: list[Tensor], new: list[Tensor], test: list[Tensor], *rest: object) -> classifiers.Right:
        seen.append(tuple([len(images) for images in some] for some in (real, new, test)))  # type: ignore[arg-type]
        return {(SCRATCH, method): torch.ones(sum(map(len, test)), dtype=torch.bool) for method in METHODS}

    monkeypatch.setattr(checking, "compared", noted)
    checked = check(AugmentRequest(tree, Path(), AugmentConfig(count=5), AdaptConfig(steps=0)))
    assert (checked.classes, checked.images, checked.folds, checked.new, checked.base) == (2, 8, 3, 5, "tiny")
    assert seen == [([2, 2], [5, 5], [2, 2]), ([3, 3], [5, 5], [1, 1]), ([3, 3], [5, 5], [1, 1])]
    assert checked.as_dict()["rows"][0] == {"classifier": SCRATCH, "method": ALONE, "mean": 1.0, "low": 1.0, "high": 1.0}


def test_the_command_says_it(tree: Path, tmp_path: Path) -> None:
    quick = """from metagan_cli.evaluation import classifiers
from metagan_cli.workflows.augment import check
classifiers.STEPS = 2
check.outside_net_if_there = lambda: None
"""
    ran = run("augment", "tree", "--check", "-n", 2, "--steps", 0, cwd=tmp_path, bootstrap=quick)
    assert ran.code == 0, ran.err
    assert "8 originals of 2 classes" in ran.out
    assert all(method in ran.out for method in METHODS)
    assert f"{SCRATCH}: " in ran.out
    ran = run("augment", "tree", "--check", "-n", 2, "--steps", 0, "--json", cwd=tmp_path, bootstrap=quick)
    assert len(json.loads(ran.out)["rows"]) == len(METHODS)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tree"]
    assert "the check writes no images" in refused(2, "augment", "tree", "--check", "-o", "out", cwd=tmp_path)
    assert "name a folder" in refused(2, "augment", "tree", cwd=tmp_path)
    Image.new("L", (32, 32)).save(tree / "cat" / "0.png")
    for path in (tree / "dog").iterdir():
        path.unlink()
    assert "two classes of 3 images" in refused(3, "augment", "tree", "--check", cwd=tmp_path)
