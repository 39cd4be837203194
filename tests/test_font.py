"""Fonts of drawn letters: other programs read them, letters stand on their line, and what was not drawn is made."""

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import TINY, draw_folder, refused, run
from fontTools.pens.areaPen import AreaPen
from fontTools.pens.boundsPen import BoundsPen
from fontTools.ttLib import TTFont
from PIL import Image, ImageDraw, ImageFont
from test_vectors import screenshot

from metagan_cli.images.lettering import Box, box_of, coverage, stroke_of, white_beside
from metagan_cli.learners.build import build_learner
from metagan_cli.networks.bundle import build_networks
from metagan_cli.rng import generator_for
from metagan_cli.store.models import save_model
from metagan_cli.workflows.characters import body_box, box_in_bank, character_of, characters
from metagan_cli.workflows.lines import line_of, placed

SIDE, PEN = 96, 8  # pixels of pictures and pens
EM = 1000
PAINTS = "from metagan_cli.workflows.guests import Guests; Guests.painted = True"  # whatever it makes of guests
LINES = {  # what is drawn, in pixels
    "A": [(24, 72), (46, 20), (68, 72)],
    "E": [(64, 20), (30, 20), (30, 46), (58, 46), (30, 46), (30, 72), (64, 72)],
    "H": [(28, 20), (28, 72), (28, 46), (64, 46), (64, 20), (64, 72)],
    "x": [(30, 34), (60, 72), (45, 53), (60, 34), (30, 72)],
    "n": [(32, 72), (32, 34), (58, 34), (58, 72)],
    "g": [(58, 58), (34, 58), (34, 34), (58, 34), (58, 88), (34, 88)],
}


def draw_letter(letter: str) -> Image.Image:
    """Dark on light, with soft edges."""
    large = Image.new("L", (4 * SIDE, 4 * SIDE), 255)
    places, draw = [(4 * x, 4 * y) for x, y in LINES[letter]], ImageDraw.Draw(large)
    draw.line(places, fill=0, width=4 * PEN)
    for x, y in places:  # round ends
        draw.ellipse((x - 2 * PEN, y - 2 * PEN, x + 2 * PEN, y + 2 * PEN), fill=0)
    return large.resize((SIDE, SIDE), Image.Resampling.BOX)


def draw_letters(folder: Path, letters: str = "AEHxng") -> Path:
    folder.mkdir()
    for letter in letters:
        draw_letter(letter).save(folder / f"{'upper' if letter.isupper() else 'lower'}-{letter.lower()}.png")
    return folder


@pytest.fixture(scope="session")
def painter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained base model that draws guests as they are, but larger and lower, as a hand may."""
    path, config = tmp_path_factory.mktemp("painter") / "painter.safetensors", replace(TINY, guests=True)
    nets = build_networks(config, generator_for(0, "painter"))
    assert nets.guests is not None
    with torch.no_grad():
        nets.guests.affine.bias.add_(torch.tensor([-0.5, 0, 0, 0, -0.5, -0.2]))
    save_model(path, config, nets, build_learner(config), {"name": "painter", "step": 0, "seed": 0, "data": []})
    return path


@dataclass(frozen=True)
class Made:
    """A font in a file, and what was said of it."""

    path: Path
    told: dict[str, object]

    def ink(self, text: str, size: int = 200) -> "np.ndarray[tuple[int, int], np.dtype[np.bool_]]":
        """What FreeType draws of a text, from its origin on; the baseline is in the middle."""
        image = Image.new("L", (size * (len(text) + 1), 2 * size), 255)
        font = ImageFont.truetype(str(self.path), size)
        ImageDraw.Draw(image).text((0, size), text, fill=0, font=font, anchor="ls")
        return np.asarray(image) < 128

    def box(self, text: str) -> Box:
        """Where a text has ink, in a font's units from its origin, y down."""
        found = box_of(torch.from_numpy(self.ink(text)).float())
        assert found is not None, text
        left, top, right, bottom = (5 * side for side in found)
        return Box(left, top - EM, right, bottom - EM)


