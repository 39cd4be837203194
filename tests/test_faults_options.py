"""Options that ask for what cannot be, and targets that may not be written."""

from pathlib import Path

import pytest
from conftest import draw_folder, hashes, refused, run
from PIL import Image

from metagan_cli.errors import OutputError
from metagan_cli.store.pictures import write_picture


@pytest.mark.parametrize("count", ["0", "-1", "x", "1.5", ""])
def test_count(count: str, adapted: Path, tmp_path: Path) -> None:
    assert "-n" in refused(2, "sample", adapted, "-n", count, cwd=tmp_path)


def test_too_many_for_one_picture(adapted: Path, tmp_path: Path) -> None:
    line = refused(2, "sample", adapted, "-n", "10000000", cwd=tmp_path)
    assert "10000" in line
    assert "--each" in line


@pytest.mark.slow
def test_each_streams(adapted: Path, tmp_path: Path) -> None:
    limit = "import resource; resource.setrlimit(resource.RLIMIT_DATA, (2 * 2**30,) * 2)"
    ran = run("sample", adapted, "-n", "600", "--each", "many", cwd=tmp_path, bootstrap=limit, fresh=True)
    assert ran.code == 0, ran.err
    assert len(list((tmp_path / "many").iterdir())) == 600


@pytest.mark.parametrize("count", [1, 7, 17])
def test_exactly_as_many_as_asked(count: int, adapted: Path, tmp_path: Path) -> None:
    ran = run("sample", adapted, "-n", count, "--each", "d", "-o", "o.png", "--columns", "5", cwd=tmp_path)
    assert ran.code == 0, ran.err
    assert sorted(p.name for p in (tmp_path / "d").iterdir()) == [f"{i:06d}.png" for i in range(count)]
    with Image.open(tmp_path / "o.png") as sheet:
        assert sheet.size == (5 * 66 + 2, -(-count // 5) * 66 + 2)


@pytest.mark.parametrize(
    ("command", "option", "value"),
    [
        ("sample", "--size", "0"),
        ("sample", "--size", "big"),
        ("sample", "--size", "48x"),
        ("sample", "--depth", "deep"),
        ("adapt", "--depth", "2"),
        ("adapt", "--fit", "stretch"),
    ],
)
def test_sizes_depths_and_fits(command: str, option: str, value: str, tmp_path: Path) -> None:
    draw_folder(tmp_path / "images", 3)
    assert f"{option} {value}" in refused(2, command, "images", option, value, cwd=tmp_path)


def test_a_picture_of_too_many_pixels(adapted: Path, tmp_path: Path) -> None:
    line = refused(2, "sample", adapted, "-n", "100", "--size", "4096", cwd=tmp_path)
    assert "million pixels" in line
    assert "--each" in line


SEEDS = [("--seed", "-1"), ("--seed", str(2**64)), ("--seed", "one"), ("--seeds", "5-1"), ("--seeds", "1,,2"), ("--seeds", "x")]


@pytest.mark.parametrize(("option", "value"), [*SEEDS, ("--seeds", str(2**64)), ("--seeds", "0-99999999")])
def test_seeds(option: str, value: str, adapted: Path, tmp_path: Path) -> None:
    assert option in refused(2, "sample", adapted, option, value, cwd=tmp_path)


def test_seeds_that_run_past_the_end(adapted: Path, tmp_path: Path) -> None:
    assert "2^64" in refused(2, "sample", adapted, "--seed", 2**64 - 3, "-n", "4", cwd=tmp_path)
    assert run("sample", adapted, "--seed", 2**64 - 3, "-n", "3", cwd=tmp_path).code == 0


@pytest.mark.parametrize(
    ("out", "code"),
    [("picture", 2), ("picture.xyz", 2), ("file/out.png", 5), ("file/deep/out.png", 5), ("taken", 5), (".", 5)],
)
def test_out(out: str, code: int, tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "file").write_text("mine")
    # the model does not exist either: the target is looked at before any work
    assert out in refused(code, "sample", "missing.safetensors", "-o", out, cwd=tmp_path)


@pytest.mark.parametrize("each", ["file", "file/deep"])
def test_each_in_a_file(each: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    assert "is a file" in refused(5, "sample", "missing.safetensors", "--each", each, cwd=tmp_path)


@pytest.mark.parametrize(("out", "code"), [("model", 2), ("model.png", 2), ("file/m.safetensors", 5), ("taken", 5)])
def test_adapt_out(out: str, code: int, tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "file").write_text("mine")
    assert out in refused(code, "adapt", "missing", "-o", out, cwd=tmp_path)


def test_missing_folders_of_results_are_made(tiny_model: Path, tmp_path: Path) -> None:
    draw_folder(tmp_path / "images", 2)
    ran = run("adapt", "images", "--from", tiny_model, "-o", "new/deep/m.safetensors", cwd=tmp_path)
    assert ran.code == 0, ran.err
    ran = run("sample", "new/deep/m.safetensors", "-n", 2, "-o", "sheets/a/out.png", "--each", "single/b", cwd=tmp_path)
    assert ran.code == 0, ran.err
    assert (tmp_path / "sheets" / "a" / "out.png").is_file()
    assert sorted(path.name for path in (tmp_path / "single" / "b").iterdir()) == ["000000.png", "000001.png"]


def test_foreign_files_are_not_replaced(adapted: Path, tmp_path: Path) -> None:
    draw_folder(tmp_path, 1)
    own, foreign = tmp_path / "own.png", tmp_path / "0.png"
    assert "--overwrite" in refused(5, "sample", adapted, "-n", "1", "-o", foreign, cwd=tmp_path)
    for seed in (1, 2):  # the second replaces what metagan wrote itself
        assert run("sample", adapted, "-n", "1", "-o", own, "--seed", seed, cwd=tmp_path).code == 0
    before = hashes(tmp_path)[str(foreign)]
    assert run("sample", adapted, "-n", "1", "-o", foreign, "--overwrite", cwd=tmp_path).code == 0
    assert hashes(tmp_path)[str(foreign)] != before


def test_foreign_files_in_a_folder_for_each(adapted: Path, tmp_path: Path) -> None:
    draw_folder(tmp_path / "d", 1)
    (tmp_path / "d" / "0.png").rename(tmp_path / "d" / "000002.png")
    assert "000002.png" in refused(5, "sample", adapted, "-n", "3", "--each", "d", cwd=tmp_path)
    assert run("sample", adapted, "-n", "2", "--each", "d", cwd=tmp_path).code == 0


def test_inputs_are_never_replaced(adapted: Path, tiny_model: Path, tmp_path: Path) -> None:
    draw_folder(tmp_path / "images", 3)
    base = tmp_path / "base.safetensors"
    base.write_bytes(tiny_model.read_bytes())
    line = refused(5, "adapt", "images", "--from", base, "-o", base, "--overwrite", cwd=tmp_path)
    assert "base" in line
    line = refused(5, "sample", "images", "--from", base, "-o", "images/0.png", "--overwrite", cwd=tmp_path)
    assert "example" in line


UNKNOWN = [
    ["sample", "--truncation", "2"],
    ["sample", "--columns", "0"],
    ["sample", "--scale", "0"],
    ["sample", "--nonsense"],
    ["sample", "--seeds", "1,2", "-n", "3"],
    ["sample", "--seeds", "1,2", "--seed", "0"],
    ["sample", "--like", "out.png", "-n", "64"],
    ["sample", "--like", "out.png", "--interpolate"],
    ["sample", "x", "--like", "out.png", "--steps", "2"],
    ["sample", "--interpolate", "--seeds", "1"],
    ["adapt"],
    ["adapt", "x", "--budget", "soon"],
    ["adapt", "x", "--steps", "-1"],
    ["meta-train", "--learner", "none"],
    ["meta-train", "--learner", "gradient", "--algorithm", "newton"],
    ["nothing"],
    ["meta-train", "--shots", "none"],
    ["meta-train", "--image-size", "33"],
    ["meta-train", "--queries", "3"],
    ["meta-train", "--inner-loss", "none"],
]


@pytest.mark.parametrize("arguments", UNKNOWN, ids=" ".join)
def test_other_options(arguments: list[str], tmp_path: Path) -> None:
    refused(2, *arguments, cwd=tmp_path)


@pytest.mark.parametrize("count", ["-n", "--count"])
@pytest.mark.parametrize("other", [["--like", "out.png"], ["--seeds", "1,2"]], ids=lambda other: other[0])
def test_an_option_of_two_names_is_called_both(count: str, other: list[str], tmp_path: Path) -> None:
    line = refused(2, "sample", count, "3", *other, cwd=tmp_path)
    assert "-n / --count" in line
    assert other[0] in line


@pytest.mark.parametrize("options", [["--from", "glyph"], ["--steps", "4"], ["--depth", "all"], ["--fit", "pad"], ["--skip-bad"]])
def test_an_adapted_model_is_not_adapted(options: list[str], adapted: Path, tmp_path: Path) -> None:
    assert f"{options[0]}: goes with a folder" in refused(2, "sample", adapted, *options, cwd=tmp_path)


TOML = {
    "syntax": ("steps = = 3", "line 1"),
    "section": ("[trainer]\nsteps = 3", "trainer"),
    "key": ("[train]\nstep = 3", "train.step"),
    "type": ('[train]\nsteps = "many"', "train.steps"),
    "element": ('[train]\nshots = [1, "two"]', "train.shots[1]"),
    "value": ("[model]\nimage_size = 33", "image_size"),
    "table": ("model = 3", "model"),
}


@pytest.mark.parametrize("name", TOML)
def test_recipes(name: str, tmp_path: Path) -> None:
    text, said = TOML[name]
    (tmp_path / "recipe.toml").write_text(text)
    assert said in refused(2, "meta-train", "out", "--config", "recipe.toml", cwd=tmp_path)


@pytest.mark.parametrize(("device", "code"), [("banana", 2), ("cuda:x", 2), ("cuda:9", 6), ("mps", 6)])
def test_devices(device: str, code: int, tmp_path: Path) -> None:
    assert device in refused(code, "adapt", draw_folder(tmp_path / "images", 1), "--device", device, cwd=tmp_path)


def test_an_empty_argument_is_no_working_folder(tmp_path: Path) -> None:
    for arguments in (("meta-train", ""), ("sample", ""), ("adapt", "images", "--from", "")):
        assert "empty argument" in refused(2, *arguments, cwd=tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_working_folder_that_is_gone(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    leave = "import os; os.rmdir(os.getcwd())"
    assert "working folder cannot be used" in refused(2, "doctor", cwd=tmp_path / "here", bootstrap=leave)


def test_one_folder_of_images_has_no_report(tmp_path: Path, tiny_model: Path) -> None:
    draw_folder(tmp_path / "images", 4)
    for option in (("--report", "r.html"), ("--gain",), ("--only", "a"), (tiny_model,)):
        line = refused(2, "evaluate", tiny_model, *option, "--data", "images", cwd=tmp_path)
        assert "one folder of images" in line


def test_a_picture_that_its_format_cannot_hold(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="WEBP cannot hold it"):
        write_picture(tmp_path / "wide.webp", Image.new("L", (16400, 2)), {})
    assert not list(tmp_path.iterdir())
