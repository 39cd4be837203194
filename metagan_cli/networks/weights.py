"""All weights of a module as one vector, for learners that give every task its own."""

import torch
from torch import Tensor, nn


def flat(module: nn.Module) -> Tensor:
    """The module's W weights as one vector [W], cut from the graph."""
    return torch.cat([parameter.detach().reshape(-1) for parameter in module.parameters()])


def named(module: nn.Module, vector: Tensor) -> dict[str, Tensor]:
    """A vector [W] as the module's parameters by name, for `torch.func.functional_call`."""
    parameters = dict(module.named_parameters())
    parts = vector.split([parameter.numel() for parameter in parameters.values()])
    return {name: part.view(p.shape) for (name, p), part in zip(parameters.items(), parts, strict=True)}


@torch.no_grad()
def put(module: nn.Module, vector: Tensor) -> None:
    """Gives the module the weights of a vector [W]."""
    for name, weights in named(module, vector).items():
        module.get_parameter(name).copy_(weights)
