"""Result pictures: written only over what metagan wrote, and carrying what made them."""

import contextlib
import io
from pathlib import Path
from typing import Any

from PIL import Image, PngImagePlugin

from metagan_cli.errors import InputError, OutputError, UsageError
from metagan_cli.provenance import (
    DESCRIPTION,
    KEY,
    provenance_line,
    provenance_of,
    provenance_of_page,
    provenance_of_svg,
    with_provenance,
)
from metagan_cli.store.files import write_bytes
from metagan_cli.store.fonts import text_of_font
from metagan_cli.store.tensors import is_metagan_file

ENDINGS = (".png", ".webp", ".jpg", ".jpeg", ".gif")
FRAME = 120  # milliseconds
USUAL, QUICK = 6, 3  # levels of a PNG's compression: the latter takes half of the time, and as much room or a tenth more
LARGE = 128  # pixels on the longer side above which that time is felt
BEGINNING = 2**16  # characters of an SVG or a page that are looked at


def check_target(path: Path, endings: tuple[str, ...], overwrite: bool, inputs: Path | None = None) -> None:
    """Refuses a target before any work: UsageError for its name, OutputError for what stands there.

    Nothing in the folder `inputs` is ever replaced.
    """
    if path.is_dir():
        raise OutputError(f"{path}: is a folder; name a file in it")
    if path.suffix.lower() not in endings:
        raise UsageError(f"{path}: the ending must be one of {' '.join(endings)}")
    check_folder(path, path.parent)
    if inputs is not None and path.exists() and path.resolve().is_relative_to(inputs.resolve()):
        raise OutputError(f"{path}: is one of the examples; name another file")
    if path.exists() and not overwrite and not written_by_metagan(path):
        raise OutputError(f"{path}: was not written by metagan; --overwrite replaces it")


def check_folder(path: Path, folder: Path) -> None:
    """Refuses a target whose folder, which is made with what is missing above it, cannot be. Raises OutputError."""
    there = next(place for place in (folder, *folder.parents) if place.exists() or place == place.parent)
    if not there.is_dir():
        raise OutputError(f"{path}: {there} is a file, not a folder; name another place")


def written_by_metagan(path: Path) -> bool:
    """Whether a picture, page, font or model carries metagan's metadata."""
    if path.suffix.lower() == ".safetensors":
        return is_metagan_file(path)
    try:
        read_text(path)
    except InputError:
        return False
    return True


def read_text(path: Path) -> dict[str, Any]:
    """What a picture, page or font of metagan carries. Raises InputError for any other file."""
    values: dict[str, Any] = {}
    if path.suffix.lower() == ".svg":
        values = provenance_of_svg(_beginning(path))
    elif path.suffix.lower() == ".html":
        values = provenance_of_page(_beginning(path))
    elif path.suffix.lower() == ".ttf":
        values = text_of_font(path)
    else:
        with contextlib.suppress(Exception), Image.open(path, formats=["PNG", "WEBP", "JPEG", "GIF"]) as image:  # or no picture
            values = provenance_of(image)
    if not values:
        raise InputError(f"{path}: not a picture that metagan wrote")
    return values


def _beginning(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(BEGINNING)
    except OSError:
        return ""


def write_svg(path: Path, svg: str, text: dict[str, Any]) -> None:
    """Writes an SVG, with the text in it."""
    write_bytes(path, with_provenance(svg, text).encode())


def write_picture(path: Path, image: Image.Image, text: dict[str, Any], quick: bool = False) -> None:
    """Writes a picture in the format of its ending, with the text in it; a large PNG `quick`, if it may be a little larger."""
    if path.suffix.lower() == ".png":
        level = QUICK if quick and max(image.size) > LARGE else USUAL
        write_bytes(path, png_bytes(image, text, level))
        return
    write_bytes(path, _encode([image], path, text))


def write_animation(path: Path, frames: list[Image.Image], text: dict[str, Any]) -> None:
    """Writes frames as an animated GIF or WebP, with the text in it."""
    write_bytes(path, _encode(frames, path, text))


def _encode(frames: list[Image.Image], path: Path, text: dict[str, Any]) -> bytes:
    line = provenance_line(text)
    exif = Image.Exif()
    exif[DESCRIPTION] = line
    kind = {".webp": "WEBP", ".gif": "GIF"}.get(path.suffix.lower(), "JPEG")
    options: dict[str, Any] = {"comment": line.encode()} if kind == "GIF" else {"exif": exif}
    options |= {"lossless": True} if kind == "WEBP" else {"quality": 95} if kind == "JPEG" else {}
    if len(frames) > 1:
        options |= {"save_all": True, "append_images": frames[1:], "duration": FRAME, "loop": 0}
    buffer = io.BytesIO()
    try:
        frames[0].save(buffer, kind, **options)
    except (OSError, ValueError) as error:  # each format has a largest side
        raise OutputError(f"{path}: {kind} cannot hold it ({error}); .png can, or fewer --columns") from error
    return buffer.getvalue()


def write_png(path: Path, image: Image.Image, text: dict[str, Any]) -> None:
    """Writes a PNG that carries the text as JSON under the key `metagan`."""
    write_bytes(path, png_bytes(image, text))


def png_bytes(image: Image.Image, text: dict[str, Any], level: int = USUAL) -> bytes:
    """A PNG file's bytes at a level of compression, with the text as JSON under the key `metagan`."""
    info = PngImagePlugin.PngInfo()
    info.add_text(KEY, provenance_line(text))
    buffer = io.BytesIO()
    image.save(buffer, "PNG", pnginfo=info, compress_level=level)
    return buffer.getvalue()
