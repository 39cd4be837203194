"""The examples at their own size, kept without loss: larger results are made of them."""

import io
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from PIL import Image, features
from torch import Tensor

from metagan_cli.errors import CheckpointError

FORMATS = ("WEBP", "PNG")
LARGEST_SIDE = 2048  # pixels
Array = np.ndarray[Any, np.dtype[np.uint8]]


@dataclass(frozen=True)
class Natives:
    """Images in the squares of the support, but larger; one is decoded at a time."""

    side: int  # pixels
    channels: int  # 1 gray, 3 colour
    coded: tuple[bytes, ...] = field(repr=False)  # lossless pictures, of transparent images with their alpha
    place: str = "the adapted model"  # where they are, for messages

    @property
    def bytes(self) -> int:
        """How much they take."""
        return sum(map(len, self.coded))

    def picture(self, number: int) -> tuple[Tensor, Tensor | None]:
        """One image on its ground, float32 [C, side, side] in [-1, 1], gray ones with ink +1; and how opaque it is.

        That is float32 [1, side, side] in [0, 1], or None of an opaque image. Raises CheckpointError.
        """
        image = self._opened(number)
        colours = torch.from_numpy(np.array(image.convert("RGB"))[..., : self.channels]).permute(2, 0, 1).float() / 127.5 - 1
        return colours, torch.from_numpy(np.array(image.getchannel("A")))[None].float() / 255 if "A" in image.mode else None

    def check(self) -> None:
        """Raises CheckpointError where one is not what it should be, as far as can be seen before it is decoded."""
        for number in range(len(self.coded)):
            self._opened(number, whole=False)

    def _opened(self, number: int, whole: bool = True) -> Image.Image:
        """One picture, decoded unless its head is enough."""
        label = f"{self.place}: kept example {number}"
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                image = Image.open(io.BytesIO(self.coded[number]), formats=FORMATS)
                if image.size != (self.side, self.side):
                    width, height = image.size
                    raise CheckpointError(f"{label} is {width} x {height}, not {self.side} pixels a side: adapt again")
                if whole:
                    image.load()
                return image
        except CheckpointError:
            raise
        except Exception as error:  # Pillow raises OSError, ValueError, SyntaxError, DecompressionBombError ...
            raise CheckpointError(f"{label} is damaged: adapt again") from error


def natives_of(images: Iterable[Array], side: int, channels: int) -> Natives:
    """Images uint8 [side, side, C], or with their alpha [side, side, C + 1], coded one after the other."""
    return Natives(side, channels, tuple(map(_coded, images)))


def _coded(pixels: Array) -> bytes:
    """A picture as lossless WebP, which is the fastest; as PNG where Pillow knows no WebP."""
    image, buffer = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels), io.BytesIO()
    if features.check("webp"):
        image.save(buffer, "WEBP", lossless=True, exact=True, method=0, quality=20)
    else:
        image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
