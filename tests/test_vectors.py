"""Samples as SVG: what is traced looks as what was drawn, by another program's eyes, and the rest is refused."""

import io
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import resvg_py
import torch
from conftest import draw_folder, draw_sprites, refused, run
from PIL import Image, ImageDraw

from metagan_cli.images.ink import is_ink
from metagan_cli.images.shares import shared_colours
from metagan_cli.images.vectors import in_rectangles, traced
from metagan_cli.store.pictures import read_text

APART, OFF, MUCH = 2.5, 0.005, 64  # levels apart in the mean, and the share of pixels that may be off by more than so many levels
LARGE = 1024  # pixels that drawings are wide
RED, GREEN, BLUE, WHITE, BLACK = (200, 40, 50), (30, 150, 90), (40, 70, 190), (255, 255, 255), (0, 0, 0)


def rendered(svg: str, width: int | None = None, ground: str | None = "white") -> Image.Image:
    return Image.open(io.BytesIO(resvg_py.svg_to_bytes(svg_string=svg, width=width, background=ground))).convert("RGBA")


def levels(image: Image.Image) -> np.ndarray[Any, Any]:
    """Red, green and blue of a picture laid on white."""
    ground = Image.new("RGBA", image.size, "white")
    ground.alpha_composite(image.convert("RGBA"))
    return np.asarray(ground)[..., :3].astype(int)


def in_a_browser(path: Path, side: int) -> Image.Image:
    """A screenshot of the upper left of what a browser shows of a file."""
    page = path.with_name("page.html")
    page.write_text(f'<body style="margin: 0"><img src="{path.name}" style="display: block">')
    return screenshot(page).crop((0, 0, side, side))


