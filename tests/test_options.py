"""Options that ask for what cannot be, beside those of the table of faults."""

from pathlib import Path

import pytest
from conftest import draw_folder, refused
from PIL import Image

from metagan_cli.errors import OutputError
from metagan_cli.store.pictures import write_picture


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


def test_an_empty_argument_is_no_working_folder(tmp_path: Path) -> None:
    for arguments in (("meta-train", ""), ("sample", ""), ("adapt", "images", "--from", "")):
        assert "empty argument" in refused(2, *arguments, cwd=tmp_path)
    assert not list(tmp_path.iterdir())


def test_one_folder_of_images_has_no_report(tmp_path: Path, tiny_model: Path) -> None:
    draw_folder(tmp_path / "images", 4)
    for option in (("--report", "r.html"), ("--gain",), ("--only", "a"), (tiny_model,)):
        line = refused(2, "evaluate", tiny_model, *option, "--data", "images", cwd=tmp_path)
        assert "one folder of images" in line


def test_a_picture_that_its_format_cannot_hold(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="WEBP cannot hold it"):
        write_picture(tmp_path / "wide.webp", Image.new("L", (16400, 2)), {})
    assert not list(tmp_path.iterdir())
