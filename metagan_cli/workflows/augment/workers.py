"""Classes drawn by several processes, each computing with one thread: so results do not depend on how many there are."""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import lru_cache
from typing import Any

import torch

from metagan_cli.devices import choose_device
from metagan_cli.errors import InputError, MetaganError
from metagan_cli.store.manifests import Block
from metagan_cli.store.models import load_model
from metagan_cli.workflows.augment.classes import draw_class
from metagan_cli.workflows.augment.request import AugmentRequest
from metagan_cli.workflows.augment.tree import ClassFolder, Tree

Drawn = tuple[Block, tuple[str, ...]]  # what a class's drawing gives: its block, and what should be known of it


class Worker:
    """Draws classes of one tree in this process."""

    def __init__(self, tree: Tree, request: AugmentRequest, device: str) -> None:
        self.tree, self.request, self.device = tree, request, device
        self.load = lru_cache(maxsize=2)(load_model)

    def draw(self, folder: ClassFolder) -> Drawn:
        """A class, or where it cannot be read and that is to be passed over, why. Raises InputError, OutputError."""
        try:
            return draw_class(self.tree, folder, self.request, self.device, self.load)
        except InputError as error:
            if not self.request.adapt.skip_bad:
                raise
            return Block({"class": folder.name, "new": 0, "skipped": str(error)}, ()), (f"skipped: {error}",)


_worker: Worker | None = None  # of a process that was started to be one


def draw_all(
    tree: Tree, folders: Sequence[ClassFolder], request: AugmentRequest, device: str
) -> Iterator[tuple[ClassFolder, Drawn]]:
    """Draws classes, and gives them in their order.

    Raises what `Worker.draw` does, and MetaganError where a process was ended from without, as for want of memory.
    """
    threads = torch.get_num_threads()
    count = min(threads, len(folders)) if choose_device(device).type == "cpu" else 1
    torch.set_num_threads(1)
    try:
        if count < 2:
            worker = Worker(tree, request, device)
            yield from ((folder, worker.draw(folder)) for folder in folders)
            return
        others = multiprocessing.active_children()
        how = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
        with _pool(count, how, (tree, request, device)) as pool:
            try:
                yield from zip(folders, pool.map(_draw, folders), strict=True)
            except BaseException:  # an interruption as well: what is half drawn is drawn again another time
                for process in set(multiprocessing.active_children()) - set(others):
                    process.terminate()
                raise
    except BrokenProcessPool as error:
        raise MetaganError(
            "a process that drew a class was ended, as for want of memory; run it again to go on, with fewer cores if need be"
        ) from error
    finally:
        torch.set_num_threads(threads)


def _pool(count: int, how: Any, about: tuple[Tree, AugmentRequest, str]) -> ProcessPoolExecutor:
    """As many workers. Raises MetaganError where a system has no locks for them, as in a container with a full /dev/shm."""
    try:
        return ProcessPoolExecutor(count, how, _begin, about)
    except OSError as error:
        raise MetaganError(
            f"no processes can be started to draw classes ({error.strerror}): make room in /dev/shm, or set OMP_NUM_THREADS=1"
        ) from error


def _begin(tree: Tree, request: AugmentRequest, device: str) -> None:
    """Makes this process a worker; what interrupts all of them, the one that started it hears, and that one's end is theirs."""
    global _worker
    threading.Thread(target=_end_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    _worker = Worker(tree, request, device)


def _end_with_parent() -> None:
    """Ends this process when the one that started it has been killed, which could tell nobody."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _draw(folder: ClassFolder) -> Drawn:
    assert _worker is not None
    return _worker.draw(folder)
