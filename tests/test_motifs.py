"""The bank of motifs: all that ships can be drawn, is free, and is found."""

import gzip
import json
from collections import Counter
from pathlib import Path

import pytest
import torch
from conftest import refused, run
from PIL import Image

from metagan_cli.errors import CheckpointError, UsageError
from metagan_cli.images.drawings import draw_svg
from metagan_cli.store.motifs import FILE, GROUPS, KINDS, Bank, Drawing, Motif, bank, read_bank
from metagan_cli.store.places import shipped_file
from metagan_cli.store.shipped import shipped_models
from recipes.held_out import ICON_SETS
from recipes.motif_drawings import plain_icon
from recipes.motif_names import SETS, key_of, plain

LICENCES = {"MIT", "Apache-2.0", "CC0-1.0"}
SLIGHT = {"hyphen", "full-stop", "comma", "colon", "semicolon", *"1Iilj", "exclamation-mark", "slash"}  # of little ink
SIDE = 48


def share(body: str) -> torch.Tensor:
    return (draw_svg(body, SIDE)[0] + 1) / 2


def named(*names: str) -> Bank:
    """A bank of motifs with these names, each with the words after a colon."""
    parts = [name.partition(":") for name in names]
    return Bank(tuple(Motif(name, "icon", tuple(words.split()), ()) for name, _, words in parts), {})


def test_a_drawing_is_ink_on_ground() -> None:
    image = draw_svg('<path d="M0 0h12v24H0z"/>', 8)
    assert image.shape == (1, 8, 8)
    assert torch.equal(image[0, :, :4], torch.ones(8, 4))
    assert torch.equal(image[0, :, 4:], -torch.ones(8, 4))
    soft = draw_svg('<circle cx="12" cy="12" r="8" fill="none" stroke="currentColor" stroke-width="2"/>', 24)
    assert ((soft > -0.9) & (soft < 0.9)).any()
    assert torch.allclose(soft, soft.flip(1), atol=0.15)
    with pytest.raises(ValueError, match="expected"):
        draw_svg("<path", 8)


def test_every_drawing_has_ink_within_its_frame() -> None:
    for motif in bank().motifs:
        for drawing in motif.drawings:
            ink = share(drawing.body)
            assert (0.003 if motif.name in SLIGHT else 0.012) < ink.mean() < 0.7, drawing.source
            assert max(ink[0].max(), ink[-1].max(), ink[:, 0].max(), ink[:, -1].max()) < 0.05, drawing.source


def test_solid_drawings_have_more_ink_than_outlines() -> None:
    pairs = [motif.drawings for motif in bank().group("icons") if len(motif.drawings) == 2][::10]
    more = [share(solid.body).sum() > share(outline.body).sum() for outline, solid in pairs]
    assert sum(more) > 0.8 * len(more)


def test_type_stands_on_one_line() -> None:
    def foot(name: str) -> int:
        return int((share(bank().named(name).drawings[0].body) > 0.5).any(1).nonzero().max())

    assert foot("H") == foot("x") == foot("1") == foot("full-stop")
    assert foot("g") > foot("H")


def test_the_bank_holds_what_people_want() -> None:
    motifs = bank().motifs
    assert len(motifs) > 1800
    assert len({motif.name for motif in motifs}) == len(motifs)
    assert {motif.kind for motif in motifs} == {*KINDS}
    for name in "home camera heart arrow-up apple umbrella key music cat star A z 7".split():  # noqa: SIM905
        assert bank().named(name).name == name
    styles = Counter(tuple(drawing.style for drawing in motif.drawings) for motif in motifs)
    assert {*styles} == {("outline",), ("outline", "solid"), ("sans", "serif", "hand", "script")}
    assert styles["outline",] < 0.15 * len(motifs)


