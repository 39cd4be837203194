"""The Python API: images or paths in, images out, nothing printed, the commands' errors."""

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from conftest import draw_folder, run
from PIL import Image

import metagan_cli
from metagan_cli import Model, adapt, evaluate, load, sample
from metagan_cli.errors import CheckpointError, InputError, OutputError, UsageError

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_folder(tmp_path_factory.mktemp("api") / "images", 4)


@pytest.fixture(scope="module")
def model(folder: Path, tiny_model: Path) -> Model:
    return adapt(folder, base=str(tiny_model), steps=1)


def pixels(images: Sequence[Image.Image]) -> list[bytes]:
    return [image.tobytes() for image in images]


def test_the_readme_s_lines_draw_eight_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    monkeypatch.chdir(tmp_path)
    exec(code, {})
    drawn = [Image.open(tmp_path / f"new{number}.png") for number in range(8)]
    assert {(image.mode, image.size) for image in drawn} == {("L", (128, 128))}
    assert len(set(pixels(drawn))) == 8
    assert (tmp_path / "runes.safetensors").is_file()


def test_opened_images_and_files_give_what_their_folder_gives(folder: Path, tiny_model: Path, model: Model) -> None:
    files = sorted(folder.iterdir())
    mixed: list[Path | Image.Image | str] = [Image.open(files[2]), files[1], str(files[0]), Image.open(files[3])]
    assert pixels(adapt(mixed, base=str(tiny_model), steps=1).sample(3)) == pixels(model.sample(3))


def test_a_saved_model_draws_the_same_and_so_does_the_command(model: Model, tmp_path: Path) -> None:
    path = model.save(tmp_path / "kept" / "own.safetensors")
    assert pixels(load(path).sample(4)) == pixels(model.sample(4)) == pixels(sample(path, 4))
    ran = run("sample", path, "-n", "4", "--each", "files", cwd=tmp_path)
    assert ran.code == 0, ran.err
    files = [Image.open(tmp_path / "files" / f"{number:06d}.png") for number in range(4)]
    assert pixels(files) == pixels(model.sample(4))


def test_images_depend_on_their_seeds_alone(model: Model) -> None:
    many = pixels(model.sample(6, seed=3))
    assert pixels(model.sample(seeds=[8, 4])) == [many[5], many[1]]
    assert pixels(model.sample(2, seed=3)) == many[:2]


def test_sizes_and_scales(model: Model) -> None:
    assert model.sample(1, size=80)[0].size == (80, 80)
    assert model.sample(1, size="24x40", scale=2)[0].size == (48, 80)
    assert model.sample(1)[0].size == (64, 64)  # the folder's
    assert model.sample(1, size="model")[0].size == (32, 32)


def test_it_prints_nothing_and_says_what_the_command_says(
    folder: Path, tiny_model: Path, model: Model, capfd: pytest.CaptureFixture[str]
) -> None:
    one = adapt([next(folder.iterdir())], base=str(tiny_model))
    assert "one image only" in one.warnings[0]
    assert one.copies is not None
    assert 0 <= one.copies <= 1
    assert model.base == "tiny"
    one.sample(1)
    assert capfd.readouterr() == ("", "")


def test_errors_are_those_of_the_commands(folder: Path, model: Model, tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        adapt(tmp_path / "nowhere")
    with pytest.raises(InputError, match="no images were given"):
        adapt([])
    with pytest.raises(InputError, match="image 1: 2 x 2 pixels"):
        adapt([next(folder.iterdir()), Image.new("L", (2, 2))], base=str(tiny_model))
    with pytest.raises(InputError, match="adapt it first"):
        load(folder)
    with pytest.raises(CheckpointError, match="no such model file"):
        sample(tmp_path / "nowhere.safetensors")
    with pytest.raises(CheckpointError, match="not adapted"):
        load(tiny_model)
    with pytest.raises(UsageError, match="give one of them"):
        model.sample(3, seeds=[1])
    for bad in ({"seed": -1}, {"count": 0}, {"truncation": 2.0}, {"scale": 0}, {"size": "large"}, {"seeds": [2**64]}):
        with pytest.raises(UsageError):
            model.sample(**bad)
    (tmp_path / "mine.safetensors").write_bytes(b"mine")
    with pytest.raises(OutputError, match="was not written by metagan"):
        model.save(tmp_path / "mine.safetensors")
    with pytest.raises(UsageError, match="has its file already"):
        load(model.save(tmp_path / "own.safetensors")).save(tmp_path / "again.safetensors")


def test_evaluate_gives_the_rows_of_the_command(tiny_model: Path) -> None:
    found = evaluate(str(tiny_model), shots=(1,), tasks=2, steps=0)
    assert found["tasks"] == 2
    assert [row["name"] for row in found["rows"]][:2] == ["tiny", "held-out images"]


def test_public_names_are_there_and_others_are_not() -> None:
    assert all(callable(getattr(metagan_cli, name)) for name in metagan_cli.__all__)
    with pytest.raises(AttributeError, match="nothing"):
        _ = metagan_cli.nothing
