"""Opening a task source by its name."""

from pathlib import Path

import torch

from metagan_cli.config import DataConfig
from metagan_cli.data.readers.files import shown
from metagan_cli.data.sources import downloads, fonts
from metagan_cli.data.sources.doodles import doodle_tasks
from metagan_cli.data.sources.folders import _folder_tasks
from metagan_cli.data.sources.npz import npz_tasks
from metagan_cli.data.sources.styles import style_groups
from metagan_cli.data.sources.tasks import Say, Split, group_tasks, prepare
from metagan_cli.errors import InputError

BUILT_IN = ("doodles", "omniglot", "mnist", "mnist-styles", "fonts")


def open_source(config: DataConfig, size: int, channels: int, fewest: int = 2, say: Say = lambda line: None) -> Split:
    """The tasks of a source at a size in pixels.

    Raises InputError where there are none, and for a folder whose tasks do not all hold at least `fewest` images.

    Only `omniglot`, `mnist` and `mnist-styles` may open the network, where their files are not there yet; `say` is told first,
    and of every image that is skipped.
    """
    check_source(config)
    name, _, place = config.source.partition(":")
    if name == "doodles":
        return doodle_tasks(size, channels)
    if name == "omniglot":
        images, labels = downloads.omniglot(say)
        return group_tasks(name, prepare(images, size, channels), labels, labels, config)
    if name in ("mnist", "mnist-styles"):
        images, digits = downloads.mnist(say)
        pixels, labels = prepare(images, size, channels), [str(digit) for digit in digits]
        if name == "mnist":
            return group_tasks(name, pixels, [f"{label}/{i}" for i, label in enumerate(labels)], labels, config)
        groups = style_groups(torch.from_numpy(images).float()[:, None] / 127.5 - 1)
        return group_tasks(name, pixels, groups, groups, config)
    if name == "fonts":
        images, families, glyphs = fonts.draw_fonts(Path(place) if place else None, size)
        return group_tasks(name, prepare(images, size, channels), families, glyphs, config)
    path = Path(config.source)
    if path.suffix == ".npz":
        return npz_tasks(path, config, size, channels)
    return _folder_tasks(path, config, size, channels, fewest, say)


def check_source(config: DataConfig) -> None:
    """Raises InputError where a source is neither built in nor there."""
    path = Path(config.source)
    if config.source.partition(":")[0] in BUILT_IN or path.is_dir() or (path.suffix == ".npz" and path.is_file()):
        return
    raise InputError(f"--data {shown(path)}: no such folder or .npz, and no built-in source (those are {', '.join(BUILT_IN)})")
