"""Task sources, episodes and augmentation."""

import gzip
import os
import struct
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import draw_folder, refused, run
from PIL import Image

from metagan_cli.config import DataConfig, TrainConfig
from metagan_cli.data.augmentation import augment
from metagan_cli.data.episodes import MANY_MOTIFS_FROM, Episodes
from metagan_cli.data.sources import downloads, fonts
from metagan_cli.data.sources.doodles import Doodles
from metagan_cli.data.sources.open import open_source
from metagan_cli.data.sources.styles import LEVELS, slant, style_groups, thickness
from metagan_cli.data.sources.tasks import ArrayTasks, TaskSource, prepare
from metagan_cli.devices import drawing_processes
from metagan_cli.errors import InputError
from metagan_cli.images.copies import spread
from metagan_cli.rng import generator_for

SHARED = Path(__file__).resolve().parents[1] / "data"

# --- doodles ---


def as_images(ink: torch.Tensor) -> torch.Tensor:
    return ink[:, None].float() / 127.5 - 1


def test_doodles_are_the_same_every_time() -> None:
    first, second = (Doodles(32).draw(3, 6, generator_for(0, "t")) for _ in range(2))
    assert torch.equal(first, second)
    assert first.shape == (6, 32, 32)
    assert first.dtype == torch.uint8


def test_doodles_vary_within_a_task_and_more_between_tasks() -> None:
    family = Doodles(64)
    tasks = [as_images(family.draw(t, 4, generator_for(t, "t"))) for t in range(30)]
    within = sum(spread(task) for task in tasks) / len(tasks)
    between = spread(torch.cat([task[:1] for task in tasks]))
    assert 0.02 < within < 0.6 * between


def test_doodles_have_ink_and_ground() -> None:
    family = Doodles(32)
    shares = [float((family.draw(t, 2, generator_for(t, "t")) > 127).float().mean()) for t in range(200)]
    assert min(shares) > 0.005
    assert max(shares) < 0.6


# --- sources ---


def save_npz(path: Path, tasks: int = 8, each: int = 6, **more: Any) -> Path:
    """A packed file in which the images of task t have brightness t."""
    images = np.repeat(np.arange(tasks, dtype=np.uint8), each)[:, None, None] * np.ones((1, 10, 10), np.uint8)
    labels = np.repeat(np.arange(tasks), each)
    names = np.array([f"group{t % 2}/task{t}" for t in range(tasks)])
    np.savez(path, images=images, labels=labels, names=names, **more)
    return path


def test_npz(tmp_path: Path) -> None:
    split = open_source(DataConfig(str(save_npz(tmp_path / "a.npz", tasks=64))), 10, 3)
    assert split.train.tasks(6) + split.held_out.tasks(6) == 64
    assert split.train.tasks(7) == 0
    assert split.held_out.tasks(6) > 0
    for i in range(split.train.tasks(6)):
        images = split.train.draw(i, 4, generator_for(i, "t"))
        assert images.shape == (4, 3, 10, 10)
        assert len(images.unique()) == 1


def test_npz_without_some_labels(tmp_path: Path) -> None:
    path = save_npz(tmp_path / "a.npz")
    split = open_source(DataConfig(str(path), exclude=("group0/",)), 10, 3)
    values = {int(v) for i in range(split.train.tasks(1)) for v in split.train.draw(i, 6, generator_for(0, "t")).unique()}
    assert values
    assert all(value % 2 == 1 for value in values)


def test_npz_by_other_keys(tmp_path: Path) -> None:
    drawer = np.tile(np.arange(6), 8)
    split = open_source(DataConfig(str(save_npz(tmp_path / "a.npz", drawer=drawer)), by=("drawer",)), 10, 3)
    assert split.train.tasks(2) == 6
    assert len(split.train.draw(0, 5, generator_for(0, "t")).unique()) == 5


def test_held_out_drawings_never_train_however_they_are_grouped(tmp_path: Path) -> None:
    drawer = np.tile(np.arange(6), 64)
    path = str(save_npz(tmp_path / "a.npz", tasks=64, drawer=drawer))
    splits = [open_source(DataConfig(path, by=by), 10, 3) for by in ((), ("drawer",))]

    def values(source: TaskSource) -> set[int]:
        assert isinstance(source, ArrayTasks)
        return {int(source.images[m].flatten()[0]) for members in source.members for m in members}

    assert values(splits[0].train) == values(splits[1].train)
    assert values(splits[0].held_out)
    assert not values(splits[0].held_out) & values(splits[1].train)


