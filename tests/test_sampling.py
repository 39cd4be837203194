"""Samples: the same whatever they are drawn together with."""

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import draw_folder, refused, run
from PIL import Image, ImageDraw, ImageSequence

from metagan_cli.networks.generator.plan import Plan
from metagan_cli.networks.state import Latents
from metagan_cli.rng import generator_for
from metagan_cli.sampling.latents import between, latents_of
from metagan_cli.sampling.sampler import BLOCK, CHUNK, REFUSED, Sampler
from metagan_cli.sampling.seeds import parse_seeds, shorten
from metagan_cli.store.models import load_adapted, load_model
from metagan_cli.store.pictures import write_png


@pytest.fixture
def sampler(adapted: Path, tiny_model: Path) -> Sampler:
    return Sampler(load_model(tiny_model).nets, load_adapted(adapted).state)


def test_a_sample_depends_on_its_seed_alone(sampler: Sampler) -> None:
    many = sampler.draw(range(10, 10 + BLOCK + 3))
    assert torch.equal(many[3:5], sampler.draw([13, 14]))
    assert torch.equal(many[CHUNK : CHUNK + 2], sampler.draw([10 + CHUNK, 11 + CHUNK]))
    assert torch.equal(many[-1], sampler.draw([10 + BLOCK + 2])[0])
    assert torch.equal(many[[5, 0]], sampler.draw([15, 10]))
    assert len({image.numpy().tobytes() for image in many}) == len(many)


@pytest.mark.parametrize("first", [0, 17, 2**63, 2**64 - 40])
@pytest.mark.parametrize("shots", [2, 5, 8])
def test_a_run_of_seeds_starts_from_all_examples_evenly(first: int, shots: int) -> None:
    index = latents_of(range(first, first + 5 * shots), (2, 2)).base_index(shots)[0]
    counts = torch.bincount(index, minlength=shots)
    assert counts.min() >= 3
    assert counts.max() <= 7
    assert len(set(index[:4].tolist())) > 1


def test_drafts_below_the_bar_are_drawn_again(sampler: Sampler) -> None:
    for part in (sampler.nets.generator.affine, sampler.nets.generator.out, sampler.nets.discriminator.head):
        for weight in part.parameters():
            torch.nn.init.normal_(weight, std=0.3, generator=generator_for(0, "wild"))  # samples and scores that differ
    sampler = Sampler(sampler.nets, sampler.state)
    first, _, scores = sampler._judged(sampler._latents(range(BLOCK)))
    low = scores < sampler.bar
    assert 0.3 * REFUSED < float(low.float().mean()) < 3 * REFUSED
    images, plan, latents, found = sampler._accepted(range(BLOCK))
    assert torch.equal(images[~low], first[~low])
    again, planned, better = sampler._judged(latents)
    assert torch.allclose(again, images, atol=1e-4)
    assert torch.allclose(plan.grid, planned.grid, atol=1e-4)  # those of drafts that were taken, not of the first
    assert torch.allclose(plan.residual, planned.residual, atol=1e-3)
    assert torch.allclose(better, found, atol=1e-3)
    assert torch.all(better >= scores - 1e-4)
    assert (better[low] >= sampler.bar - 1e-4).float().mean() > 0.8
    assert torch.equal(latents.pick, sampler._latents(range(BLOCK)).pick)
    assert torch.equal(Sampler(sampler.nets, sampler.state, drafts=1).draw(range(BLOCK)), first)


def in_pairs(latents: Latents) -> list[Latents]:
    return [latents.part(slice(None), slice(first, first + 2)) for first in range(0, latents.pick.shape[1], 2)]


@pytest.mark.parametrize(("copied", "widths"), [(True, [1, 4 / 3, 5 / 3, 2, 7 / 3, 8 / 3, 3]), (False, [1, 1, 1, 1])])
def test_copies_are_drawn_again_from_wider_latents(
    copied: bool, widths: list[float], sampler: Sampler, monkeypatch: pytest.MonkeyPatch
) -> None:
    sampler.redraws = torch.full_like(sampler.redraws, 9.0 if copied else -1.0)
    sampler.bar = 1e6  # none passes
    judged, found = sampler._judged, []

    def watch(latents: Latents) -> tuple[torch.Tensor, Plan, torch.Tensor]:
        found.append(latents.map(torch.clone))
        return judged(latents)

    monkeypatch.setattr(sampler, "_judged", watch)
    sampler._accepted([3, 4])
    drafts = [part for latents in found for part in in_pairs(latents)]  # several may have been drawn in one pass
    for draft, (latents, width) in enumerate(zip(drafts, widths, strict=True)):
        usual = sampler._latents([3, 4], draft)
        assert torch.allclose(latents.z, width * usual.z)
        assert torch.allclose(latents.noise, width * usual.noise)
        assert torch.equal(latents.pick, usual.pick)


