"""Labels go where pixels go: masks, boxes, polygons and keypoints under known plans."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from metagan_cli.data.labels.things import NO_KEYPOINTS, Thing, box
from metagan_cli.data.placing import Placement
from metagan_cli.images.polygons import area_of, clip
from metagan_cli.networks.generator.plan import Plan
from metagan_cli.workflows.augment.carrying import Bearing, voted

SIDE = 48
WHOLE = Placement((2 / SIDE, 2 / SIDE), (-1.0, -1.0))  # of an image that is its square
SQUARE = Thing(0, (box(16, 16, 32, 28),), True, NO_KEYPOINTS)


def bearing(theta: list[list[float]], taken: torch.Tensor | None = None) -> Bearing:
    """A plan that moves all pixels of image 0 affinely, where image 1 may have lent a part."""
    grid = F.affine_grid(torch.tensor([theta]), [1, 1, SIDE, SIDE], align_corners=False)
    none = torch.zeros(1, 0, SIDE, SIDE)
    plan = Plan(torch.tensor([0]), torch.tensor([[1]]), torch.zeros(1, 1, SIDE, SIDE), grid, none, torch.zeros(1, 1, SIDE, SIDE))
    parts = () if taken is None else ((1, taken[None].float()),)
    return Bearing(plan, parts, SIDE, [WHOLE, WHOLE], WHOLE, (SIDE, SIDE))


def turned(degrees: float, scale: float = 1.0) -> list[list[float]]:
    cos, sin = np.cos(np.deg2rad(degrees)) / scale, np.sin(np.deg2rad(degrees)) / scale
    return [[float(cos), float(-sin), 0.1], [float(sin), float(cos), -0.05]]


@pytest.mark.parametrize("theta", [turned(0), turned(25), turned(-40, 1.3), [[-1.0, 0.0, 0.0], [0.0, 1.0, 0.1]]])
def test_places_are_found_where_the_grid_takes_them_from(theta: list[list[float]]) -> None:
    moved = bearing(theta)
    places = np.random.default_rng(0).uniform(-0.6, 0.6, (20, 2))
    found = WHOLE(moved.forward(places))
    back = found @ np.array(theta)[:, :2].T + np.array(theta)[:, 2]
    assert np.abs(back - places).max() < 1e-4


@pytest.mark.parametrize("degrees", [0, 20, 75])
def test_masks_and_polygons_go_the_same_way(degrees: float) -> None:
    moved = bearing(turned(degrees))
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[16:28, 16:32] = 7
    found = moved.mask(lambda number: mask)
    assert set(np.unique(found)) == {0, 7}
    polygon = Thing(0, SQUARE.rings, False, NO_KEYPOINTS)
    ring = moved.things(lambda number: [polygon], 0.5)[0].rings[0]
    assert abs(area_of(ring) - (found == 7).sum()) < 8
    y, x = np.nonzero(found)
    assert np.abs(ring.mean(0) - [x.mean() + 0.5, y.mean() + 0.5]).max() < 0.5


def test_boxes_stay_boxes() -> None:
    moved = bearing([[1.0, 0.0, -0.25], [0.0, 1.0, 0.0]])  # to the right by an eighth of the side
    (found,) = moved.things(lambda number: [SQUARE], 0.5)
    assert np.abs(found.rings[0] - box(22, 16, 38, 28)).max() < 0.01


@pytest.mark.parametrize(("share", "left"), [(0.3, 1), (0.6, 0)])
def test_what_leaves_the_picture_is_clipped_or_dropped(share: float, left: int) -> None:
    moved = bearing([[1.0, 0.0, -1.0], [0.0, 1.0, 0.0]])  # to the right by half of the side: half of it is out of sight
    found = moved.things(lambda number: [SQUARE], share)
    assert len(found) == left
    assert all(thing.rings[0][:, 0].max() == SIDE for thing in found)


def test_parts_that_are_lent_bring_their_labels() -> None:
    taken = torch.zeros(SIDE, SIDE)
    taken[:, : SIDE // 2] = 1  # the left half is image 1's
    moved = bearing(turned(0), taken)
    own = [Thing("own", (box(30, 10, 40, 20),), True, NO_KEYPOINTS), Thing("gone", (box(4, 4, 12, 12),), True, NO_KEYPOINTS)]
    lent = [Thing("lent", (box(6, 20, 16, 30),), True, NO_KEYPOINTS), Thing("left", (box(30, 30, 40, 40),), True, NO_KEYPOINTS)]
    assert [thing.kind for thing in moved.things(lambda number: (own, lent)[number], 0.5)] == ["own", "lent"]
    masks = [np.full((SIDE, SIDE), value, np.uint8) for value in (1, 2)]
    found = moved.mask(lambda number: masks[number])
    assert (found[10:38, 2:20] == 2).all()
    assert (found[10:38, 30:46] == 1).all()


def test_a_keypoint_that_was_given_away_is_the_donors() -> None:
    taken = torch.zeros(SIDE, SIDE)
    taken[:, : SIDE // 2] = 1
    moved = bearing([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], taken)
    face = [np.array([[10.0, 20, 2], [40, 20, 2], [20, 40, 2]]), np.array([[12.0, 22, 2], [38, 22, 2], [40, 40, 2]])]
    faces = [[Thing("face", (box(0, 0, SIDE, SIDE),), True, points)] for points in face]
    (found,) = moved.things(lambda number: faces[number], 0.4)[:1]
    assert np.abs(found.keypoints[0] - [12, 22, 2]).max() < 0.01  # the donor's
    assert np.abs(found.keypoints[1] - [40, 20, 2]).max() < 0.01  # its own
    assert found.keypoints[2, 2] == 1  # hidden: the donor's lies elsewhere


def test_keypoints_out_of_sight_are_not_labelled() -> None:
    thing = Thing("eyes", (), False, np.array([[10.0, 10, 2], [46, 10, 2]]))
    (found,) = bearing([[1.0, 0.0, -0.5], [0.0, 1.0, 0.0]]).things(lambda number: [thing], 0.5)
    assert np.abs(found.keypoints - [[22, 10, 2], [0, 0, 0]]).max() < 0.01


def test_labels_follow_ink_that_was_closed() -> None:
    ink = -torch.ones(SIDE, SIDE)
    ink[20:28, 10:38] = 1
    wider = ink.clone()
    wider[18:30, 10:38] = 1
    plain = bearing([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    moved = Bearing(plain.plan, (), SIDE, [WHOLE], WHOLE, (SIDE, SIDE), None, ink, wider)
    mask = ((ink > 0).numpy() * 5).astype(np.uint8)
    assert (moved.mask(lambda number: mask) == (wider > 0).numpy() * 5).all()


def test_clipping() -> None:
    assert area_of(clip(np.array([(-5.0, 2), (5, 2), (5, 8), (-5, 8)]), 10, 10)) == pytest.approx(30)
    assert len(clip(np.array([(-5.0, 2), (-1, 2), (-1, 8)]), 10, 10)) == 0


def test_votes_go_to_what_most_of_a_pixel_lies_in() -> None:
    labels = np.array([[1, 2], [2, 2]])
    assert voted(labels, np.array([[0.9, 0.9], [0.6, 0.6]])).tolist() == [2, 1]