def test_bad_npz(tmp_path: Path) -> None:
    (tmp_path / "junk.npz").write_bytes(b"PK\x03\x04junk")
    np.savez(tmp_path / "part.npz", images=np.zeros((2, 4, 4), np.uint8))
    np.savez(tmp_path / "objects.npz", images=np.array([{}]), labels=[0], names=["a"])
    np.savez(tmp_path / "labels.npz", images=np.zeros((2, 4, 4), np.uint8), labels=[0, 5], names=["a"])
    np.savez(tmp_path / "floats.npz", images=np.zeros((2, 4, 4)), labels=[0, 0], names=["a"])
    np.savez(tmp_path / "short.npz", images=np.zeros((2, 4, 4), np.uint8), labels=[0], names=["a"])
    np.savez(tmp_path / "scalar.npz", images=np.uint8(3), labels=[0], names=["a"])
    np.savez(tmp_path / "flat.npz", images=np.zeros((2, 0, 4), np.uint8), labels=[0, 0], names=["a"])
    np.savez(tmp_path / "shares.npz", images=np.zeros((2, 4, 4), np.uint8), labels=[0.5, 0.5], names=["a"])
    np.savez(tmp_path / "table.npz", images=np.zeros((2, 4, 4), np.uint8), labels=[0, 0], names="a")
    (tmp_path / "cut.npz").write_bytes((tmp_path / "short.npz").read_bytes()[:200])
    for name in ("missing.npz", *(path.name for path in tmp_path.iterdir())):
        with pytest.raises(InputError, match=name):
            open_source(DataConfig(str(tmp_path / name)), 32, 1)


def test_npz_whose_numbers_have_no_names(tmp_path: Path) -> None:
    path, images = tmp_path / "a.npz", np.zeros((2, 4, 4), np.uint8)
    np.savez(path, images=images, labels=[0, 0], names=["a"], drawer=[0, 3], drawers=["x", "y"])
    with pytest.raises(InputError, match="its drawer do not number its drawers"):
        open_source(DataConfig(str(path), by=("drawer",)), 32, 1)


def test_dark_drawings_become_ink_on_ground() -> None:
    black_on_white = np.full((3, 20, 20), 255, np.uint8)
    black_on_white[:, 8:12, 4:16] = 0
    for images in (black_on_white, 255 - black_on_white):
        ready = prepare(images, 20, 1)
        assert int(ready[0, 0, 0, 0]) == 0
        assert int(ready[0, 0, 10, 10]) == 255


def test_folders_of_task_folders(tmp_path: Path) -> None:
    for name in ("a", "b", "deep/c", "deep/er/d"):
        draw_folder(tmp_path / name, 4, task=len(name))
    split = open_source(DataConfig(str(tmp_path)), 32, 1)
    assert split.train.tasks(4) + split.held_out.tasks(4) == 4


@pytest.mark.parametrize("command", ["meta-train", "evaluate"])
def test_bad_images_of_task_folders_are_skipped_if_asked(command: str, tiny_model: Path, tmp_path: Path) -> None:
    for i in range(2):
        draw_folder(tmp_path / "tree" / f"task{i}", 9, task=i)
    (tmp_path / "tree" / "task1" / "9.png").write_bytes(b"no picture")
    small = ["--steps", "1", "--queries", "2", "--shots", "1", "--tasks-per-batch", "1", "--inner-steps", "0"]
    arguments = ["out", *small] if command == "meta-train" else [tiny_model, "--shots", "1"]
    line = refused(3, command, *arguments, "--data", "tree", cwd=tmp_path)
    assert "tree/task1/9.png" in line
    assert "--skip-bad goes on without it" in line
    ran = run(command, *arguments, "--data", "tree", "--skip-bad", cwd=tmp_path)
    assert ran.code == 0
    assert "skipped tree/task1/9.png: " in ran.err


