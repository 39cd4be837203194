"""Hands drawn by program: what they make of simple drawings is known exactly."""

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from metagan_cli.data.program_hands import FORMS, draw_hand
from metagan_cli.images.styling import Styling, anatomy, fields_of, stripes, styled
from metagan_cli.rng import generator_for

SIDE = 48
BADGES = ("disc", "round", "square")  # the largest last
GROUND, INK, SHADE, FILL = (torch.tensor([tone]) for tone in (-1.0, 1.0, -0.4, 0.2))
PLAIN = Styling(
    form="keep",
    weight=0.0,
    line=1.0,
    soft=0.0,
    slant=0.0,
    wide=1.0,
    badge="none",
    shadow=(0, 0),
    rough=0.0,
    cells=0,
    slope=0.1,
    pitch=6.0,
    colours=(GROUND, INK, SHADE, FILL),
)


def from_middle() -> torch.Tensor:
    axis = torch.arange(SIDE) + 0.5 - SIDE / 2
    return (axis[None].square() + axis[:, None].square()).sqrt()


def disc(radius: float) -> torch.Tensor:
    """How much of each pixel a disc in the middle covers: [1, 1, S, S]."""
    return (radius - from_middle() + 0.5).clamp(0, 1)[None, None]


def ring(radius: float, half: float = 1.0) -> torch.Tensor:
    return (half - (from_middle() - radius).abs() + 0.5).clamp(0, 1)[None, None]


def test_distances_of_larger_drawings_are_more_exact() -> None:
    axis = (torch.arange(2 * SIDE) + 0.5) / 2 - SIDE / 2
    far = (axis[None].square() + axis[:, None].square()).sqrt()
    larger = (2 * (14.3 - far) + 0.5).clamp(0, 1)[None, None]
    own, finer = (14.3 - from_middle()), fields_of(larger, 2).ink[0, 0]
    near, coarse = own.abs() < 1.5, fields_of(disc(14.3)).ink[0, 0]
    assert (finer - own)[near].abs().mean() < 0.6 * (coarse - own)[near].abs().mean()
    assert finer.shape == coarse.shape
    beyond = own.abs() > 3
    assert torch.equal(finer[beyond].sign(), own[beyond].sign())


def by(coverage: torch.Tensor, **changes: object) -> torch.Tensor:
    """A drawing by the plain hand, but for some changes: ink [1, 1, S, S] in [0, 1]."""
    return (styled(coverage, replace(PLAIN, **changes), generator_for(0, "styled")) + 1) / 2  # type: ignore[arg-type]


def test_a_plain_hand_changes_nothing() -> None:
    for coverage in (disc(12), ring(12)):
        assert (by(coverage) - coverage).abs().max() < 0.35
        assert (by(coverage) - coverage).abs().mean() < 0.01


@pytest.mark.parametrize("weight", [-1.2, -0.5, 0.7, 2.2])
def test_weight_moves_edges_by_so_many_pixels(weight: float) -> None:
    radius = math.sqrt(float(by(disc(12), weight=weight).sum()) / math.pi)
    assert abs(radius - (12 + weight)) < 0.1
    stroke = float(by(ring(12, 2.0), weight=weight).sum()) / (2 * math.pi * 12)
    assert abs(stroke - 2 * (2.0 + weight)) < 0.2