@pytest.fixture(scope="module")
def made(painter: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("font")
    draw_letters(folder / "my_letters")
    draw_letter("A").save(folder / "my_letters" / "cover-sheet.png")
    draw_letter("A").save(folder / "my_letters" / "A.png")
    Image.new("L", (SIDE, SIDE), 255).save(folder / "my_letters" / "dot.png")
    ran = run("font", "my_letters", "--from", painter, "-o", "mine.ttf", "--json", cwd=folder, bootstrap=PAINTS)
    assert ran.code == 0, ran.err
    return Made(folder / "mine.ttf", json.loads(ran.out))


def test_what_was_drawn_what_is_new_and_what_is_missing(made: Made) -> None:
    told = made.told
    assert told["command"] == "font"
    assert told["family"] == "my letters"
    assert told["base"] == "painter"
    assert told["drawn"] == list("AEHgnx")
    assert set(told["drawn"]) | set(told["new"]) == set(characters())  # type: ignore[call-overload]
    reasons = dict(told["missing"])  # type: ignore[call-overload]
    assert reasons["cover-sheet.png"] == "its name is no letter's"
    assert reasons["upper-a.png"] == "another picture shows A"
    assert reasons["dot.png"] == "a picture without ink"
    assert len(reasons) == 3


def test_every_letter_has_ink_and_overlaps_no_other(made: Made) -> None:
    font = TTFont(made.path)
    cmap, widths, glyphs = font.getBestCmap(), font["hmtx"], font["glyf"]
    assert {*map(ord, characters()), 0x20, 0xA0, 0x2019, 0x201D} == cmap.keys()
    for code, name in cmap.items():
        advance, left = widths[name]
        assert advance > 0
        if code in (0x20, 0xA0):
            continue
        glyph = glyphs[name]
        assert glyph.numberOfContours > 0, name
        assert left == glyph.xMin
        pen, bounds = AreaPen(font.getGlyphSet()), BoundsPen(font.getGlyphSet())
        for way in (pen, bounds):
            font.getGlyphSet()[name].draw(way)
        assert pen.value < 0, name  # outer contours run clockwise
        assert 0 < bounds.bounds[0] < bounds.bounds[2] < advance, name
        assert made.ink(chr(code)).any()
    assert font["hhea"].ascent >= max(glyphs[name].yMax for name in cmap.values() if name != "space")
    assert font["hhea"].descent <= min(glyphs[name].yMin for name in cmap.values() if name != "space")


def test_a_drawn_letter_looks_as_it_was_drawn(made: Made) -> None:
    for letter in LINES:
        drawing = draw_letter(letter)
        dark = box_of(1 - torch.from_numpy(np.array(drawing)).float() / 255)
        assert dark is not None
        own, font = drawing.crop(dark), made.ink(letter)
        rows, columns = np.flatnonzero(font.any(1)), np.flatnonzero(font.any(0))
        font = font[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        same = np.asarray(own.resize(font.shape[::-1], Image.Resampling.BICUBIC)) < 128
        assert (same & font).sum() > 0.93 * (same | font).sum(), letter


def test_letters_stand_on_one_line_in_one_scale(made: Made) -> None:
    for text in "HAExnTZkzv17":
        assert abs(made.box(text).bottom) < 12, text
    capital, small = -made.box("H").top, -made.box("x").top
    assert abs(capital - 700) < 70
    assert abs(small / capital - 46 / 60) < 0.04  # as they were drawn
    assert abs(made.box("T").top + capital) < 40  # new ones too
    assert abs(made.box("z").top + small) < 40
    font = TTFont(made.path)
    assert abs(font["OS/2"].sCapHeight - capital) < 40
    assert abs(font["OS/2"].sxHeight - small) < 40
    assert made.box("g").bottom > 100
    assert made.box("p").bottom > 100
    assert made.box(",").bottom > 50
    hyphen = made.box("-")
    assert -capital < hyphen.top < hyphen.bottom < -100
    assert made.box("'").bottom < -small / 2
    assert made.box('"').width > 1.5 * made.box("'").width


def test_white_beside_letters_is_even(made: Made) -> None:
    straight, open_one = made.box("H").left, made.box("T").left
    assert straight > open_one > 0
    pair = np.flatnonzero(made.ink("nn").any(0))
    gap = int(np.diff(pair).max()) * 5
    assert 50 < gap < 300
    with_space = np.flatnonzero(made.ink("n n").any(0))
    assert np.diff(with_space).max() * 5 > gap + 150


def test_a_browser_shows_it_as_freetype_does(made: Made, tmp_path: Path) -> None:
    shutil.copy(made.path, tmp_path / "mine.ttf")
    page, text, size = tmp_path / "page.html", "Hang xenon", 100
    page.write_text(
        f"<style>@font-face {{ font-family: mine; src: url(mine.ttf) }} body {{ margin: 0 }}"
        f"p {{ font: {size}px/{2 * size}px mine; margin: 0 }}</style><p>{text}</p>"
    )
    shown = np.asarray(screenshot(page).convert("L")) < 128
    image = Image.new("L", (800, 800), 255)
    font = ImageFont.truetype(str(made.path), size, layout_engine=ImageFont.Layout.BASIC)
    ImageDraw.Draw(image).text((0, 100), text, fill=0, font=font)
    same = np.asarray(image) < 128
    boxes = [box_of(torch.from_numpy(part.copy()).float()) for part in (shown, same)]
    assert boxes[0] is not None
    assert boxes[1] is not None
    assert abs(boxes[0].width - boxes[1].width) < 8
    assert abs(boxes[0].height - boxes[1].height) < 4
    assert abs(int(shown.sum()) - int(same.sum())) < 0.05 * same.sum()


@pytest.mark.slow
def test_the_same_folder_gives_the_same_bytes(made: Made, painter: Path, tmp_path: Path) -> None:
    shutil.copytree(made.path.parent / "my_letters", tmp_path / "my_letters")
    ran = run("font", "my_letters", "--from", painter, "-o", "a/mine.ttf", cwd=tmp_path, bootstrap=PAINTS, fresh=True)
    assert ran.code == 0, ran.err
    assert (tmp_path / "a" / "mine.ttf").read_bytes() == made.path.read_bytes()


def test_any_model_makes_new_letters(made: Made, tiny_model: Path, tmp_path: Path) -> None:
    """One without a painter those of the bank, as heavy as the folder's: they stand on its line in its scale as well."""
    shutil.copytree(made.path.parent / "my_letters", tmp_path / "my_letters")
    ran = run("font", "my_letters", "--from", tiny_model, "-o", "mine.ttf", "--json", cwd=tmp_path)
    assert ran.code == 0, ran.err
    near = Made(tmp_path / "mine.ttf", json.loads(ran.out))
    assert near.told["base"] == "tiny"
    assert (near.told["drawn"], near.told["new"]) == (made.told["drawn"], made.told["new"])
    for drawn, new in (("H", "T"), ("x", "z"), ("n", "m")):
        assert abs(near.box(new).top - near.box(drawn).top) < 40
        assert abs(near.box(new).bottom) < 12
    strokes = [5 * stroke_of(torch.from_numpy(near.ink(letter)).float()) for letter in "HTE"]
    assert abs(strokes[1] - strokes[0]) < 25
    assert near.path.read_bytes() != made.path.read_bytes()  # as nothing paints them


def test_only_what_was_drawn(tiny_model: Path, tmp_path: Path) -> None:
    draw_letters(tmp_path / "letters", "AH")
    draw_letter("x").save(tmp_path / "letters" / "ж.png")  # a letter that the bank has not
    make = ["font", "letters", "--from", tiny_model, "-o", "a.ttf", "--no-new", "--family", "Two Runes"]
    for _ in range(2):  # the second time over what metagan wrote itself
        ran = run(*make, cwd=tmp_path)
        assert ran.code == 0, ran.err
    lines = ran.out.splitlines()
    assert lines[0] == "drawn    3: A H ж"
    assert lines[1] == "new      none"
    assert lines[2].startswith("missing  79: B C D")
    assert lines[2].endswith("(not drawn)")
    assert "a.ttf, family Two Runes" in lines[3]
    font = TTFont(tmp_path / "a.ttf")
    assert font.getBestCmap().keys() == {ord("A"), ord("H"), ord("ж"), 0x20, 0xA0}
    names = font["name"]
    assert [names.getDebugName(number) for number in (1, 2, 4, 6)] == [
        "Two Runes",
        "Regular",
        "Two Runes Regular",
        "TwoRunes-Regular",
    ]
    told = run("inspect", "a.ttf", cwd=tmp_path).out
    assert "font made by metagan" in told
    assert "AHж" in told


def test_colours_and_pixel_art_are_traced_as_they_are(tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "colour").mkdir()
    (tmp_path / "pixels").mkdir()
    dark = Image.eval(draw_letter("H"), lambda level: 255 - level)
    Image.composite(Image.new("RGB", dark.size, (240, 200, 60)), Image.new("RGB", dark.size, (40, 60, 160)), dark).save(
        tmp_path / "colour" / "H.png"
    )
    art = Image.new("L", (12, 12), 255)
    for place in [*((3, y) for y in range(2, 9)), *((x, 8) for x in range(3, 8))]:
        art.putpixel(place, 0)
    art.resize((48, 48), Image.Resampling.NEAREST).save(tmp_path / "pixels" / "L.png")
    for folder in ("colour", "pixels"):
        ran = run("font", folder, "--from", tiny_model, "-o", f"{folder}.ttf", "--no-new", cwd=tmp_path)
        assert ran.code == 0, ran.err
    h = Made(tmp_path / "colour.ttf", {}).ink("H")
    assert 0.05 < h[60:200, :180].mean() < 0.6
    glyph = TTFont(tmp_path / "pixels.ttf")["glyf"]["L"]
    assert len(glyph.coordinates) == 6  # corners
    across, down = glyph.xMax - glyph.xMin, glyph.yMax - glyph.yMin
    assert abs(across / down - 5 / 7) < 0.02


@pytest.mark.parametrize(
    ("name", "character"),
    [
        ("a", "a"),
        ("A", "A"),
        ("upper-a", "A"),
        ("Lower_Q", "q"),
        ("capital a", "A"),
        ("7", "7"),
        ("zero", "0"),
        ("?", "?"),
        ("question-mark", "?"),
        ("Question Mark", "?"),
        ("period", "."),
        ("apostrophe", "'"),
        ("e\u0301", "é"),
        ("left-parenthesis", "("),
        ("bracket", None),  # either
        ("rune-3", None),
        ("upper-ab", None),
        ("\u200b", None),
        ("", None),
    ],
)
def test_pictures_are_called_as_their_letters(name: str, character: str | None) -> None:
    assert character_of(name) == character


def bank_boxes(letters: str, zoom: float, foot: float | None) -> dict[str, Box]:
    """The bank's letters so many times as large, on a line or each in the middle of its picture."""
    found = {}
    for letter in letters:
        box = box_in_bank(letter)
        assert box is not None
        box = box.times(zoom)
        by = 12 - box.middle if foot is None else foot - zoom * 18.9
        found[letter] = Box(box.left, box.top + by, box.right, box.bottom + by)
    return found


def test_a_line_is_found_where_there_is_one() -> None:
    line = line_of(bank_boxes("AHgxnp", 1.2, 20), one_frame=True)
    assert line.zoom == pytest.approx(1.2)
    assert line.foot == pytest.approx(20)
    assert line_of(bank_boxes("AHgxnp", 1.2, None), one_frame=True).foot is None
    assert line_of(bank_boxes("AHgxnp", 1.2, 20), one_frame=False).foot is None
    runes = {letter: Box(4, 4, 20, 20) for letter in "agexhd"}  # of one height, whatever the bank's are
    assert line_of(runes, one_frame=True).foot is not None


def test_guests_are_as_large_as_what_was_drawn_but_within_the_square() -> None:
    line = line_of(bank_boxes("AEHK", 1.6, 23), one_frame=True)
    for character in "HIgW@(":
        motif = characters()[character]
        found, plain = body_box(placed(character, motif, line).motif.drawings[0].body), box_in_bank(character)
        assert found is not None
        assert plain is not None
        assert min(found) > 1
        assert max(found) < 23
    inside = placed("H", characters()["H"], line)
    assert inside.height == pytest.approx(21, abs=0.2)
    assert inside.squeezed == pytest.approx(1.6 * 13.8 / 21, abs=0.02)


def test_strokes_and_white_are_measured() -> None:
    share = torch.zeros(64, 64)
    share[10:54, 20:26] = 1
    assert stroke_of(share) == pytest.approx(6, abs=1)
    share[10:16, 20:50] = 1  # as a gamma
    left, right = white_beside(share, 100)
    assert left == 0
    assert right == pytest.approx(24 * 38 / 44)
    assert white_beside(share, 10)[1] == pytest.approx(10 * 38 / 44)
    faint = torch.full((1, 32, 32), -1.0)
    faint[:, 8:20, 8:20] = -0.4  # a pencil's
    assert box_of(coverage(faint)) == Box(8, 8, 20, 20)
    assert box_of(coverage(torch.full((3, 32, 32), 0.5))) is None


def test_what_cannot_be(tiny_model: Path, painter: Path, tmp_path: Path) -> None:
    draw_letters(tmp_path / "letters", "AH")
    draw_folder(tmp_path / "drawings", 2, size=32)
    for number, name in enumerate(("first", "second")):
        (tmp_path / "drawings" / f"{number}.png").rename(tmp_path / "drawings" / f"{name}.png")
    (tmp_path / "theirs.ttf").write_bytes(b"\0\1\0\0")
    make = ["font", "letters", "--from", painter]
    assert ".ttf" in refused(2, *make, "-o", "a.otf", cwd=tmp_path)
    assert "--overwrite" in refused(5, *make, "-o", "theirs.ttf", cwd=tmp_path)
    line = refused(3, "font", "drawings", "--from", tiny_model, "--no-new", cwd=tmp_path)
    assert "drawings: no letter (first.png: its name is no letter's)" in line
    assert "upper-a.png" in line
    assert "1 to 31 characters" in refused(2, *make, "--family", "x" * 32, cwd=tmp_path)
    assert "no such folder" in refused(3, "font", "nowhere", "--from", tiny_model, cwd=tmp_path)
    for missing in ("vtracer", "fontTools.fontBuilder"):
        without = f"import sys; sys.modules[{missing!r}] = None"
        assert "pip install 'metagan[font]'" in refused(2, *make, cwd=tmp_path, bootstrap=without)
    ran = run("font", "letters", "--from", tiny_model, "--no-new", "-o", "theirs.ttf", "--overwrite", cwd=tmp_path)
    assert ran.code == 0, ran.err