def screenshot(page: Path) -> Image.Image:
    """What a browser shows of a page."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("chromium is not installed (Debian: apt-get install chromium)")
    shot = page.with_name("shot.png")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--force-device-scale-factor=1"]
    command = [chromium, *flags, "--window-size=800,800", f"--screenshot={shot}", page.as_uri()]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    with Image.open(shot) as image:
        image.load()
        return image


def agree(one: Image.Image, other: Image.Image, apart: float = APART, off: float = OFF) -> bool:
    gap = abs(levels(one) - levels(other))
    assert gap.mean() < apart
    assert (gap.max(2) > MUCH).mean() < off
    return True


def drawn(size: tuple[int, int], ground: tuple[int, ...], draw: Callable[[ImageDraw.ImageDraw], None]) -> Image.Image:
    """A large drawing made smaller, so that its edges are soft."""
    large = Image.new("RGBA", (LARGE, LARGE * size[1] // size[0]), ground)
    draw(ImageDraw.Draw(large))
    return large.resize(size, Image.Resampling.BOX)


def icon(draw: ImageDraw.ImageDraw, first: tuple[int, ...] = RED, shift: int = 0) -> None:
    draw.ellipse((100 + shift, 100, 660 + shift, 660), fill=first)
    draw.polygon([(400, 900), (900, 300 + shift), (960, 900)], fill=GREEN)
    draw.rectangle((300, 340, 520 + shift, 460), fill=BLUE)


def rune(draw: ImageDraw.ImageDraw) -> None:
    draw.line([(200, 150), (200, 880)], fill=BLACK, width=80)
    draw.line([(200, 200), (800, 450), (200, 700)], fill=BLACK, width=80)


def fills(svg: str) -> list[tuple[int, ...]]:
    return [tuple(bytes.fromhex(found)) for found in re.findall(r'fill="#(\w{6})"', svg)]


@pytest.mark.parametrize("size", [(64, 64), (64, 40), (512, 512)])
def test_ink_is_traced_in_black_on_white(size: tuple[int, int]) -> None:
    image = drawn(size, WHITE, rune).convert("L")
    svg = traced(image, ink=True)
    assert fills(svg) == [WHITE, BLACK]
    assert len(svg) < 3000
    assert agree(rendered(svg), image)
    assert rendered(svg).size == size


def test_light_ink_is_white_on_black() -> None:
    image = Image.eval(drawn((64, 64), WHITE, rune).convert("L"), lambda level: 255 - level)
    svg = traced(image, ink=True)
    assert fills(svg) == [BLACK, WHITE]
    assert agree(rendered(svg), image)


@pytest.mark.parametrize("colour", [BLACK, WHITE])
def test_transparent_ink_is_on_nothing(colour: tuple[int, ...]) -> None:
    alpha = Image.eval(drawn((64, 64), WHITE, rune).convert("L"), lambda level: 255 - level)
    image = Image.new("RGBA", (64, 64), colour)
    image.putalpha(alpha)
    svg = traced(image, ink=True)
    assert fills(svg) == [colour]
    assert abs(np.asarray(rendered(svg, ground=None))[..., 3].astype(int) - np.asarray(alpha)).mean() < APART


def test_lines_and_corners_are_those_drawn() -> None:
    """Not of the small picture but of the drawing itself, at sixteen times the size."""
    small, large = drawn((64, 64), WHITE, icon), drawn((LARGE, LARGE), WHITE, icon)
    assert agree(rendered(traced(small, ink=False), width=LARGE), large)


@pytest.mark.parametrize("size", [(64, 64), (64, 48), (512, 512)])
def test_soft_edges_are_no_colours_of_their_own(size: tuple[int, int]) -> None:
    image = drawn(size, WHITE, icon)
    svg = traced(image, ink=False)
    wanted = {WHITE, RED, GREEN, BLUE}
    assert len(fills(svg)) == 4
    assert all(min(max(abs(a - b) for a, b in zip(fill, colour, strict=True)) for colour in wanted) < 6 for fill in fills(svg))
    assert len(svg) < 4000
    assert agree(rendered(svg), image)


@pytest.mark.parametrize("side", [64, 512])
def test_no_gap_shows_between_colours(side: int) -> None:
    def panel(draw: ImageDraw.ImageDraw) -> None:
        draw.rectangle((150, 150, 870, 870), fill=RED)
        draw.pieslice((160, 160, 860, 860), 20, 200, fill=(210, 50, 60))
        for place in range(200, 800, 100):
            draw.rounded_rectangle((place, 180, place + 80, 840 - place // 2), 30, fill=BLUE, outline=BLACK, width=24)

    svg = traced(drawn((side, side), WHITE, panel), ink=False)
    inside = levels(rendered(svg, width=LARGE))[180:840, 180:840]
    assert inside.min(2).max() < 90  # white would shine through


def test_what_is_transparent_stays_so() -> None:
    image = drawn((64, 64), (0, 0, 0, 0), icon)
    svg = traced(image, ink=False)
    assert len(fills(svg)) == 3
    assert agree(rendered(svg, ground=None), image)
    gap = np.asarray(rendered(svg, ground=None))[..., 3].astype(int) - np.asarray(image)[..., 3]
    assert abs(gap).mean() < APART


def test_shares_of_a_picture_add_up() -> None:
    image = torch.from_numpy(np.array(drawn((64, 40), WHITE, icon).convert("RGB"))).permute(2, 0, 1) / 127.5 - 1
    colours, shares = shared_colours(image)
    assert shares.shape == (len(colours), 40, 64)
    assert torch.allclose(shares.sum(0), torch.ones(40, 64))
    mixed = (shares[..., None, None].flatten(1).T @ colours).T.view(3, 40, 64)
    assert float((mixed - image).abs().mean()) < 0.02


def test_pixel_art_is_the_same_in_rectangles() -> None:
    pixels = np.random.default_rng(0).integers(0, 3, (9, 12))
    image = Image.fromarray(np.array([(0, 0, 0, 0), (*RED, 255), (*BLUE, 128)], np.uint8)[pixels])
    for size in ((12, 9), (48, 36)):
        found = np.asarray(rendered(in_rectangles(image, size), ground=None)).astype(int)
        assert abs(found - np.asarray(image.resize(size, Image.Resampling.NEAREST))).max() <= 1
    block = Image.new("RGB", (400, 300), RED)
    assert in_rectangles(block).count("M") == 1


def test_ink_has_nothing_in_between() -> None:
    ramp = torch.linspace(-1, 1, 64).expand(2, 1, 64, 64)
    assert not is_ink(ramp)
    gray = torch.from_numpy(np.array(drawn((64, 64), WHITE, rune).convert("L")))
    assert is_ink(1 - gray[None, None] / 127.5)


def draw_icons(folder: Path, mode: str = "RGB", side: int = 64) -> None:
    folder.mkdir()
    for i in range(4):
        ground = (0, 0, 0, 0) if mode == "RGBA" else WHITE
        drawn((side, side), ground, lambda d, i=i: icon(d, RED, 60 * i)).convert(mode).save(folder / f"{i}.png")  # type: ignore[misc]


def draw_runes(folder: Path, side: int = 64) -> None:
    draw_folder(folder, 4, size=side)


def draw_clear_icons(folder: Path) -> None:
    draw_icons(folder, "RGBA")


@pytest.mark.slow
@pytest.mark.parametrize(("draw", "base", "side"), [(draw_runes, "glyph", 128), (draw_icons, "picture", 256)])
def test_a_browser_shows_what_the_pixels_of_the_same_sample_do(
    draw: Callable[..., None], base: str, side: int, tmp_path: Path
) -> None:
    draw(tmp_path / "images", side=side)
    assert run("adapt", "images", "--from", base, "--depth", "state", "--steps", 0, cwd=tmp_path).code == 0
    for name in ("png", "svg"):
        ran = run("sample", "-n", 1, "--each", "d", "--format", name, cwd=tmp_path)
        assert ran.code == 0, ran.err
    with Image.open(tmp_path / "d" / "000000.png") as image:
        assert image.size == (side, side)
        assert agree(in_a_browser(tmp_path / "d" / "000000.svg", side), image)


@pytest.mark.slow
@pytest.mark.parametrize(("draw", "base"), [(draw_runes, "glyph"), (draw_icons, "picture"), (draw_clear_icons, "picture")])
def test_vectors_agree_with_the_pixels_of_the_same_samples(draw: Callable[[Path], None], base: str, tmp_path: Path) -> None:
    draw(tmp_path / "images")
    assert run("adapt", "images", "--from", base, "--depth", "state", "--steps", 0, "-o", "m.safetensors", cwd=tmp_path).code == 0
    for name in ("png", "svg"):
        ran = run("sample", "m.safetensors", "-n", 3, "--each", "d", "--format", name, cwd=tmp_path)
        assert ran.code == 0, ran.err
    for i in range(3):
        svg, png = tmp_path / "d" / f"{i:06d}.svg", tmp_path / "d" / f"{i:06d}.png"
        with Image.open(png) as image:
            assert agree(rendered(svg.read_text()), image)
        assert read_text(svg) == read_text(png)
        assert read_text(svg)["seed"] == i
        assert svg.stat().st_size < 12_000


def test_sizes_and_forms(tmp_path: Path, tiny_model: Path) -> None:
    draw_sprites(tmp_path / "sprites", 3)
    without = "import sys; sys.modules['vtracer'] = None"  # which rectangles do not need
    draw = ["sample", "sprites", "--from", tiny_model, "-n", 1, "--each", "d", "--scale", 3]
    for options in ([], ["--size", "40x40"]):
        for name in ("png", "svg"):
            ran = run(*draw, *options, "--format", name, cwd=tmp_path, bootstrap=without)
            assert ran.code == 0, ran.err
        svg = rendered((tmp_path / "d" / "000000.svg").read_text(), ground=None)
        with Image.open(tmp_path / "d" / "000000.png") as image:
            assert np.array_equal(levels(svg), levels(image))
    for name, mode in (("webp", "RGBA"), ("jpg", "L")):  # whatever the sheet is
        assert run(*draw, "--format", name, "-o", "sheet.jpg", cwd=tmp_path).code == 0
        with Image.open(tmp_path / "d" / f"000000.{name}") as image:
            assert image.mode == mode


@pytest.mark.parametrize(("size", "shown"), [("128", (128, 128)), ("folder", (64, 64)), ("48x96", (48, 96))])
def test_the_size_is_that_of_the_file_and_the_outlines_stay(
    size: str, shown: tuple[int, int], adapted: Path, tmp_path: Path
) -> None:
    for options in ([], ["--size", size]):
        ran = run("sample", adapted, "-n", 1, "--each", f"d{len(options)}", "--format", "svg", *options, cwd=tmp_path)
        assert ran.code == 0, ran.err
    one, other = ((tmp_path / f"d{i}" / "000000.svg").read_text() for i in (0, 2))
    assert rendered(other).size == shown
    assert re.findall("<path.*", one) == re.findall("<path.*", other)


def test_photographs_are_refused_before_any_work(tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "photographs").mkdir()
    rng = np.random.default_rng(0)
    for i in range(3):
        Image.fromarray(rng.integers(0, 255, (16, 16, 3), np.uint8)).resize((64, 64), Image.Resampling.BICUBIC).convert("L").save(
            tmp_path / "photographs" / f"{i}.png"
        )
    draw = ["sample", "photographs", "--from", tiny_model, "-n", 1, "--each", "d"]
    unable = "import metagan_cli.workflows.adapt as w; w._adapt = None"
    assert "flat colours" in refused(2, *draw, "--format", "svg", cwd=tmp_path, bootstrap=unable)
    assert run("adapt", "photographs", "--from", tiny_model, cwd=tmp_path).code == 0
    assert "flat colours" in refused(2, "sample", "--each", "d", "--format", "svg", cwd=tmp_path)
    assert run(*draw, "--format", "webp", cwd=tmp_path).code == 0


def test_the_extra_is_named_where_it_is_missing(adapted: Path, tmp_path: Path) -> None:
    line = refused(
        2,
        "sample",
        adapted,
        "--each",
        "d",
        "--format",
        "svg",
        cwd=tmp_path,
        bootstrap="import sys; sys.modules['vtracer'] = None",
    )
    assert "pip install 'metagan[svg]'" in line


@pytest.mark.parametrize("name", ["png", "webp", "jpg", "svg"])
def test_single_files_of_every_format(name: str, adapted: Path, tmp_path: Path) -> None:
    draw = ["sample", adapted, "-n", 2, "--each", "d", "--format", name]
    for seed in (0, 5):  # the second time over what metagan wrote itself
        ran = run(*draw, "--seed", seed, "--json", cwd=tmp_path)
        assert ran.code == 0, ran.err
        assert json.loads(ran.out)["count"] == 2
    assert sorted(path.name for path in (tmp_path / "d").iterdir()) == [f"000000.{name}", f"000001.{name}"]
    told = read_text(tmp_path / "d" / f"000001.{name}")
    assert (told["kind"], told["seed"]) == ("single", 6)
    assert {"model", "version"} <= told.keys()
    assert "picture of samples" in refused(2, "sample", adapted, "--like", f"d/000001.{name}", cwd=tmp_path)
    assert "picture made by metagan" in run("inspect", f"d/000001.{name}", cwd=tmp_path).out
    (tmp_path / "d" / f"000001.{name}").write_text("<svg>mine</svg>")
    assert f"000001.{name}" in refused(5, *draw, cwd=tmp_path)
    assert run(*draw, "--overwrite", cwd=tmp_path).code == 0


def test_webp_loses_nothing(adapted: Path, tmp_path: Path) -> None:
    for name in ("png", "webp"):
        assert run("sample", adapted, "-n", 1, "--each", "d", "--format", name, cwd=tmp_path).code == 0
    with Image.open(tmp_path / "d" / "000000.png") as one, Image.open(tmp_path / "d" / "000000.webp") as other:
        assert np.array_equal(levels(one), levels(other))


def test_an_svg_saved_by_another_program_is_not_ours(adapted: Path, tmp_path: Path) -> None:
    draw = ["sample", adapted, "-n", 1, "--each", "d", "--format", "svg"]
    assert run(*draw, cwd=tmp_path).code == 0
    path = tmp_path / "d" / "000000.svg"
    path.write_text('<?xml version="1.0"?>\n' + path.read_text())
    assert "000000.svg" in refused(5, *draw, cwd=tmp_path)


def test_formats_that_cannot_be(tmp_path: Path) -> None:
    sample = ["sample", "missing.safetensors"]
    assert "--each" in refused(2, *sample, "--format", "svg", cwd=tmp_path)
    assert "png, webp, jpg, svg" in refused(2, *sample, "--each", "d", "--format", "gif", cwd=tmp_path)
    assert ".png" in refused(2, *sample, "-o", "a.svg", cwd=tmp_path)
