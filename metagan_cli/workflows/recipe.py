"""meta-train: the recipe that is asked for, and what it comes to."""

from pathlib import Path
from typing import Any

from metagan_cli.config import Recipe
from metagan_cli.store.recipes import read_recipe, to_toml
from metagan_cli.values import to_dict


def recipe_to_begin_with(folder: Path, config: Path | None, resume: bool) -> Recipe:
    """The recipe of a file, of the run that goes on in a folder, or the usual one. Raises UsageError where it cannot be read."""
    stored = folder / "config.toml"
    if config is not None:
        return read_recipe(config)
    return read_recipe(stored) if resume and stored.is_file() else Recipe()


def plan(recipe: Recipe) -> tuple[dict[str, Any], str]:
    """A recipe as plain values and as TOML. Raises InputError where a source is not there."""
    from metagan_cli.data.sources.open import check_source

    for source in recipe.data:
        check_source(source)
    return to_dict(recipe), to_toml(recipe)
