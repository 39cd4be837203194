"""The commands as a person meets them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import draw_folder, draw_sprites, hashes, refused, run
from PIL import Image

from metagan_cli.store.shipped import shipped_models

COMMANDS = ["adapt", "sample", "view", "font", "meta-train", "evaluate", "inspect", "models", "motifs", "doctor"]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_an_example(command: str, tmp_path: Path) -> None:
    ran = run(command, "--help", cwd=tmp_path)
    assert ran.code == 0
    assert "Example: metagan" in ran.out
    assert not ran.err


def test_help_lists_the_commands(tmp_path: Path) -> None:
    ran = run("--help", cwd=tmp_path)
    assert ran.code == 0
    assert all(command in ran.out for command in COMMANDS)
    assert run("--version", cwd=tmp_path).out.startswith("metagan 0.")


def test_adapt_tells_what_it_did(tiny_model: Path, tmp_path: Path) -> None:
    draw_folder(tmp_path / "images", 5)
    (tmp_path / "images" / "notes.heic").write_bytes(b"x")
    before = hashes(tmp_path / "images")
    ran = run("adapt", "images", "--from", tiny_model, "--steps", "2", "--json", cwd=tmp_path)
    assert ran.code == 0, ran.err
    told = json.loads(ran.out)
    assert told["command"] == "adapt"
    assert told["metagan"] == 1
    assert told["support"] == {"found": 5, "used": 5, "light_on_dark": False}
    assert told["inner_steps"] == 2
    assert told["base"] == "tiny"
    assert told["copies"]["samples"] == 32
    assert told["skipped"][0][0] == "notes.heic"
    assert hashes(tmp_path / "images") == before


def test_a_budget_ends_the_inner_steps(tiny_model: Path, tmp_path: Path) -> None:
    draw_folder(tmp_path / "images", 5)
    ran = run("adapt", "images", "--from", tiny_model, "--steps", "1000", "--budget", "2s", "--json", cwd=tmp_path)
    told = json.loads(ran.out)
    assert ran.code == 0
    assert 0 < told["inner_steps"] < 1000
    assert f"--budget: {told['inner_steps']} of 1000 inner steps" in ran.err
    draw_folder(tmp_path / "few", 2)  # too few for any
    ran = run("adapt", "few", "--from", tiny_model, "--steps", "1000", "--budget", "2s", cwd=tmp_path)
    assert ran.code == 0
    assert "--budget" not in ran.err


def test_depth(tiny_model: Path, tmp_path: Path) -> None:
    draw_folder(tmp_path / "images", 5)
    told = {}
    for depth in ("auto", "state", "all"):
        ran = run("adapt", "images", "--from", tiny_model, "--depth", depth, "--steps", "0", "--json", cwd=tmp_path)
        assert ran.code == 0, ran.err
        told[depth] = json.loads(ran.out)["depth"]
    assert told["auto"] == told["state"] == {"depth": "state"}  # the tiny model does not know what is far
    draw_folder(tmp_path / "few", 3)
    few = run("adapt", "few", "--from", tiny_model, "--depth", "all", "-o", "few.safetensors", cwd=tmp_path)
    assert few.code == 0
    assert "too few images to hold one out" in few.complaints("warning")[0]
    assert told["all"]["held_out"] == 1
    assert told["all"]["steps"] >= 6
    assert len(told["all"]["scores"]) >= 2
    assert run("sample", "-n", "3", cwd=tmp_path).code == 0


def test_results_have_the_form_of_their_folder(tiny_model: Path, tmp_path: Path) -> None:
    draw_sprites(tmp_path / "sprites", 5)
    ran = run("adapt", "sprites", "--from", tiny_model, "--json", cwd=tmp_path)
    assert json.loads(ran.out)["form"]["block"] == 1
    assert "put on white" in ran.err
    for options, size in (
        ([], (12, 8)),
        (["--scale", "4"], (48, 32)),
        (["--size", "model"], (32, 21)),
        (["--size", "40x40"], (40, 40)),
    ):
        assert run("sample", "-n", "2", "--each", "d", *options, cwd=tmp_path).code == 0
        with Image.open(tmp_path / "d" / "000001.png") as image:
            assert image.size == size
            assert image.mode == "RGBA"
    assert run("sample", "-n", "2", "-o", "a.jpg", cwd=tmp_path).code == 0
    assert run("sample", "-n", "4", "-o", "a.png", "--with-support", "--columns", "2", cwd=tmp_path).code == 0
    with Image.open(tmp_path / "a.png") as sheet:
        assert sheet.mode == "RGBA"
        assert sheet.height == 2 * 10 + 2


def test_few_images_take_no_inner_step(tiny_model: Path, tmp_path: Path) -> None:
    draw_folder(tmp_path / "images", 2)
    ran = run("adapt", "images", "--from", tiny_model, "--json", cwd=tmp_path)
    assert json.loads(ran.out)["inner_steps"] == 0


@pytest.mark.slow
def test_the_adapted_file_is_the_same_every_time(tiny_model: Path, tmp_path: Path) -> None:
    draw_folder(tmp_path / "images", 4)
    for name in ("a", "b"):
        ran = run("adapt", "images", "--from", tiny_model, "-o", f"{name}.safetensors", cwd=tmp_path, fresh=True)
        assert ran.code == 0  # fresh: with another hash seed each
    a, b = ((tmp_path / f"{name}.safetensors").read_bytes() for name in "ab")
    assert a == b


@pytest.mark.parametrize("command", ["inspect", "models", "motifs", "doctor"])
def test_small_commands_take_what_all_take(command: str, adapted: Path, tmp_path: Path) -> None:
    where = [adapted] if command == "inspect" else []
    everything = ["--device", "cpu", "-q", "-v", "--overwrite"]
    ran = run(command, *where, *everything, cwd=tmp_path)
    assert ran.code == 0
    assert ran.out
    assert not ran.err
    assert "--seed" in refused(2, command, *where, "--seed", "3", cwd=tmp_path)  # nothing here is drawn by chance


def test_inspect_prints_words(tmp_path: Path, adapted: Path) -> None:
    draw_folder(tmp_path / "images", 3)
    (tmp_path / "images" / "a.svg").touch()
    (tmp_path / "images" / "b.svg").touch()
    lines = run("inspect", "images", cwd=tmp_path).out.splitlines()
    reason = "a vector file: export it as PNG"
    assert "colours      no" in lines
    assert "nearly same  none" in lines
    assert f"skipped      a.svg: {reason}" in lines
    assert f"             b.svg: {reason}" in lines
    shown = run("inspect", adapted, cwd=tmp_path).out
    assert "base         name tiny, hash" in shown
    assert "{" not in shown
    assert "'" not in shown


def test_samples_of_its_own_are_known(tiny_model: Path, tmp_path: Path) -> None:
    folder = draw_folder(tmp_path / "images", 3)
    draw = ["sample", "images", "--from", tiny_model, "--steps", "0", "-n", "4"]
    for options in (["-o", "images/sheet.png"], ["-o", "images/sheet.jpg"], ["--interpolate", "-o", "images/walk.gif"]):
        assert run(*draw, *options, cwd=tmp_path).code == 0
    ran = run(*draw, "--each", "images/own", "--json", cwd=tmp_path)
    assert [name for name, _ in json.loads(ran.out)["skipped"]] == ["sheet.jpg", "sheet.png", "walk.gif"]
    assert "skipped sheet.png: a sheet of samples that metagan drew" in ran.err
    told = json.loads(run("inspect", folder, "--json", cwd=tmp_path).out)
    assert "4 of 7 images drawn by metagan itself" in told["notes"]
    sheets = tmp_path / "sheets"
    sheets.mkdir()
    (folder / "sheet.png").rename(sheets / "sheet.png")
    assert "a sheet of samples" in refused(3, "adapt", "sheets", "--from", tiny_model, cwd=tmp_path)


def test_inspect(tiny_model: Path, adapted: Path, tmp_path: Path) -> None:
    assert "base model" in run("inspect", tiny_model, cwd=tmp_path).out
    assert "adapted model" in run("inspect", adapted, cwd=tmp_path).out
    told = json.loads(run("inspect", draw_folder(tmp_path / "images", 3), "--json", cwd=tmp_path).out)
    assert told["images"] == 3
    assert told["look"] == "dark on light"
    assert run("inspect", "nowhere", cwd=tmp_path).code == 3


def test_models_and_doctor(tmp_path: Path) -> None:
    told = json.loads(run("models", "--json", cwd=tmp_path).out)["models"]
    assert [m["name"] for m in told] == [m.name for m in shipped_models()]
    shown = run("models", cwd=tmp_path).out
    for model in told:
        card = model["text"]
        marked = Path(model["card"]).read_text().splitlines()
        assert card.splitlines() == [line for line in marked if not line.startswith("<!--")]
        assert card in shown
        assert card in run("models", model["name"], cwd=tmp_path).out
        assert all(word in card for word in ("Data", "Licence", "Seed", "Hardware", "cannot"))
        assert Path(model["path"]).stat().st_size <= 24e6
    ran = run("doctor", "--json", cwd=tmp_path)
    assert ran.code == 0, ran.out
    assert json.loads(ran.out)["ok"], ran.out


@pytest.mark.parametrize("options", [(), ("--variants",)])
def test_the_shipped_model_draws(options: tuple[str, ...], tmp_path: Path) -> None:
    """Members of the set that the examples stand for, or else variants."""
    examples = Path(__file__).resolve().parents[1] / "examples"
    ran = run("sample", examples, "-n", "9", *options, "-o", "out.png", "--json", cwd=tmp_path, timeout=300)
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["copies"]["copies"] <= (4 if options else 0)
    assert "far from" not in ran.err


def test_a_far_folder_is_said(tmp_path: Path) -> None:
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(0)
    (tmp_path / "photos").mkdir()
    for i in range(4):
        coarse = Image.fromarray(rng.integers(0, 256, (6, 6, 3), np.uint8)).resize((200, 200), Image.Resampling.BICUBIC)
        noisy = np.asarray(coarse, np.int16) + rng.integers(-12, 13, (200, 200, 3))
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(tmp_path / "photos" / f"{i}.png")
    chosen = json.loads(run("adapt", "photos", "--json", cwd=tmp_path, timeout=300).out)
    assert chosen["base"] == "picture"
    ran = run("adapt", "photos", "--from", "glyph", cwd=tmp_path, timeout=300)
    assert ran.code == 0, ran.err
    assert len([line for line in ran.complaints("warning") if "far from what 'glyph' was trained on" in line]) == 1


def test_a_bug_leaves_its_traceback_in_a_file(tmp_path: Path) -> None:
    broken = "import metagan_cli.store.shipped as s\ndef fail(): raise ZeroDivisionError('oops')\ns.shipped_models = fail"
    ran = run("models", cwd=tmp_path, bootstrap=broken)
    assert ran.code == 70
    assert "ZeroDivisionError" in ran.err
    assert "Traceback" not in ran.err
    trace = Path(ran.err.split("traceback is in ")[1].strip())
    assert "oops" in trace.read_text()
    trace.unlink()


def test_standalone_needs_no_base(tiny_model: Path, tmp_path: Path) -> None:
    base = tmp_path / "base.safetensors"
    base.write_bytes(tiny_model.read_bytes())
    draw_folder(tmp_path / "images", 3)
    for options in (["--standalone", "-o", "whole.safetensors"], ["-o", "part.safetensors"]):
        ran = run("adapt", "images", "--from", base, "--steps", "0", *options, cwd=tmp_path)
        assert ran.code == 0, ran.err
    assert run("sample", "part.safetensors", "-n", "3", "-o", "part.png", cwd=tmp_path).code == 0
    base.unlink()
    assert run("sample", "whole.safetensors", "-n", "3", "-o", "whole.png", cwd=tmp_path).code == 0
    pictures = [(tmp_path / name).stat().st_size for name in ("part.png", "whole.png")]
    assert min(pictures) > 200


def test_adapting_again_replaces_its_own_file(tmp_path: Path) -> None:
    draw_folder(tmp_path / "images", 3)
    for _ in range(2):  # the second time the file of the first is there, and the base is still chosen by itself
        ran = run("adapt", "images", cwd=tmp_path)
        assert ran.code == 0, ran.err


@pytest.mark.slow
def test_evaluate(tiny_model: Path, tmp_path: Path) -> None:
    ran = run(
        "evaluate", tiny_model, "--shots", "1,3", "--tasks", "6", "--steps", "1", "--report", "r.html", "--json", cwd=tmp_path
    )
    assert ran.code == 0, ran.err
    told = json.loads(ran.out)
    assert told["tasks"] == 6
    assert {row["shots"] for row in told["rows"]} == {1, 3}
    real = next(row for row in told["rows"] if row["name"] == "held-out images")
    assert real["relative_diversity"] == 1
    assert real["figures"]["recognizability"]["tasks"] == 6
    assert (tmp_path / "r.html").read_bytes().startswith(b"<!doctype html>")
    left = run("evaluate", tiny_model, "--data", draw_folder(tmp_path / "one", 4), cwd=tmp_path)
    assert left.code == 0
    assert "verdict" in left.out
    refused(2, "evaluate", tiny_model, "--shots", "0", cwd=tmp_path)
    refused(4, "evaluate", "nowhere.safetensors", cwd=tmp_path)


@pytest.mark.slow
def test_a_process_ends_when_its_threads_and_exit_functions_are_done(tmp_path: Path) -> None:
    """Torch is not taken apart, but all else is as at the end of any interpreter."""
    script = """
import atexit, sys, threading, time
from metagan_cli import __main__ as process
def late():
    time.sleep(0.3)
    print("thread done")
def command():
    threading.Thread(target=late).start()
    atexit.register(lambda: print("exit function"))
    print("main done")
    sys.exit(4)
process.main = command
process.entry()
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path)
    assert (ran.returncode, ran.stdout.splitlines()) == (4, ["main done", "thread done", "exit function"])
