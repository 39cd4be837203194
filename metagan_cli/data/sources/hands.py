"""Hands: sources that say of each image by which hand it is and what motif it shows."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from metagan_cli.data.sources.tasks import _is_held_out, prepare


@dataclass(frozen=True)
class Hands:
    """Images by hand and motif; what is drawn by hands of one family has one layout often."""

    name: str
    images: Tensor  # uint8 [M, C, S, S]; of gray models with ink 255 on ground 0
    hand: np.ndarray  # int [M]
    motif: np.ndarray  # int [M]
    family: np.ndarray  # int [H], of each hand
    by_hand: tuple[np.ndarray, ...]  # the images of each hand
    by_motif: dict[int, np.ndarray]


def hands_of(name: str, images: Tensor, hands: list[str], motifs: list[str], families: list[str]) -> Hands:
    """By the names of each image's hand, motif and family."""
    titles, hand = np.unique(hands, return_inverse=True)
    _, motif = np.unique(motifs, return_inverse=True)
    _, family = np.unique(families, return_inverse=True)
    of = np.zeros(len(titles), dtype=int)
    of[hand] = family
    by_motif: dict[int, np.ndarray] = {}
    order = np.argsort(motif, kind="stable")
    for group in np.split(order, np.flatnonzero(np.diff(motif[order])) + 1):
        by_motif[int(motif[group[0]])] = group
    by_hand = tuple(np.flatnonzero(hand == number) for number in range(len(titles)))
    return Hands(name, images, hand, motif, of, by_hand, by_motif)


def npz_hands(path: Path, by: tuple[str, ...], motif: str, size: int, channels: int) -> tuple[Tensor, list[str], list[str]]:
    """Images of a packed file, prepared, and the names of their hands and motifs, by the keys of its arrays."""
    with np.load(path, allow_pickle=False) as packed:
        arrays = {key: packed[key] for key in packed.files}
    hands = ["/".join(parts) for parts in zip(*(_names(arrays, key) for key in by), strict=True)]
    return prepare(arrays["images"], size, channels), hands, _names(arrays, motif)


def _names(arrays: dict[str, np.ndarray], key: str) -> list[str]:
    """An array of a packed file as names: by the array that numbers them, if there is one."""
    titles = next((arrays[name] for name in (f"{key}_names", f"{key}s", "names" if key == "labels" else "") if name in arrays), None)
    return [str(value) for value in (arrays[key] if titles is None else titles[arrays[key]])]
