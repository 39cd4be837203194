"""How times are taken, and where they are kept: a line of runs/performance.jsonl for each run of a benchmark."""

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.outside import table_head, table_row

RECORDS = Path(__file__).resolve().parents[1] / "runs" / "performance.jsonl"
INSTALLED = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}  # what is has bytecode
Tables = dict[str, list[dict[str, Any]]]  # rows by the names of tables


@dataclass(frozen=True)
class Record:
    """What one run of a benchmark found, where and when."""

    benchmark: str
    machine: str
    date: str
    tables: Tables


def alternately(jobs: Mapping[str, Callable[[], object]], seconds: float) -> dict[str, float]:
    """The median seconds of a call of each job, all called in turn until each has had so many, or once.

    In turn, so that a machine that slows down slows all of them. A first round does not count.
    """
    for job in jobs.values():
        job()
    times: dict[str, list[float]] = {name: [] for name in jobs}
    end = time.perf_counter() + seconds * len(jobs)
    while time.perf_counter() < end or not all(times.values()):
        for name, job in jobs.items():
            times[name].append(seconds_of(job))
    return {name: statistics.median(found) for name, found in times.items()}


def seconds_of(job: Callable[[], object]) -> float:
    """How long one call takes, with all that it gave a GPU to do."""
    start = time.perf_counter()
    job()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start


def this_machine(device: torch.device) -> str:
    """Processor or GPU, threads and torch, in words."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else _processor()
    return f"{name}, {torch.get_num_threads()} threads, torch {torch.__version__}"


def _processor() -> str:
    """The processor by the name that it gives itself, and what of it counts for matrices."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    told = dict(line.replace("\t", "").split(":", 1) for line in lines if ":" in line)
    units = [unit for unit in ("amx_bf16", "avx512_bf16", "avx512f", "avx2") if unit in told.get("flags", "").split()]
    return f"{told.get('model name', platform.machine()).strip()} ({units[0] if units else 'no vector units'})"


def tell(benchmark: str, tables: Tables, device: torch.device, path: Path | None = RECORDS) -> None:
    """Prints what a run found, and appends it to the records, unless it was for trying."""
    record = Record(benchmark, this_machine(device), time.strftime("%Y-%m-%d"), tables)
    print(as_text(record), flush=True)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(record)) + "\n")


def recorded(path: Path = RECORDS) -> dict[str, Record]:
    """The newest record of each benchmark; none, where none is kept."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    records = [Record(**json.loads(line)) for line in lines]
    return {record.benchmark: record for record in records}


def as_text(record: Record) -> str:
    """Where and when, and the tables as Markdown, each below its name."""
    parts = [f"{record.machine}; {record.date}."]
    for name, rows in record.tables.items():
        parts.append(f"{name}:\n\n{as_table(rows)}")
    return "\n\n".join(parts) + "\n"


def as_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as a Markdown table; numbers get three digits that count."""
    return "\n".join([*table_head(*rows[0]), *(table_row(*map(cell, row.values())) for row in rows)])


def cell(value: object) -> str:
    """A value as text."""
    if not isinstance(value, float):
        return f"{value:,}" if isinstance(value, int) else str(value)
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