def test_truncation_tames(sampler: Sampler) -> None:
    sizes = sampler.nets.generator.latent_sizes
    assert torch.equal(latents_of([5], sizes, 0.5).z, latents_of([5], sizes).z / 2)
    assert torch.equal(latents_of([5], sizes, 0.0).pick, latents_of([5], sizes).pick)


def test_walk_goes_through_its_seeds(sampler: Sampler) -> None:
    stops = latents_of([3, 8, 4], sampler.nets.generator.latent_sizes)
    frames = between(stops, 9)
    for frame, stop in ((0, 0), (4, 1), (8, 2)):
        assert torch.allclose(frames.z[0, frame], stops.z[0, stop], atol=1e-4)
    lengths = frames.z[0].norm(dim=1)
    assert lengths.min() > 0.7 * stops.z[0].norm(dim=1).min()  # on the sphere, not through its middle
    assert len(frames.pick.unique()) == len(frames.partner.unique()) == 1
    assert torch.allclose(sampler.walk([3, 8, 4], 9).images[:1], sampler.draw([3]), atol=1e-4)


def test_seeds_as_text() -> None:
    assert parse_seeds("0,4-6, 9") == [0, 4, 5, 6, 9]
    for text in ("0", "0-63", "3,5-9,11", "7,6,5"):
        assert shorten(parse_seeds(text)) == text


# --- the command ---


def test_first_seven_of_sixty_four_byte_for_byte(adapted: Path, tmp_path: Path) -> None:
    for name, count in (("few", 7), ("many", 64)):
        ran = run("sample", adapted, "-n", count, "--seed", 3, "--each", name, cwd=tmp_path)
        assert ran.code == 0, ran.err
    few, many = (sorted((tmp_path / name).iterdir()) for name in ("few", "many"))
    assert [p.name for p in many[:7]] == [p.name for p in few]
    assert len(many) == 64
    assert [p.read_bytes() for p in few] == [p.read_bytes() for p in many[:7]]


def test_like_repeats_a_picture(adapted: Path, tmp_path: Path) -> None:
    options = ["--seeds", "4,9-11", "--columns", "2", "--scale", "2", "--truncation", "0.7", "--with-support"]
    assert run("sample", adapted, *options, "-o", "a.png", cwd=tmp_path).code == 0
    ran = run("sample", adapted, "--like", "a.png", "-o", "b.png", cwd=tmp_path)
    assert ran.code == 0, ran.err
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    other = run("sample", draw_folder(tmp_path / "images", 2), "--like", "a.png", "-o", "c.png", cwd=tmp_path)
    assert other.code == 2
    assert "was made with model" in other.err


def test_like_with_a_change(adapted: Path, tmp_path: Path) -> None:
    same, changed = ["--seeds", "4,9", "--truncation", "0.5"], ["--scale", "1", "--columns", "1"]
    assert run("sample", adapted, *same, "--scale", "2", "-o", "a.png", cwd=tmp_path).code == 0
    assert run("sample", adapted, "--like", "a.png", *changed, "-o", "b.png", cwd=tmp_path).code == 0
    assert run("sample", adapted, *same, *changed, "-o", "c.png", cwd=tmp_path).code == 0
    assert (tmp_path / "b.png").read_bytes() == (tmp_path / "c.png").read_bytes()


CHANGED = {"seeds": None, "truncation": "much", "columns": "2", "adapt": {"steps": "4"}}


