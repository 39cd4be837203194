"""The metrics, against known answers and against slow implementations of their definitions."""

import itertools
import math

import pytest
import torch
from conftest import gaussian

from metagan_cli.evaluation.metrics import (
    diversity,
    figure,
    kernel_distance,
    kernel_width,
    manifold,
    neighbour_accuracy,
    recognizability,
)
from metagan_cli.rng import generator_for


def test_recognizability_is_the_mean_over_all_choices_of_tasks() -> None:
    prototypes, samples = gaussian("prototypes", 7, 3), gaussian("samples", 7, 4, 3)
    for task in range(7):
        right = []
        for others in itertools.combinations([t for t in range(7) if t != task], 3):
            chosen = prototypes[[task, *others]]
            right += [float((sample - chosen).norm(dim=1).argmin() == 0) for sample in samples[task]]
        assert float(recognizability(prototypes, samples[[task]], torch.tensor([task]), ways=4)) == pytest.approx(
            sum(right) / len(right)
        )


def test_recognizability_of_perfect_and_of_foreign_samples() -> None:
    prototypes = 10 * gaussian("prototypes", 30, 8)
    perfect = prototypes[:, None] + 0.01 * gaussian("noise", 30, 5, 8)
    own = torch.arange(30)
    assert torch.all(recognizability(prototypes, perfect, own) == 1)
    assert torch.all(recognizability(prototypes, perfect[[9, 2]], torch.tensor([9, 2])) == 1)
    chance = recognizability(prototypes, perfect[torch.randperm(30, generator=generator_for(1, "others"))], own)
    assert float(chance.mean()) < 0.1
    random = recognizability(prototypes, 10 * gaussian("random", 30, 200, 8), own)
    assert 0.03 < float(random.mean()) < 0.08  # one in twenty
    with pytest.raises(ValueError, match="5 tasks"):
        recognizability(prototypes[:4], perfect[:4], own[:4])


def test_diversity_is_the_mean_deviation() -> None:
    samples = gaussian("samples", 3, 6, 5)
    slow = [sum(math.sqrt(sum((float(x) - float(c.mean())) ** 2 for x in c) / 5) for c in task.T) / 5 for task in samples]
    assert diversity(samples).tolist() == pytest.approx([x / 0.9515 for x in slow], rel=1e-4)  # c4(6), as tables give it
    assert float(diversity(samples[:, :1].expand(-1, 6, -1)).max()) == 0
    with pytest.raises(ValueError, match="two samples"):
        diversity(samples[:, :1])


def test_diversity_is_the_same_for_few_images_as_for_many() -> None:
    few, many = (float(diversity(gaussian(f"{n}", 400, n, 8)).mean()) for n in (4, 40))
    assert few == pytest.approx(1, abs=0.03)
    assert many == pytest.approx(1, abs=0.03)


def test_kernel_distance_follows_its_formula() -> None:
    real, samples = gaussian("real", 1, 5, 4), 1 + gaussian("fake", 1, 7, 4)
    apart = sorted(float((a - b).norm()) for a, b in itertools.combinations(real[0], 2))
    width = kernel_width(real)
    assert width == pytest.approx(apart[4], rel=1e-4)  # the lower one of the two in the middle

    def kernel(a: torch.Tensor, b: torch.Tensor) -> float:
        return math.exp(-float((a - b).norm()) / width)

    among = sum(
        sum(kernel(a, b) for a, b in itertools.permutations(x[0], 2)) / (n * (n - 1)) for x, n in ((real, 5), (samples, 7))
    )
    across = sum(kernel(a, b) for a in real[0] for b in samples[0]) / 35
    assert float(kernel_distance(real, samples, width)[0]) == pytest.approx(among - 2 * across, rel=1e-4)
    for call in (lambda: kernel_distance(real, samples[:, :1], width), lambda: kernel_width(real[:, :1])):
        with pytest.raises(ValueError, match="two"):
            call()


def test_kernel_distance_is_zero_on_average_for_one_distribution() -> None:
    same = kernel_distance(gaussian("a", 300, 10, 6), gaussian("b", 300, 10, 6), 3.0)
    moved = kernel_distance(gaussian("a", 300, 10, 6), 1 + gaussian("b", 300, 10, 6), 3.0)
    assert abs(float(same.mean())) < 4 * float(same.std()) / math.sqrt(300)
    assert float(moved.mean()) > 20 * float(same.std()) / math.sqrt(300)


def test_manifold_figures_follow_their_definitions() -> None:
    real, samples, k = gaussian("real", 1, 9, 3), 0.7 * gaussian("fake", 1, 7, 3) + 0.3, 2

    def radius(x: torch.Tensor, i: int) -> float:
        return sorted(float((x[i] - x[j]).norm()) for j in range(len(x)) if j != i)[k - 1]

    r, s = real[0], samples[0]
    inside = [[float((a - b).norm()) < radius(r, i) for b in s] for i, a in enumerate(r)]
    found = manifold(real, samples, k)
    assert float(found.precision) == pytest.approx(sum(any(row[j] for row in inside) for j in range(7)) / 7)
    assert float(found.density) == pytest.approx(sum(map(sum, inside)) / (k * 7))
    assert float(found.coverage) == pytest.approx(sum(map(any, inside)) / 9)
    recalled = [any(float((a - b).norm()) < radius(s, j) for j, b in enumerate(s)) for a in r]
    assert float(found.recall) == pytest.approx(sum(recalled) / 9)
    with pytest.raises(ValueError, match="more than 2"):
        manifold(real[:, :2], samples, 2)


def test_manifold_figures_of_good_and_of_lost_samples() -> None:
    real = gaussian("real", 50, 40, 4)
    good, lost = manifold(real, gaussian("good", 50, 40, 4)), manifold(real, 9 + gaussian("lost", 50, 40, 4))
    assert 0.8 < float(good.density.mean()) < 1.2
    assert float(good.coverage.mean()) > 0.8
    assert float(lost.precision.mean()) == float(lost.recall.mean()) == float(lost.density.mean()) == 0


def test_neighbour_accuracy() -> None:
    real = gaussian("real", 200, 12, 5)
    assert float(neighbour_accuracy(real, gaussian("good", 200, 12, 5)).mean()) == pytest.approx(0.5, abs=0.03)
    assert float(neighbour_accuracy(real, 20 + gaussian("lost", 200, 12, 5)).mean()) == 1
    assert float(neighbour_accuracy(real, real + 1e-3).mean()) == 0  # copies of the real images themselves
    assert float(neighbour_accuracy(real, real[:, :3] * 0 + 50).mean()) == 1


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    covered = 0
    for i in range(200):
        found = figure(gaussian(f"tasks {i}", 40))
        covered += found.low <= 0 <= found.high
    assert 180 <= covered <= 198
    alone = figure(torch.tensor([0.25]))
    assert alone.mean == alone.low == alone.high == 0.25
