"""Distance from the edge of ink, and what ink encloses, against what is known of simple shapes."""

import math

import pytest
import torch
from conftest import gaussian

from metagan_cli.images.distance import REACH, distance_field, flooded, line_weight, rim
from metagan_cli.images.shifts import SHIFTS, placed

SIDE = 48


def from_middle(side: int = SIDE) -> torch.Tensor:
    """The distance of each pixel's middle from that of the image: [side, side]."""
    axis = torch.arange(side) + 0.5 - side / 2
    return (axis[None].square() + axis[:, None].square()).sqrt()


def covered(field: torch.Tensor) -> torch.Tensor:
    """How much of each pixel is covered, by its distance from an edge [S, S]: [1, 1, S, S]."""
    return (field + 0.5).clamp(0, 1)[None, None]


def slowly(walls: torch.Tensor) -> torch.Tensor:
    """Distance of each pixel of a map of 0 and 1 [S, S] from the nearest one of the other kind, by all pairs."""
    there = torch.cartesian_prod(*[torch.arange(walls.shape[0])] * 2).float()
    ink, none = (there[walls.flatten() == value] for value in (1, 0))
    near = torch.where(walls.flatten() == 1, torch.cdist(there, none).amin(1) - 0.5, 0.5 - torch.cdist(there, ink).amin(1))
    return near.view_as(walls).clamp(-REACH, REACH)


def reached_slowly(seeds: torch.Tensor, open_: torch.Tensor) -> torch.Tensor:
    """What is reached in maps [S, S], place by place."""
    side, waiting, found = len(open_), (seeds * open_).nonzero().tolist(), set[tuple[int, int]]()
    while waiting:
        y, x = waiting.pop()
        if (y, x) not in found and 0 <= y < side and 0 <= x < side and open_[y, x]:
            found.add((y, x))
            waiting += [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
    reached = torch.zeros_like(open_)
    for y, x in found:
        reached[y, x] = 1
    return reached


def test_distance_from_the_edge_of_a_disc() -> None:
    away = from_middle()
    for radius in (8.0, 12.3, 15.7):
        truth = (radius - away).clamp(-REACH, REACH)
        field = distance_field(covered(radius - away))[0, 0]
        assert (field - truth).abs().max() < 0.35
        assert ((field > 0) == (truth > 0)).float().mean() > 0.995


@pytest.mark.parametrize("edge", [20.0, 20.3, 20.5, 20.9])
def test_an_edge_through_a_pixel_lies_where_its_cover_ends(edge: float) -> None:
    away = edge - (torch.arange(SIDE) + 0.5).expand(SIDE, SIDE)
    for turned in (away, away.T, away.flip(1)):
        assert torch.allclose(distance_field(covered(turned))[0, 0], turned.clamp(-REACH, REACH), atol=1e-5)


def test_whole_pixels_as_by_all_pairs() -> None:
    maps = (gaussian("maps", 3, 1, 24, 24) > 1.2).float()
    expected = torch.stack([slowly(one[0]) for one in maps])[:, None]
    assert torch.allclose(distance_field(maps), expected, atol=1e-5)


def test_no_distance_is_told_beyond_reach() -> None:
    assert torch.equal(distance_field(torch.zeros(1, 1, 8, 8)), torch.full((1, 1, 8, 8), -float(REACH)))
    assert torch.equal(distance_field(torch.ones(1, 1, 8, 8)), torch.full((1, 1, 8, 8), float(REACH)))


def test_a_maze_is_flooded_as_far_as_its_ways_go() -> None:
    maze = torch.ones(9, 9)
    maze[1::4, :-1] = 0  # walls with a way round at the right, and then at the left
    maze[3::4, 1:] = 0
    start = torch.zeros(9, 9)
    start[0, 0] = 1
    assert torch.equal(flooded(start[None, None], maze[None, None])[0, 0], maze)
    maze[5, -1] = 0  # the third way is closed
    reached = flooded(start[None, None], maze[None, None])[0, 0]
    assert torch.equal(reached[:5], maze[:5])
    assert not reached[5:].any()


def test_flooding_goes_along_rows_and_columns_alone() -> None:
    open_ = (gaussian("open", 4, 1, 20, 20) > -0.3).float()  # about as much as lets a flood through
    seeds = rim(open_)
    expected = torch.stack([reached_slowly(a[0], b[0]) for a, b in zip(seeds, open_, strict=True)])[:, None]
    assert torch.equal(flooded(seeds, open_), expected)
    assert 0.1 < expected.mean() < open_.mean() - 0.02  # some is reached, and some is not
    assert torch.equal(flooded(torch.eye(6)[None, None], torch.eye(6)[None, None])[0, 0], torch.eye(6))


def test_a_rim_is_the_border() -> None:
    found = rim(torch.zeros(2, 1, 5, 5))
    assert found.sum((2, 3)).tolist() == [[16], [16]]
    assert not found[..., 1:-1, 1:-1].any()


def test_images_are_moved_to_where_they_are_nearest() -> None:
    images = gaussian("placed", 4, 3, 16, 16)
    steps = [(0, 0), (2, -1), (-2, 2), (0, 1)]
    others = torch.stack([image.roll(step, (1, 2)) for image, step in zip(images, steps, strict=True)])
    moved = placed(images, others)
    inner = slice(SHIFTS, -SHIFTS)
    assert torch.equal(moved[..., inner, inner], others[..., inner, inner])
    assert torch.equal(moved[0], images[0])
    far = placed(images, images.roll(SHIFTS + 3, 3))
    assert (far - images.roll(SHIFTS + 3, 3)).abs().mean() > 0.5


@pytest.mark.parametrize("width", [2.0, 3.5, 5.0])
@pytest.mark.parametrize("turn", [0.0, 0.4, 0.785])
def test_lines_weigh_what_they_measure(width: float, turn: float) -> None:
    y, x = from_line(turn)
    line = ((width / 2 + 0.5 - y.abs()).clamp(0, 1) * (16 - x.abs()).clamp(0, 1))[None, None]
    assert float(line_weight(distance_field(line))) == pytest.approx(width / 2, abs=0.2)
    assert float(line_weight(distance_field(torch.zeros(1, 1, SIDE, SIDE)))) == 0


def test_gaps_within_a_part_are_measured_as_lines_are() -> None:
    ink = torch.ones(1, 1, SIDE, SIDE)
    ink[..., 10:14, :] = 0
    ink[..., 20:30, :] = 0
    upper = torch.zeros(1, 1, SIDE, SIDE, dtype=torch.bool)
    upper[..., :16, :] = True
    assert float(line_weight(-distance_field(ink), upper)) == pytest.approx(2, abs=0.1)


def from_line(turn: float) -> tuple[torch.Tensor, torch.Tensor]:
    """How far pixels lie across and along a line through the middle."""
    places = torch.arange(SIDE) - SIDE / 2 + 0.5
    y, x = torch.meshgrid(places, places, indexing="ij")
    return y * math.cos(turn) - x * math.sin(turn), x * math.cos(turn) + y * math.sin(turn)
