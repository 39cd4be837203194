"""Inner steps of a hand: there and back, support images into a plain hand and back into their own."""

from dataclasses import replace

import torch
from torch import Tensor

from metagan_cli.learners.steps import fade, unit
from metagan_cli.networks.bundle import Networks
from metagan_cli.networks.state import TaskState
from metagan_cli.objectives.pixels import pixels_apart

RATE = 0.05  # root mean square of the first step of a hand's code


def refine_hand(nets: Networks, state: TaskState, plain: Tensor, steps: int) -> TaskState:
    """The state with a hand that paints its own drawings better from what a plain hand, drawings [1, P, C, S, S], makes of them.

    A folder has no truths of guests, but it is the truth of its own drawings: what they become in a plain hand are guests
    whose truths they are. Each is painted by what the others tell of the hand. States of single drawings stay as they are.
    """
    painter, support = nets.guests, state.bases
    tasks, shots = support.shape[:2]
    if painter is None or shots < 2 or not steps:
        return state
    with torch.no_grad():
        plainly = painter.hand(plain.expand(tasks, *plain.shape[1:]))
        guests = painter(support, plainly)[0].flatten(0, 1)[:, None].float().clamp(-1, 1)
        others = torch.stack([torch.cat([support[:, :n], support[:, n + 1 :]], 1) for n in range(shots)], 1).flatten(0, 1)
        hand, truths = painter.hand(others), support.flatten(0, 1)
    moved = torch.zeros_like(state.hand)
    for step in range(steps):
        with torch.enable_grad():
            moved = moved.detach().requires_grad_()
            painted = painter.paint(guests, hand._replace(code=hand.code + moved.repeat_interleave(shots, 0)))
            (gradient,) = torch.autograd.grad(pixels_apart(painted.images[:, 0], truths), moved)
        moved = moved - fade(step) * RATE * unit(gradient)
    return replace(state, hand=(state.hand + moved).detach())
