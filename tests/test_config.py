"""Recipes: defaults, TOML in and out."""

from pathlib import Path
from typing import Any

import pytest

from metagan_cli.config import DataConfig, ModelConfig, Recipe, TrainConfig
from metagan_cli.errors import UsageError
from metagan_cli.store.recipes import read_recipe, to_toml
from recipes import train_judges
from recipes.held_out import HELD_OUT

PRETRAINED = Path(__file__).resolve().parents[1] / "pretrained"


def test_toml_reads_back_what_it_wrote(tmp_path: Path) -> None:
    recipe = Recipe(
        'a "name" \\ \n\t\x7f\x01 \u00e4 \U0001f600 here',
        ModelConfig(image_size=64, channels=3, feed_forward=False),
        TrainConfig(shots=(1, 7), ema=0.5, generator_rate=1e-7),
        (DataConfig("x.npz", 0.25, ("a", "b"), "shown", "many", ("Latin/",)), DataConfig()),
    )
    (tmp_path / "recipe.toml").write_text(to_toml(recipe))
    assert read_recipe(tmp_path / "recipe.toml") == recipe


@pytest.mark.parametrize("path", sorted(PRETRAINED.glob("*.toml")), ids=lambda p: p.name)
def test_shipped_recipes_are_valid_and_leave_out_what_is_held_out(path: Path) -> None:
    recipe = read_recipe(path)
    assert recipe.name == path.stem
    for source in recipe.data:
        assert set(source.exclude) >= set(HELD_OUT.get(Path(source.source).stem, ()))


@pytest.mark.parametrize("channels", [1, 3])
def test_feature_nets_are_not_trained_on_it_either(channels: int) -> None:
    for source in train_judges.SOURCES[channels]:
        assert set(source.exclude) >= set(HELD_OUT.get(Path(source.source).stem, ()))


@pytest.mark.parametrize(
    "change", [{"image_size": 48}, {"channels": 2}, {"width": 33}, {"tokens": 4096}, {"pack": 0}, {"learner": "x"}]
)
def test_architectures_that_are_not_built(change: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        ModelConfig(**change)


@pytest.mark.parametrize(
    "change",
    [
        {"steps": 0},
        {"shots": ()},
        {"shots": (0,)},
        {"queries": 0},
        {"precision": "fp8"},
        {"exemplar": "first"},
        {"exemplar": "prototype"},
    ],
)
def test_training_that_cannot_be(change: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        TrainConfig(**change)


@pytest.mark.parametrize("text", ["[train]\nema = inf", "[train]\nema = nan", f"[train]\nema = {10**400}", "a = " + "[" * 5000])
def test_numbers_and_nesting_that_no_recipe_has(text: str, tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text(text)
    with pytest.raises(UsageError, match="recipe.toml"):
        read_recipe(tmp_path / "recipe.toml")


def test_queries_are_whole_packs() -> None:
    with pytest.raises(UsageError, match="multiple of pack"):
        Recipe(model=ModelConfig(pack=3), train=TrainConfig(queries=8))
