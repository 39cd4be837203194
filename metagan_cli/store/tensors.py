"""Safetensors files with metadata and a hash, read with suspicion."""

import hashlib
import json
import math
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.numpy import save
from safetensors.torch import load
from torch import Tensor

from metagan_cli import __version__
from metagan_cli.errors import CheckpointError, reason
from metagan_cli.store.files import write_bytes

FORMAT = 1
MAX_HEADER = 16 * 2**20  # bytes
MAX_FILE = 2 * 2**30  # bytes
DTYPES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
_PICKLES = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


@dataclass(frozen=True)
class TensorFile:
    """What a file holds: its kind, tensors by name, metadata, and the hash of its tensors."""

    kind: str  # "model", "adapted" or "run"
    tensors: dict[str, Tensor]
    metadata: dict[str, Any]
    hash: str
    path: Path

    def said(self, name: str) -> dict[str, Any]:
        """A part of the metadata that has names and values itself; an empty one where it is missing. Raises CheckpointError."""
        part = self.metadata.get(name, {})
        if not isinstance(part, dict):
            raise CheckpointError(f"{self.path}: damaged ('{name}' in its metadata is {type(part).__name__})")
        return part


def write_tensors(path: Path, kind: str, tensors: dict[str, Tensor], metadata: dict[str, Any]) -> str:
    """Writes a file that `read_tensors` reads, atomically; returns its hash."""
    arrays = {name: tensor.detach().cpu().contiguous().numpy() for name, tensor in tensors.items()}  # as tensors, each size leaks
    digest = _hash(save(arrays))
    head = {"format": FORMAT, "version": __version__, "kind": kind, "hash": digest} | metadata
    write_bytes(path, save(arrays, {"metagan": json.dumps(head, sort_keys=True)}))
    return digest


def read_tensors(path: Path, kinds: tuple[str, ...]) -> TensorFile:
    """A file of one of the given kinds. Raises CheckpointError that says what is wrong with it."""
    data = _read(path)
    header = _header(path, data, len(data))
    metadata = _metadata(path, header)
    if metadata.get("kind") not in kinds:
        raise CheckpointError(f"{path}: is a metagan file of kind '{metadata.get('kind')}', not {' or '.join(kinds)}")
    try:
        tensors = load(data)
    except Exception as error:  # whatever the parser trips over in a damaged file
        raise CheckpointError(f"{path}: damaged ({reason(error)})") from error
    found = _hash(data)
    if found != metadata.get("hash"):
        raise CheckpointError(
            f"{path}: the weights were changed since they were written (hash {found[:12]}, not {str(metadata.get('hash'))[:12]})"
        )
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise CheckpointError(f"{path}: tensor '{name}' holds NaN or infinity")
    return TensorFile(metadata["kind"], tensors, metadata, found, path)


def read_metadata(path: Path) -> dict[str, Any]:
    """The metadata alone, without loading tensors. Raises CheckpointError."""
    return _metadata(path, _header_of(path))


def shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """The tensors' shapes by name, from the header alone. Raises CheckpointError."""
    header = _header_of(path)
    return {name: tuple(entry["shape"]) for name, entry in header.items() if name != "__metadata__"}


def is_metagan_file(path: Path) -> bool:
    """Whether metagan wrote this safetensors file."""
    try:
        read_metadata(path)
    except CheckpointError:
        return False
    return True


def _header_of(path: Path) -> dict[str, Any]:
    """The parsed header, with no more of the file read than that."""
    return _header(path, _read(path, whole=False), path.stat().st_size)


def _read(path: Path, whole: bool = True) -> bytes:
    """A file's bytes, or those that its header claims to have."""
    try:
        if not path.is_file():
            reason = "is a folder, not a model file" if path.is_dir() else "no such model file"
            raise CheckpointError(f"{path}: {reason}")
        if os.path.getsize(path) > MAX_FILE:
            raise CheckpointError(f"{path}: larger than any model of metagan")
        with path.open("rb") as file:
            if whole:
                return file.read()
            length = file.read(8)
            return length + file.read(min(int.from_bytes(length, "little"), MAX_HEADER))
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror})") from error


def _header(path: Path, data: bytes, size: int) -> dict[str, Any]:
    """The parsed header at the start of a file of so many bytes, checked against its size before anything is allocated."""
    if data.startswith(_PICKLES) and data[8:9] != b"{":  # a header of 640 bytes begins as a pickle does
        raise CheckpointError(f"{path}: a pickle or zip (as torch.save writes); metagan never unpickles, it reads .safetensors")
    if len(data) < 8:
        raise CheckpointError(f"{path}: {'empty' if not data else 'truncated'}, not a safetensors file")
    (length,) = struct.unpack("<Q", data[:8])
    if length > MAX_HEADER or 8 + length > size:
        raise CheckpointError(f"{path}: truncated, or not a safetensors file (its header asks for {length} bytes)")
    try:
        header = json.loads(data[8 : 8 + length])
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: not a safetensors file (its header is not JSON)") from error
    if not isinstance(header, dict):
        raise CheckpointError(f"{path}: not a safetensors file (its header is not an object)")
    _check_entries(path, header, size - 8 - length)
    return header


def _check_entries(path: Path, header: dict[str, Any], size: int) -> None:
    spans = []
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        try:
            dtype, shape, (start, stop) = entry["dtype"], entry["shape"], entry["data_offsets"]
            sound = all(isinstance(n, int) and n >= 0 for n in (*shape, start, stop))
            sound = sound and stop - start == DTYPES[dtype] * math.prod(shape)
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"{path}: damaged (tensor '{name}' has no sound entry)") from error
        if not sound:
            raise CheckpointError(f"{path}: damaged (tensor '{name}' does not fit its shape)")
        spans.append((start, stop, name))
    place = 0
    for start, stop, name in sorted(spans):
        if start != place:
            raise CheckpointError(f"{path}: damaged (tensor '{name}' overlaps another or leaves a gap)")
        place = stop
    if place != size:
        state = "truncated" if place > size else "has junk behind its tensors"
        raise CheckpointError(f"{path}: {state} ({size} bytes of tensors, {place} expected)")


def _metadata(path: Path, header: dict[str, Any]) -> dict[str, Any]:
    try:
        metadata = json.loads(header["__metadata__"]["metagan"])
        number, kind = int(metadata["format"]), metadata["kind"]
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise CheckpointError(f"{path}: a safetensors file, but not one that metagan wrote") from error
    if not isinstance(kind, str):
        raise CheckpointError(f"{path}: damaged (its metadata does not say of what kind it is)")
    if number > FORMAT:
        raise CheckpointError(f"{path}: format {number} is newer than this metagan reads ({FORMAT}): upgrade metagan")
    return _migrated(metadata)


def _migrated(metadata: dict[str, Any]) -> dict[str, Any]:
    """Metadata of an older format in today's. Format 0 named the architecture 'arch'."""
    if metadata["format"] == 0 and "arch" in metadata:
        metadata["model"] = metadata.pop("arch")
    return metadata


def _hash(data: bytes) -> str:
    (length,) = struct.unpack("<Q", data[:8])
    return hashlib.blake2b(memoryview(data)[8 + length :], digest_size=16).hexdigest()


def half(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Floating tensors in half precision, for files that ship."""
    return {name: t.to(torch.float16) if t.is_floating_point() else t for name, t in tensors.items()}
