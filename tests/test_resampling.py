"""Sampling between pixels, against torch's own and against finite differences."""

import pytest
import torch
import torch.nn.functional as F

from metagan_cli.images.resampling import Sample, sample_bicubic, sample_bilinear, sample_pictures, twice_differentiable
from metagan_cli.rng import generator_for

both = pytest.mark.parametrize(("sample", "mode"), [(sample_bilinear, "bilinear"), (sample_bicubic, "bicubic")])


@both
def test_it_is_grid_sample(sample: Sample, mode: str) -> None:
    rng = generator_for(0, "bilinear")
    images, grid = torch.randn(3, 2, 9, 9, generator=rng), 2.6 * torch.rand(3, 5, 7, 2, generator=rng) - 1.3
    its = F.grid_sample(images, grid, mode=mode, align_corners=False)
    assert torch.equal(sample(images, grid), its)
    with twice_differentiable():
        ours = sample(images, grid)
    assert ours.shape == its.shape
    assert torch.allclose(ours, its, atol=1e-5)


@both
def test_both_derivatives(sample: Sample, mode: str) -> None:
    rng = generator_for(0, "bilinear")
    images = torch.randn(1, 1, 4, 4, generator=rng, dtype=torch.float64, requires_grad=True)
    grid = (1.6 * torch.rand(1, 2, 3, 2, generator=rng, dtype=torch.float64) - 0.8).requires_grad_()
    with twice_differentiable():
        assert torch.autograd.gradcheck(sample, (images, grid))
        assert torch.autograd.gradgradcheck(sample, (images, grid))


def test_beyond_a_plain_border_the_ground_goes_on_and_beyond_others_the_mirror_image() -> None:
    plain = torch.tensor([0.5, -0.2, 0.9]).view(3, 1, 1).expand(3, 16, 16).clone()
    plain[:, 5:16, 7:9] = -1.0  # a stem that touches the border
    full = torch.randn(3, 16, 16, generator=generator_for(0, "full")).clamp(-1, 1)
    straight = F.affine_grid(2 * torch.eye(2, 3).expand(2, -1, -1), [2, 3, 32, 32], align_corners=False)
    small = sample_pictures(torch.stack([plain, full]), straight)
    assert torch.allclose(small[:, :, 8:24, 8:24], torch.stack([plain, full]), atol=1e-5)
    assert torch.allclose(small[0, :, 25:], plain[:, :1, :1].expand(3, 7, 32), atol=1e-5)
    assert torch.allclose(small[1, :, 8:24, 25:31], full[:, :, 8:14].flip(2), atol=1e-5)
