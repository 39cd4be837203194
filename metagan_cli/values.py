"""Configs from and to plain values, as TOML, JSON and the metadata of files hold them."""

import sys
from dataclasses import asdict, is_dataclass
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from metagan_cli.errors import UsageError

T = TypeVar("T")


def from_dict(kind: type[T], values: dict[str, Any], where: str = "") -> T:
    """A config of the given dataclass from plain values.

    Raises UsageError that names the key where one is unknown or has a wrong type.
    """
    if not isinstance(values, dict):
        raise UsageError(f"{where.rstrip('.: ') or kind.__name__}: expected names and values, found {type(values).__name__}")
    hints = get_type_hints(kind)
    arguments = {}
    for key, value in values.items():
        if key not in hints:
            raise UsageError(f"{where}{key}: unknown key")
        arguments[key] = _convert(hints[key], value, f"{where}{key}")
    return kind(**arguments)


def _convert(hint: Any, value: Any, where: str) -> Any:
    if is_dataclass(hint) and isinstance(hint, type):
        if isinstance(value, dict):
            return from_dict(hint, value, f"{where}.")
    elif get_origin(hint) is UnionType:
        return None if value is None else _convert(get_args(hint)[0], value, where)  # optional ones alone are written so
    elif get_origin(hint) is tuple:
        if isinstance(value, list | tuple):
            return tuple(_convert(get_args(hint)[0], item, f"{where}[{i}]") for i, item in enumerate(value))
    elif hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        if not abs(value) <= sys.float_info.max:  # as is true of infinity and NaN
            raise UsageError(f"{where}: not a finite number")
        return float(value)
    elif type(value) is hint:
        return value
    wanted = getattr(hint, "__name__", str(hint))
    raise UsageError(f"{where}: expected {wanted}, found {type(value).__name__}")


def to_dict(config: Any) -> dict[str, Any]:
    """A config as plain values, for JSON metadata."""
    return asdict(config)
