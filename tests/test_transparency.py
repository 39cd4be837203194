"""The ground that transparent pictures are laid on, and how results are cut out of it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import run
from PIL import Image, ImageDraw
from test_geometry import GREEN, RED, WHITE, fill, given, photograph, sprite

from metagan_cli.data.readers.folders import read_folder
from metagan_cli.data.restoring import given_back
from metagan_cli.images.sheets import to_bytes

Colour = tuple[int, int, int]
BLACK, BROWN, CREAM, YELLOW = (0, 0, 0), (104, 89, 60), (250, 245, 235), (255, 230, 60)


def disc(side: int, colour: tuple[int, int, int], level: int) -> tuple[Image.Image, np.ndarray[Any, Any]]:
    """A soft-edged disc with a hole, transparent outside; and its alpha. On a ground of `level` it is an opaque picture."""
    axis = np.linspace(-1, 1, side)
    radius = np.hypot(*np.meshgrid(axis, axis))
    alpha = np.clip((0.7 - radius) * side / 2 + 0.5, 0, 1)
    pixels = np.broadcast_to(np.array(colour), (side, side, 3)).copy()
    pixels[radius < 0.15] = level  # as light as the ground, but within
    return Image.fromarray(np.dstack([pixels, 255 * alpha]).round().astype(np.uint8), "RGBA"), alpha


@pytest.mark.parametrize(("colour", "level"), [((200, 40, 60), 255), ((250, 240, 230), 0)])
def test_transparent_pictures_are_cut_out_again(colour: tuple[int, int, int], level: int, tmp_path: Path) -> None:
    image, alpha = disc(64, colour, level)
    image.save(tmp_path / "a.png")
    image.transpose(Image.Transpose.TRANSPOSE).save(tmp_path / "b.png")
    support = read_folder(tmp_path, size=64, channels=3)
    assert support.form.clear == level
    assert support.form.words.endswith("transparent")
    assert given_back(to_bytes(support.images), support.form, "auto", opaque=True).shape == (2, 64, 64, 3)
    back = given(support)[0].float()
    assert (back[..., 3] / 255 - torch.from_numpy(alpha)).abs().max() < 0.05
    seen = back[..., 3] > 128
    assert (back[..., :3] - torch.tensor(colour)).abs().amax(2)[seen].quantile(0.5) < 3
    assert back[32, 32, 3] == 255, "what is light within is no ground"


def test_transparent_pixel_art(tmp_path: Path) -> None:
    rgb = np.asarray(sprite(16, 16))
    clear = (rgb == WHITE).all(2) | (np.arange(16)[None] < 3)
    for name, pixels in (("a", rgb), ("b", rgb[::-1])):
        mask = clear if name == "a" else clear[::-1]
        Image.fromarray(np.dstack([pixels, 255 * ~mask]).astype(np.uint8), "RGBA").save(tmp_path / f"{name}.png")
    support = read_folder(tmp_path, size=64, channels=3)
    back = given(support)
    assert back.shape == (2, 16, 16, 4)
    assert (back[:, :, :3, 3] == 0).all()
    assert set(back[..., 3].unique().tolist()) == {0, 255}
    drawn = {tuple(c) for c in back[back[..., 3] == 255][:, :3].tolist()}
    assert {RED, GREEN} <= drawn <= {RED, GREEN, WHITE}


def test_a_folder_that_is_partly_transparent_has_a_ground(tmp_path: Path) -> None:
    image, _ = disc(64, (200, 40, 60), 255)
    image.save(tmp_path / "a.png")
    for i in range(2):
        photograph(64 + i, 64 + i).save(tmp_path / f"{i}.png")
    assert read_folder(tmp_path, size=64, channels=3).form.clear == -1


def drawn(colour: Colour, seed: int = 0, outline: Colour | None = None, side: int = 64) -> Image.Image:
    """An ellipse on nothing, soft at its edge."""
    large = Image.new("RGBA", (4 * side, 4 * side), (*(outline or colour), 0))
    box = (40, 40, 190 + 3 * seed, 170 + 5 * seed)
    ImageDraw.Draw(large).ellipse(box, fill=(*colour, 255), outline=(*(outline or colour), 255), width=20)
    return large.resize((side, side), Image.Resampling.BOX)


@pytest.mark.parametrize(
    ("colours", "ground"),
    [
        ([BLACK, BROWN, RED], 255),
        ([CREAM, WHITE, WHITE], 0),
        ([CREAM, BROWN, RED], 0),
        ([CREAM, BROWN, WHITE, BROWN], 0),
        ([YELLOW, BLACK, RED], 255),  # which stands out from white in colour alone
        ([BLACK, WHITE, RED], 128),
        ([BLACK, WHITE, (128, 128, 128)], 64),
    ],
)
def test_a_folder_has_one_ground(colours: list[Colour], ground: int, tmp_path: Path) -> None:
    images = [drawn(colour, seed) for seed, colour in enumerate(colours)]
    support = read_folder(fill(tmp_path / "a", *images), size=64, channels=3)
    assert support.form.clear == ground
    name = {255: "white", 0: "black"}.get(ground, f"gray {ground}")
    assert support.notes == (f"{len(images)} of {len(images)} images transparent: put on {name}",)
    laid = {Image.alpha_composite(Image.new("RGBA", i.size, (ground,) * 3 + (255,)), i).convert("RGB").tobytes() for i in images}
    assert {square.numpy().tobytes() for square in to_bytes(support.images)} == laid
    back = given(support)
    assert (back[:, [0, 0, -1, -1], [0, -1, 0, -1], 3] == 0).all(), "no box is left around any"
    assert (back[..., 3].flatten(1) == 255).any(1).all(), "and every drawing is there"
    other = read_folder(fill(tmp_path / "b", *images[::-1]), size=64, channels=3)
    assert torch.equal(other.images, support.images)
    assert other.form == support.form


def test_a_rim_has_to_be_seen(tmp_path: Path) -> None:
    """White within a black outline reads on black, but loses its outline there."""
    support = read_folder(fill(tmp_path, drawn(WHITE, outline=BLACK), drawn(WHITE, 3)), size=64, channels=3)
    assert support.form.clear == 128


def test_a_rim_that_is_partly_lost_is_not_seen(tmp_path: Path) -> None:
    halves = drawn(WHITE)
    halves.paste(BLACK, (0, 0, 28, 64), halves.crop((0, 0, 28, 64)).getchannel("A"))
    assert read_folder(fill(tmp_path, halves, drawn(WHITE, 3)), size=64, channels=3).form.clear == 128


def test_what_is_all_transparent_has_no_say(tmp_path: Path) -> None:
    nothing = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    assert read_folder(fill(tmp_path, drawn(CREAM), drawn(WHITE, 3), nothing), size=64, channels=3).form.clear == 0


@pytest.mark.parametrize("colour", [(20, 30, 40), (200, 40, 60), (250, 240, 230)])
def test_soft_edges_are_cut_out_of_gray(colour: Colour, tmp_path: Path) -> None:
    image, alpha = disc(64, colour, 128)
    support = read_folder(fill(tmp_path, image, drawn(BLACK), drawn(WHITE), drawn(RED)), size=64, channels=3)
    assert support.form.clear == 128
    back = given(support).float()
    apart = (back[..., 3] / 255 - torch.from_numpy(alpha)).abs().amax((1, 2))
    assert apart.min() < 0.1  # of half the contrast that white or black has
    cut = back[apart.argmin()]
    assert (cut[..., :3] - torch.tensor(colour)).abs().amax(2)[cut[..., 3] > 128].quantile(0.5) < 3
    assert cut[32, 32, 3] == 255, "what is gray within is no ground"


def test_opaque_pictures_stay_and_transparent_ones_are_counted(tmp_path: Path) -> None:
    opaque = photograph(64, 64)
    support = read_folder(fill(tmp_path, drawn(CREAM), opaque, drawn(BROWN), drawn(RED)), size=64, channels=3)
    assert support.notes == ("3 of 4 images transparent: put on black",)
    assert opaque.tobytes() in {square.numpy().tobytes() for square in to_bytes(support.images)}


def test_gray_drawings_dark_and_light_become_ink_of_one_kind(tmp_path: Path) -> None:
    images = [drawn(BLACK if seed < 3 else WHITE, seed) for seed in range(5)]
    reaching = Image.new("RGBA", (64, 64), (*WHITE, 255))  # ink at most of its border
    reaching.paste((0, 0, 0, 0), (0, 0, 40, 40))
    support = read_folder(fill(tmp_path, *images, reaching), size=64, channels=1)
    assert support.form.clear == (0 if support.light_on_dark else 255)
    ink = sorted(round(float(image.mean()), 2) for image in (support.images + 1) / 2)
    alphas = [np.asarray(image.getchannel("A")) / 255 for image in (*images, reaching)]
    assert ink == pytest.approx(sorted(float(alpha.mean()) for alpha in alphas), abs=0.02)
    back = given_back(to_bytes(support.images, support.light_on_dark), support.form, "auto")
    assert back.shape == (6, 64, 64, 4)


def test_faint_gray_drawings_are_no_ink_on_black(tmp_path: Path) -> None:
    dark, light = (70, 70, 70), (180, 180, 180)
    support = read_folder(fill(tmp_path / "a", drawn(dark), drawn(dark, 2), drawn(WHITE, 3)), size=64, channels=1)
    assert support.form.clear == 255
    assert not support.light_on_dark
    assert support.images.amax((1, 2, 3)).min() > 0.3
    support = read_folder(fill(tmp_path / "b", drawn(light), drawn(light, 2), drawn(WHITE, 3)), size=64, channels=1)
    assert support.form.clear == 0
    assert support.notes == ("3 of 3 images transparent: put on black",)


def test_samples_of_dark_and_light_drawings_have_no_box(tiny_model: Path, tmp_path: Path) -> None:
    fill(tmp_path / "mine", *(drawn(BLACK if seed % 2 else WHITE, seed) for seed in range(4)))
    assert run("sample", "mine", "--from", tiny_model, "-n", "4", "--each", "out", cwd=tmp_path).code == 0
    for path in (tmp_path / "out").iterdir():
        alpha = np.asarray(Image.open(path).getchannel("A"))
        rim = np.concatenate([alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1]])
        assert (rim == 0).mean() > 0.9
    told = json.loads(run("inspect", "mine", "--json", cwd=tmp_path).out)
    assert told["form"] == "64 x 64, transparent"
