"""Paints: what a folder's pictures are painted with, of drawn folders whose paints are known."""

import pytest
import torch
import torch.nn.functional as F

from metagan_cli.images.paints import EDGE, PAINTS, Paints, covered, edges_of, mixed, paints_of, shares_of, with_soft_edges
from metagan_cli.images.styling import NEVER, blurred

SIDE = 32
WHITE, RED, BLUE, BLACK = (torch.tensor(c) for c in ([1.0, 1, 1], [0.8, -0.6, -0.6], [-0.7, -0.5, 0.9], [-1.0, -1, -1]))


def painted(ground: torch.Tensor, *fills: torch.Tensor) -> torch.Tensor:
    """An image [C, S, S] with a square of each colour side by side."""
    image = ground[:, None, None].expand(-1, SIDE, SIDE).clone()
    for number, fill in enumerate(fills):
        image[:, 8:20, 2 + 10 * number : 10 + 10 * number] = fill[:, None, None]
    return image


def gray(*tones: float) -> torch.Tensor:
    return painted(torch.tensor([-1.0]), *(torch.tensor([tone]) for tone in tones))


def found(paints: Paints, number: int = 0) -> list[list[float]]:
    """The colours of a folder that are there, to two decimals."""
    return [[round(value, 2) for value in colour] for colour in paints.colours[number][paints.there[number]].tolist()]


def test_gray_folders_have_ground_ink_and_a_tone_if_there_is_one() -> None:
    two = torch.stack([gray(1.0), gray(1.0, 1.0)])
    three = torch.stack([gray(1.0, 0.2), gray(0.2)])
    paints = paints_of(torch.stack([two, three]))
    assert paints.colours.shape == (2, PAINTS[1], 1)
    assert found(paints, 0) == [[-1.0], [1.0]]
    assert found(paints, 1) == [[-1.0], [1.0], [0.2]]


def test_gray_ink_may_be_pale_and_a_tone_light() -> None:
    pale = torch.stack([gray(0.5, -0.75), gray(0.5)])
    assert found(paints_of(pale[None])) == [[-1.0], [0.5], [-0.75]]
    assert found(paints_of(torch.stack([gray(0.85), gray(0.85)])[None])) == [[-1.0], [1.0]]  # which is but with_soft_edges


def test_edges_are_distances_from_what_is_painted() -> None:
    away = (10 - (torch.arange(SIDE) + 0.5)).expand(SIDE, SIDE)
    one, other = EDGE * away, torch.full_like(away, NEVER)
    found_there = edges_of(torch.stack([torch.zeros_like(away), one, other])[None])
    assert found_there.shape == (1, 1, SIDE, SIDE)
    assert torch.allclose(found_there[0, 0], away, atol=1e-4)


def test_edges_are_as_soft_as_pixels_allow() -> None:
    away = (10 - (torch.arange(SIDE) + 0.5)).expand(SIDE, SIDE)
    steep = torch.stack([torch.zeros_like(away), 3 * EDGE * away, torch.full_like(away, NEVER)])[None, None]
    soft = with_soft_edges(steep)
    apart = (soft[:, :, 1] - soft[:, :, 0])[0, 0]
    assert torch.allclose(apart[:, 1:-1], EDGE * away[:, 1:-1], atol=1e-3)
    assert torch.equal(with_soft_edges(steep / 6), steep / 6)  # which are soft enough
    assert (soft[:, :, 2] < -1e3).all()


def test_colours_are_found_and_the_ground_comes_first() -> None:
    paints = paints_of(torch.stack([painted(WHITE, RED, BLUE), painted(WHITE, BLACK)])[None])
    colours = paints.colours[0][paints.there[0]]
    assert paints.there[0].sum() == 4
    assert torch.allclose(colours[0], WHITE, atol=0.02)
    for wanted in (RED, BLUE, BLACK):
        assert (colours - wanted).abs().amax(1).min() < 0.02
    dark = paints_of(painted(BLACK, WHITE)[None, None])
    assert torch.allclose(dark.colours[0, :2], torch.stack([BLACK, WHITE]), atol=0.02)


def test_a_folder_has_its_own_paints_whoever_stands_beside_it() -> None:
    one, other = painted(WHITE, RED)[None], painted(BLACK, BLUE, WHITE)[None]
    both = paints_of(torch.stack([one, other]))
    for number, alone in enumerate((one, other)):
        own = paints_of(alone[None])
        assert torch.equal(both.there[number], own.there[0])
        assert torch.allclose(both.colours[number], own.colours[0])


def test_soft_edges_are_no_paints() -> None:
    soft = blurred(painted(WHITE, RED, BLACK)[:, None], 0.7)[:, 0]
    paints = paints_of(soft[None, None])
    assert paints.there[0].sum() == 3
    edges = (soft - WHITE[:, None, None]).abs().amax(0)
    assert ((edges > 0.3) & (edges < 1.2)).float().mean() > 0.05  # what lies between is more than a paint needs
    assert found(paints_of(blurred(gray(1.0)[:, None], 0.7)[None])) == [[-1.0], [1.0]]


@pytest.mark.parametrize("fills", [(RED,), (RED, BLUE, BLACK)])
def test_shares_say_which_paint_a_pixel_has(fills: tuple[torch.Tensor, ...]) -> None:
    images = painted(WHITE, *fills)[None, None]
    paints = paints_of(images)
    shares = shares_of(images, paints)
    assert shares.shape == (1, 1, PAINTS[3], SIDE, SIDE)
    assert torch.allclose(shares.sum(2), torch.ones(1, 1, SIDE, SIDE))
    assert not shares[:, :, ~paints.there[0]].any()
    assert (shares.amax(2) > 0.95).all()
    assert torch.allclose(mixed(shares, paints), images, atol=0.1)


def test_logits_of_one_paint_are_its_colour() -> None:
    paints = paints_of(painted(WHITE, RED, BLUE)[None, None])
    chosen = torch.arange(SIDE * SIDE).view(1, 1, SIDE, SIDE) % 3
    logits = 50 * F.one_hot(chosen, PAINTS[3]).movedim(4, 2).float()
    assert torch.allclose(mixed(covered(logits), paints)[0, 0].movedim(0, 2), paints.colours[0][chosen[0, 0]], atol=1e-5)


def test_two_paints_share_the_pixels_of_their_edge_alone() -> None:
    away = torch.arange(8.0) - 3.25  # pixels from an edge
    ground = torch.zeros(3, 1, 8)
    ground[1], ground[2] = EDGE * away, -50.0
    shares = covered(ground)
    assert torch.allclose(shares[1, 0], (away + 0.5).clamp(0, 1))
    assert torch.allclose(shares.sum(0), torch.ones(1, 8))
    assert not shares[2].any()


def test_thin_lines_alone_have_a_paint() -> None:
    lines = WHITE[:, None, None].repeat(1, SIDE, SIDE)
    lines[:, 20] = RED[:, None]
    paints = paints_of(lines[None, None])
    assert paints.there[0].sum() == 2
    assert torch.allclose(paints.colours[0, 1], RED, atol=0.1)
