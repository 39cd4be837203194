"""Which motifs new members show, and the plain drawings that they start from."""

import os
from collections.abc import Callable, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from metagan_cli.config import AdaptConfig
from metagan_cli.data.sources.characters import character, different
from metagan_cli.data.sources.styles import thickness
from metagan_cli.errors import UsageError
from metagan_cli.images.drawings import draw_svg
from metagan_cli.images.ink import ink_of
from metagan_cli.images.lean import lean
from metagan_cli.images.paints import covered, mixed
from metagan_cli.networks.state import TaskState
from metagan_cli.sampling.members import Guest, MemberSampler
from metagan_cli.store.motifs import GROUPS, Motif, bank
from metagan_cli.workflows.kinship import WRITTEN, by_kinship, hands_in, kindred
from metagan_cli.workflows.letterforms import letters_in
from metagan_cli.workflows.nearing import Nearing
from metagan_cli.workflows.progress import silent
from metagan_cli.workflows.ready import Ready
from metagan_cli.workflows.suited import read_for

INVENTED = 144  # characters drawn by program, before they come again, drawn otherwise
STRAIGHTER = 0.01  # of likeness, that strokes which are all straight may be less like a folder's
COMPARED = 24  # of them, that say which kind is most like a folder's
BLOTTED, SHORTER, LONGER = 1.12, 0.8, 1.2  # times as thick as most, and as long as the examples, that invented characters may be
FINER = 2  # times as large as the model sees, that motifs are drawn, for their edges to be exact
SHOWN, WRITTEN_SHOWN = 6, 10  # motifs that say how near a styling comes, and letters or digits
RULED = 0.5  # how ruled lines are that no free hand draws
FEW = 4  # letters of a folder, from which the same ones say it


class Shown(NamedTuple):
    """Motifs by which to find what comes near a folder's hand."""

    drawings: Sequence[Tensor]  # [N, 1, S, S] in [-1, 1] by each plain hand, or some times larger
    same: Tensor | None = None  # the folder's own drawings of them, where it has them


