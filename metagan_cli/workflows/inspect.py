"""inspect: what a path is, without changing anything."""

from pathlib import Path
from typing import Any

from metagan_cli.data.readers.folders import read_folder
from metagan_cli.errors import CheckpointError, InputError
from metagan_cli.store.models import origin_of
from metagan_cli.store.natives import PREFIX, numbers_of
from metagan_cli.store.pictures import read_text
from metagan_cli.store.runs import stats_in
from metagan_cli.store.tensors import read_metadata, shapes

OTHERWISE = ("kind", "domain", "base_metadata", "natives", "stripped")  # of a model's metadata, what is said in other words
LOOK = 64  # pixels a side that a folder's images are looked at in


def inspect(path: Path) -> dict[str, Any]:
    """Name and value pairs that describe a model, a run, a picture, a page, a font or a folder of images.

    Raises CheckpointError for a damaged model, InputError for anything that metagan knows nothing about.
    """
    if path.is_dir():
        return _run(path) if (path / "config.toml").is_file() else _folder(path)
    if path.suffix.lower() in (".safetensors", ".pt", ".pth", ".ckpt"):
        return _model(path)
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    what = {".ttf": "font", ".html": "page"}.get(path.suffix.lower(), "picture")
    return {"what": f"{what} made by metagan"} | read_text(path)


def _model(path: Path) -> dict[str, Any]:
    metadata = read_metadata(path)
    sizes = {name: _size(shape) for name, shape in shapes(path).items()}
    kept = sum(size for name, size in sizes.items() if name.startswith(PREFIX))
    kinds = {"model": "base model", "adapted": "adapted model", "run": "training state"}
    plain = {name: value for name, value in metadata.items() if name not in OTHERWISE}
    found = {"what": kinds.get(metadata["kind"], metadata["kind"]), "values": sum(sizes.values()) - kept}
    found |= {"bytes": path.stat().st_size} | plain
    if metadata["kind"] == "adapted":
        found |= {"examples": _examples(path, metadata, kept), "names": _names(path, metadata)}
    return found


def _examples(path: Path, metadata: dict[str, Any], kept: int) -> str:
    """How large the examples are that an adapted model keeps in so many bytes."""
    if not kept:
        return "at the model's size only: larger results are enlarged"
    side, count = numbers_of(path, metadata.get("natives"))
    size = f"{kept / 1e6:.1f} MB" if kept >= 1e5 else f"{kept / 1e3:.1f} kB"
    return f"{count} at {side} px, {size}"


def _names(path: Path, metadata: dict[str, Any]) -> str:
    """Which names and paths of a person's own an adapted model holds: never those of images or their folder."""
    if metadata.get("stripped"):
        return "none: stripped"
    held = ["where its base lies"] if origin_of(path, metadata).path else []
    held += ["what its base is called and was trained on"] if "base_metadata" in metadata else []
    return " and ".join(held) or "none of your images, and no path"


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for side in shape:
        size *= side
    return size


def _run(path: Path) -> dict[str, Any]:
    stats = path / "stats.jsonl"
    lines = stats_in(stats) if stats.is_file() else []
    found: dict[str, Any] = {"what": "meta-training run", "steps done": len(lines)}
    if lines:
        found |= {"last": lines[-1]}
    model = path / "model.safetensors"
    try:
        return found | {"model": read_metadata(model)["hash"]}
    except CheckpointError as error:
        return found | {"model": str(error)}


def _folder(path: Path) -> dict[str, Any]:
    gray = read_folder(path, size=LOOK, channels=1, skip_bad=True)
    support = read_folder(path, size=LOOK, channels=3, skip_bad=True) if gray.colourful else gray
    return {
        "what": "folder of images",
        "images": support.found,
        "look": "light on dark" if gray.light_on_dark else "dark on light",
        "colours": support.colourful,
        "form": support.form.words,
        "skipped": [f"{name}: {reason}" for name, reason in support.skipped],
        "nearly same": [f"{a} and {b}" for a, b in support.duplicates],
        "notes": [*support.notes, *support.warnings],
    }
