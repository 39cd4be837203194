"""The plan: what samples change of the images that they start from. It is made at the model's size, and carried out at any."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor


@dataclass(frozen=True)
class Plan:
    """The changes of N samples, at S pixels a side."""

    start: Tensor  # int [N]: the support image that each starts from
    donors: Tensor  # int [N, T]: the support images that give it parts, one after the other
    taken: Tensor  # [N, T, S, S] in [0, 1]: where their parts are taken
    grid: Tensor  # [N, S, S, 2]: the place that each pixel comes from, (x, y) in [-1, 1] from edge to edge
    amounts: Tensor  # [N, 3, S, S]: change of hue, saturation and lightness; of gray images [N, 0, S, S]
    residual: Tensor  # [N, C, S, S]: what is painted over, in logits

    def part(self, index: int | slice) -> "Plan":
        """Some of the samples, or one alone, still with its dimension."""
        some = slice(index, index + 1) if isinstance(index, int) else index
        return Plan(*(getattr(self, f.name)[some] for f in fields(self)))

    def to(self, device: torch.device) -> "Plan":
        """The same on another device."""
        return Plan(*(getattr(self, f.name).to(device) for f in fields(self)))

    def replace(self, places: Tensor, other: "Plan", numbers: Tensor) -> None:
        """Puts those of another plan's samples, by their index, in the places of some."""
        for f in fields(self):
            getattr(self, f.name)[places] = getattr(other, f.name)[numbers]


def together(plans: Sequence[Plan]) -> Plan:
    """Several plans, one after the other."""
    return Plan(*(torch.cat([getattr(plan, f.name) for plan in plans]) for f in fields(Plan)))
