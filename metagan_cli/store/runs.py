"""A run folder: config, stats, previews, the newest model, and the state to resume from."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torch import Tensor

from metagan_cli.config import DataConfig, Recipe
from metagan_cli.errors import CheckpointError, OutputError, UsageError
from metagan_cli.store.files import write_bytes
from metagan_cli.store.recipes import read_recipe, to_toml
from metagan_cli.store.tensors import TensorFile, read_tensors, write_tensors
from metagan_cli.values import to_dict

_STATE = re.compile(r"step-(\d+)\.safetensors$")
MAY_CHANGE = {"steps", "every", "keep"}  # settings of [train] that a resumed run may change


class RunFolder:
    """The files of one meta-training run."""

    def __init__(self, path: Path, keep: int) -> None:
        self.path, self.keep = path, keep
        self.model, self.config, self.stats = path / "model.safetensors", path / "config.toml", path / "stats.jsonl"
        self.previews, self.state = path / "previews", path / "state"

    def make(self) -> None:
        """Makes the folders. Raises OutputError."""
        try:
            for folder in (self.path, self.previews, self.state):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{self.path}: cannot be made ({error.strerror})") from error

    def begin(self, recipe: Recipe) -> None:
        """Writes the recipe, from when on there is a run to go on with. Raises OutputError."""
        write_bytes(self.config, to_toml(recipe).encode())

    def clear(self) -> None:
        """Removes what an earlier run left here, and nothing else."""
        old = [self.model, self.config, self.stats, *self._states(), *self.previews.glob("[0-9]*.png")]
        for path in old:
            path.unlink(missing_ok=True)

    @property
    def started(self) -> bool:
        """Whether a run lives here already."""
        return self.config.is_file()

    def check_same(self, recipe: Recipe) -> None:
        """Raises UsageError that lists where the recipe differs from the one the run began with."""
        differences = list(_differences(read_recipe(self.config), recipe))
        if differences:
            raise UsageError(f"{self.path}: the run began otherwise: {'; '.join(differences)}; use another folder")

    def save_state(self, step: int, tensors: dict[str, Tensor], figures: dict[str, Any]) -> None:
        """Writes the state after `step` steps, and removes the oldest beyond `keep`."""
        write_tensors(self.state / f"step-{step:08d}.safetensors", "run", tensors, {"step": step} | figures)
        for old in self._states()[: -self.keep]:
            old.unlink()

    def load_state(self) -> tuple[TensorFile | None, list[str]]:
        """The newest state that can be read, and a line for each that could not. Raises CheckpointError if none can."""
        complaints: list[str] = []
        for path in reversed(self._states()):
            try:
                return read_tensors(path, ("run",)), complaints
            except CheckpointError as error:
                complaints.append(f"{error}; using the one before")
        if complaints:
            raise CheckpointError(f"{self.state}: no checkpoint can be read")
        return None, complaints

    def cut_stats(self, step: int) -> None:
        """Drops the lines of steps that will be run again."""
        if self.stats.is_file():
            kept = [line for line in stats_in(self.stats) if line["step"] < step]
            write_bytes(self.stats, "".join(json.dumps(line) + "\n" for line in kept).encode())

    def add_stats(self, lines: list[dict[str, Any]]) -> None:
        """Appends one JSON object a line. Raises OutputError."""
        try:
            with self.stats.open("a") as file:
                file.writelines(json.dumps(line) + "\n" for line in lines)
        except OSError as error:
            raise OutputError(f"{self.stats}: cannot be written ({error.strerror})") from error

    def _states(self) -> list[Path]:
        return sorted(path for path in self.state.glob("step-*.safetensors") if _STATE.search(path.name))


def stats_in(path: Path) -> list[dict[str, Any]]:
    """The lines of a file of stats; the last, where a killed run could not write all of it, is none."""
    return [json.loads(line) for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]


def _differences(before: Recipe, after: Recipe) -> Iterator[str]:
    for section in ("model", "train"):
        old, new = getattr(before, section), getattr(after, section)
        for name in old.__dataclass_fields__:
            if getattr(old, name) != getattr(new, name) and name not in MAY_CHANGE:
                yield f"{name} was {getattr(old, name)}, is {getattr(new, name)}"
    if before.data != after.data:
        yield f"data was {', '.join(map(_described, before.data))}, is {', '.join(map(_described, after.data))}"


def _described(data: DataConfig) -> str:
    """A source with the settings that are not the usual ones."""
    usual = DataConfig(data.source)
    own = [f"{name} {value}" for name, value in to_dict(data).items() if value != getattr(usual, name)]
    return data.source + (f" ({'; '.join(own)})" if own else "")
