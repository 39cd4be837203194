"""The simple methods, and the gain from generated images."""

import pytest
import torch

from metagan_cli.data.sources.doodles import Doodles
from metagan_cli.evaluation import gain
from metagan_cli.evaluation.gain import augmentation_gain
from metagan_cli.evaluation.judges import build_judges
from metagan_cli.evaluation.references import JITTERS, jittered
from metagan_cli.images.copies import distances
from metagan_cli.rng import generator_for, seeded


def tasks(count: int, images: int) -> torch.Tensor:
    """Doodle tasks [count, images, 1, 64, 64] in [-1, 1]."""
    drawn = [Doodles(64).draw(100 + t, images, generator_for(t, "references")) for t in range(count)]
    return torch.stack(drawn)[:, :, None].float() / 127.5 - 1


def test_jittered_copies_go_further_the_stronger() -> None:
    support = tasks(1, 3)[0]
    apart = []
    for strength in JITTERS:
        copies = jittered(support, 30, strength)
        assert copies.shape == (30, 1, 64, 64)
        assert torch.equal(copies, jittered(support, 30, strength))
        apart.append(float(distances(copies, support).amin(1).mean()))
    assert 0 < apart[0] < apart[1] < apart[2]


@pytest.mark.slow
def test_real_images_help_a_classifier_and_foreign_ones_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gain, "FEWEST_STEPS", 60)
    monkeypatch.setattr(gain, "BATCH", 16)
    monkeypatch.setattr(gain, "RATE", 1e-3)  # a net that has learned nothing yet learns all of it here
    drawn = tasks(20, 20)
    real, more, test = drawn[:, :1], drawn[:, 1:11], drawn[:, 11:]
    with seeded(generator_for(0, "net")):
        net = build_judges(1).identity
    helped = augmentation_gain(net, real, more, test)
    harmed = augmentation_gain(net, real, more.roll(1, 0), test)
    assert helped.shots == 1
    assert helped.real == harmed.real
    assert helped.generated > helped.real + 0.03
    assert helped.generated > 0.85
    assert harmed.generated < helped.real - 0.1
    with pytest.raises(ValueError, match="two tasks"):
        augmentation_gain(net, real[:1], more[:1], test[:1])
