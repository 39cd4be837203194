"""Which motifs new members show, and the plain drawings that they start from."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from metagan_cli.config import AdaptConfig
from metagan_cli.data.sources.doodles import Doodles
from metagan_cli.errors import UsageError
from metagan_cli.images.drawings import draw_svg
from metagan_cli.images.ink import ink_of
from metagan_cli.images.styling import Styling, styled
from metagan_cli.rng import generator_for
from metagan_cli.store.motifs import GROUPS, Motif, bank
from metagan_cli.workflows.kinship import family_of, kindred
from metagan_cli.workflows.nearing import Nearing
from metagan_cli.workflows.progress import silent
from metagan_cli.workflows.ready import Ready
from metagan_cli.workflows.suited import read_for

INVENTED = 4096  # characters drawn by program, before they come again, drawn otherwise
COMPARED = 6  # motifs that show how near a styling comes


@dataclass(frozen=True)
class Guests:
    """Motifs in an order, and how each is drawn where it comes up first, and again."""

    names: tuple[str, ...]
    draw: Callable[[int, int], Tensor]  # number and round to a guest [C, S, S] in [-1, 1]

    def __call__(self, seed: int) -> Tensor:
        """The guest of a seed."""
        again, number = divmod(seed, len(self.names))
        return self.draw(number, again)


def guests_for(ready: Ready, wanted: str) -> Guests:
    """The motifs of a folder of drawings, of a group, or of names with commas between them.

    Raises UsageError for a name that is none, InputError for the folder's images.
    """
    if wanted in GROUPS:
        return of_bank(ready, bank().group(wanted))
    if os.path.isdir(wanted):  # where Path.is_dir would raise an error for more names than a path can be long
        return of_folder(ready, Path(wanted))
    names = [name for name in (part.strip() for part in wanted.split(",")) if name]
    if not names:
        raise UsageError("--motifs: name some, as home,camera,heart")
    return of_bank(ready, [bank().named(name) for name in names])


def of_bank(ready: Ready, motifs: Sequence[Motif]) -> Guests:
    """Motifs of the bank, near the folder's hand already as far as a program can bring them.

    They start from that of the bank's plain hands which comes nearest, and from the other one when they come again.
    """
    size = ready.base.config.image_size
    both = [motif for motif in bank().motifs if motif.kind == motifs[0].kind and len(motif.drawings) > 1][:COMPARED]
    drawings = [torch.stack([draw_svg(motif.drawings[hand].body, size) for motif in both]) for hand in (0, 1)]
    which, styling = Nearing(ready.examples, drawings).search()

    @cache
    def draw(number: int, again: int) -> Tensor:
        own = motifs[number].drawings
        return _near(draw_svg(own[(which + again) % len(own)].body, size), styling, ready)

    return Guests(tuple(motif.name for motif in motifs), draw)


def _near(ink: Tensor, styling: Styling, ready: Ready) -> Tensor:
    """A drawing [1, S, S] in [-1, 1], styled, as a model takes it [C, S, S]."""
    near = styled((ink[None] + 1) / 2, styling, generator_for(0, "guest"))[0]
    return torch.as_tensor(near if ready.base.config.channels == 1 else -near.expand(3, -1, -1))


def akin(ready: Ready) -> Guests:
    """What comes next in a folder's set: motifs by kinship; characters drawn by program where the folder's own are invented."""
    if not family_of(ready.examples).invented:
        return of_bank(ready, kindred(ready.examples))
    doodles = Doodles(ready.base.config.image_size)

    def invent(number: int, again: int = 0) -> Tensor:
        return doodles.draw(number, 1, generator_for(again, "invented", number)).float() / 127.5 - 1

    _, styling = Nearing(ready.examples, [torch.stack([invent(number) for number in range(COMPARED)])]).search()
    names = tuple(f"invented {number}" for number in range(INVENTED))
    return Guests(names, lambda number, again: _near(invent(number, again), styling, ready))


def of_folder(ready: Ready, folder: Path) -> Guests:
    """A person's own drawings, or another pack's, by their names, likewise near the folder's hand. Raises InputError."""
    support = read_for(folder, ready.base.config, AdaptConfig(), silent)
    order = sorted(range(len(support.names)), key=support.names.__getitem__)
    ink = ink_of(support.images[order])
    _, styling = Nearing(ready.examples, [ink[:COMPARED]]).search()
    return Guests(tuple(support.names[i] for i in order), lambda number, again: _near(ink[number], styling, ready))
