"""Hands: sources that say of each image by which hand it is and what motif it shows."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from metagan_cli.config import DataConfig
from metagan_cli.data.sources.npz import named, read_npz
from metagan_cli.data.sources.tasks import is_held_out, prepare
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
    names: tuple[str, ...]  # of the hands
    weights: Tensor  # of the hands: 0 for those that are guests only


def open_hands(configs: Sequence[DataConfig], size: int, channels: int) -> tuple[Hands, Hands]:
    """The hands of packed files for training, and beside them, from the same images, those of families that are held out.

    What one file calls a motif may be another's guest. Raises InputError where a file is none or lacks what a source names.
    """
    images: list[Tensor] = []
    hands, motifs, families = list[str](), list[str](), list[str]()
    shares: dict[str, float] = {}
    for config in configs:
        arrays = read_npz(Path(config.source), (*config.by, config.shows))
        labels = ["/".join(parts) for parts in zip(*(named(arrays, key) for key in config.by or ("labels",)), strict=True)]
        wanted = [i for i, label in enumerate(labels) if _is_wanted(label, config)]
        stem, shown = Path(config.source).stem, named(arrays, config.shows)
        images.append(prepare(arrays["images"][wanted], size, channels))
        hands += [f"{stem}/{labels[i]}" for i in wanted]
        families += [labels[i] if config.by else labels[i].split("/")[0] for i in wanted]
        motifs += [shown[i] for i in wanted]
        shares |= dict.fromkeys({f"{stem}/{labels[i]}" for i in wanted}, config.weight)
    if not hands:
        raise InputError("no hands are left")
    names, hand = np.unique(hands, return_inverse=True)
    own = np.zeros(len(names), dtype=np.int64)
    titles, family = np.unique(families, return_inverse=True)
    own[hand] = family
    apart = np.array([is_held_out(str(title)) for title in titles])[own]
    counts: dict[tuple[float, str, bool], int] = defaultdict(int)
    for name, held in zip(names, apart, strict=True):
        counts[shares[name], name.split("/")[0], bool(held)] += 1
    each = [shares[name] / counts[shares[name], name.split("/")[0], bool(held)] for name, held in zip(names, apart, strict=True)]
    weights, whole = torch.tensor(each, dtype=torch.float64), torch.cat(images)
    _, motif = np.unique(motifs, return_inverse=True)
    by_hand = _groups(hand, len(names))
    parts = []
    for held in (False, True):
        may = ~apart[hand] if not held else np.ones(len(hand), dtype=bool)
        chosen = weights * torch.from_numpy(apart == held)
        parts.append(
            Hands(whole, hand, motif, own, by_hand, _groups(motif, motif.max() + 1, may), tuple(map(str, names)), chosen)
        )
    return parts[0], parts[1]


def _is_wanted(label: str, config: DataConfig) -> bool:
    return label.startswith(config.only or ("",)) and not label.startswith(config.exclude or ("\0",))


def _groups(of: Numbers, count: int, may: "np.ndarray[tuple[int], np.dtype[np.bool_]] | None" = None) -> tuple[Numbers, ...]:
    """The places in `of` of each number below `count`, but for those that may not be."""
    order = np.argsort(of, kind="stable")
    if may is not None:
        order = order[may[order]]
    return tuple(np.split(order, np.searchsorted(of[order], np.arange(1, count))))
