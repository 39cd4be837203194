"""Recipes of meta-training as TOML."""

import json
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

from metagan_cli.config import Recipe, VariationRules
from metagan_cli.errors import UsageError
from metagan_cli.values import from_dict


def read_recipe(path: Path) -> Recipe:
    """The recipe in a TOML file. Raises UsageError with the line or the key that is wrong."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read ({error})") from error
    except (ValueError, RecursionError) as error:  # no TOML, or numbers and nesting beyond what Python reads
        raise UsageError(f"{path}: {error}") from error
    return from_dict(Recipe, values, f"{path}: ")


def to_toml(recipe: Recipe) -> str:
    """The recipe as TOML text that `read_recipe` reads back to an equal recipe. Raises UsageError for names that are no UTF-8."""
    lines = [f"name = {_toml_value(recipe.name)}"]
    for section in ("model", "train"):
        lines += ["", f"[{section}]", *_toml_lines(getattr(recipe, section))]
    if recipe.variation != VariationRules():
        lines += ["", "[variation]", *_toml_lines(recipe.variation)]
    for source in recipe.data:
        lines += ["", "[[data]]", *_toml_lines(source)]
    text = "\n".join(lines) + "\n"
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UsageError(f"a recipe cannot hold a name that is no UTF-8: {text[: error.end].splitlines()[-1]!r}") from error
    return text


def _toml_lines(config: Any) -> list[str]:
    return [f"{f.name} = {_toml_value(getattr(config, f.name))}" for f in fields(config)]


def _toml_value(value: Any) -> str:
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")  # TOML's texts are JSON's, but for that
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml_value(item) for item in value) + "]"
    return repr(value)
