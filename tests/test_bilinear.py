"""Bilinear sampling, against torch's own and against finite differences."""

import torch
import torch.nn.functional as F

from metagan_cli.bilinear import sample_bilinear, twice_differentiable
from metagan_cli.rng import generator_for


def test_it_is_grid_sample() -> None:
    rng = generator_for(0, "bilinear")
    images, grid = torch.randn(3, 2, 9, 9, generator=rng), 2.6 * torch.rand(3, 5, 7, 2, generator=rng) - 1.3
    its = F.grid_sample(images, grid, align_corners=False)
    assert torch.equal(sample_bilinear(images, grid), its)
    with twice_differentiable():
        ours = sample_bilinear(images, grid)
    assert ours.shape == its.shape and torch.allclose(ours, its, atol=1e-5)


def test_both_derivatives() -> None:
    rng = generator_for(0, "bilinear")
    images = torch.randn(1, 1, 4, 4, generator=rng, dtype=torch.float64, requires_grad=True)
    grid = (1.6 * torch.rand(1, 2, 3, 2, generator=rng, dtype=torch.float64) - 0.8).requires_grad_()
    with twice_differentiable():
        assert torch.autograd.gradcheck(sample_bilinear, (images, grid))
        assert torch.autograd.gradgradcheck(sample_bilinear, (images, grid))
