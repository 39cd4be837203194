"""Invented characters: which they are, by whom they are drawn, and that no two are the same."""

import pytest
import torch

from metagan_cli.data.sources.characters import character, different

SIZE, COUNT = 64, 60


def test_a_character_is_the_same_again_and_another_hand_draws_it_otherwise() -> None:
    one = character(5, SIZE, 0, straight=False)
    assert one.shape == (1, SIZE, SIZE)
    assert one.dtype == torch.uint8
    assert torch.equal(one, character(5, SIZE, 0, straight=False))
    other = character(5, SIZE, 1, straight=False)
    assert 0 < (one.float() - other.float()).abs().mean() / 255 < 0.15
    apart = (one.float() - character(6, SIZE, 0, straight=False).float()).abs().mean()
    assert apart > (one.float() - other.float()).abs().mean()


@pytest.mark.parametrize("straight", [True, False])
def test_no_two_are_the_same(straight: bool) -> None:
    numbers = different(COUNT, straight)
    assert len(numbers) == len(set(numbers)) == COUNT
    ink = torch.stack([character(number, SIZE, 0, straight) for number in numbers]).float().flatten(1) / 255
    apart = torch.cdist(ink, ink, p=1) / ink.sum(1)
    assert (apart + 9 * torch.eye(COUNT)).amin() > 0.15


def test_straight_ones_are_of_straight_strokes_and_all_lie_within_their_square() -> None:
    numbers = different(COUNT, straight=True)
    for straight in (True, False):
        drawn = torch.stack([character(number, SIZE, 0, straight) for number in numbers])
        rim = torch.cat([drawn[..., 0, :], drawn[..., -1, :], drawn[..., 0], drawn[..., -1]], 1)
        assert rim.float().amax() < 32  # but for the softest edges
        assert (drawn > 128).float().mean((1, 2, 3)).amin() > 0.02
    round_ones = different(COUNT, straight=False)
    assert set(numbers) != set(round_ones)
