"""One process writes in a folder at a time."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from metagan_cli.errors import OutputError
from metagan_cli.store.files import is_running

GRACE = 10.0  # seconds in which the processes end that a killed one had started
PAUSE = 0.02  # seconds between two looks


@contextlib.contextmanager
def locked(folder: Path, name: str = "lock") -> Iterator[None]:
    """Holds a folder, which is made if missing, against a second process. Raises OutputError that names the other's pid.

    The system holds the lock, and so a killed process holds none; the file says whose it is.
    """
    lock, stood = folder / name, folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = _held(lock)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be used ({error.strerror})") from error
    with file:
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)
            if not stood:
                with contextlib.suppress(OSError):  # in which results lie now
                    folder.rmdir()


def _held(lock: Path) -> IO[str]:
    """The open file of a lock that this process holds, with its pid in it. Raises OutputError where another holds it."""
    until = time.monotonic() + GRACE
    while (file := _taken(lock)) is None:
        pid = ""
        with contextlib.suppress(FileNotFoundError):
            pid = lock.read_text()
        if (pid.isdigit() and is_running(int(pid))) or time.monotonic() > until:
            raise OutputError(f"{lock.parent}: another run is writing here (pid {pid or 'unknown'})")
        time.sleep(PAUSE)
    return file


def _taken(lock: Path) -> IO[str] | None:
    """The same, or none where another holds it, or has just ended and taken the file away."""
    file = lock.open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _is_there(lock, file):
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            return file
    except BlockingIOError:
        pass
    except OSError:
        file.close()
        raise
    file.close()
    return None


def _is_there(lock: Path, file: IO[str]) -> bool:
    """Whether an open file still has its name: who held it before took that away at its end."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), lock.stat())
    except FileNotFoundError:
        return False
