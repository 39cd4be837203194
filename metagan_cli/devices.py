"""Which device and which precision to compute with."""

import contextlib
import os
import time
from collections.abc import Callable

import torch
from torch import Tensor

from metagan_cli import cores
from metagan_cli.errors import DeviceError, UsageError

_TRIES = 4
_MOST_WORKERS = 6


def choose_device(name: str) -> torch.device:
    """The device that `auto`, `cpu`, `cuda`, `cuda:i` or `mps` names. Raises UsageError or DeviceError.

    Every computation begins here, and in a process of our own numbers too small for a normal float are zero from here on, as
    processors are slow with them. Threads have this from the one that starts them: call it before anything is computed.
    """
    if cores.ours:
        torch.set_flush_denormal(True)
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind, _, index = name.partition(":")
    if kind not in ("cpu", "cuda", "mps") or (index and not (kind == "cuda" and index.isdigit())):
        raise UsageError(f"--device {name}: use auto, cpu, cuda, cuda:0 or mps")
    if kind == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if int(index or 0) >= count:
            raise DeviceError(f"--device {name}: this machine has {count or 'no'} CUDA devices; use --device cpu")
    if kind == "mps" and not torch.backends.mps.is_available():
        raise DeviceError("--device mps: not available on this machine; use --device cpu")
    return torch.device(name)


def drawing_processes(device: torch.device, trainers: int = 1) -> int:
    """How many processes draw episodes ahead for each of a machine's trainers: none where it is on the processor itself."""
    return 0 if device.type == "cpu" else min(_MOST_WORKERS, max(1, (os.cpu_count() or 1) // trainers - 1))


def choose_precision(name: str, device: torch.device) -> torch.dtype:
    """float32 or bfloat16; `auto` measures a convolution of the training's shape in both."""
    if name == "fp32":
        return torch.float32
    if name == "bf16":
        return torch.bfloat16
    if device.type != "cpu":
        return torch.bfloat16 if device.type == "cuda" and torch.cuda.is_bf16_supported() else torch.float32
    layer = torch.nn.Conv2d(64, 64, 3, padding=1).to(memory_format=torch.channels_last)
    x = torch.zeros(16, 64, 16, 16).contiguous(memory_format=torch.channels_last)
    plain = _seconds(lambda: layer(x))
    with torch.autocast("cpu", torch.bfloat16):
        half = _seconds(lambda: layer(x))
    return torch.bfloat16 if half < 0.8 * plain else torch.float32


def as_float32(x: Tensor) -> Tensor:
    """The tensor in float32, or in float64 where it is already: half precision ends here."""
    return x if x.dtype == torch.float64 else x.float()


def _seconds(run: Callable[[], object]) -> float:
    run()
    start = time.perf_counter()
    for _ in range(_TRIES):
        run()
    return time.perf_counter() - start


def compute(device: torch.device, dtype: torch.dtype) -> contextlib.AbstractContextManager[object]:
    """The context in which networks run: autocast for bfloat16, nothing for float32."""
    if dtype == torch.float32:
        return contextlib.nullcontext()
    return torch.autocast(device.type, dtype)
