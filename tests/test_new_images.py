"""New images as a data set: the same in every worker, others in every epoch; the page of the docs trains a classifier."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import draw_folder, run
from PIL import Image
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder
from torchvision.transforms.v2.functional import pil_to_tensor

from metagan_cli import NewImages, augment, augment_tree
from metagan_cli.errors import InputError, UsageError

DOCS = Path(__file__).resolve().parents[1] / "docs" / "data-sets.md"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tree") / "animals"
    for number, name in enumerate(("cat", "dog")):
        draw_folder(folder / name, 3, task=number, size=32)
    return folder


@pytest.fixture(scope="module")
def new(tree: Path, tiny_model: Path) -> NewImages:
    return augment(tree, count=5, base=str(tiny_model), steps=0)


def pixels(pairs: Sequence[tuple[Any, int]]) -> list[tuple[bytes, int]]:
    return [(image.tobytes(), label) for image, label in pairs]


def test_each_class_has_so_many_and_each_image_is_the_same_again(new: NewImages) -> None:
    assert new.classes == ("cat", "dog")
    assert len(new) == 10
    every = pixels([new[number] for number in range(10)])
    assert [label for _, label in every] == [0] * 5 + [1] * 5
    assert len(set(every)) > 7
    assert pixels(new.__getitems__([7, 0, 3, 9])) == [every[number] for number in (7, 0, 3, 9)]
    assert pixels([new[-1]]) == every[-1:]
    with pytest.raises(IndexError, match="there are 10 images"):
        new[10]


def test_epochs_differ_and_come_again(new: NewImages) -> None:
    first = pixels([new[0], new[1]])
    new.start_epoch(1)
    second = pixels([new[0], new[1]])
    new.start_epoch(0)
    assert not set(first) & set(second)
    assert pixels([new[0], new[1]]) == first


def test_workers_draw_the_same(tree: Path, tiny_model: Path) -> None:
    new = augment(str(tree), count=3, base=str(tiny_model), steps=0, transform=pil_to_tensor)
    alone = [new[number][0] for number in range(len(new))]
    for workers, how in ((2, "fork"), (1, "spawn")):
        loader = DataLoader(new, batch_size=4, num_workers=workers, multiprocessing_context=how)
        drawn = torch.cat([images for images, _ in loader])
        assert torch.equal(drawn, torch.stack(alone))


def test_what_classes_may_come_from(tree: Path, new: NewImages, tiny_model: Path) -> None:
    files = {name: sorted((tree / name).iterdir()) for name in ("cat", "dog")}
    opened = [(Image.open(path), number) for number, name in enumerate(files) for path in files[name]]
    for data in (ImageFolder(tree), files, opened):
        other = augment(data, count=2, base=str(tiny_model), steps=0)
        assert pixels([other[0], other[3]]) == pixels([new[0], new[6]])
    with pytest.raises(InputError, match="without a transform"):
        augment([(torch.zeros(1, 8, 8), 0)])
    with pytest.raises(InputError, match="no images of class 0"):
        augment([(Image.new("L", (8, 8)), 1)])
    with pytest.raises(UsageError, match="size huge"):
        augment(tree, size="huge")


def test_a_tree_as_the_command_makes_it(tree: Path, tiny_model: Path, tmp_path: Path) -> None:
    made = augment_tree(tree, tmp_path / "api", count=2, base=str(tiny_model), steps=0)
    assert (made.classes, made.originals, made.new) == (2, 6, 4)
    assert run("augment", tree, "-o", "command", "-n", 2, "--from", tiny_model, "--steps", 0, cwd=tmp_path).code == 0
    names = [path.relative_to(tmp_path / "api") for path in (tmp_path / "api").rglob("*.*")]
    assert len(names) == 11
    assert all((tmp_path / "api" / name).read_bytes() == (tmp_path / "command" / name).read_bytes() for name in names)
    with pytest.raises(UsageError, match="shots: no setting"):
        augment_tree(tree, tmp_path / "x", shots=3)


@pytest.mark.slow
def test_the_page_trains_a_classifier(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL)
    monkeypatch.chdir(tree.parent)
    names: dict[str, Any] = {}
    exec(code, names)
    seen, net = names["seen"], names["net"]
    with torch.no_grad():
        right = [int(net(seen(image)[None]).argmax()) == label for image, label in ImageFolder("animals")]
    assert sum(right) >= 5
