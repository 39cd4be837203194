"""Sheets: images as bytes, side by side."""

import torch
from PIL import Image
from torch import Tensor

GAP = 2  # pixels between cells


def as_bytes(images: Tensor) -> Tensor:
    """Images in [-1, 1] as uint8."""
    return ((images.float() + 1) * 127.5).round().clamp(0, 255).byte()


def to_bytes(images: Tensor, light_on_dark: bool = True) -> Tensor:
    """Images [N, C, S, S] in [-1, 1] as uint8 [N, S, S, C]; gray ones with their ink dark unless light on dark."""
    if images.shape[1] == 1 and not light_on_dark:
        images = -images
    return as_bytes(images).permute(0, 2, 3, 1).contiguous()


def tile(images: Tensor, columns: int, ground: int = 255, gap: int = GAP) -> Tensor:
    """Pictures uint8 [N, H, W, C] side by side as one, row by row; between transparent ones it is transparent."""
    n, height, width, channels = images.shape
    rows, ground = -(-n // columns), 0 if channels == 4 else ground
    sheet = torch.full((rows * (height + gap) + gap, columns * (width + gap) + gap, channels), ground, dtype=torch.uint8)
    for i, image in enumerate(images):
        top, left = (i // columns) * (height + gap) + gap, (i % columns) * (width + gap) + gap
        sheet[top : top + height, left : left + width] = image
    return sheet


def picture(pixels: Tensor, scale: int = 1) -> Image.Image:
    """A uint8 tensor [H, W, C] as a Pillow image, each pixel repeated `scale` times."""
    array = pixels.numpy()
    image = Image.fromarray(array[..., 0] if array.shape[2] == 1 else array)
    return image.resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST) if scale > 1 else image