def test_solid_fills_and_outline_hollows() -> None:
    solid = by(ring(12), form="solid")
    assert (solid - disc(13)).abs().mean() < 0.01
    for line in (0.8, 1.5):
        outline = by(disc(12), form="outline", line=line)
        assert abs(float(outline.sum()) / (2 * math.pi * (12 - line)) - 2 * line) < 0.1  # along the inside of the edge
        assert outline[0, 0, SIDE // 2, SIDE // 2] == 0
    wider = by(disc(12), form="outline", line=1.0, weight=1.0)
    assert abs(float(wider.sum()) / (2 * math.pi * 10.5) - 3) < 0.1


def test_two_tones_have_a_fill_within_their_lines() -> None:
    whole = styled(ring(12), replace(PLAIN, form="duotone"), generator_for(0, "styled"))[0, 0]
    away = from_middle()
    assert torch.allclose(whole[away < 9], FILL)
    assert (whole[(away - 12).abs() < 0.4] > 0.9).all()
    assert torch.allclose(whole[away > 16], GROUND)
    tinted = styled(ring(12), replace(PLAIN, form="tinted"), generator_for(0, "styled"))[0, 0]
    assert torch.allclose(tinted[away < 9], FILL)
    assert (tinted[(away - 12).abs() < 0.5] > 0.9).all()


def test_hatching_has_its_pitch_and_stays_within() -> None:
    hatched = by(disc(14), form="hatch", slope=0.0, pitch=8.0)[0, 0]
    row = hatched[SIDE // 2, 14:34]
    assert ((row[:-1] < 0.5) & (row[1:] >= 0.5)).sum() in (2, 3)  # a line every eight pixels
    assert not hatched[from_middle() > 17].any()
    whole = stripes(SIDE, replace(PLAIN, pitch=6.0))
    assert abs(float((whole > 0).float().mean()) - 0.5) < 0.03  # as much line as gap
    assert -1.5 <= whole.min() < -1 < 1 < whole.max() <= 1.5  # pixels, a quarter of the pitch at most


def test_a_badge_lies_behind_and_the_ink_is_left_out() -> None:
    square = styled(disc(12), replace(PLAIN, badge="square"), generator_for(0, "styled"))[0, 0]
    assert torch.allclose(square[3:5, 3:-3], FILL)
    assert torch.allclose(square[SIDE // 2, SIDE // 2], GROUND)
    assert torch.allclose(square[0], GROUND)
    discs = styled(disc(12), replace(PLAIN, badge="disc"), generator_for(0, "styled"))[0, 0]
    assert torch.allclose(discs[:6, :6], GROUND)
    shares = [float((styled(disc(9), replace(PLAIN, badge=b), generator_for(0, "s")) > 0).float().mean()) for b in BADGES]
    assert shares[0] < shares[1] < shares[2]


def test_a_shadow_lies_across_and_down() -> None:
    image = styled(disc(8), replace(PLAIN, shadow=(6, 3)), generator_for(0, "styled"))[0, 0]
    shadow = ((image - SHADE).abs() < 1e-4).nonzero().float().mean(0) - (image > 0.9).nonzero().float().mean(0)
    assert shadow[1] > shadow[0] > 0  # columns, then rows
    assert torch.allclose(image[SIDE // 2 + 3, SIDE // 2 + 6 + 6], SHADE)


def test_narrow_and_slanted_hands() -> None:
    columns = (by(disc(12), wide=0.7)[0, 0] > 0.5).any(0).sum()
    rows = (by(disc(12), wide=0.7)[0, 0] > 0.5).any(1).sum()
    assert abs(int(columns) - 0.7 * 24) <= 1
    assert abs(int(rows) - 24) <= 1
    bar = (from_middle()[SIDE // 2] < 3).float().expand(SIDE, SIDE)[None, None]
    slanted = by(bar, slant=0.3)[0, 0]
    middle = [float((row * torch.arange(SIDE)).sum() / row.sum()) for row in (slanted[8], slanted[-9])]
    assert abs(middle[0] - middle[1]) > 0.2 * (SIDE - 17)


@pytest.mark.parametrize("cells", [2, 3, 4])
def test_pixel_art_is_of_whole_blocks(cells: int) -> None:
    image = by(ring(12), cells=cells)
    small = image[..., cells // 2 :: cells, cells // 2 :: cells]
    assert torch.equal(F.interpolate(small, size=(SIDE, SIDE), mode="nearest"), image)
    assert not torch.equal(by(ring(12)), image)


def test_a_soft_hand_rounds_corners_and_a_rough_one_wavers() -> None:
    square = torch.zeros(1, 1, SIDE, SIDE)
    square[..., 12:36, 12:36] = 1
    soft = by(square, soft=2.0)[0, 0]
    assert soft[12, 12] < 0.2 < by(square)[0, 0][12, 12]
    assert torch.allclose(soft[SIDE // 2], by(square)[0, 0][SIDE // 2], atol=0.15)
    rough = by(disc(12), rough=0.8)
    assert 0.01 < (rough - disc(12)).abs().mean() < 0.1


def test_what_is_enclosed_belongs_to_the_silhouette_and_its_details() -> None:
    apart = (ring(14) + disc(3)).clamp(0, 1)
    silhouette, details = anatomy(apart)
    assert (silhouette - disc(15)).abs().mean() < 0.01
    assert (details - disc(3)).abs().mean() < 0.01  # ink apart
    holed = disc(15) - disc(4)
    silhouette, details = anatomy(holed)
    assert (silhouette - disc(15)).abs().mean() < 0.01
    assert (details - disc(4)).abs().mean() < 0.02  # a hole of a solid


def test_what_is_known_of_ink_is_known_of_all_its_edges() -> None:
    holed = disc(15) - disc(4)
    seen = fields_of(holed)
    known = seen.by(seen.ink + 0.125)
    outer, inner = (seen.whole - seen.ink).abs() < 0.2, (seen.details + seen.ink).abs() < 0.2
    assert torch.allclose(known.whole[outer], seen.ink[outer] + 0.125)
    assert torch.allclose(known.details[inner], -seen.ink[inner] - 0.125)
    hole = inner & (seen.ink.abs() < 2)
    assert torch.equal(known.whole[hole], seen.whole[hole])  # which is no edge of the whole
    assert hole.any()
    assert outer.any()


@pytest.mark.parametrize("channels", [1, 3])
def test_hands_at_random_keep_to_their_colours(channels: int) -> None:
    coverage = torch.cat([ring(10), disc(12)])
    forms, images = set(), []
    for number in range(60):
        hand = draw_hand(generator_for(number, "hand"), channels)
        again = draw_hand(generator_for(number, "hand"), channels)
        assert replace(hand, colours=()) == replace(again, colours=())
        forms.add(hand.form)
        if number % 3:
            continue
        image = styled(coverage, hand, generator_for(number, "styled"))
        assert image.shape == (2, channels, SIDE, SIDE)
        assert -1 <= image.min() <= image.max() <= 1
        assert torch.allclose(image[..., 0, 0], hand.colours[0].expand(2, channels), atol=1e-4)
        assert all(colour.shape == (channels,) for colour in hand.colours)
        images.append(image)
    assert forms == set(FORMS[channels])
    assert len({image.numpy().tobytes() for image in images}) > 17
    if channels == 1:
        assert all(hand[0] == -1 for hand in (draw_hand(generator_for(n, "hand"), 1).colours for n in range(9)))


def test_some_drawings_of_a_coloured_hand_are_filled_otherwise() -> None:
    fills = tuple(torch.tensor(colour) for colour in ([0.9, -0.5, -0.5], [-0.5, 0.9, -0.5], [-0.5, -0.5, 0.9]))
    hand = replace(PLAIN, form="solid", colours=(torch.ones(3), -torch.ones(3), torch.zeros(3), *fills))
    drawn = styled(disc(12).expand(24, -1, -1, -1), hand, generator_for(0, "styled"))
    middles = {tuple(round(value, 2) for value in image[:, SIDE // 2, SIDE // 2].tolist()) for image in drawn}
    assert middles == {tuple(round(value, 2) for value in fill.tolist()) for fill in fills}
