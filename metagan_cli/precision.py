"""Numbers that must not be halved."""

import torch
from torch import Tensor


def whole(x: Tensor) -> Tensor:
    """The tensor in float32, or in float64 where it is already: half precision ends here."""
    return x if x.dtype == torch.float64 else x.float()
