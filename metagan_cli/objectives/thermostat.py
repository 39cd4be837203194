"""The thermostat: what keeps the critic ahead of the generator, but not out of reach."""

import math
from typing import Any


class Thermostat:
    """Keeps the critic ahead, but not out of reach.

    Where the critic wins outright the weight of its penalty grows; where it loses its lead the weight falls, and the
    generator waits for it.
    """

    EVERY, LOW, HIGH = 10, 0.42, 0.62  # the weight moves after so many steps whose mean loss is outside
    BEHIND, PATIENCE = 0.66, 3  # the generator waits above this mean loss, this many steps in a row at most
    RANGE = (0.1, 1000.0)

    def __init__(self, weight: float, waits: bool = True) -> None:
        self.weight, self.losses, self.mean, self.waited = weight, list[float](), math.log(2), 0
        self.waits = waits

    def watch(self, loss: float) -> None:
        """Takes the critic's loss of one step, and after some of them moves the weight."""
        self.losses.append(loss)
        self.mean += 0.1 * (loss - self.mean)
        if len(self.losses) < self.EVERY:
            return
        mean = sum(self.losses) / len(self.losses)
        factor = 1.15 if mean < self.LOW else 0.9 if mean > self.HIGH else 1.0
        self.weight = min(max(self.weight * factor, self.RANGE[0]), self.RANGE[1])
        self.losses = []

    def generator_waits(self) -> bool:
        """Whether this step is the critic's alone."""
        behind = self.waits and self.mean > self.BEHIND
        self.waited = self.waited + 1 if behind and self.waited < self.PATIENCE else 0
        return self.waited > 0

    def figures(self) -> dict[str, Any]:
        """Plain values that `restore` takes back."""
        return {"weight": self.weight, "losses": self.losses, "mean": self.mean, "waited": self.waited}

    def restore(self, figures: dict[str, Any]) -> None:
        """Puts back what `figures` gave."""
        self.weight, self.losses = float(figures["weight"]), list(figures["losses"])
        self.mean, self.waited = float(figures["mean"]), int(figures["waited"])
