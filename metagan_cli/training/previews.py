"""Previews: support, held-out truth and samples of fixed unseen tasks, side by side."""

import torch
from torch import Tensor

from metagan_cli.config import Recipe
from metagan_cli.images.sheets import tile, to_bytes
from metagan_cli.learners.base import Learner
from metagan_cli.learners.game import inner_game
from metagan_cli.networks.bundle import Networks
from metagan_cli.networks.state import draw_latents
from metagan_cli.rng import generator_for

SHOTS, TRUTH, SAMPLES = 3, 4, 8  # images of a task that are seen, and held out; samples beside them


class Preview:
    """Draws the same held-out tasks at every checkpoint."""

    def __init__(self, tasks: Tensor | None, recipe: Recipe) -> None:
        """Of tasks [T, SHOTS + TRUTH, C, S, S] in [-1, 1], or of none."""
        self.tasks, self.recipe = tasks, recipe

    @torch.no_grad()
    def draw(self, nets: Networks, learner: Learner) -> Tensor | None:
        """A sheet uint8 [H, W, C] with one task a row: support, truth, samples from its first image alone and from all."""
        if self.tasks is None:
            return None
        device = next(nets.parameters()).device
        support, truth = self.tasks[:, :SHOTS], self.tasks[:, SHOTS:]
        rows = [support, truth]
        for shots in (1, SHOTS):
            rng = generator_for(self.recipe.train.seed, "preview latents", shots)
            steps = 0 if learner.feed_forward else self.recipe.train.inner_steps
            state = learner.adapt(nets, support[:, :shots].to(device), steps, inner_game(nets.config), rng)
            latents = draw_latents(len(self.tasks), SAMPLES, nets.generator.latent_sizes, rng)
            rows.append(nets.generator(latents.to(device), state)[0].float().cpu())
        blank = torch.zeros_like(support[:, :1])
        cells: list[Tensor] = [rows[0]]
        for part in rows[1:]:
            cells += [blank, part]
        sheet = torch.cat(cells, 1)
        return tile(to_bytes(sheet.flatten(0, 1), light_on_dark=False), sheet.shape[1])


class GuestPreview:
    """Draws the same held-out hands at every checkpoint."""

    def __init__(self, images: tuple[Tensor, ...] | None) -> None:
        """Of support [T, K, C, S, S], and guests and truths [T, N, C, S, S], in [-1, 1], or of none."""
        self.images = images

    @torch.no_grad()
    def draw(self, nets: Networks, learner: Learner) -> Tensor | None:
        """A sheet uint8 [H, W, C] with one hand a row: support, guests, what became of them, truths."""
        if self.images is None or nets.guests is None:
            return None
        support, guests, truths = self.images
        device = next(nets.parameters()).device
        painted, _ = nets.guests(guests.to(device), nets.guests.hand(support.to(device)))
        blank = torch.zeros_like(support[:, :1])
        cells = torch.cat([support, blank, guests, blank, painted.float().cpu(), blank, truths], 1)
        return tile(to_bytes(cells.flatten(0, 1), light_on_dark=False), cells.shape[1])
