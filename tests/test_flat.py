"""Flat stays flat: even regions, and what the generator makes of flat-coloured pictures and of others."""

from dataclasses import replace

import pytest
import torch
from conftest import TINY, gaussian, stirred

from metagan_cli.config import VariationRules
from metagan_cli.evaluation.plain import flatness
from metagan_cli.images.regions import EVEN, are_areas, even_areas, even_regions, region_means
from metagan_cli.learners.base import seen
from metagan_cli.networks.generator.flat import follow_regions, palette_of
from metagan_cli.networks.generator.repaint import REACH
from metagan_cli.networks.state import draw_latents
from metagan_cli.rng import generator_for

SIDE = 32
GROUNDS, INKS = ((1.0, 1.0, 0.6), (0.6, 0.8, 1.0)), ((0.8, -0.6, -0.6), (-0.8, 0.2, -0.4), (-0.2, -0.8, 0.4))


def picture(ground: tuple[float, ...], ink: tuple[float, ...], place: int) -> torch.Tensor:
    """[3, SIDE, SIDE]: a square of ink on a ground, at odd places: no pixel art."""
    image = torch.tensor(ground)[:, None, None].repeat(1, SIDE, SIDE)
    image[:, 7 + place : 20 + place, 9 - place : 22 - place] = torch.tensor(ink)[:, None, None]
    return image


def flat_folder() -> torch.Tensor:
    """Support images [1, 3, 3, SIDE, SIDE]."""
    return torch.stack([picture(GROUNDS[i % 2], INKS[i], 2 * i) for i in range(3)])[None]


def drawn(support: torch.Tensor, follows: bool) -> torch.Tensor:
    """Samples [12, 3, SIDE, SIDE] in [-1, 1] of networks whose repaint does much."""
    nets = stirred(replace(TINY, channels=3))
    nets.generator.rules = VariationRules(repaint=(1.0, 1.0))
    nets.generator.follows = follows
    with torch.no_grad():
        latents = draw_latents(1, 12, nets.generator.latent_sizes, generator_for(0, "latents"))
        return torch.as_tensor(nets.generator(latents, seen(nets, support))[0][0]) / REACH


def by_union_find(image: torch.Tensor, apart: float) -> list[int]:
    """The regions of an image [C, S, S], slowly."""
    side = image.shape[-1]
    stands = list(range(side * side))

    def find(a: int) -> int:
        while stands[a] != a:
            a = stands[a]
        return a

    for y in range(side):
        for x in range(side):
            for down, right in ((0, 1), (1, 0)):
                if y + down < side and x + right < side:
                    other = image[:, y + down, x + right]
                    if (image[:, y, x] - other).abs().max() <= apart:
                        a, b = find(y * side + x), find((y + down) * side + x + right)
                        stands[min(a, b)] = max(a, b)
    return [find(a) for a in range(side * side)]


@pytest.mark.parametrize("levels", [1, 2, 4])
def test_even_regions_against_union_find(levels: int) -> None:
    images = (gaussian(f"levels {levels}", 4, 3, 14, 14) * levels / 2).round()
    found = even_regions(images, 0.5)
    for image, regions in zip(images, found, strict=True):
        assert regions.tolist() == by_union_find(image, 0.5)


def test_a_winding_region_is_one() -> None:
    image = torch.zeros(1, 1, 15, 15)
    image[..., 1::4, :-1] = image[..., 3::4, 1:] = 1.0
    assert even_regions(image, 0.5).view(15, 15)[image[0, 0] == 0].unique().numel() == 1


def test_means_over_regions() -> None:
    image = picture(GROUNDS[0], INKS[0], 0)[None]
    regions, field = even_regions(image, EVEN), gaussian("field", 1, 2, SIDE, SIDE)
    means = region_means(field, regions)
    inside = image[0, 0] == INKS[0][0]
    assert torch.allclose(means[0][:, inside], field[0][:, inside].mean(1, keepdim=True), atol=1e-6)
    assert torch.allclose(means[0][:, ~inside], field[0][:, ~inside].mean(1, keepdim=True), atol=1e-6)


def test_areas_are_thicker_than_lines() -> None:
    image = torch.zeros(1, 1, 12, 12)
    image[..., 5:7, :] = 1.0  # a line of two pixels
    area = are_areas(even_regions(image, 0.5), 12)
    assert torch.equal(area, image == 0)
    image[..., 5:8, 3:6] = 1.0
    assert are_areas(even_regions(image, 0.5), 12).all()