def test_a_bad_image_of_a_folder_to_evaluate(tiny_model: Path, tmp_path: Path) -> None:
    draw_folder(tmp_path / "images", 3)
    (tmp_path / "images" / "3.png").write_bytes(b"no picture")
    assert "images/3.png" in refused(3, "evaluate", tiny_model, "--data", "images", cwd=tmp_path)
    ran = run("evaluate", tiny_model, "--data", "images", "--skip-bad", cwd=tmp_path)
    assert ran.code == 0
    assert "images   3;" in ran.out
    assert "skipped 3.png: " in ran.err


# --- handwriting styles ---


def strokes(shear: float, width: int) -> torch.Tensor:
    """An upright bar of a width, sheared: [1, 28, 28] in [-1, 1]."""
    image = -torch.ones(1, 28, 28)
    for y in range(4, 24):
        left = round(14 - width / 2 - shear * (y - 14))
        image[0, y, left : left + width] = 1
    return image


def test_slant_and_thickness_are_measured() -> None:
    images = torch.stack([strokes(shear, width) for shear in (-0.5, 0, 0.5) for width in (2, 4)])
    assert torch.allclose(slant(images), torch.tensor([-0.5, -0.5, 0, 0, 0.5, 0.5]), atol=0.06)
    widths = thickness(images)
    assert (widths[1::2] > 1.5 * widths[::2]).all()


def test_styles_have_equal_shares() -> None:
    rng = generator_for(0, "styles")
    shears, widths = torch.rand(600, generator=rng) - 0.5, torch.randint(2, 9, (600,), generator=rng)
    groups = style_groups(torch.stack([strokes(float(s), int(w)) for s, w in zip(shears, widths, strict=True)]))
    slants = Counter(group.split(" thickness")[0] for group in groups)
    assert len(slants) == LEVELS
    assert min(slants.values()) >= 60


# --- what torchvision downloads, laid out as it leaves it ---


def idx(array: np.ndarray) -> bytes:
    return struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def test_mnist_as_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    rng = np.random.default_rng(0)
    images, digits = rng.integers(0, 256, (40, 28, 28), np.uint8), np.arange(40, dtype=np.uint8) % 10
    for part in ("train", "t10k"):
        for name, array in ((f"{part}-images-idx3-ubyte", images), (f"{part}-labels-idx1-ubyte", digits)):
            (raw / name).write_bytes(idx(array))
            with gzip.open(raw / f"{name}.gz", "wb") as file:
                file.write(idx(array))
    monkeypatch.setenv("METAGAN_DATA", str(tmp_path))
    split = open_source(DataConfig("mnist"), 32, 1)
    assert split.train.tasks(2) == 10
    styles = open_source(DataConfig("mnist-styles"), 32, 1)
    assert styles.train.tasks(1) + styles.held_out.tasks(1) > 6


def test_omniglot_as_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for alphabet in ("Latin", "Greek"):
        for character in range(1, 4):
            folder = tmp_path / "omniglot-py" / "images_background" / alphabet / f"character{character:02d}"
            folder.mkdir(parents=True)
            for drawer in range(1, 4):
                image = Image.new("1", (105, 105), 1)
                image.paste(0, (20, 20, 60, 20 + 10 * drawer))
                image.save(folder / f"{character:04d}_{drawer:02d}.png")
    monkeypatch.setenv("METAGAN_DATA", str(tmp_path))
    split = open_source(DataConfig("omniglot"), 64, 1)
    assert split.train.tasks(3) + split.held_out.tasks(3) == 6
    images = split.train.draw(0, 3, generator_for(0, "t"))
    assert int(images[0, 0, 0, 0]) == 0
    assert int(images.max()) > 200  # ink on ground


