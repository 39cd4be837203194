"""Atomic writes: a file is there whole or not at all."""

import contextlib
import os
import secrets
from pathlib import Path

from metagan_cli.errors import OutputError

TEMPORARY = ".metagan-tmp"


def write_bytes(path: Path, data: bytes) -> None:
    """Puts data in a file: temporary file beside it, fsync, mode by umask, rename, fsync of the folder, which is made if missing.

    Raises OutputError where that fails; what stood at the path before is then still there.
    """
    temporary = _beside(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        _sync_folder(path.parent)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def link_or_copy(source: Path, path: Path) -> None:
    """A second name of a file, whole or not at all, or a copy where its disk has none. Raises OutputError."""
    temporary = _beside(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.link(source.resolve(), temporary)
        os.replace(temporary, path)
    except OSError:
        try:
            data = source.read_bytes()
        except OSError as error:
            raise OutputError(f"{path}: cannot be written: {source} cannot be read ({error.strerror})") from error
        write_bytes(path, data)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def _beside(path: Path) -> Path:
    """A name that a file has until it is whole."""
    return path.with_name(f".{path.name[:80]}.{os.getpid()}-{secrets.token_hex(4)}{TEMPORARY}")


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sweep(folder: Path) -> None:
    """Removes the temporary files that a killed run left in a folder."""
    for orphan in folder.glob(f".*{TEMPORARY}"):
        with contextlib.suppress(OSError):
            orphan.unlink()
