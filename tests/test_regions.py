"""Parts that two pictures differ in."""

import torch
from torch import Tensor

from metagan_cli.config import VariationRules
from metagan_cli.images.regions import parts_of

SIDE = 24
RULES = VariationRules()
MUCH, SLIGHTLY = RULES.part_difference, RULES.part_margin


def parts(apart: Tensor) -> Tensor:
    """Those of pictures that are so far apart, [SIDE, SIDE]: for each pixel the one that stands for it."""
    one = torch.zeros(1, 3, SIDE, SIDE)
    other = one.clone()
    other[:, 1] = apart
    return parts_of(one, other, MUCH, SLIGHTLY)[0].view(SIDE, SIDE)


def test_what_touches_is_one_part_and_what_agrees_none() -> None:
    apart = torch.zeros(SIDE, SIDE)
    apart[2:5, 2:5] = apart[5:8, 5:8] = -1.0  # corner to corner
    apart[2:12, 14:20] = MUCH + 0.01
    found = parts(apart)
    own = torch.arange(SIDE**2).view(SIDE, SIDE)
    assert (found[2:5, 2:5] == found[7, 7]).all()
    assert (found[5:8, 5:8] == found[7, 7]).all()
    assert (found[2:12, 14:20] == found[2, 14]).all()
    assert found[2, 14] != found[7, 7]
    assert torch.equal(found[apart == 0], own[apart == 0])
    assert torch.equal(found.flatten()[found.flatten()], found.flatten())  # what stands for a part is of it


def test_a_winding_part_is_one() -> None:
    apart = torch.zeros(SIDE, SIDE)
    apart[::2] = 1.0
    apart[1::4, -1] = apart[3::4, 0] = 1.0
    assert len(parts(apart)[apart > 0].unique()) == 1


def test_slight_differences_go_with_the_nearest_part() -> None:
    apart = torch.zeros(SIDE, SIDE)
    apart[4:20, 4:20] = SLIGHTLY + 0.01
    apart[4:20, 4:6] = apart[4:20, 16:20] = 1.0
    apart[22, 3:9] = SLIGHTLY + 0.01
    found = parts(apart)
    assert (found[4:20, 4:11] == found[4, 4]).all()
    assert (found[4:20, 11:20] == found[4, 19]).all()
    assert len(found[22, 3:9].unique()) == 1
    assert len(found[apart > 0].unique()) == 3
    apart[:] = SLIGHTLY - 0.01
    assert len(parts(apart).unique()) == SIDE**2


def test_parts_hang_on_their_own_picture_alone() -> None:
    one, other = torch.rand(2, 5, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0)) * 0.8
    together = parts_of(one, other, MUCH, SLIGHTLY)
    assert len(together.unique()) > 5
    for i in range(5):
        assert torch.equal(parts_of(one[i : i + 1], other[i : i + 1], MUCH, SLIGHTLY)[0], together[i])