def test_the_bank_is_free_and_keeps_apart_what_is_held_out() -> None:
    sources = bank().sources
    used = {(d.source.rsplit(" ", 1)[0], d.licence) for motif in bank().motifs for d in motif.drawings}
    assert {licence for _, licence in used} == LICENCES
    assert {name for name, _ in used} == sources.keys()
    assert all(sources[name]["licence"] == licence for name, licence in used)
    assert not {*sources} & {*ICON_SETS}
    file = shipped_file(FILE)
    assert file is not None
    card = file.with_name("motifs.md").read_text(encoding="utf-8")
    assert all(source["title"] in card and source["author"] in card for source in sources.values())
    assert not [motif.name for motif in bank().motifs if {"logo", "brand", "facebook", "google"} & {*motif.name.split("-")}]


@pytest.mark.parametrize(
    "body",
    [
        '<defs><linearGradient id="a"/></defs><path fill="url(#a)" d="M0 0h9v9z"/>',
        '<path fill="#f00" d="M0 0h9v9z"/>',
        '<path opacity=".5" d="M0 0h9v9z"/>',
        '<g mask="url(#a)"><path d="M0 0h9v9z"/></g>',
        '<path fill="none" d="M0 0h9v9z"/>',
        "<path",
    ],
)
def test_icons_of_more_than_one_ink_are_left_out(body: str) -> None:
    assert plain_icon({"icons": {"a": {"body": body}}}, "a") is None


def test_icons_get_into_one_square() -> None:
    square = '<g fill="none"><path id="b" class="c" fill="#000" d="M4 4h8v8H4z"/></g>'
    assert plain_icon({"icons": {"a": {"body": square}}}, "a") == (
        '<g transform="scale(1.5)"><g fill="none"><path fill="currentColor" d="M4 4h8v8H4z"/></g></g>'
    )
    for icon in (
        {"body": '<path d="M0 0h16v16H0z"/>'},
        {"body": '<path d="M0 0h8v9H0z"/>'},
        {"width": 32, "body": '<path d="M0 0h9v9z"/>'},
    ):
        body = plain_icon({"height": 16, "icons": {"a": icon}}, "a")
        assert body is not None
        ink = share(body) > 0.5
        middle = [float(ink.any(axis).nonzero().float().mean()) for axis in (0, 1)]
        assert all(abs(place - (SIDE - 1) / 2) < 1 for place in middle)
        assert not ink[0].any()
        assert not ink[-1].any()


def test_names_lose_style_and_size() -> None:
    assert plain("ph", "house-fill") == plain("mdi", "house-outline") == plain("fluent", "house-24-filled") == "house"
    assert plain("ic", "outline-arrow-back") == "arrow-back"
    assert plain("mdi", "traffic-light") == "traffic-light"
    assert key_of("tabler", "arrow-up-circle") == key_of("ion", "circle-arrow-up")
    assert not {*SETS} & {*ICON_SETS}


def test_groups() -> None:
    sizes = {name: len(bank().group(name)) for name in GROUPS}
    assert sizes["digits"] == 10
    assert sizes["latin"] == 52
    assert sizes["all"] == sum(sizes.values()) - sizes["all"]
    with pytest.raises(UsageError, match="runes: no group of motifs; there are icons, symbols"):
        bank().group("runes")


def test_names_come_first_then_words_of_names_then_others() -> None:
    some = named("lion:cat animal", "bobcat", "wild-cat", "education", "Cat", "cat-food:pet", "cat")
    assert [motif.name for motif in some.find("cat")] == ["cat", "Cat", "wild-cat", "cat-food", "lion"]
    assert [motif.name for motif in some.find("cat food")] == ["cat-food"]
    assert [motif.name for motif in some.find("Animal")] == ["lion"]
    assert [motif.name for motif in some.find("cat pet")] == ["cat-food"]
    assert [motif.name for motif in some.find("bob")] == ["bobcat"]  # nothing else has it
    assert some.find("dog") == ()
    assert [motif.name for motif in bank().find("a")][:2] == ["a", "A"]
    assert bank().find("house")[0].name == "home"


