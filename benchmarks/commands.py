"""Times the commands as whole processes: median of several runs after one that does not count.

python -m benchmarks.commands [RUNS=5]
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = {
    "metagan --help": (["--help"], 0.4),
    "metagan adapt examples": (["adapt", str(ROOT / "examples")], 10.0),
    "metagan sample -n 64": (["sample", "-n", "64"], 5.0),
}


def seconds(arguments: list[str], folder: str) -> float:
    """Wall time of one run in a folder."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "metagan_cli", *arguments], cwd=folder, check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    """Prints a line for each command: median, fastest, slowest, and the most it may take."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory() as folder:
        for name, (arguments, limit) in COMMANDS.items():
            times = [seconds(arguments, folder) for _ in range(runs + 1)][1:]
            median = statistics.median(times)
            print(f"{name:<26} {median:6.2f} s  ({min(times):.2f} to {max(times):.2f}; at most {limit:.1f})")


if __name__ == "__main__":
    main()
