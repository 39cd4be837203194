"""What an adapted model's file says of a person's images, their folder and the base model: names and paths."""

from pathlib import Path

import pytest
from conftest import draw_folder, hashes, refused, run

from metagan_cli import adapt, load
from metagan_cli.errors import UsageError
from metagan_cli.store.models import load_model, save_model

FOLDER, BASE, TASKS = "aunt-agathas-letters", "the-secret-recipe", "tasks-of-a-client"
STANDALONE = ("--standalone", "--strip")


@pytest.fixture(scope="module")
def place(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models of one folder, as usual, with its base and that stripped, whose base has a name of its own, as have its tasks."""
    place, model = tmp_path_factory.mktemp("private"), load_model(tiny_model)
    told = {"name": BASE, "step": 0, "seed": 0, "data": [{"name": TASKS, "licence": ""}]}
    save_model(place / f"{BASE}-file.safetensors", model.config, model.nets, model.learner, told)
    for image in draw_folder(place / FOLDER, 3).iterdir():
        image.rename(image.with_name(f"from-agatha-{image.name}"))
    for name, options in (("usual", ()), ("whole", STANDALONE[:1]), ("stripped", STANDALONE)):
        ran = run(
            "adapt", FOLDER, "--from", f"{BASE}-file.safetensors", "--steps", 1, "-o", f"{name}.safetensors", *options, cwd=place
        )
        assert ran.code == 0, ran.err
    return place


def names_in(path: Path, place: Path) -> list[str]:
    data = path.read_bytes()
    return [name for name in (FOLDER, "agatha", BASE, TASKS, str(place)) if name.encode() in data]


def test_a_stripped_file_names_nothing(place: Path) -> None:
    assert BASE in names_in(place / "usual.safetensors", place)
    assert not {FOLDER, "agatha"} & set(names_in(place / "usual.safetensors", place))
    assert not names_in(place / "stripped.safetensors", place)
    for name, said in (("usual", "where its base lies"), ("stripped", "none: stripped")):
        ran = run("inspect", f"{name}.safetensors", cwd=place)
        assert f"names        {said}" in ran.out, ran.out


def test_what_is_embedded_needs_no_path(place: Path) -> None:
    assert str(place) not in names_in(place / "whole.safetensors", place)
    assert "what its base is called" in run("inspect", "whole.safetensors", cwd=place).out


def test_one_of_a_shipped_model_has_no_path_anyway(place: Path) -> None:
    model = adapt(place / FOLDER, steps=0)
    for name, strip in (("plain.safetensors", False), ("bare.safetensors", True)):
        model.save(place / name, strip=strip)
        assert names_in(place / name, place) == []
        assert load(place / name).base == "glyph"
    assert "none of your images, and no path" in run("inspect", "plain.safetensors", cwd=place).out


def test_a_stripped_model_does_what_any_does(place: Path) -> None:
    for name in ("whole", "stripped"):
        for arguments in (
            ("sample", f"{name}.safetensors", "-n", 4, "-o", f"{name}.png"),
            ("sample", f"{name}.safetensors", "-n", 2, "--each", f"{name}-each"),
            ("sample", f"{name}.safetensors", "--like", f"{name}.png", "-o", f"{name}-again.png"),
            ("view", f"{name}.safetensors", "-n", 2, "-o", f"{name}.html"),
        ):
            ran = run(*arguments, cwd=place)
            assert ran.code == 0, ran.err
    assert (
        (place / "whole.png").read_bytes() == (place / "stripped.png").read_bytes() == (place / "stripped-again.png").read_bytes()
    )
    assert sorted(hashes(place / "whole-each").values()) == sorted(hashes(place / "stripped-each").values())
    assert not names_in(place / "stripped.html", place)
    told = [refused(4, "evaluate", f"{name}.safetensors", cwd=place) for name in ("whole", "stripped")]
    assert told[0].replace("whole", "stripped") == told[1]


def test_a_base_that_would_be_lost_is_not_stripped(place: Path) -> None:
    line = refused(2, "adapt", FOLDER, "--from", f"{BASE}-file.safetensors", "--strip", "-o", "x.safetensors", cwd=place)
    assert "add --standalone" in line
    model = adapt(place / FOLDER, base=str(place / f"{BASE}-file.safetensors"), steps=0)
    with pytest.raises(UsageError, match="add --standalone"):
        model.save(place / "x.safetensors", strip=True)
    assert load(model.save(place / "y.safetensors", strip=True, standalone=True)).base == "unnamed"
