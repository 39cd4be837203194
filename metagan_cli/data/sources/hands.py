"""Hands: sources that say of each image by which hand it is and what motif it shows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from metagan_cli.config import DataConfig
from metagan_cli.data.sources.npz import named, read_npz
from metagan_cli.data.sources.tasks import is_held_out, is_wanted, prepare
from metagan_cli.errors import InputError

Numbers = np.ndarray[tuple[int], np.dtype[np.int64]]


@dataclass(frozen=True)
class Hands:
    """Images by hand and motif, and the chance that each hand is drawn."""

    images: Tensor  # uint8 [M, C, S, S]; of gray models with ink 255 on ground 0
    hand: Numbers  # of each image [M]
    motif: Numbers  # of each image [M]
    family: Numbers  # of each hand: what hands of one family draw has one layout often
    by_hand: tuple[Numbers, ...]  # the images of each hand
    by_motif: tuple[Numbers, ...]  # and of each motif, by hands that may be guests
    names: tuple[str, ...]  # of the hands, after their file's
    motifs: tuple[str, ...]  # and of the motifs
    weights: Tensor  # of the hands: 0 for those that are guests only
    held_out: "np.ndarray[tuple[int], np.dtype[np.bool_]]"  # which hands are of families that never train


def open_hands(configs: Sequence[DataConfig], size: int, channels: int) -> Hands:
    """The hands of packed files, each file's as likely together as it weighs. What one calls a motif may be another's guest.

    Raises InputError where a file is none, lacks what a source names, or has no hand that is wanted.
    """
    images: list[Tensor] = []
    hands, motifs, families = list[str](), list[str](), list[str]()
    shares: dict[str, float] = {}
    for config in configs:
        arrays = read_npz(Path(config.source), (*config.by, config.shows))
        labels = ["/".join(parts) for parts in zip(*(named(arrays, key) for key in config.by or ("labels",)), strict=True)]
        usual = named(arrays, "labels")
        wanted = [i for i, both in enumerate(zip(labels, usual, strict=True)) if all(is_wanted(name, config) for name in both)]
        if not wanted:
            raise InputError(f"{config.source}: no hands are left; look at only and exclude")
        stem, shown = Path(config.source).stem, named(arrays, config.shows)
        images.append(prepare(arrays["images"][wanted], size, channels))
        own = [f"{stem}/{labels[i]}" for i in wanted]
        hands += own
        families += [labels[i] if config.by else labels[i].split("/")[0] for i in wanted]
        motifs += [shown[i] for i in wanted]
        shares |= dict.fromkeys(set(own), config.weight / max(1, len(set(own))))
    names, hand = np.unique(hands, return_inverse=True)
    titles, of = np.unique(families, return_inverse=True)
    family = np.zeros(len(names), dtype=np.int64)
    family[hand] = of
    titles_of_motifs, motif = np.unique(motifs, return_inverse=True)
    held_out = np.array([is_held_out(str(title)) for title in titles])[family]
    weights = torch.tensor([shares[name] for name in names], dtype=torch.float64)
    groups = _groups(hand, len(names)), _groups(motif, int(motif.max()) + 1)
    called = tuple(map(str, names)), tuple(map(str, titles_of_motifs))
    return Hands(torch.cat(images), hand, motif, family, *groups, *called, weights, held_out)


def for_training(hands: Hands) -> Hands:
    """Without the families that are held out, as hands and as guests."""
    kept = ~hands.held_out[hands.hand]
    by_motif = tuple(group[kept[group]] for group in hands.by_motif)
    return replace(hands, by_motif=by_motif, weights=hands.weights * torch.from_numpy(~hands.held_out))


def of_names(hands: Hands, starts: tuple[str, ...]) -> Hands:
    """Just those hands whose names start so, in their file, or without any the ones that are held out; all others are guests."""
    names = [name.split("/", 1)[1].startswith(starts) for name in hands.names] if starts else hands.held_out
    return replace(hands, weights=hands.weights * torch.tensor(np.asarray(names)))


def _groups(of: Numbers, count: int) -> tuple[Numbers, ...]:
    """The places in `of` of each number below `count`."""
    order = np.argsort(of, kind="stable")
    return tuple(np.split(order, np.searchsorted(of[order], np.arange(1, count))))
