"""Commands without the seconds that torch takes to start: one process imports everything, and forks a child a command.

A child has the arguments, working folder, environment, umask and streams of a process of its own, ends as one does, and
is known by its own pid. What it shares with its siblings is what an interpreter decides at its start: the imported
modules, the hash seed, the encodings and the variables of `AT_START`. What is about these runs in a fresh process.
"""

import atexit
import contextlib
import gc
import importlib
import os
import pickle
import pkgutil
import random
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import IO

PACKAGE = "metagan_cli"
COMMAND = f"import runpy; runpy.run_module('{PACKAGE}', run_name='__main__', alter_sys=True)"  # as python -m does it
AT_START = ("PYTHON", "LANG", "LC_", "OMP_", "MKL_", "OPENBLAS_", "ATEN_", "TORCH_", "CUDA_", "LD_", "MALLOC_", "MPL")


@dataclass(frozen=True)
class Request:
    """What a child is to be."""

    arguments: tuple[str, ...]
    folder: str
    environment: dict[str, str]
    umask: int
    bootstrap: str  # Python that runs before the command


# --- in the tests ---


class Child:
    """A command that the server has forked: the part of subprocess.Popen that tests use."""

    def __init__(self, args: Sequence[str], status: int) -> None:
        self.args, self.returncode = args, None
        self._status = os.fdopen(status, "rb", buffering=0)
        self.pid = self._number()

    returncode: int | None

    def poll(self) -> int | None:
        """The exit code, negative for a signal, or None where it still runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code as soon as there is one. Raises subprocess.TimeoutExpired."""
        if self.returncode is None:
            if not select.select([self._status], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
            self.returncode = self._number()
            self._status.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Sends a signal, but to nobody where the child has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Ends it outright."""
        self.send_signal(signal.SIGKILL)

    def _number(self) -> int:
        line = self._status.readline()
        if not line:
            raise RuntimeError("the server of forked commands has ended")
        return int(line)


class Server:
    """A process that has imported what commands need, and forks them."""

    def __init__(self) -> None:
        self._socket, far = socket.socketpair()
        with far:
            command = [sys.executable, __file__, str(far.fileno())]
            self._process = subprocess.Popen(command, pass_fds=[far.fileno()], env=command_environment(), start_new_session=True)
        self._decided = _decided()

    def can_serve(self) -> bool:
        """Whether a fresh process would start as the server did."""
        return self._decided == _decided()

    def start(self, arguments: Sequence[str], folder: Path, bootstrap: str, out: IO[bytes], err: IO[bytes]) -> Child:
        """Starts a command whose output goes to these files."""
        os.umask(umask := os.umask(0))
        request = Request(tuple(arguments), os.fspath(folder), command_environment(), umask, bootstrap)
        status, far = os.pipe()
        try:
            with tempfile.TemporaryFile() as file:
                pickle.dump(request, file)
                file.flush()
                socket.send_fds(self._socket, [b"!"], [file.fileno(), out.fileno(), err.fileno(), far])
        finally:
            os.close(far)
        return Child(arguments, status)

    def close(self) -> None:
        """Ends the server and whatever it has forked."""
        self._socket.close()
        self._process.wait()


def command_environment() -> dict[str, str]:
    """The environment of a command: that of the tests, with one thread."""
    return os.environ | {"OMP_NUM_THREADS": "1"}


def _decided() -> tuple[int, Mapping[str, str]]:
    """What an interpreter reads at its start."""
    return os.geteuid(), {name: value for name, value in command_environment().items() if name.startswith(AT_START)}


# --- in the server ---


def serve(requests: socket.socket) -> Request:
    """Forks a child a request, tells of its end, and ends with the other side; returns in the children alone."""
    woken, wake = os.pipe()
    for end in (woken, wake):
        os.set_blocking(end, False)
    usual = signal.signal(signal.SIGCHLD, lambda number, frame: None)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    running: dict[int, int] = {}  # the pipe that is told of each child's end
    while True:
        ready, _, _ = select.select([requests.fileno(), woken], [], [])
        if woken in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(woken, 4096)
            for pid in list(running):
                done, status = os.waitpid(pid, os.WNOHANG)
                if done:
                    _tell(running[pid], os.waitstatus_to_exitcode(status))
                    os.close(running.pop(pid))
        if requests.fileno() not in ready:
            continue
        said, passed, _, _ = socket.recv_fds(requests, 1, 4)
        if not said:  # the tests are over
            for pid in running:
                os.killpg(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            sys.exit()
        file, out, err, status = passed
        pid = os.fork()
        if pid:
            with contextlib.suppress(OSError):  # it did so itself
                os.setpgid(pid, pid)
            running[pid] = status
            _tell(status, pid)
            for descriptor in (file, out, err):
                os.close(descriptor)
            continue
        os.setpgid(0, 0)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, usual)
        requests.close()
        os.dup2(out, 1)
        os.dup2(err, 2)
        with open(file, "rb", closefd=False) as asked:
            asked.seek(0)
            request: Request = pickle.load(asked)
        for descriptor in (*passed, woken, wake, *running.values()):
            os.close(descriptor)
        return request


def _tell(status: int, number: int) -> None:
    with contextlib.suppress(BrokenPipeError):  # nobody asks any more
        os.write(status, b"%d\n" % number)


def preload() -> None:
    """Imports all that commands import, and starts no thread, which a child would lack."""
    package = importlib.import_module(PACKAGE)
    for module in pkgutil.walk_packages(package.__path__, f"{PACKAGE}."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    threads = Path("/proc/self/task")
    assert not threads.exists() or len(list(threads.iterdir())) == 1
    gc.collect()
    gc.freeze()  # so that a collection in a child touches, and copies, nothing of this


def become(request: Request) -> None:
    """Runs the command in this process."""
    os.umask(request.umask)
    os.environ.clear()
    os.environ.update(request.environment)
    os.chdir(request.folder)
    for chance in (random, sys.modules["numpy"].random, sys.modules["torch"].default_generator):
        chance.seed()  # which fresh processes do not share
    tempfile.tempdir = None
    sys.argv = ["-c", *request.arguments]
    sys.path[0] = "" if request.bootstrap else os.getcwd()
    if request.bootstrap:  # what it puts in place of ours must be there before others import it
        for name in [name for name in sys.modules if name.split(".")[0] == PACKAGE]:
            del sys.modules[name]
    main = sys.modules["__main__"] = ModuleType("__main__")
    try:
        exec(f"{request.bootstrap}\n{COMMAND}", main.__dict__)
    except SystemExit as leaving:
        if not isinstance(leaving.code, int) or threading.active_count() > 1:
            raise
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(leaving.code & 0xFF)  # taking all the modules apart would cost half a second


if __name__ == "__main__":
    preload()
    with open(os.devnull, "r+b") as nothing:
        for stream in (0, 1):
            os.dup2(nothing.fileno(), stream)
    become(serve(socket.socket(fileno=int(sys.argv[1]))))