class Guests:
    """Motifs in an order, drawn by a plain hand and brought near a folder's as far as a program can bring them."""

    def __init__(
        self,
        ready: Ready,
        names: Sequence[str],
        draw: Callable[[int, int], Tensor],
        shown: Callable[[], Shown],
        written: bool = False,
    ) -> None:
        """By name; `draw` gives ink in [-1, 1] by a motif's number and a plain hand's, [1, S, S] or some times larger.

        `shown` gives a few motifs in each of the plain hands; whether they are `written`, as letters are.
        """
        self.ready, self.names, self._draw, self._shown, self.written = ready, tuple(names), draw, shown, written

    def __call__(self, seed: int) -> Guest:
        """The guest of a seed: after the last motif the first one comes again, in the next best plain hand."""
        return self._guest(*divmod(seed, len(self.names)))

    def instead(self, seed: int) -> Guest:
        """Another motif for a seed, half of all motifs away, so that only as many seeds show one twice."""
        again, number = divmod(seed, len(self.names))
        return self._guest(again, (number + len(self.names) // 2) % len(self.names))

    def _guest(self, again: int, number: int) -> Guest:
        manner = self.near.turn(again)
        logits = self.near.logits(self._draw(number, manner.hand), manner, number, exact=self.ready.natives is not None)
        return Guest(mixed(covered(logits)[None, None], self.near.paints)[0, 0], logits)

    @cached_property
    def near(self) -> Nearing:
        """What brings them near."""
        shown = self._shown()
        return Nearing(self.ready.examples, shown.drawings, self.written, shown.same).search()

    @cached_property
    def painted(self) -> bool:
        """Whether the painter, where the model has one, takes them over: where it does not lead away from the folder's hand.

        In letters its waver, of a tenth of a pixel, would be seen where they are set as type, or larger than the model sees.
        """
        nets, state = self.ready.base.nets, self.ready.state
        if nets.guests is None or (self.written and (self.ready.natives or is_type(self.near, state))):
            return False
        drawn = self.near.draw(self.near.manner)
        with torch.no_grad():
            images, _ = nets.paint_guests(drawn[None].to(state.hand.device), state, nets.hand_in(state))
        return self.near.are_nearer(images[0].float().cpu(), drawn)


def is_type(near: Nearing, state: TaskState) -> bool:
    """Whether a folder's letters are set as type is: its upright strokes lean alike, or no free hand draws such lines."""
    return near.own.lean is not None or float(state.ruled[0]) > RULED


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


def of_bank(ready: Ready, motifs: Sequence[Motif], by: Sequence[Motif] | None = None) -> Guests:
    """Motifs of the bank, which has them as outlines and solid, or in several styles of type.

    What comes near is found by the folder's own letters where they are such, else by the commonest of their kind; `by` has
    them if they are not as the bank has them.
    """
    size, written = ready.base.config.image_size, motifs[0].kind in WRITTEN
    unlike = _unlike(ready)

    def bodies(motif: Motif) -> list[str]:
        return [drawing.body for drawing in motif.drawings if drawing.style not in unlike]

    @cache
    def draw(number: int, hand: int) -> Tensor:
        own = bodies(motifs[number])
        return draw_svg(own[hand % len(own)], FINER * size)

    def shown() -> Shown:
        letters = letters_in(ready.examples) if written else {}
        if len(letters) >= FEW:
            named = {motif.name: motif for motif in by or ()}
            both = [named.get(motif.name, motif) for motif in letters.values()]
        else:
            kind = by or [motif for motif in bank().motifs if motif.kind == motifs[0].kind]
            both = [motif for motif in kind if len(motif.drawings) > 1][: WRITTEN_SHOWN if written else SHOWN]
        hands = zip(*map(bodies, both), strict=False)  # as many as all of them have
        drawings = [torch.stack([draw_svg(body, FINER * size) for body in hand]) for hand in hands]
        return Shown(drawings, ink_of(ready.examples[list(letters)]) if len(letters) >= FEW else None)

    return Guests(ready, [motif.name for motif in motifs], draw, shown, written)


def _unlike(ready: Ready) -> set[str]:
    """The styles of type that a folder cannot be in: a free hand's where lines are ruled, a script where strokes stand alike."""
    ruled = {"hand"} if float(ready.state.ruled[0]) > RULED else set()
    return ruled | ({"script"} if lean(ink_of(ready.examples)) is not None else set())


def akin(ready: Ready) -> Guests:
    """What comes next in a folder's set: motifs by kinship; characters drawn by program where the folder's own are invented."""
    return invented(ready) if ready.family.invented else of_bank(ready, kindred(ready.examples))


def invented(ready: Ready) -> Guests:
    """Characters drawn by program with one pen, of straight strokes or of any, those first that are most like the folder's."""
    size, ink = ready.base.config.image_size, ink_of(ready.examples)

    @cache
    def draw(number: int, hand: int, straight: bool) -> Tensor:
        return character(number, size, hand, straight).float() / 127.5 - 1

    def pool_of(numbers: Sequence[int], straight: bool) -> Tensor:
        return torch.stack([draw(number, 0, straight) for number in numbers])

    own = hands_in(ink).mean(0)
    kinds = {kind: float(hands_in(pool_of(different(COMPARED, kind), kind)).mean(0) @ own) for kind in (True, False)}
    straight = kinds[True] > kinds[False] - STRAIGHTER
    numbers = different(INVENTED, straight)
    pool = pool_of(numbers, straight)
    fit = _fitting(pool, ink)
    places = [place for place in by_kinship(pool, ready.examples) if fit[place]] or list(range(len(numbers)))
    shown, order = pool[places[:SHOWN]], [numbers[place] for place in places]
    names = [f"invented {number}" for number in order]
    return Guests(ready, names, lambda place, hand: draw(order[place], hand, straight), lambda: Shown([shown]), True)


def _fitting(drawings: Tensor, examples: Tensor) -> Tensor:
    """Which drawings [N, 1, S, S] by one pen have no blots, and are about as long as examples [K, 1, S, S] are: bool [N]."""
    thick, own = thickness(drawings), thickness(examples)
    long, least = ((ink > 0).float().sum((1, 2, 3)) / each for ink, each in ((drawings, thick), (examples, own)))
    return (thick < BLOTTED * thick.median()) & (long > SHORTER * least.min()) & (long < LONGER * least.max())


def of_folder(ready: Ready, folder: Path) -> Guests:
    """A person's own drawings, or another pack's, by their names. Raises InputError."""
    support = read_for(folder, ready.base.config, AdaptConfig(), silent)
    order = sorted(range(len(support.names)), key=support.names.__getitem__)
    ink = ink_of(support.images[order])
    return Guests(ready, [support.names[i] for i in order], lambda number, hand: ink[number], lambda: Shown([ink[:SHOWN]]))


def members_of(ready: Ready, guests: Guests, asked: bool = True) -> MemberSampler:
    """What draws these motifs in the folder's hand; where none was `asked` for, another one instead of a copy of an example."""
    instead = None if asked else guests.instead
    return MemberSampler(ready.base.nets, ready.state, guests, guests.near.paints, guests.painted, instead)
