"""The feature nets: what they see, how they are stored, and that their training works."""

import itertools
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from metagan_cli.config import DataConfig
from metagan_cli.data.sources.doodles import Doodles
from metagan_cli.data.sources.open import open_source
from metagan_cli.errors import CheckpointError
from metagan_cli.evaluation.judges import DESCRIPTION, PROJECTION, SIDE, build_judges, see
from metagan_cli.rng import generator_for
from metagan_cli.store.features import load_judges, save_judges
from recipes import train_judges


def drawings(count: int) -> torch.Tensor:
    return Doodles(64).draw(5, count, generator_for(0, "judges"))[:, None].float() / 127.5 - 1


def in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has the clock of the trainings go on by one second a step, on any machine."""
    monkeypatch.setattr(train_judges, "time", SimpleNamespace(monotonic=itertools.count().__next__))


def test_gray_pictures_are_stretched_and_binarised() -> None:
    images = drawings(4)
    seen = see(images)
    assert seen.shape == (4, 1, SIDE, SIDE)
    assert set(seen.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(seen, see(0.3 * images - 0.2))  # contrast tells nothing
    assert torch.equal(see(-torch.ones(1, 1, 64, 64)), torch.zeros(1, 1, SIDE, SIDE))


def test_gray_pictures_are_centred() -> None:
    images = F.pad(drawings(4)[:, :, 8:-8, 8:-8], (8, 8, 8, 8), value=-1)
    moved = images.roll((4, -6), (2, 3))
    assert (see(images) != see(moved)).float().mean() < 0.1 * (see(images) > 0).float().mean()


def test_colour_keeps_its_values() -> None:
    seen = see(torch.full((1, 3, 64, 64), 0.5))
    assert seen.shape == (1, 3, SIDE, SIDE)
    assert torch.allclose(seen, torch.tensor(0.75))


@pytest.mark.parametrize("channels", [1, 3])
def test_file_round_trip(channels: int, tmp_path: Path) -> None:
    torch.manual_seed(0)
    judges, path = build_judges(channels), tmp_path / "judges.safetensors"
    written = save_judges(path, judges, {"seed": 0})
    read, digest = load_judges(path)
    images = drawings(3).expand(-1, channels, -1, -1)
    judges.identity.eval(), judges.description.eval()
    assert digest == written
    assert read.channels == channels
    assert read.identify(images).shape == (3, PROJECTION)
    assert read.describe(images).shape == (3, DESCRIPTION)
    assert torch.allclose(read.identify(images), judges.identify(images), atol=2e-2)
    assert torch.allclose(read.describe(images[:1]), read.describe(images)[:1], atol=1e-5)  # nothing depends on the batch


def test_another_file_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="kind 'model', not judges"):
        load_judges(tiny_model)


@pytest.mark.slow
@pytest.mark.parametrize("net", ["identity", "description"])
def test_training_lowers_the_loss(net: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_judges, "WAYS", 12)
    monkeypatch.setattr(train_judges, "BATCH", 24)
    torch.manual_seed(0)
    sources, weights = [open_source(DataConfig(), SIDE, 1).train], torch.ones(1)
    judged = getattr(build_judges(1), net)

    def loss(step: int) -> torch.Tensor:
        return train_judges.LOSSES[net](judged, sources, weights, 0, step)

    before = sum(loss(step).item() for step in range(1000, 1004))
    in_steps(monkeypatch)
    assert train_judges.fit(judged, loss, 40) == 39
    assert sum(loss(step).item() for step in range(1000, 1004)) < 0.9 * before


@pytest.mark.slow
def test_the_stage_with_classes_teaches_to_tell_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(train_judges, "CLASS_BATCH", 32)
    monkeypatch.setattr(train_judges, "CLASS_WAYS", 4)
    images = torch.stack([Doodles(32).draw(number, 6, generator_for(0, "classes")) for number in range(4)])
    np.savez(
        tmp_path / "tasks.npz", images=images.flatten(0, 1).numpy(), labels=np.arange(4).repeat(6), names=np.array(list("abcd"))
    )
    torch.manual_seed(0)
    source = open_source(DataConfig(str(tmp_path / "tasks.npz")), SIDE, 1).train
    taught = train_judges.Recogniser(build_judges(1).identity, source, drawn=3)
    assert taught.ahead.shape == ((source.tasks(1) + 3) * 8, PROJECTION)
    labels = taught.labels(4000, generator_for(0, "labels")) // 8
    assert set(labels.tolist()) == set(range(len(taught.images)))
    assert float((labels >= taught.known).float().mean()) == pytest.approx(train_judges.DRAWN_SHARE, abs=0.05)

    def loss(step: int) -> torch.Tensor:
        return train_judges.LOSSES["classes"](taught, [source], torch.ones(1), 0, step)

    before = sum(loss(step).item() for step in range(1000, 1008))
    in_steps(monkeypatch)
    assert train_judges.fit(taught, loss, 40) == 39
    assert sum(loss(step).item() for step in range(1000, 1008)) < 0.9 * before


def test_the_eight_orientations_differ_and_keep_the_square() -> None:
    maps = torch.stack([train_judges.orientation(number) for number in range(8)])
    assert torch.equal(maps.abs().sum(1), torch.ones(8, 2))
    assert len({tuple(m.flatten().tolist()) for m in maps}) == 8


def test_distortions_keep_the_drawing_in_place() -> None:
    images = drawings(60)
    moved = train_judges.distort(images, generator_for(0, "distort"))
    assert moved.shape == images.shape
    assert not torch.equal(moved, images)
    ink = [((x + 1) / 2).mean((1, 2, 3)) for x in (images, moved)]
    assert (ink[1] > 0.3 * ink[0]).all()
    assert float(ink[1].mean() / ink[0].mean()) == pytest.approx(1, abs=0.3)