def test_flat_pictures_stay_flat_in_the_folder_s_colours() -> None:
    support = flat_folder()
    mottled, clean = drawn(support, follows=False), drawn(support, follows=True)
    assert flatness(mottled).mean() < 0.2
    assert flatness(clean).min() > 0.7
    for sample in clean:
        regions = even_regions(sample[None], EVEN)
        colours = region_means(sample[None], regions)[0][:, are_areas(regions, SIDE)[0, 0]].T
        allowed = torch.tensor([*GROUNDS, *INKS])
        assert torch.cdist(colours, allowed).amin(1).max() < 0.02
        corner = sample[:, 0, 0]
        assert torch.cdist(corner[None], torch.tensor(GROUNDS)).min() < 0.02  # a ground's colour stays a ground's


def test_pictures_without_even_regions_are_as_painted() -> None:
    support = gaussian("photographs", 1, 3, 3, SIDE, SIDE).clamp(-0.9, 0.9)
    assert torch.equal(drawn(support, follows=True), drawn(support, follows=False))


def test_a_picture_with_few_even_regions_keeps_to_no_palette() -> None:
    support = gaussian("photographs", 1, 3, 3, SIDE, SIDE).clamp(-0.9, 0.9)
    support[..., :8, :] = 0.95  # a clear sky
    palette = palette_of(support)
    assert not palette.flat.any()
    warped, painted = support[0], (support[0] + 0.3 * gaussian("paint", 3, 3, SIDE, SIDE)).clamp(-1, 1)
    moved = follow_regions(painted, warped, warped, even_areas(warped, EVEN), palette)
    assert torch.equal(moved[..., 8:, :], painted[..., 8:, :])
    sky = moved[..., :8, :].flatten(2)
    assert torch.allclose(sky, sky[..., :1].expand_as(sky), atol=1e-6)
    assert not torch.allclose(sky[..., 0], warped[..., 0, 0], atol=1e-3)


def test_gradients_reach_the_paint_through_its_regions() -> None:
    warped = 0.8 * flat_folder()[0]
    painted = (warped + 0.1).requires_grad_()
    moved = follow_regions(painted, warped, warped, even_areas(warped, EVEN), palette_of(warped[None]))
    moved.sum().backward()
    assert painted.grad is not None
    assert painted.grad.abs().min() > 0


def test_tasks_keep_to_their_own_colours() -> None:
    first, second = flat_folder()[0], -flat_folder()[0]
    both = palette_of(torch.stack([first, second]))
    warped = torch.cat([first, second])
    moved = follow_regions((warped + 0.2).clamp(-1, 1), warped, warped, even_areas(warped, EVEN), both)
    alone = follow_regions((first + 0.2).clamp(-1, 1), first, first, even_areas(first, EVEN), palette_of(first[None]))
    assert torch.allclose(moved[:3], alone, atol=1e-5)


def test_a_thing_is_not_lost_in_the_ground_when_it_is_tinted() -> None:
    """Gray squares made lighter: the white of the hole in them is nearer than their own gray, and would hide them."""
    support = torch.stack([picture((1.0, 1.0, 1.0), (0.2, 0.2, 0.2), 2 * i) for i in range(3)])
    support[0, :, 11:16, 13:18] = 1
    light = torch.where(support < 0.5, 0.65, support)
    moved = follow_regions(light, light, support, even_areas(support, EVEN), palette_of(support[None]))
    assert moved[:, 0].amin((1, 2)) == pytest.approx([0.2] * 3, abs=1e-3)


def test_a_thing_in_the_corner_keeps_its_colour() -> None:
    """A badge whose corner another image filled: it is not the ground's colour that it takes."""
    support = torch.stack([picture((1.0, 1.0, 1.0), (-0.6, 0.0, 0.6), 2 * i) for i in range(3)])
    cornered = support.clone()
    cornered[:, :, :20, :22] = torch.tensor([-0.6, 0.0, 0.6])[:, None, None]
    moved = follow_regions(cornered, cornered, cornered, even_areas(cornered, EVEN), palette_of(support[None]))
    assert (moved - cornered).abs().max() < 1e-4


def test_what_differs_by_noise_alone_changes_as_one() -> None:
    """Two reds of a noisy file are made darker: both change by the same, and keep their noise."""
    support = torch.stack([picture((1.0, 1.0, 1.0), ink, 0) for ink in ((0.8, -0.6, -0.6), (0.4, -0.8, -0.7), (0.1, -0.9, -0.8))])
    noisy = support[:1].clone()
    noisy[:, 0, :14] -= 0.06 * (noisy[:, 0, :14] < 1)
    dark = torch.where(noisy < 1, noisy - torch.tensor([0.22, 0.1, 0.05])[:, None, None], noisy)
    moved = follow_regions(dark, dark, noisy, even_areas(noisy, EVEN), palette_of(support[None]))
    changed = (moved - noisy)[0, :, 9:18, 11:20].flatten(1)
    assert changed.std(1).max() < 1e-4 < changed.abs().amax()
