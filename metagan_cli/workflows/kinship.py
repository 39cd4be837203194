"""What a folder's images are to each other, one motif or many, and which motifs are akin to them."""

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from metagan_cli.images.ground import ground_of
from metagan_cli.images.ink import ink_of
from metagan_cli.networks.generator.flat import SAME, palette_of
from metagan_cli.store.kinship import Kinship, load_kinship
from metagan_cli.store.motifs import KINDS, Motif, bank
from metagan_cli.store.shipped import find_features

ONE, MANY = 0.58, 0.46  # mean likeness of images from which they are one motif, and up to which they are many
HELD = 0.75  # likeness from which a motif is one of the folder's
INVENTED = 0.66  # likeness of most images to any motif, below which they are none that has a name, as runes are
WRITTEN = ("letter", "digit")  # kinds
SHARPNESS = 20.0  # of likeness as evidence that a motif is of one kind
NEAREST = 3  # images that say how akin a motif is
LIKELY, CLOSE = 4, 0.15  # letters that an image may show, and how much less likely they are than the likeliest
MOST = 0.5  # share of images, at least, that have a set's ground
STEP = 0.1  # of likeness, within which motifs are equally akin


class Likely(NamedTuple):
    """A motif that an image may show."""

    motif: Motif
    likeness: float


@dataclass(frozen=True)
class Family:
    """What a folder's images are to each other."""

    # "one motif", "many motifs", "perhaps many motifs", "motifs without names" in colour, or "pictures", which take no motifs
    kind: str
    likeness: float  # the mean between two images, in [-1, 1]; 1 of a single one
    invented: bool  # whether its motifs are none that have names

    @property
    def brings(self) -> str:
        """What its samples are unless told otherwise: "members", "variants", or "both"."""
        return {"many motifs": "members", "perhaps many motifs": "both"}.get(self.kind, "variants")

    @property
    def words(self) -> str:
        """The same for people."""
        seen = {
            "one motif": "one motif, so samples are variants",
            "many motifs": "different motifs by one hand, so samples are new members",
            "perhaps many motifs": "perhaps different motifs, so half of the samples are new members",
            "motifs without names": "motifs in colour that have no names, so samples are variants",
            "pictures": "pictures to which no motif can be brought, so samples are variants",
        }[self.kind]
        return f"{seen} (likeness {self.likeness:.2f})"


def family_of(examples: Tensor) -> Family:
    """Of examples [K, C, S, S] in [-1, 1]."""
    seen = _seen(examples)
    count = len(seen)
    likeness = float((seen @ seen.T).sum() - count) / max(1, count * (count - 1)) if count > 1 else 1.0
    invented = float((_shipped(1).bank @ seen.T).amax(0).median()) < INVENTED
    if examples.shape[1] == 3 and not (bool(palette_of(examples[None]).flat) and _have_one_ground(examples)):
        return Family("pictures", likeness, invented)
    if (
        examples.shape[1] == 3 and invented and likeness <= ONE
    ):  # what is invented is drawn with a pen, which says nothing of them
        return Family("motifs without names", likeness, invented)
    kind = "one motif" if likeness > ONE else "many motifs" if likeness < MANY else "perhaps many motifs"
    return Family(kind, likeness, invented)


def _have_one_ground(examples: Tensor) -> bool:
    """Whether most of examples [K, 3, S, S] lie on one ground, as a set's do; portraits often have one each."""
    grounds, _ = ground_of(examples.float().cpu())
    return float((torch.cdist(grounds, grounds) < SAME).float().mean(1).max()) >= MOST


def is_written(examples: Tensor) -> bool:
    """Whether examples [K, C, S, S] in [-1, 1] show letters, digits or invented characters."""
    if family_of(examples).invented:
        return True
    votes = _votes(_shipped(1).bank @ _seen(examples).T)
    return KINDS[int(votes.argmax())] in WRITTEN


def likely_letters(examples: Tensor) -> list[list[Likely]]:
    """The letters and digits that each of examples [K, C, S, S] in [-1, 1] may show, the likeliest first."""
    motifs = [motif for motif in bank().motifs if motif.kind in WRITTEN]
    written = torch.tensor([motif.kind in WRITTEN for motif in bank().motifs])
    likeness = (_seen(examples) @ _shipped(1).bank[written].T).topk(LIKELY)
    pairs = zip(likeness.values.tolist(), likeness.indices.tolist(), strict=True)
    rows = [[Likely(motifs[i], value) for value, i in zip(*pair, strict=True)] for pair in pairs]
    return [[letter for letter in row if letter.likeness > row[0].likeness - CLOSE] for row in rows]


def kindred(examples: Tensor) -> list[Motif]:
    """The bank's motifs by kinship with examples [K, C, S, S] in [-1, 1], but for those that these show.

    The kind that they are of comes first, as letters do for letters; within it those that are most like some of them, and of
    equally like ones the commonest.
    """
    motifs, likeness = bank().motifs, _shipped(1).bank @ _seen(examples).T
    votes, number = _votes(likeness), _kinds()
    akin = likeness.topk(min(NEAREST, likeness.shape[1]), 1).values.mean(1)
    shown, steps = likeness.amax(1) > HELD, (akin / STEP).round()
    order = sorted((-float(votes[number[i]]), -float(steps[i]), i) for i in range(len(motifs)) if not shown[i])
    return [motifs[i] for _, _, i in order]


def by_kinship(drawings: Tensor, examples: Tensor) -> list[int]:
    """The numbers of drawings [N, 1, S, S] in [-1, 1] by kinship with examples [K, C, S, S], but for those that these show."""
    likeness = _seen(drawings) @ _seen(examples).T
    akin = likeness.topk(min(NEAREST, likeness.shape[1]), 1).values.mean(1)
    return [number for number in akin.argsort(descending=True).tolist() if likeness[number].amax() <= HELD]


def _votes(likeness: Tensor) -> Tensor:
    """How much speaks for each of KINDS, of likenesses [M, K] of the bank's motifs to images."""
    number = _kinds()
    evidence = torch.stack([(SHARPNESS * likeness[number == kind]).exp().mean(0) for kind in range(len(KINDS))])
    return torch.as_tensor((evidence / evidence.sum(0)).mean(1))


def _kinds() -> Tensor:
    return torch.tensor([KINDS.index(motif.kind) for motif in bank().motifs])


@torch.no_grad()
def _seen(examples: Tensor) -> Tensor:
    """Unit vectors [K, 128] of what examples [K, C, S, S] show."""
    return torch.as_tensor(_shipped(1).net(ink_of(examples.float().cpu()))[1])


@torch.no_grad()
def hands_in(images: Tensor) -> Tensor:
    """Unit vectors [N, 128] of how images [N, C, S, S] in [-1, 1] are drawn, gray ones with ink 1."""
    return torch.as_tensor(_shipped(images.shape[1]).net(images.float().cpu())[0])


@cache
def _shipped(channels: int) -> Kinship:
    return load_kinship(find_features("kinship", channels), len(bank().motifs))
