"""Which files are images: by their names, and by their first bytes where a name does not say."""

import os
from pathlib import Path

ENDINGS = (".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".jfi", ".jif", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff",
           ".avif", ".ico", ".tga", ".ppm", ".pgm", ".pbm", ".pnm")  # fmt: skip
REFUSED = {
    ".heic": "HEIC is not read here: pip install pillow-heif to convert it, or save it as PNG",
    ".heif": "HEIF is not read here: pip install pillow-heif to convert it, or save it as PNG",
    ".jxl": "JPEG XL is not read here: save it as PNG",
    ".pdf": "a document: export its pages as PNG",
    **dict.fromkeys((".svg", ".svgz", ".eps", ".ps", ".ai", ".wmf", ".emf"), "a vector file: export it as PNG"),
    **dict.fromkeys((".psd", ".xcf", ".kra", ".clip", ".ase", ".aseprite"), "a drawing program's own file: export it as PNG"),
    **dict.fromkeys((".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".raf", ".rw2"), "a camera's raw file: export it as PNG"),
    **dict.fromkeys((".jp2", ".j2k", ".qoi", ".dds", ".exr", ".hdr", ".pcx", ".icns"), "a format not read here: save it as PNG"),
}
LITTER = {"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"}  # what systems leave in a folder, beside files with a dot
PNG = b"\x89PNG\r\n\x1a\n"  # its first bytes
BEGINNINGS = (PNG, b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*")
HEIC = (b"ftypheic", b"ftypheix", b"ftyphevc")  # where a telephone's picture was given another ending


def is_image(path: Path) -> bool:
    """Whether a file is to be read: one that is called an image, or has no ending and begins as an image does."""
    if is_hidden(path):
        return False
    return path.suffix.lower() in ENDINGS or (not path.suffix and begins_as_image(path))


def is_hidden(path: Path) -> bool:
    """Whether a file is one that no one put there to be seen."""
    return path.name.startswith(".") or path.name.lower() in LITTER


def begins_as_image(path: Path) -> bool:
    """Whether a file's first bytes are those of an image; never blocks on a pipe or a device."""
    first = beginning(path, 12)
    return first.startswith(BEGINNINGS) or first[8:] == b"WEBP" or first[4:] in (b"ftypavif", b"ftypavis")


def beginning(path: Path, count: int) -> bytes:
    """So many of a file's first bytes, or none where it cannot be read; never blocks on a pipe or a device."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            return os.read(descriptor, count)
        finally:
            os.close(descriptor)
    except OSError:
        return b""
