"""The copy test, the domain measure and the gain's classifier: they tell apart what they are for."""

from typing import Any

import pytest
import torch

from metagan_cli.data.sources.doodles import Doodles
from metagan_cli.errors import UsageError
from metagan_cli.evaluation.domain import domain_from_dict, fit_domain
from metagan_cli.evaluation.gain import by_prototypes
from metagan_cli.evaluation.judges import PROJECTION, build_judges, see
from metagan_cli.images.copies import copy_report, distances, spread
from metagan_cli.rng import generator_for


def task(number: int, count: int, size: int = 64) -> torch.Tensor:
    """A doodle task [count, 1, size, size] in [-1, 1]."""
    return Doodles(size).draw(number, count, generator_for(number, "test"))[:, None].float() / 127.5 - 1


def test_distances() -> None:
    images = task(3, 6)
    apart = distances(images, images)
    assert apart.diagonal().max() < 1e-5
    assert (apart - apart.T).abs().max() < 0.1
    assert distances(images[:1], images[:1].roll((2, -2), (2, 3)))[0, 0] < 0.02  # small shifts do not count
    assert float(distances(images, task(8, 6)).mean()) > 2 * spread(images)


def test_copies_are_seen_and_new_drawings_are_not() -> None:
    for number in range(6):
        images = task(number, 30)
        support, unseen = images[:5], images[5:]
        copies = support[torch.arange(25) % 5].roll((1, 1), (2, 3)) + 0.05 * torch.randn(25, 1, 64, 64)
        assert copy_report(copies, support).copies == 25
        assert copy_report(unseen, support).copies <= 12
        assert copy_report(unseen, support).nearest > 3 * copy_report(copies, support).nearest


def test_report_of_one_example_and_one_sample() -> None:
    report = copy_report(task(1, 1), task(1, 1))
    assert report.copies == 1
    assert report.spread == 0
    assert report.examples_nearest is None
    assert report.as_dict()["nearest"] == 0


def test_domain_knows_near_from_far() -> None:
    domain = fit_domain([task(number, 4) for number in range(120)])
    near = [domain.distance(task(number, 5)) for number in range(200, 230)]
    assert sorted(near)[25] < 1
    rng = generator_for(0, "noise")
    noise = torch.rand(5, 1, 64, 64, generator=rng) * 2 - 1
    shades = torch.linspace(-1, 1, 64).expand(5, 1, 64, 64)
    assert domain.distance(noise) > 3
    assert domain.distance(shades) > 3
    again = domain_from_dict(domain.as_dict())
    assert again.distance(noise) == domain.distance(noise)


@pytest.mark.parametrize("change", [{"mean": [0.0]}, {"precision": [[1.0]]}, {"far": 0}, {"far": "near"}, {"other": 1}])
def test_what_is_no_domain(change: dict[str, Any]) -> None:
    values = fit_domain([task(number, 4) for number in range(9)]).as_dict()
    with pytest.raises(UsageError, match="domain"):
        domain_from_dict(values | change)


def test_a_classifier_begins_with_the_nearest_mean() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = build_judges(1).identity.eval()
    real, test = (torch.stack([see(task(number, 8)[part]) for number in range(4)]) for part in (slice(5), slice(5, 8)))
    layer = by_prototypes(net, real)
    with torch.no_grad():
        means = torch.stack([net(pictures)[1].mean(0) for pictures in real])
        features = net(test.flatten(0, 1))[1]
        near = -torch.cdist(features, means, compute_mode="donot_use_mm_for_euclid_dist").square()
        scores = layer(features)
    assert layer.weight.shape == (4, PROJECTION)
    assert torch.allclose(scores - scores[:, :1], near - near[:, :1], atol=1e-3)
