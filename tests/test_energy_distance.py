"""The energy score: unbiased, and least for samples that are spread like real images."""

import math

import pytest
import torch

from metagan_cli.data.sources.doodles import Doodles
from metagan_cli.objectives.energy_distance import BY_SIGNATURES, Yardstick, by_features, energy_by_task, energy_score, signatures
from metagan_cli.ranks import Part, Ranks
from metagan_cli.rng import generator_for

TASKS = range(40, 52)


def drawings(task: int, count: int, stream: str = "test") -> torch.Tensor:
    """Drawings [1, count, 1, 64, 64] of a doodle task."""
    return Doodles(64).draw(task, count, generator_for(task, stream))[None, :, None].float() / 127.5 - 1


def many(count: int, stream: str) -> torch.Tensor:
    """Drawings of all TASKS [B, count, 1, 64, 64]."""
    return torch.cat([drawings(task, count, stream) for task in TASKS])


@pytest.mark.parametrize("by", [BY_SIGNATURES, by_features(signatures), by_features(signatures, square=0.5)])
def test_it_follows_its_formula(by: Yardstick) -> None:
    real, fake = drawings(3, 4), drawings(5, 6)
    total = 0.0
    for r, f in zip(signatures(real), signatures(fake), strict=True):
        unit = sum(float((r[0, i] - r[0, j]).norm()) for i in range(4) for j in range(4) if i != j) / 12

        def unlike(a: torch.Tensor, b: torch.Tensor, unit: float = unit) -> float:
            d = float((a - b).norm()) / unit
            return by.straight * d + by.kernel * (1 - math.exp(-d / by.reach)) + by.square * d**2

        across = sum(unlike(a, b) for a in r[0] for b in f[0]) / 24
        among_real = sum(unlike(r[0, i], r[0, j]) for i in range(4) for j in range(4) if i != j) / 12
        apart = [unlike(f[0, i], f[0, j]) for i in range(6) for j in range(6) if i // 2 != j // 2]  # not within a run of 2
        total += 2 * across - among_real - sum(apart) / len(apart)
    assert abs(float(energy_score(real, fake, 2, by)) - total / len(signatures(real))) < 0.02


def test_only_the_pairs_that_count_are_compared() -> None:
    real, fake = drawings(3, 4), drawings(5, 6)
    by = Yardstick(lambda images: [images.flatten(2)], straight=1.0, kernel=0.0, reach=1.0)
    apart = torch.cdist(fake.flatten(2), real.flatten(2))
    unit = torch.cdist(real.flatten(2), real.flatten(2)).sum() / 12
    counted = (torch.arange(6)[:, None] % 4 != torch.arange(4))[None].float()  # each sample but for one image of its own
    expected = 2 * ((apart * counted).sum() / 18 - apart.mean()) / unit
    found = energy_by_task(real, fake, by=by, counted=counted) - energy_by_task(real, fake, by=by)
    assert float(found) == pytest.approx(float(expected), abs=1e-4)
    assert abs(float(expected)) > 1e-3


def test_its_square_is_the_distance_between_the_means_whatever_the_variety() -> None:
    """Over many draws twice the squared distance, in units of the mean distance between real images; variety costs nothing."""
    by = Yardstick(lambda images: [images.flatten(2)], straight=0.0, kernel=0.0, reach=1.0, square=1.0)
    rng, found = generator_for(0, "square"), []
    for spread in (0.0, 1.0, 3.0):
        real, fake = (torch.randn(4000, 6, 1, 1, 5, generator=rng) for _ in range(2))
        scores = [energy_by_task(real, spread * fake + away, by=by).mean() for away in (0.0, 1.5)]
        found.append([float(score) for score in scores])
    unit = torch.cdist(real.flatten(2), real.flatten(2)).sum((1, 2)) / 30
    expected = float((2 * 5 * 1.5**2 / unit.square()).mean())
    for centred, moved in found:
        assert centred == pytest.approx(0, abs=0.15)
        assert moved == pytest.approx(expected, rel=0.1)


def test_real_drawings_score_zero_on_average() -> None:
    scores = [float(energy_score(many(6, f"a{i}"), many(5, f"b{i}"))) for i in range(8)]
    assert abs(sum(scores) / len(scores)) < 0.05
    assert min(scores) < 0 < max(scores) or max(map(abs, scores)) < 0.05


def test_copies_wild_samples_and_other_tasks_score_worse_than_real_ones() -> None:
    real, other = many(8, "real"), many(8, "other")
    copies = many(1, "base").expand(-1, 8, -1, -1, -1)
    shifted = torch.stack([copies[:, i].roll((i % 3, i % 5), (2, 3)) for i in range(8)], 1)
    outlier = copies.clone()
    outlier[:, 0] = other[:, 0].roll(1, 0)
    wild = torch.where(torch.rand(real.shape, generator=generator_for(0, "dirt")) < 0.05, -other, other)
    good = float(energy_score(real, other))
    for worse in (copies, shifted, outlier, wild, other.roll(1, 0), 0.85 * other - 0.1):
        assert float(energy_score(real, worse)) > good + 0.1


def test_its_gradient_pushes_copies_towards_variety() -> None:
    real, base = drawings(3, 8), drawings(3, 1, "base").expand(-1, 8, -1, -1, -1)
    fake = (base + 0.05 * torch.randn(base.shape, generator=generator_for(0, "noise"))).requires_grad_()
    before = energy_score(real, fake)
    (gradient,) = torch.autograd.grad(before, fake)
    assert gradient.isfinite().all()
    assert energy_score(real, fake - 0.2 * gradient / gradient.norm()) < before


def test_blank_images_and_samples_beyond_the_range_keep_a_finite_gradient() -> None:
    fake = torch.full((1, 4, 1, 64, 64), -1.05, requires_grad=True)
    energy_score(torch.full((1, 4, 1, 64, 64), -1.0), fake, 2).backward()
    assert fake.grad is not None
    assert fake.grad.isfinite().all()


def test_every_task_has_its_own_unit_unless_its_images_are_all_but_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    real, fake = (many(8, stream)[:2] for stream in ("real", "other"))
    dim = real.clone()
    dim[0] = -1 + 0.5 * (dim[0] + 1)  # the first task's images differ half as much
    together, alone = energy_by_task(dim, fake), [energy_by_task(dim[i : i + 1], fake[i : i + 1]) for i in (0, 1)]
    assert torch.allclose(together, torch.cat(alone), atol=1e-3)
    dim[0] = dim[0, :1] + 1e-3 * dim[0]
    together, alone = energy_by_task(dim, fake), [energy_by_task(dim[i : i + 1], fake[i : i + 1]) for i in (0, 1)]
    assert torch.allclose(together[1], alone[1], atol=1e-3)
    assert together[0] < 0.5 * alone[0]
    told = list[torch.Tensor]()  # of the whole batch, kind by kind: what a process that has a part of it hears from the others

    def gather(part: Part, own: torch.Tensor) -> torch.Tensor:
        if not part.whole:
            return told.pop(0)
        told.append(own)
        return own

    monkeypatch.setattr(Part, "gather", gather)
    energy_by_task(dim, fake, part=Ranks().part(2))
    parted = energy_by_task(dim[:1], fake[:1], part=Ranks(0, 2).part(2))
    assert torch.allclose(parted, together[:1], atol=1e-3)
    assert not told


def test_colour() -> None:
    real = many(8, "real").expand(-1, -1, 3, -1, -1)
    tinted = real.clone()
    tinted[:, :, 0] *= 0.2
    assert float(energy_score(real, tinted)) > float(energy_score(real, many(8, "other").expand(-1, -1, 3, -1, -1))) + 0.1


def test_a_single_pack_is_not_best_off_without_variety() -> None:
    real, fake = many(8, "real"), many(2, "fake")
    alike = fake[:, :1].expand_as(fake)
    for queries in (2, 4):  # one pack, and two
        varied, same = (images.repeat(1, queries // 2, 1, 1, 1) for images in (fake, alike))
        assert energy_score(real, varied, 2) < energy_score(real, same, 2)
