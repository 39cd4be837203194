"""What letters tell beside plain drawings of the same letters: which they are, how large, how wide, how thick which way."""

from dataclasses import replace
from functools import cache
from types import SimpleNamespace
from typing import cast

import pytest
import torch
from torch import Tensor

from metagan_cli.images.distance import stroke_weights
from metagan_cli.images.drawings import draw_svg
from metagan_cli.images.styling import PLAIN, Styling, drawn_from, fields_of, laid_out, styled
from metagan_cli.rng import generator_for
from metagan_cli.store import places
from metagan_cli.store.motifs import bank
from metagan_cli.workflows.guests import of_bank
from metagan_cli.workflows.letterforms import letters_in, proportions
from metagan_cli.workflows.nearing import Nearing
from metagan_cli.workflows.ready import Ready

NET = "kinship-gray.safetensors"
pytestmark = pytest.mark.skipif(places.shipped_file(NET) is None, reason=f"pretrained/{NET} is not there")

SIDE, LETTERS = 64, "EHanTod"
SANS, SERIF, HAND, SCRIPT = range(4)


@cache
def plain(hand: int, side: int = SIDE) -> Tensor:
    """LETTERS by one of the bank's hands: [K, 1, S, S]."""
    return torch.stack([draw_svg(bank().named(letter).drawings[hand].body, side) for letter in LETTERS])


def drawn(hand: int, styling: Styling) -> Tensor:
    """The same in a styling."""
    return styled((plain(hand) + 1) / 2, styling, generator_for(0, "letters"))


def test_letters_are_read() -> None:
    found = letters_in(plain(SANS))
    assert "".join(found[number].name for number in range(len(LETTERS))) == LETTERS


@pytest.mark.parametrize("letters", ["ozcsEH", "OZCSEH"])
def test_size_tells_letters_apart_that_have_one_form(letters: str) -> None:
    images = torch.stack([draw_svg(bank().named(letter).drawings[SANS].body, SIDE) for letter in letters])
    larger = laid_out((images + 1) / 2, replace(PLAIN, size=1.2))
    assert "".join(motif.name for motif in letters_in(2 * larger - 1).values()) == letters


def test_what_is_no_letter_is_none() -> None:
    icons = torch.stack([draw_svg(motif.drawings[0].body, SIDE) for motif in bank().group("icons")[:8]])
    assert len(letters_in(icons)) < 3


@pytest.mark.parametrize(("size", "wide"), [(1.0, 1.0), (1.2, 1.0), (0.8, 1.3), (1.1, 0.75)])
def test_proportions_are_measured(size: float, wide: float) -> None:
    found = proportions(drawn(SANS, replace(PLAIN, size=size, wide=wide)), plain(SANS))
    assert found == pytest.approx((size, wide), rel=0.05)


def test_weight_changes_no_proportions() -> None:
    assert proportions(drawn(SANS, replace(PLAIN, weight=1.0)), plain(SANS)) == pytest.approx((1.0, 1.0), rel=0.05)


def test_a_nib_makes_level_strokes_thinner() -> None:
    cover = (plain(SERIF) + 1) / 2
    before = stroke_weights(plain(SERIF))
    after = stroke_weights(drawn_from(fields_of(cover), replace(PLAIN, nib=-0.8), generator_for(0, "nib")))
    assert after.upright == pytest.approx(before.upright, abs=0.1)
    assert after.level == pytest.approx(before.level - 0.8, abs=0.2)
    assert after.contrast < before.contrast


KNOWN = {
    "sans": (SANS, PLAIN),
    "large": (SANS, replace(PLAIN, size=1.25)),
    "narrow and heavy": (SANS, replace(PLAIN, wide=0.75, weight=0.8)),
    "wide": (SANS, replace(PLAIN, wide=1.3)),
    "slanted": (SANS, replace(PLAIN, slant=0.25)),
    "slab": (SERIF, PLAIN),
    "contrast": (SERIF, replace(PLAIN, nib=-0.9, weight=0.3)),
    "handwriting": (HAND, replace(PLAIN, size=1.1)),
    "script": (SCRIPT, replace(PLAIN, weight=0.4)),
}


@pytest.mark.parametrize("name", KNOWN)
def test_a_known_hand_is_found_by_its_letters(name: str) -> None:
    hand, styling = KNOWN[name]
    own = drawn(hand, styling)
    found = Nearing(own, [plain(number, 2 * SIDE) for number in range(4)], written=True, same=own).search()
    assert found.manner.hand == hand
    again = found.draw(found.manner)
    assert (again - own).abs().mean() / 2 < 0.02
    assert found.manner.styling.wide == pytest.approx(styling.wide, rel=0.06)
    assert found.manner.styling.slant == pytest.approx(styling.slant, abs=0.06)
    assert found.manner.styling.nib == pytest.approx(styling.nib, abs=0.3)


def test_each_plain_hand_has_its_own_turn() -> None:
    """The best manner first, then the other hands' best, and then the same hands once more."""
    own = drawn(SERIF, replace(PLAIN, wide=1.2))
    found = Nearing(own, [plain(number, 2 * SIDE) for number in range(4)], written=True, same=own).search()
    turns = [found.turn(number) for number in range(8)]
    assert turns[0] == found.manner
    assert sorted(turn.hand for turn in turns[:4]) == [0, 1, 2, 3]
    assert [turn.hand % 4 for turn in turns[4:]] == [turn.hand for turn in turns[:4]]
    likenesses = [found.likeness_of(found.draw(turn)) for turn in turns[:4]]
    assert likenesses[1:] == sorted(likenesses[1:], reverse=True)
    assert len({turn.styling.weight for turn in turns[:4]}) == 4  # each as thick as the examples


@pytest.mark.parametrize(("ruled", "leaning", "styles"), [(1.0, True, 2), (1.0, False, 3), (0.0, False, 4)])
def test_free_hands_and_scripts_serve_such_folders(ruled: float, leaning: bool, styles: int) -> None:
    images = plain(SANS) if leaning else plain(SCRIPT)
    state = SimpleNamespace(ruled=torch.tensor([ruled]))
    ready = SimpleNamespace(examples=images, state=state, base=SimpleNamespace(config=SimpleNamespace(image_size=SIDE)))
    guests = of_bank(cast(Ready, ready), [bank().named("Q")])
    assert len(guests.near.covers) == styles
