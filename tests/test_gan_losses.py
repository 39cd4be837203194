"""GAN losses and penalties against their definitions."""

import math

import pytest
import torch

from metagan_cli.learners.game import distinct
from metagan_cli.learners.steps import evened, unit
from metagan_cli.objectives.gan_losses import discriminator_loss, drift_penalty, generator_loss, noise_penalty
from metagan_cli.objectives.thermostat import Thermostat
from metagan_cli.rng import generator_for

REAL, FAKE = torch.tensor([[0.3, -1.0]]), torch.tensor([[-0.2, 0.5]])


def sigma(x: torch.Tensor) -> torch.Tensor:
    return 1 / (1 + (-x).exp())


EXPECTED = {
    "minimax": (-(sigma(REAL).log() + (1 - sigma(FAKE)).log()).mean(), (1 - sigma(FAKE)).log().mean()),
    "non-saturating": (-(sigma(REAL).log() + (1 - sigma(FAKE)).log()).mean(), -sigma(FAKE).log().mean()),
    "relativistic": (-sigma(REAL - FAKE).log().mean(), -sigma(FAKE - REAL).log().mean()),
    "wasserstein": ((FAKE - REAL).mean(), (REAL - FAKE).mean()),
}


@pytest.mark.parametrize("form", EXPECTED)
def test_losses(form: str) -> None:
    upward, downward = EXPECTED[form]
    assert torch.allclose(discriminator_loss(form, REAL, FAKE).mean(), upward, atol=1e-6)
    assert torch.allclose(generator_loss(form, REAL, FAKE).mean(), downward, atol=1e-6)


def test_noise_penalty_measures_the_gradient() -> None:
    weight = torch.randn(2000, generator=generator_for(0, "w"))
    noise = 0.1 * torch.randn(500, 2000, generator=generator_for(0, "n"))
    found = noise_penalty(torch.zeros(500), noise @ weight)  # of a linear critic: 0.1^2 |w|^2 on average
    assert float(found) == pytest.approx(0.01 * float(weight.square().sum()), rel=0.2)


def test_drift_penalty_is_the_squared_margin() -> None:
    assert float(drift_penalty(REAL, FAKE)) == pytest.approx((0.5**2 + 1.5**2) / 2)


def test_evened_gradients_keep_signs_and_order_and_are_below_two() -> None:
    gradient = torch.randn(3, 200, generator=generator_for(0, "evened"))
    even = evened(gradient)
    assert torch.equal(even.sign(), gradient.sign())
    assert even.abs().max() < 2
    assert (even.gather(1, gradient.argsort(1)).diff(dim=1) >= 0).all()
    assert torch.allclose(evened(1e-3 * gradient), even, atol=1e-5)
    assert even.square().mean().sqrt().item() == pytest.approx(0.9, abs=0.15)
    assert evened(torch.zeros(1, 5)).abs().max() == 0


def test_unit_has_root_mean_square_one_in_each_task() -> None:
    gradient = torch.randn(3, 50, generator=generator_for(0, "g")) * torch.tensor([[1e-6], [1.0], [1e6]])
    assert torch.allclose(unit(gradient).square().mean(1), torch.ones(3), atol=1e-3)
    assert unit(torch.zeros(1, 5)).abs().max() == 0


def test_distinct_never_repeats() -> None:
    chosen = distinct(4, 5, 100, 3, generator_for(0, "d"))
    assert chosen.shape == (4, 100, 3)
    assert int(chosen.min()) == 0
    assert int(chosen.max()) == 4
    assert (chosen.sort(-1).values.diff(dim=-1) > 0).all()


def test_thermostat() -> None:
    thermostat = Thermostat(1.0)
    for _ in range(100):
        thermostat.watch(0.0)
    assert thermostat.weight > 2  # the critic wins: more penalty
    assert not thermostat.generator_waits()
    for _ in range(300):
        thermostat.watch(math.log(2))
    assert thermostat.weight < 1
    waited = [
        thermostat.generator_waits() for _ in range(4 * (Thermostat.PATIENCE + 1))
    ]  # it lost its lead: the generator waits, but not for ever
    assert waited == ([True] * Thermostat.PATIENCE + [False]) * 4
    again = Thermostat(1.0)
    again.restore(thermostat.figures())
    assert again.figures() == thermostat.figures()
