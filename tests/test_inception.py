"""FID and KID: figures against known answers, and a net that is used only where its weights lie already."""

from pathlib import Path

import pytest
import torch
from conftest import gaussian
from torchvision.models import inception_v3

from metagan_cli.evaluation.inception import FID_IMAGES, WEIGHTS, cached_inception, inception_features, inception_figures


def test_figures_of_known_distributions() -> None:
    real = gaussian("real", FID_IMAGES, 4)
    moved = inception_figures(real, torch.tensor([2.0, 1.0, 1.0, 1.0]) * gaussian("other", FID_IMAGES, 4) + 1)
    assert moved["fid"] == pytest.approx(4 + (2 - 1) ** 2, rel=0.1)  # moved by 1 in four features, and twice as wide in one
    same = inception_figures(real, gaussian("same", FID_IMAGES, 4))
    assert same["fid"] < 0.02
    assert abs(same["kid"]) < 0.01 < moved["kid"]


def test_what_few_images_cannot_tell_is_missing() -> None:
    assert set(inception_figures(gaussian("a", 50, 4), gaussian("b", 900, 4))) == {"kid"}
    assert inception_figures(gaussian("a", 1, 4), gaussian("b", 900, 4)) == {}


def test_the_net_is_used_where_its_weights_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    assert cached_inception() is None
    torch.manual_seed(0)
    (tmp_path / "checkpoints").mkdir()
    torch.save(inception_v3(weights=None, init_weights=False).state_dict(), tmp_path / "checkpoints" / WEIGHTS)
    net = cached_inception()
    assert net is not None
    features = inception_features(net, gaussian("gray", 2, 1, 32, 32).clamp(-1, 1))
    assert features.shape == (2, 2048)
    assert not torch.equal(features[0], features[1])
