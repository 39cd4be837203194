"""Which motifs new members show, and the plain drawings that they start from."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from torch import Tensor

from metagan_cli.config import AdaptConfig
from metagan_cli.data.sources.doodles import Doodles
from metagan_cli.errors import UsageError
from metagan_cli.images.drawings import draw_svg
from metagan_cli.images.ink import ink_of
from metagan_cli.rng import generator_for
from metagan_cli.store.motifs import GROUPS, Motif, bank
from metagan_cli.workflows.kinship import family_of, kindred
from metagan_cli.workflows.progress import silent
from metagan_cli.workflows.ready import Ready
from metagan_cli.workflows.suited import read_for

INVENTED = 4096  # characters drawn by program, before they come again, drawn otherwise
COMPARED = 24  # motifs whose drawings say which of two plain hands is nearer to a folder's


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
    """Motifs of the bank, in that of its plain hands which is nearer to the folder's; in the other one when they come again."""
    config, nearer = ready.base.config, _nearer_style(ready, motifs)

    @cache
    def draw(number: int, again: int) -> Tensor:
        drawings = motifs[number].drawings
        ink = draw_svg(drawings[(nearer + again) % len(drawings)].body, config.image_size)
        return ink if config.channels == 1 else -ink.expand(3, -1, -1)

    return Guests(tuple(motif.name for motif in motifs), draw)


def akin(ready: Ready) -> Guests:
    """What comes next in a folder's set: motifs by kinship; characters drawn by program where the folder's own are invented."""
    config = ready.base.config
    if not family_of(ready.examples).invented:
        return of_bank(ready, kindred(ready.examples))

    def draw(number: int, again: int) -> Tensor:
        drawn = Doodles(config.image_size).draw(number, 1, generator_for(again, "invented", number))
        ink = drawn.float() / 127.5 - 1
        return ink if config.channels == 1 else -ink.expand(3, -1, -1)

    return Guests(tuple(f"invented {number}" for number in range(INVENTED)), draw)


def of_folder(ready: Ready, folder: Path) -> Guests:
    """A person's own drawings, or another pack's, by their names. Raises InputError."""
    support = read_for(folder, ready.base.config, AdaptConfig(), silent)
    order = sorted(range(len(support.names)), key=support.names.__getitem__)
    return Guests(tuple(support.names[i] for i in order), lambda number, again: support.images[order[number]])


def _nearer_style(ready: Ready, motifs: Sequence[Motif]) -> int:
    """0 where outlines, or type without serifs, have the more nearly as much ink as the folder's images, else 1."""
    own = float((ink_of(ready.examples) > 0).float().mean())
    both = [motif for motif in motifs if len(motif.drawings) > 1][:COMPARED]
    shares = [[float((draw_svg(motif.drawings[place].body, 64) > 0).float().mean()) for place in (0, 1)] for motif in both]
    apart = [sum(abs(share[place] - own) for share in shares) for place in (0, 1)]
    return int(apart[1] < apart[0])
