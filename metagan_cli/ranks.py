"""Several processes that train one model together, as torchrun starts them: which one this is, and its part of a batch."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor

from metagan_cli.devices import as_float32
from metagan_cli.errors import ExitCode, MetaganError, UsageError

T = TypeVar("T")
TOLD_BY = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")  # variables that torchrun, or whoever starts them, sets
CPU = torch.device("cpu")


class LostError(MetaganError):
    """Another process of the run has ended before its time."""


@dataclass(frozen=True)
class Ranks:
    """One of several processes that train together; the first of them decides and writes."""

    number: int = 0
    count: int = 1
    here: int = 0  # its number among those of its machine
    beside: int = 1  # how many those are
    starts: int = 0  # how many times torchrun started all of them again, as one had ended
    restarts: bool = False  # whether it does so at all

    @property
    def first(self) -> bool:
        """Whether this is the one that decides and writes."""
        return self.number == 0

    def device_name(self, name: str) -> str:
        """The device of this process where `name` is asked of all. Raises UsageError where they cannot share it."""
        if self.count == 1 or name == "cpu" or (name == "auto" and not torch.cuda.is_available()):
            return name
        if name not in ("auto", "cuda"):
            raise UsageError(f"--device {name}: each of {self.count} processes takes a device of its own; use auto, cpu or cuda")
        return f"cuda:{self.here}"

    def of_first(self, value: T) -> T:
        """The first one's value, for all: anything that can be pickled."""
        if self.count == 1:
            return value
        from torch import distributed

        held = [value if self.first else None]
        with _unless_lost():
            distributed.broadcast_object_list(held, device=CPU)
        found: Any = held[0]
        return found if not self.first else value

    def any(self, flag: bool) -> bool:
        """Whether one of them says so; all wait for each other here."""
        return flag if self.count == 1 else float(_summed(torch.tensor(float(flag)))) > 0

    def part(self, tasks: int) -> "Part":
        """Its part of a batch of so many tasks. Raises UsageError where it has none."""
        if tasks < self.count:
            raise UsageError(f"tasks_per_batch is {tasks}, fewer than the {self.count} processes; start fewer of them")
        rows = slice(tasks * self.number // self.count, tasks * (self.number + 1) // self.count)
        return Part(tasks, rows, self.count == 1)


ALONE = Ranks()


@dataclass(frozen=True)
class Part:
    """Some tasks of a batch: those that this process works at, while others work at the rest."""

    tasks: int  # of the batch
    rows: slice  # of this part
    whole: bool  # whether this part is all of them

    @property
    def own(self) -> range:
        """The numbers of its tasks in the batch."""
        return range(self.tasks)[self.rows]

    @property
    def with_before(self) -> list[int]:
        """Those, and after them the task before its first in the ring of the batch."""
        return [*self.own] if self.whole else [*self.own, (self.own.start - 1) % self.tasks]

    def of(self, batch: Tensor) -> Tensor:
        """Its rows of what is there, or was drawn, for the whole batch."""
        return batch if self.whole else batch[self.rows]

    def gather(self, own: Tensor) -> Tensor:
        """The rows of all parts [tasks, ...] from its own, without gradients."""
        if self.whole:
            return own
        rows = as_float32(own.detach())
        batch = rows.new_zeros(self.tasks, *rows.shape[1:])
        batch[self.rows] = rows
        return _summed(batch)

    def mean(self, own: Tensor) -> Tensor:
        """The batch's mean from the part's own, without gradients; entry by entry."""
        if self.whole:
            return own.detach()
        return _summed(as_float32(own.detach()) * ((self.rows.stop - self.rows.start) / self.tasks))

    def variance(self, own: Tensor) -> Tensor:
        """The variance of all entries of a batch, without gradients, from those of the part."""
        own = own.detach()
        if self.whole:
            return torch.as_tensor(own.var())
        count = own.numel() // (self.rows.stop - self.rows.start) * self.tasks
        away = own - self.mean(own.mean())
        return torch.as_tensor(self.mean(away.square().mean()) * (count / (count - 1)))

    def average_gradients(self, optimizer: torch.optim.Optimizer) -> None:
        """Makes gradients of the part's mean loss those of the batch's, the same in all processes to the bit."""
        if self.whole:
            return
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        told = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        has = torch.tensor([p.grad is not None for p in parameters]).to(told[0])  # where none has one, it stays so
        *means, have = self.mean(torch.cat([t.flatten() for t in (*told, has)])).split([t.numel() for t in (*told, has)])
        for parameter, gradient, mean, known in zip(parameters, told, means, have.tolist(), strict=True):
            if known:
                parameter.grad = gradient.copy_(mean.view_as(gradient))


@contextlib.contextmanager
def joined() -> Iterator[Ranks]:
    """One of the processes that the environment tells of; where it tells of none, this one alone.

    Where one fails the error of the first to fail goes on, and the others end without a word. Raises MetaganError where the
    others cannot be reached.
    """
    ranks = _from_environment()
    if ranks.count == 1:
        yield ranks
        return
    from torch import distributed
    from torch.distributed.distributed_c10d import PrefixStore
    from torch.distributed.rendezvous import rendezvous

    nccl = torch.cuda.is_available() and distributed.is_nccl_available()
    try:
        whole, number, count = next(rendezvous("env://"))
        store = PrefixStore(f"start {ranks.starts}", whole)  # torchrun's outlives those that it starts
        distributed.init_process_group("cpu:gloo,cuda:nccl" if nccl else "gloo", store=store, rank=number, world_size=count)
    except (RuntimeError, ValueError) as error:
        raise LostError(f"the other processes of this run cannot be reached ({str(error).splitlines()[0]})") from error
    try:
        yield ranks
    except Exception as error:
        if _another_failed(store):
            raise SystemExit(int(error.code if isinstance(error, MetaganError) else ExitCode.FAILED)) from error
        raise
    distributed.destroy_process_group()


def _from_environment() -> Ranks:
    def told(name: str, usual: int) -> int:
        try:
            return int(os.environ.get(name, usual))
        except ValueError as error:
            raise UsageError(f"{name}={os.environ[name]}: must be a number, as torchrun sets it") from error

    starts, restarts = told("TORCHELASTIC_RESTART_COUNT", 0), told("TORCHELASTIC_MAX_RESTARTS", 0) > 0
    if not all(name in os.environ for name in TOLD_BY):
        return Ranks(starts=starts, restarts=restarts)
    number, count = told("RANK", 0), told("WORLD_SIZE", 1)
    return Ranks(number, count, told("LOCAL_RANK", number), told("LOCAL_WORLD_SIZE", count), starts, restarts)


def _another_failed(store: Any) -> bool:
    """Whether another process failed before this one; the store may have gone with the one that held it."""
    try:
        return int(store.add("failed", 1)) > 1
    except RuntimeError:
        return True


@contextlib.contextmanager
def _unless_lost() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise LostError("another process of this run has ended; --resume goes on from the last checkpoint") from error


def _summed(tensor: Tensor) -> Tensor:
    """The sum over all processes, in place."""
    from torch import distributed

    with _unless_lost():
        distributed.all_reduce(tensor)
    return tensor
