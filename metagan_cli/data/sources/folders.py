"""Tasks from a folder of task folders."""

import os
from pathlib import Path

import torch
from torch import Tensor

from metagan_cli.config import DataConfig
from metagan_cli.data.readers.files import shown
from metagan_cli.data.readers.folders import read_folder
from metagan_cli.data.readers.kinds import is_image
from metagan_cli.data.sources.tasks import Say, Split, group_tasks
from metagan_cli.errors import InputError


def _folder_tasks(folder: Path, config: DataConfig, size: int, channels: int, fewest: int, say: Say) -> Split:
    """Each folder below that holds images directly is a task, however deep it lies."""
    parts: list[Tensor] = []
    labels: list[str] = []
    for task in _task_folders(folder):
        support = read_folder(task, size=size, channels=channels, skip_bad=config.skip_bad, deep=False)
        images = support.images
        support.tell_skipped(say, f"{shown(task)}/")
        if len(images) < fewest:
            raise InputError(
                f"{shown(task)}: a task of {len(images)} images; each needs {fewest}, the fewest shots and the queries together"
            )
        parts.append(((images + 1) * 127.5).round().byte())
        labels += [shown(task.relative_to(folder))] * len(images)
    if len(parts) < 2:
        raise InputError(f"{shown(folder)}: holds {len(parts)} task folder; meta-training needs two or more")
    return group_tasks(folder.name, torch.cat(parts), labels, labels, config)


def _task_folders(folder: Path) -> list[Path]:
    found = []
    for place, _, files in os.walk(folder):
        if any(is_image(Path(place, name)) for name in files):
            found.append(Path(place))
    return sorted(found)
