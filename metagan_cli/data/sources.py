"""Opening a task source by its name."""

from pathlib import Path

from metagan_cli.config import DataConfig
from metagan_cli.data.tasks import Split, doodle_tasks, npz_tasks
from metagan_cli.errors import InputError


def open_source(config: DataConfig, size: int, channels: int) -> Split:
    """The tasks of a source at a size in pixels. Raises InputError where there are none."""
    if config.source == "doodles":
        return doodle_tasks(size, channels)
    path = Path(config.source)
    if path.suffix == ".npz":
        return npz_tasks(path, config, size, channels)
    raise InputError(f"{config.source}: no such source")
