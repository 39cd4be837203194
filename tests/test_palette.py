"""A picture in another one's colours."""

import torch
from torch import Tensor

from metagan_cli.config import VariationRules
from metagan_cli.images.palette import COLOURS, few_colours, recoloured

AGREEMENT = VariationRules.recolour_agreement
GROUND, SKIN, DARK, LIGHT, MOUTH = ((1.0, 1.0, 1.0), (0.8, 0.2, 0.0), (-0.8, -0.9, -1.0), (0.9, 0.9, -0.5), (0.6, -0.9, -0.9))


def face(hair: tuple[float, ...], skin: tuple[float, ...], fringe: int, mouth: bool = False) -> Tensor:
    """[3, 32, 32]: a face below hair that reaches down by so many pixels."""
    picture = torch.tensor(GROUND)[:, None, None].repeat(1, 32, 32)
    picture[:, 4:28, 8:24] = torch.tensor(skin)[:, None, None]
    picture[:, 4 : 8 + fringe, 8:24] = torch.tensor(hair)[:, None, None]
    if mouth:
        picture[:, 22:24, 13:19] = torch.tensor(MOUTH)[:, None, None]
    return picture


def of(*numbers: int) -> Tensor:
    return torch.tensor([numbers])


def test_few_colours_are_those_of_a_picture() -> None:
    picture = face(DARK, SKIN, 3, mouth=True)
    colours, member = few_colours(picture[None])
    assert colours.shape == (1, COLOURS, 3)
    assert torch.allclose(colours[0, member[0]].T.view(3, 32, 32), picture, atol=1e-5)


def test_each_colour_becomes_that_at_its_places() -> None:
    made = recoloured(torch.stack([face(DARK, SKIN, 3), face(LIGHT, MOUTH, 5)])[None], of(0, 1), of(1, 0), AGREEMENT)
    assert torch.allclose(made[0], face(LIGHT, MOUTH, 3), atol=1e-5)
    assert torch.allclose(made[1], face(DARK, SKIN, 5), atol=1e-5)


def test_what_the_other_has_not_keeps_its_colour() -> None:
    plain, smiling = face(DARK, SKIN, 3), face(LIGHT, SKIN, 3, mouth=True)
    made = recoloured(torch.stack([plain, smiling])[None], of(1), of(0), AGREEMENT)[0]
    assert torch.allclose(made[:, 22:24, 13:19], smiling[:, 22:24, 13:19], atol=1e-5)
    assert torch.allclose(made[:, 4:11, 8:24], plain[:, 4:11, 8:24], atol=1e-5)


def test_a_picture_in_its_own_colours_is_itself() -> None:
    support = torch.stack([face(DARK, SKIN, 3), face(LIGHT, SKIN, 5)])[None]
    assert torch.equal(recoloured(support, of(0, 1), of(0, 1), AGREEMENT), support[0])


def test_a_soft_edge_goes_with_its_sides() -> None:
    dark, light = face(DARK, SKIN, 3), face(LIGHT, MOUTH, 3)
    dark[:, 11, 8:24] = (torch.tensor(DARK) + torch.tensor(SKIN))[:, None] / 2
    made = recoloured(torch.stack([dark, light])[None], of(0), of(1), AGREEMENT)[0]
    assert torch.allclose(made[:, 11, 10:22], ((torch.tensor(LIGHT) + torch.tensor(MOUTH)) / 2)[:, None], atol=1e-4)