def test_a_download_that_fails_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torchvision.datasets

    def offline(*arguments: object, **options: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setenv("METAGAN_DATA", str(tmp_path))
    monkeypatch.setattr(torchvision.datasets, "Omniglot", offline)
    said: list[str] = []
    with pytest.raises(InputError, match="no route to host"):
        downloads.omniglot(said.append)
    assert said == [f"downloading omniglot to {tmp_path}"]


# --- fonts ---


def test_fonts() -> None:
    count = len(fonts.font_files(None))
    if count < fonts.FEWEST:
        pytest.skip(f"this machine has {count} fonts")
    split = open_source(DataConfig("fonts"), 32, 1)
    assert split.train.tasks(2) >= 10
    assert float((split.train.draw(0, 2, generator_for(0, "t")) > 127).float().mean()) > 0.01


def test_no_fonts_is_said(tmp_path: Path) -> None:
    (tmp_path / "broken.ttf").write_bytes(b"nothing")
    with pytest.raises(InputError, match="0 usable fonts"):
        open_source(DataConfig(f"fonts:{tmp_path}"), 32, 1)


def test_the_font_that_pillow_brings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import ImageFont

    built_in = ImageFont.load_default(100)  # a TrueType font in memory, on every machine
    assert isinstance(built_in, ImageFont.FreeTypeFont)
    for i in range(fonts.FEWEST):
        (tmp_path / f"font{i}.ttf").write_bytes(built_in.font_bytes)
    images, families, glyphs = fonts.draw_fonts(tmp_path, 32)
    assert len(images) == fonts.FEWEST * len(fonts.GLYPHS)
    assert set(glyphs) == set(fonts.GLYPHS)
    assert set(families) == {"font0", "font1", "font2"}
    heights = [(np.asarray(image) < 128).any(1).sum() for image, glyph in zip(images, glyphs, strict=True) if glyph in "HX"]
    assert all(abs(height - fonts.FILL * 32) <= 2 for height in heights)


# --- episodes ---

TRAIN = TrainConfig(shots=(1, 3), queries=4, tasks_per_batch=5)


def test_episodes_depend_on_the_step_alone() -> None:
    sources = [open_source(DataConfig(), 32, 1).train]
    first, second = (Episodes(sources, [1.0], TRAIN) for _ in range(2))
    assert torch.equal(first.draw(7).query, second.draw(7).query)
    assert not torch.equal(first.draw(7).query, first.draw(8).query)
    episode = first.draw(7)
    assert episode.support.shape[0] == 5
    assert episode.query.shape == (5, 4, 1, 32, 32)
    assert episode.support.shape[1] in TRAIN.shots


def test_some_tasks_of_an_episode_are_drawn_alone() -> None:
    episodes = Episodes([open_source(DataConfig(), 32, 1).train], [1.0], TRAIN)
    whole, some = episodes.draw(7), episodes.draw(7, [3, 0])
    assert torch.equal(some.support, whole.support[[3, 0]])
    assert torch.equal(some.query, whole.query[[3, 0]])


@pytest.mark.parametrize("workers", [0, 2])
def test_episodes_drawn_ahead_are_those_of_their_steps(workers: int) -> None:
    episodes = Episodes([open_source(DataConfig(), 32, 1).train], [1.0], TRAIN)
    drawn = list(episodes.stream(3, 7, workers))
    assert len(drawn) == 4
    for step, episode in zip(range(3, 7), drawn, strict=True):
        own = episodes.draw(step)
        assert torch.equal(episode.support, own.support)
        assert torch.equal(episode.query, own.query)


def test_processes_draw_for_a_graphics_card_only() -> None:
    assert drawing_processes(torch.device("cpu")) == 0
    assert 1 <= drawing_processes(torch.device("cuda")) <= max(1, (os.cpu_count() or 1) - 1)


def test_support_and_query_share_no_image(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (100, 12, 12), np.uint8)
    np.savez(tmp_path / "a.npz", images=images, labels=np.repeat(np.arange(20), 5), names=[f"t{i}" for i in range(20)])
    source = open_source(DataConfig(str(tmp_path / "a.npz")), 12, 3).train
    for i in range(source.tasks(5)):
        drawn = source.draw(i, 5, generator_for(i, "t"))
        assert len({image.numpy().tobytes() for image in drawn}) == 5


def test_too_few_images_for_the_shots_is_said(tmp_path: Path) -> None:
    source = open_source(DataConfig(str(save_npz(tmp_path / "a.npz"))), 10, 3).train
    with pytest.raises(InputError, match="no task holds 3 support and 4 query images"):
        Episodes([source], [1.0], TRAIN)


class Counting:
    """A source that counts how often it is drawn from, and with how many images."""

    def __init__(self, motif: str) -> None:
        self.name, self.motif, self.counts = motif, motif, list[int]()

    def tasks(self, fewest: int) -> int:
        return 3

    def draw(self, index: int, count: int, rng: torch.Generator) -> torch.Tensor:
        self.counts.append(count)
        return torch.zeros(count, 1, 8, 8, dtype=torch.uint8)

    def title(self, index: int, fewest: int) -> str:
        return f"{self.name} {index}"


def test_sources_are_drawn_by_weight() -> None:
    light, heavy = Counting("one"), Counting("one")
    episodes = Episodes([light, heavy], [1.0, 3.0], TRAIN)
    for step in range(100):
        episodes.draw(step)
    assert 0.68 < len(heavy.counts) / 500 < 0.82


def test_one_example_never_stands_for_a_hand() -> None:
    motif, hand = Counting("one"), Counting("many")
    config = TrainConfig(shots=(1, MANY_MOTIFS_FROM), queries=4, tasks_per_batch=4)
    episodes = Episodes([motif, hand], [1.0, 1.0], config)
    for step in range(50):
        episodes.draw(step)
    assert min(hand.counts) == MANY_MOTIFS_FROM + 4
    assert min(motif.counts) == 5


def test_augmentation_is_one_map_for_all_images_of_a_task() -> None:
    image = as_images(Doodles(32).draw(3, 1, generator_for(0, "t")))
    tasks = image.expand(6, 4, 1, 32, 32)
    moved = augment(tasks, generator_for(1, "t"))
    assert all(torch.allclose(moved[:, 0], moved[:, i], atol=1e-6) for i in range(1, 4))
    assert spread(moved[:, 0]) > 0.02
    assert moved.min() >= -1
    assert moved.max() <= 1


def test_colour_pictures_are_never_turned() -> None:
    tasks = torch.ones(40, 1, 3, 16, 16)
    tasks[..., :8, ::4] = tasks[..., :8, 1::4] = -1  # stripes above, an even ground below
    moved = augment(tasks, generator_for(0, "t"))
    assert (moved[:, 0, :, 3].std(2) > moved[:, 0, :, 12].std(2) + 0.3).all()


def test_colours_change_places_task_by_task() -> None:
    tasks = torch.tensor([1.0, 0.2, -0.6])[None, None, :, None, None].expand(60, 2, 3, 16, 16)
    moved = augment(tasks, generator_for(0, "t"))[..., 8, 8]
    assert torch.equal(moved[:, 0], moved[:, 1])  # all images of a task alike
    kept = (moved[:, 0] - tasks[:, 0, :, 0, 0]).abs().amax(1) < 1e-5
    assert 0.3 < kept.float().mean() < 0.8
    assert torch.allclose(moved[:, 0].abs().sort(1).values, torch.tensor([0.2, 0.6, 1.0]).expand(60, 3), atol=1e-5)


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the packed training data in data/")
@pytest.mark.parametrize("name", ["omniglot_105", "icons_concept_gray_64", "fonts_nonlatin_64"])
def test_packed_training_data(name: str) -> None:
    split = open_source(DataConfig(str(SHARED / f"{name}.npz")), 64, 1)
    image = split.train.draw(0, 2, generator_for(0, "t"))
    assert image.shape == (2, 1, 64, 64)
    assert split.held_out.tasks(2) > 0


def test_small_pictures_are_enlarged_pixel_by_pixel_where_that_fits() -> None:
    drawn = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3)).astype(np.uint8)
    large = prepare(drawn, 64, 3)
    assert torch.equal(large[:, :, ::4, ::4], torch.from_numpy(drawn).permute(0, 3, 1, 2))
    assert torch.equal(large, large[:, :, ::4, ::4].repeat_interleave(4, 2).repeat_interleave(4, 3))
    assert len(prepare(drawn[:1], 40, 3).unique()) > len(np.unique(drawn[:1])) / 2  # 16 does not divide 40: smoothed


def test_many_colour_tasks_are_left_upright() -> None:
    bars = torch.ones(200, 1, 3, 16, 16)
    bars[..., 4:9, :] = -1.0
    moved = augment(bars, generator_for(0, "upright"))
    level = ((moved - moved[..., :1]).abs() < 1e-5).flatten(1).all(1).float().mean()  # cubic weights are rounded
    assert 0.3 < level < 0.5
