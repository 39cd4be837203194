"""Plain drawings brought near a folder's hand: a folder that is drawn by a known styling is drawn by it again."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import pytest
import torch
from torch import Tensor

from metagan_cli.images.distance import distance_field, line_weight, rim
from metagan_cli.images.drawings import draw_svg
from metagan_cli.images.ground import ground_of
from metagan_cli.images.paints import covered
from metagan_cli.images.styling import PLAIN, Styling, anatomy, styled
from metagan_cli.rng import generator_for
from metagan_cli.store import places
from metagan_cli.store.motifs import bank
from metagan_cli.workflows.measured import extents_of
from metagan_cli.workflows.nearing import OF_LETTERS, SLANTS, Manner, Nearing

NET = "kinship-gray.safetensors"
pytestmark = pytest.mark.skipif(places.shipped_file(NET) is None, reason=f"pretrained/{NET} is not there")

SIDE, SHOWN, SHOTS = 64, 6, 8
OUTLINES, SOLIDS = 0, 1  # the bank's plain hands
WHITE, NAVY, GOLD, TEAL, ROSE = (1.0, 1.0, 1.0), (-0.8, -0.8, -0.4), (0.9, 0.5, -0.7), (-0.6, 0.4, 0.3), (0.9, -0.5, 0.2)
START = Manner(OUTLINES, PLAIN, 1, ())  # the outlines as they are


@cache
def plain(hand: int) -> Tensor:
    """Motifs of the bank by one of its hands: [SHOWN + SHOTS, 1, S, S]; the first ones are shown, the others a folder's."""
    both = [motif for motif in bank().group("icons") if len(motif.drawings) > 1][: SHOWN + SHOTS]
    return torch.stack([draw_svg(motif.drawings[hand].body, SIDE) for motif in both])


def folder(hand: int, styling: Styling, motifs: slice = slice(SHOWN, None)) -> Tensor:
    """What a styling makes of a plain hand's motifs: [K, C, S, S]."""
    return styled((plain(hand)[motifs] + 1) / 2, styling, generator_for(0, "folder"))


def near(examples: Tensor) -> Nearing:
    return Nearing(examples, [plain(hand)[:SHOWN] for hand in (OUTLINES, SOLIDS)])


def in_colour(styling: Styling, *fills: tuple[float, ...]) -> Styling:
    """A styling with navy lines on white, and these fills."""
    return replace(styling, colours=tuple(map(torch.tensor, (WHITE, NAVY, (0.0, 0.0, 0.0), *fills))))


def colours_of(found: Nearing, numbers: Sequence[int | None]) -> list[Tensor]:
    return [found.paints.colours[0, number] for number in numbers if number is not None]


def same(colours: list[Tensor], *wanted: tuple[float, ...]) -> bool:
    """Whether these colours are those that are wanted, in any order."""
    left = [min(range(len(wanted)), key=lambda i: float((colour - torch.tensor(wanted[i])).abs().max())) for colour in colours]
    apart = [float((colour - torch.tensor(wanted[i])).abs().max()) for colour, i in zip(colours, left, strict=True)]
    return sorted(left) == list(range(len(wanted))) and max(apart) < 0.1


KNOWN = {
    "plain": (OUTLINES, PLAIN),
    "lighter": (OUTLINES, replace(PLAIN, weight=-0.5)),
    "heavier": (OUTLINES, replace(PLAIN, weight=0.9)),
    "heaviest": (OUTLINES, replace(PLAIN, weight=1.2)),
    "hollow, thin": (SOLIDS, replace(PLAIN, form="outline", line=0.9)),
    "hollow, thicker": (SOLIDS, replace(PLAIN, form="outline", line=1.3)),
    "tinted": (OUTLINES, replace(PLAIN, form="tinted")),
    "tinted, heavier": (OUTLINES, replace(PLAIN, form="tinted", weight=0.6)),
    "lines around a tone": (SOLIDS, replace(PLAIN, form="duotone", line=1.3)),
}


@pytest.mark.parametrize("name", KNOWN)
def test_a_known_styling_is_found_again(name: str) -> None:
    hand, styling = KNOWN[name]
    found = near(folder(hand, styling))
    before = found.likeness
    manner = found.search().manner
    assert (manner.hand, manner.styling.form) == (hand, styling.form)
    assert abs(manner.styling.weight - styling.weight) < 0.5
    if styling.form in ("outline", "duotone"):
        assert abs(2 * manner.styling.line - 2 * styling.line) < 0.5
    assert (manner.styling.slant, manner.styling.wide) == (0, 1)  # upright stays upright
    assert manner.line == 1
    assert manner.fills == ((2,) if styling.form in ("tinted", "duotone") else ())
    assert found.likeness > 0.95
    assert found.likeness == pytest.approx(found.likeness_of(found.draw(manner)))
    assert found.likeness >= before + (0.1 if name != "plain" else 0)
    truth = folder(hand, styling, slice(SHOWN))
    off, start = ((found.draw(way) - truth).abs().mean() for way in (manner, START))
    assert off < 0.06
    assert off < 0.5 * start or name == "plain"