@pytest.mark.parametrize("name", CHANGED)
def test_like_a_picture_that_was_changed(name: str, adapted: Path, tmp_path: Path) -> None:
    text = {"kind": "sample", "model": "m", "seeds": "0-3", "truncation": 1.0, "columns": None, "scale": 1}
    text |= {"with_support": False, "walk": None, name: CHANGED[name]}
    write_png(tmp_path / "a.png", Image.new("L", (8, 8)), {key: kept for key, kept in text.items() if key != "seeds" or kept})
    assert name in refused(3, "sample", adapted, "--like", "a.png", "-o", "b.png", cwd=tmp_path)


@pytest.mark.parametrize("ending", ["png", "webp", "jpg"])
def test_pictures_of_all_endings(ending: str, adapted: Path, tmp_path: Path) -> None:
    ran = run("sample", adapted, "-n", "6", "-o", f"out.{ending}", "--with-support", cwd=tmp_path)
    assert ran.code == 0, ran.err
    with Image.open(tmp_path / f"out.{ending}") as picture:
        assert picture.width > picture.height > 60
    assert '"seeds": "0-5"' in run("inspect", f"out.{ending}", "--json", cwd=tmp_path).out


@pytest.mark.parametrize("ending", ["gif", "webp"])
def test_interpolation_animates(ending: str, adapted: Path, tmp_path: Path) -> None:
    ran = run("sample", adapted, "--interpolate", "--seeds", "1,2,3", "-n", "9", "-o", f"walk.{ending}", cwd=tmp_path)
    assert ran.code == 0, ran.err
    with Image.open(tmp_path / f"walk.{ending}") as picture:
        assert 2 <= sum(1 for _ in ImageSequence.Iterator(picture)) <= 9
        assert picture.size == (64, 64)  # the folder's
    again = run("sample", adapted, "--like", f"walk.{ending}", "-o", f"again.{ending}", cwd=tmp_path)
    assert again.code == 0
    assert (tmp_path / f"again.{ending}").read_bytes() == (tmp_path / f"walk.{ending}").read_bytes()


def test_interpolation_as_a_sheet(adapted: Path, tmp_path: Path) -> None:
    ran = run("sample", adapted, "--interpolate", "--seed", "5", "-n", "4", "--columns", "4", "-o", "walk.png", cwd=tmp_path)
    assert ran.code == 0, ran.err
    with Image.open(tmp_path / "walk.png") as picture:
        assert picture.size == (4 * 66 + 2, 68)


def test_samples_are_as_large_as_the_folder_and_cells_of_a_sheet_as_256(tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "large").mkdir()
    for i in range(4):
        image = Image.new("L", (400, 300), 255)
        ImageDraw.Draw(image).ellipse([60 + 10 * i, 40, 300, 220 + 10 * i], outline=0, width=14)
        image.save(tmp_path / "large" / f"{i}.png")
    draw = ["sample", "large", "--from", tiny_model, "--steps", "0", "-n", "2", "--columns", "2"]
    assert run(*draw, "-o", "sheet.png", "--each", "single", cwd=tmp_path).code == 0
    assert Image.open(tmp_path / "sheet.png").size == (2 * 258 + 2, 192 + 4)
    single = Image.open(tmp_path / "single" / "000001.png")
    assert single.size == (400, 300)
    assert run(*draw, "--each", "small", "--size", "model", cwd=tmp_path).code == 0
    small = Image.open(tmp_path / "small" / "000001.png")
    assert small.size == (32, 24)
    seen, model = (np.asarray(image).astype(float) for image in (single.resize((32, 24), Image.Resampling.BOX), small))
    assert abs(seen - model).mean() < 8  # the same sample
    gray = np.asarray(single)
    assert ((gray > 40) & (gray < 215)).mean() < 0.03  # with crisp edges


def test_a_picture_from_a_folder_is_drawn_again_from_that_folder_alone(tmp_path: Path, tiny_model: Path) -> None:
    draw_folder(tmp_path / "mine", 4), draw_folder(tmp_path / "other", 4, task=6)
    assert run("sample", "mine", "--from", tiny_model, "--steps", "1", "-n", "3", "-o", "a.png", cwd=tmp_path).code == 0
    assert run("sample", "mine", "--from", tiny_model, "--like", "a.png", "-o", "b.png", cwd=tmp_path).code == 0
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    foreign = run("sample", "other", "--from", tiny_model, "--like", "a.png", "-o", "c.png", cwd=tmp_path)
    assert foreign.code == 2
    assert "was made with model" in foreign.err
    assert not (tmp_path / "c.png").exists()
