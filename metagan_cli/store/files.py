"""Atomic writes: a file is there whole or not at all."""

import contextlib
import os
import platform
import re
import secrets
import time
from functools import lru_cache
from pathlib import Path

from metagan_cli.errors import OutputError

TEMPORARY = ".metagan-tmp"
OLD = 3600  # seconds that no write takes
_WRITTEN = re.compile(rf"\.(\d+)-[0-9a-f]+@(.*){re.escape(TEMPORARY)}", re.DOTALL)  # by which process, on which machine


def write_bytes(path: Path, data: bytes) -> None:
    """Puts data in a file: temporary file beside it, fsync, mode by umask, rename, fsync of the folder, which is made if missing.

    Raises OutputError where that fails; what stood at the path before is then still there.
    """
    temporary = _beside(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep_once(path.parent)
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
        _sweep_once(path.parent)
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
    """A name that a file has until it is whole, which says who writes it."""
    return path.with_name(f".{os.getpid()}-{secrets.token_hex(4)}@{platform.node()}{TEMPORARY}")


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sweep(folder: Path) -> None:
    """Removes the temporary files that killed runs left in a folder, and none that is being written."""
    for temporary in folder.glob(f".*{TEMPORARY}"):
        with contextlib.suppress(OSError):
            if not _is_being_written(temporary):
                temporary.unlink()


@lru_cache(maxsize=64)
def _sweep_once(folder: Path) -> None:
    """Sweeps a folder before a process first writes there: who is killed cannot, so the next one does."""
    sweep(folder)


def _is_being_written(temporary: Path) -> bool:
    """Whether the process that a temporary file names still runs, or may: those of other machines cannot be asked."""
    by = _WRITTEN.fullmatch(temporary.name)
    if by and by[2] == platform.node():
        return is_running(int(by[1]))
    return time.time() - temporary.stat().st_mtime < OLD


def is_running(pid: int) -> bool:
    """Whether there is a process of that number."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):  # another person's, or no number of a process
        return True
    return True