@pytest.mark.parametrize(("hand", "form"), [(SOLIDS, "keep"), (OUTLINES, "solid")])
def test_filled_folders_are_drawn_filled(hand: int, form: str) -> None:
    """A solid drawing may come of a solid one as it is, or of an outline that is filled."""
    found = near(folder(hand, replace(PLAIN, form=form))).search()
    drawn, truth = found.draw(found.manner), folder(hand, replace(PLAIN, form=form), slice(SHOWN))
    assert (found.manner.hand, found.manner.styling.form) in ((SOLIDS, "keep"), (OUTLINES, "solid"))
    assert filled(drawn) > 0.75 > filled(plain(OUTLINES)[:SHOWN]) + 0.1
    assert abs(filled(drawn) - filled(truth)) < 0.15


def filled(images: Tensor) -> float:
    """The share of what drawings [N, 1, S, S] enclose that is ink."""
    cover = (images + 1) / 2
    return float(cover.sum() / anatomy(cover)[0].sum())


@pytest.mark.parametrize(("hand", "form"), [(OUTLINES, "tinted"), (SOLIDS, "duotone"), (SOLIDS, "inlay")])
def test_one_paint_for_lines_and_one_that_fills(hand: int, form: str) -> None:
    styling = in_colour(replace(PLAIN, form=form), GOLD)
    found = near(folder(hand, styling)).search()
    assert (found.manner.hand, found.manner.styling.form) == (hand, form)
    assert found.likeness > 0.9
    assert same(colours_of(found, (0, found.manner.line)), WHITE, NAVY)
    assert same(colours_of(found, found.manner.fills), GOLD)
    drawn, truth = found.draw(found.manner), folder(hand, styling, slice(SHOWN))
    assert (drawn - truth).abs().mean() < 0.08
    assert (drawn - truth).abs().mean() < 0.4 * (1 - truth).abs().mean()


def test_one_paint_alone_draws_all() -> None:
    found = near(folder(OUTLINES, in_colour(replace(PLAIN, weight=0.9), GOLD))).search()
    assert (found.manner.hand, found.manner.styling.form) == (OUTLINES, "keep")
    assert abs(found.manner.styling.weight - 0.9) < 0.5
    logits = found.logits(plain(OUTLINES)[0], found.manner, 0)
    assert same(colours_of(found, logits.argmax(0).unique().tolist()), WHITE, NAVY)


def test_solids_of_several_colours_are_not_drawn_in_one() -> None:
    found = near(folder(SOLIDS, in_colour(replace(PLAIN, form="solid"), GOLD, TEAL, ROSE))).search()
    assert found.several
    shown = [found.logits(plain(found.manner.hand)[0], found.manner, turn).argmax(0).unique().tolist() for turn in range(2)]
    assert shown[0] != shown[1]


def test_several_fills_come_by_turns() -> None:
    found = near(folder(SOLIDS, in_colour(replace(PLAIN, form="duotone"), GOLD, TEAL))).search()
    assert same(colours_of(found, found.manner.fills), GOLD, TEAL)
    shown = [found.logits(plain(SOLIDS)[0], found.manner, turn).argmax(0).unique().tolist() for turn in range(3)]
    assert shown[0] == shown[2] != shown[1]
    fills = [tuple(colour.tolist()) for colour in colours_of(found, found.manner.fills)]
    for numbers, fill in zip(shown, fills, strict=False):
        assert same(colours_of(found, numbers), WHITE, NAVY, fill)


@pytest.mark.parametrize("ground", [WHITE, NAVY])
def test_results_are_in_the_folder_s_own_paints(ground: tuple[float, ...]) -> None:
    lines = WHITE if ground == NAVY else NAVY
    colours = tuple(map(torch.tensor, (ground, lines, (0.0, 0.0, 0.0), GOLD)))
    found = near(folder(SOLIDS, replace(PLAIN, form="duotone", colours=colours))).search()
    numbers = torch.stack([found.logits(ink, found.manner, number).argmax(0) for number, ink in enumerate(plain(SOLIDS))])
    assert same(colours_of(found, numbers.unique().tolist()), ground, lines, GOLD)
    drawn, paints = found.draw(found.manner), torch.tensor((ground, lines, GOLD))
    assert torch.allclose(ground_of(drawn)[0], paints[0].expand(SHOWN, -1), atol=0.1)
    apart = (drawn[:, None] - paints[None, :, :, None, None]).abs().amax(2).amin(1)
    assert (apart < 0.1).float().mean() > 0.7  # all but soft edges


