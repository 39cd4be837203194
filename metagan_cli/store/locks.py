"""One process writes in a folder at a time."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from metagan_cli.errors import OutputError


@contextlib.contextmanager
def locked(folder: Path, name: str = "lock") -> Iterator[None]:
    """Holds a folder, which is made if missing, against a second process. Raises OutputError that names the other's pid."""
    lock, stood = folder / name, folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            _refuse_or_clear(lock)
        descriptor = os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be used ({error.strerror})") from error
    with os.fdopen(descriptor, "w") as file:
        file.write(str(os.getpid()))
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
        if not stood:
            with contextlib.suppress(OSError):  # in which results lie now
                folder.rmdir()


def _refuse_or_clear(lock: Path) -> None:
    """Removes a lock whose process is gone."""
    text = lock.read_text()
    pid = int(text) if text.isdigit() else 0
    if pid and pid != os.getpid() and Path(f"/proc/{pid}").exists():
        raise OutputError(f"{lock.parent}: another run is writing here (pid {pid})")
    lock.unlink()
