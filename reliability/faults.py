"""Runs the table of faults, and says of each row how many of its cases went well.

python -m reliability.faults [--out runs/reliability.jsonl]
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from reliability.lines import LINES, record

TEST = Path(__file__).resolve().parents[1] / "tests" / "test_faults.py"


def main() -> None:
    """Adds a line for each row; the exit code is that of the tests."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--out", type=Path, default=LINES)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        outcomes = Path(folder) / "outcomes.jsonl"
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", str(TEST)], env=os.environ | {"METAGAN_FAULTS": str(outcomes)}
        )
        cases = [json.loads(line) for line in outcomes.read_text(encoding="utf-8").splitlines()]
    peak_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    for number, title in sorted({(case["row"], case["title"]) for case in cases}):
        own = [case for case in cases if case["row"] == number]
        seconds, passed = sum(case["seconds"] for case in own), sum(case["passed"] for case in own)
        record("faults", f"{number}. {title}", len(own), passed, seconds, peak_mb, path=asked.out)
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
