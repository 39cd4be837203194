"""Whether a picture keeps its shape, how much strokes lean, and rings that are wide: by what is drawn and known."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from metagan_cli.images.distance import line_weight
from metagan_cli.images.lean import lean
from metagan_cli.images.shape import keeps_shape
from metagan_cli.images.styling import PLAIN, fields_of, fitting, laid_out, styled_logits

SIDE = 64
COLOURS = torch.tensor([[-1.0], [1.0]])


def disc(outer: float, inner: float = 0.0, across: float = 0.0, waves: float = 0.0) -> Tensor:
    """Ink in [-1, 1] of a disc with a hole, aside of the middle, whose edge waves: [1, S, S]."""
    axis = torch.arange(SIDE) + 0.5 - SIDE / 2
    x, y = axis[None] - across, axis[:, None]
    away = torch.hypot(x, y) + waves * torch.sin(9 * torch.atan2(y, x))
    return (2 * (outer - away + 0.5).clamp(0, 1) * (away - inner + 0.5).clamp(0, 1) - 1)[None]


def kept(before: Tensor, after: Tensor) -> bool:
    return bool(keeps_shape(before[None], after[None], COLOURS))


def test_a_shape_is_kept_where_it_is_heavier_or_elsewhere() -> None:
    assert kept(disc(14, 6), disc(15, 5))
    assert kept(disc(14), disc(13, across=6))


def test_a_hole_that_closes_a_part_that_is_new_or_cut_and_a_blot_are_no_longer_the_shape() -> None:
    ring = disc(14, 6)
    assert not kept(ring, disc(14))
    assert not kept(disc(14), ring)
    assert not kept(disc(9, across=-12), torch.maximum(disc(9, across=-12), disc(5, across=18)))
    cut = ring.clone()
    cut[:, 30:34] = -1
    assert not kept(ring, cut)
    blot = disc(14)
    blot[:, 28:34, 28:34] = 0.2
    assert not kept(disc(14), blot)


def test_edges_that_wave_are_not_those_of_the_shape() -> None:
    waved = disc(14, inner=-9, waves=1.0)
    assert not kept(disc(14, inner=-9), waved)
    assert kept(waved, disc(14, inner=-9))


def stems(slope: float) -> Tensor:
    """Two strokes that lean so much to the right: [1, 1, S, S]."""
    axis = torch.arange(SIDE) + 0.5 - SIDE / 2
    x = axis[None] + slope * axis[:, None]
    cover = sum((3 - (x - middle).abs() + 0.5).clamp(0, 1) for middle in (-10, 10))
    return (2 * torch.as_tensor(cover) - 1)[None, None]


@pytest.mark.parametrize("slope", [0.0, 0.25, -0.2])
def test_strokes_say_how_much_they_lean(slope: float) -> None:
    assert lean(stems(slope)) == pytest.approx(slope, abs=0.03)
    assert lean(laid_out((stems(0.0) + 1) / 2, replace(PLAIN, slant=slope)) * 2 - 1) == pytest.approx(slope, abs=0.03)


def test_round_shapes_and_empty_ones_do_not_lean() -> None:
    assert lean(disc(14)[None]) is None
    assert lean(torch.full((1, 1, SIDE, SIDE), -1.0)) is None


@pytest.mark.parametrize("half", [1.5, 3.4])
def test_rings_are_as_wide_as_is_asked_however_deep(half: float) -> None:
    fields = fields_of((disc(22)[None] + 1) / 2)
    ink = styled_logits(fields, replace(PLAIN, form="outline", line=half)).argmax(1, keepdim=True) == 1
    assert float(line_weight(fields_of(ink.float()).ink)) == pytest.approx(half, abs=0.35)
    assert not ink[..., SIDE // 2, SIDE // 2]


def test_what_is_too_long_for_its_room_becomes_smaller() -> None:
    cover = (disc(25)[None] + 1) / 2
    large = replace(PLAIN, size=1.4)
    smaller = fitting(cover, large, 0.9)
    assert smaller.size < 1.4
    inked = laid_out(cover, smaller)[0, 0] > 0.5
    assert int(inked.any(1).sum()) == pytest.approx(0.9 * SIDE, abs=1.5)
    assert fitting(cover, PLAIN, 0.9) == PLAIN