def frame(width: int) -> Tensor:
    """The outline of a square, in lines of so many pixels: [1, S, S]."""
    ink = torch.full((1, SIDE, SIDE), -1.0)
    ink[:, 8:56, 8:56] = 1
    ink[:, 8 + width : 56 - width, 8 + width : 56 - width] = -1
    return ink


def test_lines_of_all_motifs_weigh_the_same_and_no_gap_closes() -> None:
    thin, thick, grid = frame(2), frame(4), frame(1)
    grid[:, 12:52:5, 8:56] = 1  # around gaps of four pixels
    drawings = torch.stack([thick, thin, thick, grid, thick])
    found = Nearing(folder(OUTLINES, PLAIN), [drawings])
    weights = line_weight(distance_field((found.draw(START) + 1) / 2))
    assert weights[1] > 1.6  # of 1.0, as the thick one has 2.0
    assert weights[0] == weights[2] == pytest.approx(2, abs=0.15)
    assert (found.draw(START)[3] < 0).float().mean() > 0.6  # the gaps are there


def test_no_letter_is_cut_by_its_frame() -> None:
    letters = [bank().named(name) for name in ("A", "E", "H", "K", "T")]
    plainly = torch.stack([draw_svg(letter.drawings[0].body, SIDE) for letter in letters])
    leaning = styled((plainly + 1) / 2, replace(PLAIN, slant=0.25, weight=1.0), generator_for(0, "letters"))
    found = Nearing(leaning, [plainly], written=True).search()
    assert found.manner.styling.slant > 0.1
    furthest = replace(found.manner.styling, slant=SLANTS[1], size=OF_LETTERS[1])
    for manner in (found.manner, replace(found.manner, styling=furthest)):
        found.manner = manner
        for number, name in enumerate(("Q", "W", "M", "g", "j")):
            logits = found.logits(draw_svg(bank().named(name).drawings[0].body, SIDE), found.manner, number)
            inked = (logits.argmax(0) == 1).float()[None, None]
            assert inked.sum() > SIDE, name
            assert (inked * rim(inked)).sum() == 0, name


def test_logits_are_what_is_drawn() -> None:
    found = near(folder(SOLIDS, in_colour(replace(PLAIN, form="duotone", slant=0.15), GOLD))).search()
    bent = replace(found.manner, styling=replace(found.manner.styling, slant=0.15, wide=0.85))
    for manner in (found.manner, bent):
        found.manner, drawn = manner, found.draw(manner)
        for number in range(3):
            logits = found.logits(plain(manner.hand)[number], found.manner, number)
            mixed = torch.einsum("phw,pc->chw", covered(logits), found.paints.colours[0])
            assert torch.allclose(mixed, drawn[number], atol=1e-4)


def test_a_search_is_the_same_again() -> None:
    examples = folder(OUTLINES, replace(PLAIN, weight=0.6))
    assert near(examples).search().manner == near(examples).search().manner


@pytest.mark.parametrize(("gain", "narrows"), [(0.01, False), (0.03, True)])
def test_what_is_narrow_has_to_bring_more(gain: float, narrows: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is narrower is taken where it is a good deal more like the folder's hand, and not for a little."""
    found = near(folder(OUTLINES, PLAIN))

    def across(images: torch.Tensor) -> float:
        return float((images > 0).any(2).sum(2).float().mean())

    whole = across(found.draw(found.manner))
    monkeypatch.setattr(found, "likeness_of", lambda images: gain * (across(images) < 0.9 * whole))
    found.likeness = 0.0
    styling = found.search().manner.styling
    assert (styling.wide < 1) == narrows
    assert styling == replace(PLAIN, wide=styling.wide)


def test_lines_are_as_thick_as_the_folder_s_and_motifs_as_large() -> None:
    examples = folder(OUTLINES, replace(PLAIN, weight=0.75, size=0.8))
    found = near(examples).search()
    assert found.own.line == pytest.approx(float(line_weight(distance_field((examples + 1) / 2)).median()), abs=0.05)
    drawn = found.draw(found.manner)
    assert line_weight(distance_field((drawn + 1) / 2)).median() == pytest.approx(found.own.line, abs=0.15)
    assert float(extents_of(drawn).median()) == pytest.approx(found.own.extent, abs=0.06)


def test_thin_lines_of_solids_become_no_thinner_than_the_examples_have() -> None:
    solids = torch.stack([frame(2), *(torch.where(frame(24) > 0, 1.0, -1.0) for _ in range(4))])
    found = Nearing(folder(SOLIDS, PLAIN), [solids])
    eroded = replace(START, styling=replace(PLAIN, weight=-0.9))
    assert found.solid == [True]
    weights = line_weight(distance_field((found.draw(eroded) + 1) / 2))
    assert float(weights[0]) > 0.9  # of 1.0, that would be 0.1
