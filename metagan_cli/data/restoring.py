"""Results back in their folder's form: its shape, its drawn pixels and palette, its transparency, the size that is wanted."""

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from metagan_cli.data.readers.geometry import Form, cells_of
from metagan_cli.images.distance import rim

GROUND = 12  # levels by which painted ground may differ from the ground


def given_back(images: Tensor, form: Form, wanted: str, opaque: bool = False) -> Tensor:
    """Results uint8 [N, S, S, C] in their folder's form and the wanted size: [N, H, W, C].

    Of transparent pictures C becomes 4, unless they have to be opaque.
    """
    side = images.shape[1]
    width, height = form.size(side, wanted)
    if form.in_pixels(side):
        images = _drawn_pixels(images, form)
        images = images if opaque or form.clear < 0 else _cut_out(images, form.clear, soft=False)
        return _resized(images, width, height, Image.Resampling.NEAREST)
    stretched = form.fit == "fill"
    if form.width and "x" not in wanted and not stretched:
        inner_width, inner_height = form.size(side, "model")
        top, left = (side - inner_height) // 2, (side - inner_width) // 2
        images = images[:, top : top + inner_height, left : left + inner_width]
    images = images if opaque or form.clear < 0 else _cut_out(images, form.clear, soft=True)
    smaller = width < images.shape[2] and not stretched
    return _resized(images, width, height, Image.Resampling.BOX if smaller else Image.Resampling.BICUBIC)


def _drawn_pixels(images: Tensor, form: Form) -> Tensor:
    """One pixel of the palette for each block of results uint8 [N, S, S, C]."""
    side, width, height = images.shape[1], form.width // form.block, form.height // form.block
    cells = cells_of(max(width, height), side)
    means = F.avg_pool2d(images.permute(0, 3, 1, 2).float(), side // cells).permute(0, 2, 3, 1)
    top, left = (cells - height) // 2, (cells - width) // 2
    palette = torch.tensor(form.palette, dtype=torch.float32)
    nearest = torch.cdist(means[:, top : top + height, left : left + width].flatten(0, 2), palette).argmin(1)
    return palette.byte()[nearest].view(len(images), height, width, -1)


def _cut_out(images: Tensor, ground: int, soft: bool) -> Tensor:
    """Pictures uint8 [N, H, W, C] as [N, H, W, 4], transparent where the ground reaches in from the border.

    Where soft, a pixel at its edge that lies between ground and drawing in colour is as opaque as it is far on that way.
    """
    colour = images.permute(0, 3, 1, 2).expand(-1, 3, -1, -1).float()
    apart = (colour - ground).abs().amax(1, keepdim=True)
    open_ = (apart <= GROUND).float()
    outside, before = open_ * rim(open_), torch.zeros(())
    while outside.sum() > before:
        before = outside.sum()
        outside = F.max_pool2d(outside, 3, 1, 1) * open_
    alpha = 1 - outside
    if soft:
        edge = F.max_pool2d(outside, 3, 1, 1) * alpha
        inner = F.max_pool2d(apart * (1 - outside), 5, 1, 2).clamp(min=1)  # the drawing's own colour is the furthest one near
        share = (apart / inner).clamp(1 / 255, 1)
        alpha = torch.where(edge > 0, share, alpha)
        colour = torch.where(edge > 0, (ground + (colour - ground) / share).clamp(0, 255), colour)
    return torch.cat([colour, 255 * alpha], 1).round().byte().permute(0, 2, 3, 1).contiguous()


def _resized(images: Tensor, width: int, height: int, method: Image.Resampling) -> Tensor:
    """Pictures uint8 [N, H, W, C] at another size."""
    if images.shape[1:3] == (height, width):
        return images
    channels = images.shape[3]
    flat = (Image.fromarray(array[..., 0] if channels == 1 else array) for array in images.numpy())
    resized = (np.asarray(image.resize((width, height), method)).reshape(height, width, channels) for image in flat)
    return torch.from_numpy(np.stack(list(resized)))