def test_a_name_that_is_not_there_brings_what_comes_close() -> None:
    with pytest.raises(UsageError, match="umbrela: no motif of that name; is it umbrella"):
        bank().named("umbrela")
    with pytest.raises(UsageError, match="is it home"):
        bank().named("house")
    with pytest.raises(UsageError, match="name; metagan motifs WORD searches"):
        bank().named("qqqqqqqq")
    assert bank().named("Arrow up").name == "arrow-up"
    assert bank().named("?").name == "question-mark"
    assert bank().named("A") != bank().named("a")


def test_the_bank_is_read_once_and_damage_is_said(tmp_path: Path) -> None:
    assert bank() is bank()
    path = tmp_path / FILE
    for content in (b"", b"no gzip", gzip.compress(b"[]"), gzip.compress(b"{"), gzip.compress(b'{"version": 1, "sources": {}}')):
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match=r"motifs\.json\.gz: damaged"):
            read_bank(path)
    path.write_bytes(gzip.compress(b'{"version": 2}'))
    with pytest.raises(CheckpointError, match="of version 2"):
        read_bank(path)
    drawing = {"body": "<path/>", "source": "a b", "licence": "MIT", "style": "solid"}
    motif = {"name": "b", "kind": "icon", "words": ["c"], "drawings": [drawing]}
    path.write_bytes(gzip.compress(json.dumps({"version": 1, "sources": {}, "motifs": [motif]}).encode()))
    assert read_bank(path).motifs == (Motif("b", "icon", ("c",), (Drawing(**drawing),)),)


def test_the_file_says_no_time_and_is_no_model() -> None:
    file = shipped_file(FILE)
    assert file is not None
    assert file.stat().st_size < 1.5e6
    assert file.read_bytes()[4:8] == bytes(4)  # gzip's time
    assert "motifs" not in [model.name for model in shipped_models()]


def test_motifs_lists_and_searches(tmp_path: Path) -> None:
    counts = {kind: len([m for m in bank().motifs if m.kind == kind]) for kind in KINDS}
    lines = run("motifs", cwd=tmp_path).out.splitlines()
    assert [line.split()[:2] for line in lines] == [[kind, str(count)] for kind, count in counts.items()]
    lines = run("motifs", "house", cwd=tmp_path).out.splitlines()
    assert lines[0].split()[:3] == ["home", "icon", "house,"]
    assert len(run("motifs", "--kind", "digit", cwd=tmp_path).out.splitlines()) == 10
    told = json.loads(run("motifs", "arrow", "left", "--kind", "symbol", "--json", cwd=tmp_path).out)
    assert told["command"] == "motifs"
    assert told["kinds"] == counts
    assert told["motifs"][0]["name"] == "arrow-left"
    assert told["motifs"][0]["drawings"][0] == {"style": "outline", "source": "tabler arrow-left", "licence": "MIT"}
    assert {motif["kind"] for motif in told["motifs"]} == {"symbol"}
    assert "none is called that" in refused(2, "motifs", "qqqqqq", cwd=tmp_path)
    assert "one of icon, symbol, letter, digit" in refused(2, "motifs", "--kind", "rune", cwd=tmp_path)


def test_motifs_draws_a_sheet(tmp_path: Path) -> None:
    ran = run("motifs", "--kind", "digit", "-o", "sheets/digits.png", cwd=tmp_path)
    assert ran.code == 0, ran.err
    assert "wrote sheets/digits.png" in ran.err
    with Image.open(tmp_path / "sheets" / "digits.png") as sheet:
        assert sheet.width > 15 * sheet.height
        assert sheet.getpixel((0, 0)) == 255  # dark on light
        assert sheet.convert("L").getextrema() == (0, 255)
    (tmp_path / "mine.png").write_bytes(b"x")
    assert "--overwrite" in refused(5, "motifs", "cat", "-o", "mine.png", cwd=tmp_path)
    assert "ending" in refused(2, "motifs", "cat", "-o", "cats.txt", cwd=tmp_path)
