"""Counts what a computation does and holds: its kernels, and the bytes that are saved for its backward pass."""

import weakref
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry


@dataclass(frozen=True)
class Kernel:
    """What the calls of one kernel do: floating-point operations, two for each product that is added; bytes read and written."""

    calls: float = 0.0
    flops: float = 0.0
    bytes: float = 0.0

    def plus(self, other: "Kernel", times: float = 1.0) -> "Kernel":
        """Its sum with so many times another."""
        sums = {f.name: getattr(self, f.name) + times * getattr(other, f.name) for f in fields(Kernel)}
        return Kernel(**sums)


class _Kernels(TorchDispatchMode):
    """Notes every call of a kernel, backward as well; operations are those of matrices and convolutions, by torch's own formulas.

    Torch's own counter also tells which module they are of, by hooks that an inner gradient cannot have.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.found = defaultdict[str, Kernel](Kernel)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None) -> Any:
        given = dict(kwargs or {})
        out = func(*args, **given)
        count = flop_registry.get(func._overloadpacket)
        read, written = (list(_tensors(part)) for part in ((args, given), out))
        before = {tensor.untyped_storage().data_ptr() for tensor in read}
        is_view = all(tensor.untyped_storage().data_ptr() in before for tensor in written) and not func._schema.is_mutable
        if not is_view:
            flops = int(count(*args, **given, out_val=out)) if count is not None else 0
            moved = sum(tensor.numel() * tensor.element_size() for tensor in read + written)
            self.found[str(func)] = self.found[str(func)].plus(Kernel(1, flops, moved))
        return out


def _tensors(value: object) -> Iterator[Tensor]:
    return (leaf for leaf in tree_leaves(value) if isinstance(leaf, Tensor))


def kernels_of(job: Callable[[], object]) -> dict[str, Kernel]:
    """What one call does, by the names of kernels, but for views, which cost nothing."""
    with _Kernels() as counter:
        job()
    return dict(counter.found)


def flops_of(job: Callable[[], object]) -> int:
    """The floating-point operations of one call."""
    return int(sum(kernel.flops for kernel in kernels_of(job).values()))


class _Saved:
    """Tensors that graphs hold for their backward pass: each memory once, without weights, as long as a graph is there."""

    def __init__(self, weights: Iterable[Tensor]) -> None:
        self.weights = {weight.untyped_storage().data_ptr() for weight in weights}
        self.holders, self.now, self.most = Counter[int](), 0, 0

    def pack(self, tensor: Tensor) -> "_Held":
        """What the graph holds instead of the tensor."""
        held, memory = _Held(tensor), tensor.untyped_storage()
        place, size = memory.data_ptr(), memory.nbytes()
        if place in self.weights:
            return held
        self.now += size if not self.holders[place] else 0
        self.holders[place] += 1
        self.most = max(self.most, self.now)
        weakref.finalize(held, self._let_go, place, size)
        return held

    def _let_go(self, place: int, size: int) -> None:
        self.holders[place] -= 1
        self.now -= size if not self.holders[place] else 0


class _Held:
    """A tensor in the hands of a graph."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor


def saved_bytes_of(job: Callable[[], object], weights: Iterable[Tensor]) -> int:
    """The most bytes that the graphs of one call hold at once for their backward passes, beside these weights."""
    saved = _Saved(weights)
    with torch.autograd.graph.saved_tensors_hooks(saved.pack, lambda held: held.tensor):
        job()
    return saved.most
