"""What the tests share: a tiny model, drawn folders, and the command in a process of its own."""

import functools
import hashlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest
import torch
from forkserver import COMMAND, PACKAGE, Child, Server, command_environment
from PIL import Image

from metagan_cli.config import ModelConfig
from metagan_cli.data.episodes import Episode
from metagan_cli.data.sources.doodles import Doodles
from metagan_cli.learners.build import build_learner
from metagan_cli.networks.bundle import Networks, build_networks
from metagan_cli.networks.generator.variation import RATE
from metagan_cli.rng import generator_for
from metagan_cli.store.files import TEMPORARY
from metagan_cli.store.models import save_model

TINY = ModelConfig(image_size=32, latent=8, fine=8, width=32, tokens=32, style=32, critic_tokens=32)


DEALT_TOGETHER = {"evaluated", "by_two"}  # fixtures that would be made again for tests elsewhere


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow tests first, dealt out to both halves of the list, which two workers begin with and then share."""
    slow = [item for item in items if item.get_closest_marker("slow")]
    rest = [item for item in items if not item.get_closest_marker("slow")]
    keys = {item: next(iter(DEALT_TOGETHER & set(getattr(item, "fixturenames", ()))), item.nodeid) for item in slow}
    hands: tuple[list[pytest.Item], list[pytest.Item]] = ([], [])
    for number, key in enumerate(dict.fromkeys(keys.values())):
        hands[number % 2].extend(item for item in slow if keys[item] == key)
    middle = max(len(items) // 2 - len(hands[0]), 0)
    items[:] = [*hands[0], *rest[:middle], *hands[1], *rest[middle:]]


def gaussian(stream: str, *shape: int) -> torch.Tensor:
    """Standard normal values, the same whenever the stream is."""
    return torch.randn(*shape, generator=generator_for(0, stream))


def stirred_networks() -> Networks:
    """Tiny networks for gray whose zero layers are not zero, so that everything has an effect."""
    return stirred(TINY)


def stirred(config: ModelConfig) -> Networks:
    """The same of another architecture."""
    nets, rng = build_networks(config, generator_for(1, "weights")), generator_for(2, "noise")
    with torch.no_grad():
        for parameter in nets.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=rng))
        for parameter in nets.generator.sway.parameters():
            parameter.div_(RATE)  # as large an effect as of the others
    return nets.eval()


def parts(episode: Episode) -> tuple[torch.Tensor, torch.Tensor]:
    """What an outer step sees of an episode."""
    return episode.support, episode.query


@dataclass(frozen=True)
class Ran:
    """A finished command."""

    code: int
    out: str
    err: str

    def complaints(self, kind: str) -> list[str]:
        return [line for line in self.err.splitlines() if line.startswith(f"metagan: {kind}:")]


@dataclass
class Running:
    """A command that has been started."""

    process: Child | subprocess.Popen[bytes]
    out: IO[bytes]
    err: IO[bytes]

    def said(self) -> str:
        """What it has written to stderr until now."""
        return _content(self.err)

    def printed(self) -> str:
        """What it has written to stdout until now."""
        return _content(self.out)

    def finish(self, timeout: float = 120) -> Ran:
        """Waits for its end. Raises subprocess.TimeoutExpired, with the command and what it started killed."""
        try:
            code = self.process.wait(timeout)
        except BaseException:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            raise
        with self.out, self.err:
            return Ran(code, _content(self.out), _content(self.err))


def _content(file: IO[bytes]) -> str:
    size = os.fstat(file.fileno()).st_size
    return os.pread(file.fileno(), size, 0).decode(errors="replace")  # the place of writing is the command's as well


@functools.cache
def _server() -> Server:
    return Server()


def start(*arguments: object, cwd: Path, bootstrap: str = "", fresh: bool = False) -> Running:
    """Starts `metagan` with these arguments in a process of its own; `bootstrap` is Python that runs before it.

    The process is forked from one that has imported torch, unless it is to be a `fresh` one: for what the start of an
    interpreter decides, its limits of memory, and what is imported.
    """
    given = [os.fsdecode(_plain(argument)) for argument in arguments]
    out, err = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115 (until the command has ended)
    if not fresh and _server().can_serve():
        return Running(_server().start(given, cwd, bootstrap, out, err), out, err)
    command = [sys.executable, "-c", f"{bootstrap}\n{COMMAND}"] if bootstrap else [sys.executable, "-m", PACKAGE]
    process = subprocess.Popen(
        [*command, *given],
        cwd=cwd,
        env=command_environment(),
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=err,
        process_group=0,
    )
    return Running(process, out, err)


def run(*arguments: object, cwd: Path, bootstrap: str = "", timeout: float = 120, fresh: bool = False) -> Ran:
    """Runs a command to its end, started as by `start`."""
    return start(*arguments, cwd=cwd, bootstrap=bootstrap, fresh=fresh).finish(timeout)


def _plain(argument: object) -> str | bytes | os.PathLike[str]:
    return argument if isinstance(argument, str | bytes | os.PathLike) else str(argument)


def hashes(folder: Path) -> dict[str, str]:
    """The content of every regular file below a folder."""
    found = {}
    for place, _, files in os.walk(folder):
        for name in files:
            path = os.path.join(place, name)
            if os.path.isfile(path) and os.access(path, os.R_OK):
                with open(path, "rb") as file:
                    found[path] = hashlib.file_digest(file, "sha1").hexdigest()
    return found


def refused(code: int, *arguments: object, cwd: Path, bootstrap: str = "") -> str:
    """Runs a command that must fail with this code and one line, and leave everything as it was; returns the line."""
    before = hashes(cwd)
    ran = run(*arguments, cwd=cwd, bootstrap=bootstrap)
    assert ran.code == code, ran.err
    lines = ran.complaints("error")
    assert len(lines) == 1, ran.err
    assert "Traceback" not in ran.err
    assert hashes(cwd) == before
    assert not [name for name in hashes(cwd) if name.endswith(TEMPORARY)]
    return lines[0]


def draw_folder(folder: Path, count: int, task: int = 5, size: int = 64) -> Path:
    """A folder with that many drawings of one character, dark on light."""
    folder.mkdir(parents=True, exist_ok=True)
    for i, ink in enumerate(Doodles(size).draw(task, count, generator_for(task, "test folder"))):
        Image.fromarray((255 - ink).numpy()).save(folder / f"{i}.png")
    return folder


def draw_sprites(folder: Path, count: int) -> None:
    """A folder with that many transparent pictures of 12 x 8 drawn pixels."""
    folder.mkdir()
    for i in range(count):
        sprite = Image.new("RGBA", (12, 8), (0, 0, 0, 0))
        sprite.paste((20, 20, 20, 255), (2 + i, 2, 6 + i, 7))
        sprite.save(folder / f"{i}.png")


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained base model of 32 px in a file."""
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    nets, learner = build_networks(TINY, generator_for(0, "tiny")), build_learner(TINY)
    save_model(path, TINY, nets, learner, {"name": "tiny", "step": 0, "seed": 0, "data": []})
    return path


@pytest.fixture(scope="session")
def adapted(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model adapted to five drawings, made by the command itself."""
    folder = tmp_path_factory.mktemp("adapted")
    draw_folder(folder / "images", 5)
    ran = run("adapt", "images", "--from", tiny_model, "--steps", "1", cwd=folder)
    assert ran.code == 0, ran.err
    return folder / "adapted.safetensors"


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def server_ends() -> Iterator[None]:
    yield
    if _server.cache_info().currsize:
        _server().close()
