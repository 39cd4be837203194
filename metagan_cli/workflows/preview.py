"""Previews: support, held-out truth and samples of fixed unseen tasks, side by side."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from metagan_cli.config import Recipe
from metagan_cli.data.episodes import draw_task
from metagan_cli.data.tasks import TaskSource
from metagan_cli.learners.base import Learner, inner_game
from metagan_cli.networks.bundle import Networks
from metagan_cli.rng import generator_for
from metagan_cli.state import draw_latents
from metagan_cli.store.grids import picture, tile, to_bytes, write_png

TASKS, TRUTH, SAMPLES = 12, 4, 8
SHOTS = 3


class Preview:
    """Draws the same held-out tasks at every checkpoint."""

    def __init__(self, held_out: Sequence[TaskSource], recipe: Recipe, folder: Path) -> None:
        able = [source for source in held_out if source.tasks(SHOTS + TRUTH)]
        rng = generator_for(recipe.train.seed, "preview")
        tasks = [draw_task(able[i % len(able)], SHOTS + TRUTH, rng) for i in range(TASKS)] if able else []
        self.tasks = torch.stack(tasks) if tasks else None
        self.folder, self.recipe = folder, recipe

    @torch.no_grad()
    def write(self, nets: Networks, learner: Learner, step: int) -> None:
        """A picture with one task a row: support, truth, and samples from the support's first image alone and from all."""
        if self.tasks is None:
            return
        device = next(nets.parameters()).device
        support, truth = self.tasks[:, :SHOTS], self.tasks[:, SHOTS:]
        rows = [support, truth]
        for shots in (1, SHOTS):
            rng = generator_for(self.recipe.train.seed, "preview latents", shots)
            steps = 0 if learner.feed_forward else self.recipe.train.inner_steps
            state = learner.adapt(nets, support[:, :shots].to(device), steps, inner_game(nets.config), rng)
            latents = draw_latents(TASKS, SAMPLES, nets.generator.latent_sizes, rng)
            rows.append(nets.generator(latents.to(device), state)[0].float().cpu())
        blank = torch.zeros_like(support[:, :1])
        cells: list[Tensor] = [rows[0]]
        for part in rows[1:]:
            cells += [blank, part]
        sheet = torch.cat(cells, 1)
        pixels = tile(to_bytes(sheet.flatten(0, 1), light_on_dark=False), sheet.shape[1])
        write_png(self.folder / f"{step:08d}.png", picture(pixels), {"kind": "preview", "step": step})
