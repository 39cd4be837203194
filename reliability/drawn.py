"""What these targets work on: tiny base models and folders that are drawn, so that a round takes a second."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from metagan_cli.config import ModelConfig
from metagan_cli.data.sources.doodles import Doodles
from metagan_cli.learners.build import build_learner
from metagan_cli.networks.bundle import build_networks
from metagan_cli.rng import generator_for
from metagan_cli.store.models import save_model

TINY = ModelConfig(image_size=32, latent=8, fine=8, width=32, tokens=32, style=32, critic_tokens=32, learner_width=32)
LOOKS = ("gray", "colour", "transparent")


def tiny_base(path: Path, channels: int = 1) -> Path:
    """An untrained base model of 32 pixels, the same every time."""
    config = replace(TINY, channels=channels)
    networks, learner = build_networks(config, generator_for(0, "tiny")), build_learner(config)
    save_model(path, config, networks, learner, {"name": "tiny", "step": 0, "seed": 0, "data": []})
    return path


def draw_folder(folder: Path, look: str, count: int, size: int, task: int) -> Path:
    """A folder of `count` images that belong together: drawn characters, coloured shapes, or such on nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    if look == "gray":
        for number, ink in enumerate(Doodles(size).draw(task, count, generator_for(task, "folder"))):
            Image.fromarray((255 - ink).numpy()).save(folder / f"{number}.png")
        return folder
    rng = np.random.default_rng(task)
    paints = [tuple(map(int, paint)) for paint in rng.integers(0, 256, (3, 3))]
    for number in range(count):
        image = Image.new("RGB", (size, size), paints[0]) if look == "colour" else Image.new("RGBA", (size, size))
        pen = ImageDraw.Draw(image)
        for paint in paints[1:]:
            left, top = (int(place) for place in rng.integers(0, size // 2, 2))
            pen.ellipse((left, top, left + size // 3, top + size // 2), fill=paint)
        image.save(folder / f"{number}.png")
    return folder
