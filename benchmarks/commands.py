"""Times the commands as whole processes: median of several runs after one that does not count, and the most memory of one.

python -m benchmarks.commands [RUNS=3]

Those at the size of large images run once: 64 variants of 512 pixels, of ink, of flat colours and of a photograph's kind, as
many new members in ink, and 1,000 variants of 1,024 pixels.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.drawings import drawings
from benchmarks.measuring import INSTALLED

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = {"ink": 512, "flat": 512, "textured": 512, "huge": 1024}  # what is drawn, and its pixels a side
EXAMPLES = 8


@dataclass(frozen=True)
class Command:
    """What is timed, and what it may take at most."""

    name: str
    arguments: tuple[str, ...]
    seconds: float
    megabytes: int
    once: bool = False


def large(folder: str, count: int, seconds: float, megabytes: int = 1000, motifs: str = "") -> Command:
    """Single files at a folder's own size, from its adapted model: variants, or new members where motifs are named."""
    name = f"sample -n {count:,}, {FOLDERS[folder]} px, {motifs or folder}"
    wanted = ("--motifs", motifs) if motifs else ("--variants",)
    out = f"{folder}-{motifs or 'variants'}"
    return Command(name, ("sample", f"{folder}.safetensors", "-n", str(count), *wanted, "--each", out), seconds, megabytes, True)


COMMANDS = (
    Command("--help", ("--help",), 0.4, 200),
    Command("adapt examples", ("adapt", str(ROOT / "examples")), 10.0, 1000),
    Command("sample -n 64", ("sample", "-n", "64"), 5.0, 1000),
    Command("sample -n 64 --variants", ("sample", "-n", "64", "--variants"), 5.0, 1000),
    *(large(folder, 64, 10.0) for folder in ("ink", "flat", "textured")),
    large("ink", 64, 10.0, motifs="icons"),
    large("huge", 1000, 600.0, 2000),
)


def run(arguments: tuple[str, ...], folder: Path) -> tuple[float, float]:
    """Seconds and megabytes of one process in a folder."""
    start = time.perf_counter()
    command, nowhere = [sys.executable, "-m", "metagan_cli", *arguments], subprocess.DEVNULL
    process = subprocess.Popen(command, cwd=folder, env=INSTALLED, stdout=nowhere, stderr=nowhere)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"metagan {' '.join(arguments)}: failed")
    return time.perf_counter() - start, used.ru_maxrss / 1024


def draw_folders(root: Path) -> None:
    """Folders of large images, and the models that are adapted to them."""
    rng = np.random.default_rng(0)
    for name, side in FOLDERS.items():
        (root / name).mkdir()
        for number, image in enumerate(drawings({"ink": "boats", "flat": "faces"}.get(name, "valleys"), EXAMPLES)):
            pixels = np.asarray(image.convert("L" if name == "ink" else "RGB").resize((side, side), Image.Resampling.LANCZOS))
            if name in ("textured", "huge"):  # no two pixels alike, as of a camera
                pixels = (pixels + rng.normal(0, 6, pixels.shape)).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(root / name / f"{number}.png")
        run(("adapt", name, "-o", f"{name}.safetensors"), root)


def main() -> None:
    """Prints a line for each command: median, fastest, slowest and the most memory, and what it may take."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        draw_folders(folder)
        for command in COMMANDS:
            found = [run(command.arguments, folder) for _ in range(1 if command.once else runs + 1)]
            times, peak = [seconds for seconds, _ in found[-runs:]], max(megabytes for _, megabytes in found)
            print(
                f"{command.name:<34} {statistics.median(times):7.2f} s  ({min(times):.2f} to {max(times):.2f}; at most "
                f"{command.seconds:.1f})  {peak:5.0f} MB  (at most {command.megabytes})",
                flush=True,
            )


if __name__ == "__main__":
    main()
