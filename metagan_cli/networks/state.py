"""Task state: the fast weights of one task, which is all that adaptation changes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class TaskState:
    """The state of B tasks with K support images each; every tensor's first dimension is the task."""

    bases: Tensor  # [B, K, C, S, S] in [-1, 1]: the support images that samples start from
    tokens: Tensor  # [B, K, T, D]: what the encoder saw where
    code: Tensor  # [B, D]: what the images have in common
    modulation: Tensor  # [B, G]: added to what modulates the generator; zero changes nothing
    critic_modulation: Tensor  # [B, J]: makes the critic the task's discriminator; zero leaves it as it is
    weights: Tensor  # [B, W]: the generator's own weights for each task; W is 0 where it keeps the shared ones
    ruled: Tensor  # [B] in [0, 1]: how ruled the support images' lines are
    hand: Tensor  # [B, H]: how they are drawn; H is 0 where the generator paints no guests
    memory: tuple[Tensor, ...] = ()  # what a learner carries from one inner step to the next; not part of a finished state

    @property
    def tasks(self) -> int:
        """B, the number of tasks."""
        return len(self.bases)

    def moved(self, code: Tensor, modulation: Tensor, critic_modulation: Tensor) -> "TaskState":
        """The same tasks with their adaptable parts replaced."""
        return replace(self, code=code, modulation=modulation, critic_modulation=critic_modulation)

    def task(self, number: int) -> "TaskState":
        """One of the tasks alone."""
        return state_of({name: tensor[number : number + 1] for name, tensor in self.tensors().items()})

    def remembering(self, *memory: Tensor) -> "TaskState":
        """The same state with what the learner carries to its next inner step."""
        return replace(self, memory=memory)

    def detached(self) -> "TaskState":
        """The same values, cut from the graph that made them."""
        whole = state_of({name: tensor.detach() for name, tensor in self.tensors().items()})
        return replace(whole, memory=tuple(t.detach() for t in self.memory))

    def tensors(self) -> dict[str, Tensor]:
        """A finished state's tensors by name."""
        return {name: getattr(self, name) for name in PARTS}


PARTS = tuple(f.name for f in fields(TaskState) if f.name != "memory")


def state_of(parts: Mapping[str, Tensor]) -> TaskState:
    """A finished state from its tensors by name."""
    bases, tokens, code, modulation, critic_modulation, weights, ruled, hand = (parts[name] for name in PARTS)
    return TaskState(bases, tokens, code, modulation, critic_modulation, weights, ruled, hand)


@dataclass(frozen=True)
class Latents:
    """What makes one sample differ from another: N samples for each of B tasks."""

    z: Tensor  # [B, N, Z] standard normal
    noise: Tensor  # [B, N, M] standard normal: fine variation, in space
    pick: Tensor  # [B, N] in [0, 1): which support image to start from
    partner: Tensor  # [B, N] in [0, 1): which of the others may give it parts

    def base_index(self, shots: int) -> Tensor:
        """The support image that each sample starts from: [B, N] in 0..shots-1."""
        return (self.pick * shots).long().clamp(max=shots - 1)

    def partner_index(self, shots: int, turn: int = 0) -> Tensor:
        """The other support image, likewise, or the one so many turns further; of one, itself."""
        others = max(shots - 1, 1)
        further = (self.partner * others).long().clamp(max=others - 1) + turn
        return (self.base_index(shots) + 1 + further % others) % shots

    def map(self, change: Callable[[Tensor], Tensor]) -> "Latents":
        """The latents with each of their tensors changed."""
        return Latents(*(change(getattr(self, f.name)) for f in fields(self)))

    def part(self, tasks: slice, samples: slice) -> "Latents":
        """Some samples of some tasks."""
        return self.map(lambda tensor: tensor[tasks, samples])

    def to(self, device: torch.device) -> "Latents":
        """The same latents on a device."""
        return self.map(lambda tensor: tensor.to(device))


def draw_latents(tasks: int, count: int, sizes: tuple[int, int], generator: torch.Generator, pack: int = 1) -> Latents:
    """Latents for `count` samples of each task; runs of `pack` samples share their support image.

    `sizes` are those of z and of the noise.
    """
    z = torch.randn(tasks, count, sizes[0], generator=generator)
    noise = torch.randn(tasks, count, sizes[1], generator=generator)
    pick = torch.rand(tasks, count // pack, generator=generator).repeat_interleave(pack, 1)
    return Latents(z, noise, pick, torch.rand(tasks, count, generator=generator))
