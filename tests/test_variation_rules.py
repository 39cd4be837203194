"""The rules of variation: stored with a model, so that retuning them changes no model that is there."""

from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from conftest import TINY

from metagan_cli.config import Recipe, VariationRules
from metagan_cli.errors import CheckpointError, UsageError
from metagan_cli.learners.build import build_learner
from metagan_cli.networks.bundle import build_networks
from metagan_cli.networks.widen import in_colour
from metagan_cli.rng import generator_for
from metagan_cli.store.models import load_model, save_model
from metagan_cli.store.recipes import read_recipe, to_toml
from metagan_cli.store.tensors import read_metadata, read_tensors, write_tensors
from metagan_cli.training.outer_loop import OuterLoop

WILDER = VariationRules(warp_most=0.5, shared_edges=(0.2, 0.3))


def saved(path: Path, rules: VariationRules | None = None) -> Path:
    save_model(path, TINY, build_networks(TINY, generator_for(0, "weights"), rules), build_learner(TINY), {"name": "own"})
    return path


def test_defaults_are_those_of_files_that_say_none() -> None:
    """Whoever retunes a model gives it rules of its own: these are what the first models draw by, for ever."""
    assert asdict(VariationRules()) == {
        "warp": 0.06,
        "warp_most": 0.27,
        "predicted_share": 0.3,
        "jitter": (0.3, 0.2, 0.2),
        "jitter_most": (2.0, 0.5, 0.5),
        "swap": 0.5,
        "swap_most": 3.0,
        "swap_from": 0.75,
        "swap_sharpness": 20.0,
        "shared_edges": (0.1, 0.25),
        "same_colour": 0.02,
        "textured_share": 0.25,
        "several_share": 0.6,
        "filled_share": 0.5,
        "tint_shows": 0.05,
        "part_difference": 0.35,
        "part_most": 0.35,
        "part_margin": 0.06,
        "repaint": (1.0, 0.0),
        "recolour_agreement": 0.5,
    }


def test_a_model_carries_its_rules(tmp_path: Path) -> None:
    assert load_model(saved(tmp_path / "wilder.safetensors", WILDER)).nets.generator.rules == WILDER
    assert load_model(saved(tmp_path / "usual.safetensors")).nets.generator.rules == VariationRules()
    assert read_metadata(tmp_path / "usual.safetensors")["variation"]["warp_most"] == 0.27


def test_a_file_without_rules_means_the_defaults(tmp_path: Path) -> None:
    file = read_tensors(saved(tmp_path / "new.safetensors", WILDER), ("model",))
    head = {name: file.metadata[name] for name in ("model", "name")}
    write_tensors(tmp_path / "old.safetensors", "model", file.tensors, head)
    assert load_model(tmp_path / "old.safetensors").nets.generator.rules == VariationRules()
    for wrong in ({"shared_edges": [0.1]}, {"jitter": [1.0]}, {"warp": "much"}, {"wrap": 1.0}):
        write_tensors(tmp_path / "bad.safetensors", "model", file.tensors, head | {"variation": wrong})
        with pytest.raises(CheckpointError, match="a network that metagan does not build"):
            load_model(tmp_path / "bad.safetensors")


def test_a_recipe_may_set_them_and_keeps_quiet_about_the_usual_ones(tmp_path: Path) -> None:
    recipe = Recipe("own", TINY, variation=WILDER)
    (tmp_path / "own.toml").write_text(to_toml(recipe))
    assert read_recipe(tmp_path / "own.toml") == recipe
    assert "variation" not in to_toml(replace(recipe, variation=VariationRules()))
    nets, _ = OuterLoop(recipe, torch.device("cpu"), torch.float32).averaged()
    assert nets.generator.rules == WILDER
    (tmp_path / "bad.toml").write_text("[variation]\nwarp_mots = 0.1\n")
    with pytest.raises(UsageError, match="variation.warp_mots: unknown key"):
        read_recipe(tmp_path / "bad.toml")


def test_a_colour_model_begins_with_the_gray_one_s() -> None:
    gray = build_networks(TINY, generator_for(0, "weights"), WILDER)
    assert in_colour(gray, generator_for(0, "colour")).generator.rules == WILDER
