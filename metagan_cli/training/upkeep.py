"""What all outer loops do beside learning: rates that fall, averages, and the state of their optimisers as tensors."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from metagan_cli.config import TrainConfig
from metagan_cli.objectives.thermostat import Thermostat

Adams = Mapping[str, torch.optim.Adam]


def set_rates(adams: Sequence[tuple[torch.optim.Adam, float]], train: TrainConfig, number: int) -> None:
    """The rates of outer step `number`: those given, which fall linearly from a share of the steps on."""
    late = max(0.0, number / train.steps - train.decay_from) / max(1e-9, 1 - train.decay_from)
    factor = 1 - (1 - train.final_rate) * min(late, 1.0)
    for adam, rate in adams:
        for group in adam.param_groups:
            group["lr"] = rate * factor * group.get("rate_multiplier", 1.0)


@torch.no_grad()
def average(averages: nn.Module, current: nn.Module, updates: int, decay: float) -> None:
    """Moves averages of weights towards the current ones; early on they forget the start."""
    decay = min(decay, (1 + updates) / (10 + updates))
    for mean, now in zip(averages.parameters(), current.parameters(), strict=True):
        mean.lerp_(now, 1 - decay)


def tensors_of(modules: Mapping[str, nn.Module], adams: Adams) -> dict[str, Tensor]:
    """All that a resumed run needs, by name."""
    found = {f"{part}.{name}": tensor for part, module in modules.items() for name, tensor in module.state_dict().items()}
    for part, adam in adams.items():
        for i, slots in adam.state_dict()["state"].items():
            found |= {f"{part}.{i}.{slot}": torch.as_tensor(value) for slot, value in slots.items()}
    return {name: tensor.clone(memory_format=torch.contiguous_format) for name, tensor in found.items()}


def put_back(tensors: Mapping[str, Tensor], modules: Mapping[str, nn.Module], adams: Adams) -> None:
    """Puts back what `tensors_of` gave."""
    parts: dict[str, dict[str, Any]] = {}
    for name, tensor in tensors.items():
        part, _, rest = name.partition(".")
        parts.setdefault(part, {})[rest] = tensor
    for part, module in modules.items():
        module.load_state_dict(parts.get(part, {}))
    for part, adam in adams.items():
        slots: dict[int, dict[str, Tensor]] = {}
        for key, tensor in parts.get(part, {}).items():
            i, _, slot = key.partition(".")
            slots.setdefault(int(i), {})[slot] = tensor
        adam.load_state_dict({"state": slots, "param_groups": adam.state_dict()["param_groups"]})


class Resumable(ABC):
    """An outer loop whose whole state can be written down and put back."""

    dtype: torch.dtype
    updates: int
    thermostat: Thermostat

    @property
    def precision(self) -> str:
        """What networks compute in, by its name in recipes."""
        return "fp32" if self.dtype == torch.float32 else "bf16"

    def tensors(self) -> dict[str, Tensor]:
        """All that a resumed run needs, by name."""
        return tensors_of(self._modules(), self._adams())

    def figures(self) -> dict[str, Any]:
        """The rest of the state: plain values."""
        return {"updates": self.updates, "thermostat": self.thermostat.figures(), "precision": self.precision}

    def load(self, tensors: dict[str, Tensor], figures: dict[str, Any]) -> None:
        """Puts back what `tensors` and `figures` gave."""
        put_back(tensors, self._modules(), self._adams())
        self.updates = int(figures["updates"])
        self.thermostat.restore(figures["thermostat"])

    @abstractmethod
    def _modules(self) -> dict[str, nn.Module]:
        """All networks and averages, by name."""

    @abstractmethod
    def _adams(self) -> dict[str, torch.optim.Adam]:
        """Their optimisers, likewise."""
