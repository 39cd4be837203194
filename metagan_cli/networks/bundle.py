"""The networks of a base model, together."""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

from metagan_cli.config import ModelConfig, VariationRules
from metagan_cli.images.pixel_art import drawn_side, in_blocks
from metagan_cli.networks.discriminator import Discriminator
from metagan_cli.networks.encoder import SupportEncoder
from metagan_cli.networks.generator.guests import HAND, GuestPainter, Hand
from metagan_cli.networks.generator.model import Generator
from metagan_cli.networks.perceptual_net import PerceptualNet
from metagan_cli.networks.state import TaskState
from metagan_cli.rng import seeded


class Networks(nn.Module):
    """What all tasks share: support encoder, generator, and discriminator (the outer critic).

    And, where the inner game listens to it, a perceptual net that was trained before and stays as it is. `ruled` says of support
    images [B, K, C, S, S] how ruled they are, [B] in [0, 1]: not at all, unless a ruler that was trained before is there.
    """

    def __init__(self, config: ModelConfig, rules: VariationRules | None = None) -> None:
        super().__init__()
        self.config = config
        self.encoder = SupportEncoder(config)
        self.generator = Generator(config, rules)
        self.discriminator = Discriminator(config)
        self.ruled: Callable[[Tensor], Tensor] = not_ruled
        self.perceiver = PerceptualNet(config.channels).requires_grad_(False) if config.inner_perception else None
        self.guests = GuestPainter(config.channels, config.image_size) if config.guests else None

    @property
    def hand_size(self) -> int:
        """H, the number of values in a task's hand."""
        return HAND if self.guests else 0

    def hand_of(self, support: Tensor) -> Tensor:
        """How support images [B, K, C, S, S] are drawn: [B, H]."""
        return self.guests.hand(support).code.float() if self.guests else support.new_zeros(len(support), 0)

    def hand_in(self, state: TaskState) -> Hand:
        """What is known of tasks' hands. Raises ValueError where the model starts from support images alone."""
        if self.guests is None:
            raise ValueError("this model starts from support images alone")
        hand: Hand = self.guests.hand(state.bases)
        return hand._replace(code=state.hand)

    def paint_guests(self, guests: Tensor, state: TaskState, hand: Hand, edges: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Guests [B, N, C, S, S] in [-1, 1] as each task's hand draws them, and their paints' logits [B, N, P, S, S].

        Their distances from edges in pixels [B, N, 1, S, S] may be known better than pixels tell. What is known of a hand
        stays the same for all of its guests. Raises ValueError like `hand_in`.
        """
        if self.guests is None:
            raise ValueError("this model starts from support images alone")
        images, logits = self.guests(guests, hand, edges)
        blocks = drawn_side(state.bases).repeat_interleave(guests.shape[1])
        return in_blocks(images.flatten(0, 1), blocks).unflatten(0, guests.shape[:2]), logits

    def with_parts(self, **parts: nn.Module) -> "Networks":
        """The same networks but for some, by name."""
        other = copy.copy(self)
        other._modules = {**self._modules, **parts}
        return other

    def with_frozen_critic(self) -> "Networks":
        """The same networks beside a copy of the discriminator that no later step changes: for graphs that outlive one."""
        return self.with_parts(discriminator=copy.deepcopy(self.discriminator).requires_grad_(False))


def not_ruled(support: Tensor) -> Tensor:
    """Zeros [B] for support images [B, K, C, S, S]."""
    return support.new_zeros(len(support))


def build_networks(
    config: ModelConfig, generator: torch.Generator | None = None, rules: VariationRules | None = None
) -> Networks:
    """Networks with weights drawn from the generator, in channels-last memory."""
    with seeded(generator):
        return Networks(config, rules).to(memory_format=torch.channels_last)
