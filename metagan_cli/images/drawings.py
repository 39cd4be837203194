"""Vector drawings of one ink as pictures."""

import io

import numpy as np
import resvg_py
import torch
from PIL import Image
from torch import Tensor

BOX = 24  # units a side of the square that drawings lie in


def draw_svg(body: str, side: int) -> Tensor:
    """SVG shapes in a square of BOX units as [1, side, side] in [-1, 1], ink 1 on a ground of -1, with soft edges.

    Shapes are drawn in whatever colour and seen by how much they cover. Raises ValueError where the body is no SVG.
    """
    text = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {BOX} {BOX}" width="{side}" height="{side}">{body}</svg>'
    data = resvg_py.svg_to_bytes(svg_string=text, skip_system_fonts=True)
    with Image.open(io.BytesIO(data)) as image:
        cover = np.asarray(image.convert("RGBA"))[None, ..., 3]
    return torch.from_numpy(cover.copy()).float() / 127.5 - 1
