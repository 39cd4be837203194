"""What the targets found, one JSON object a line."""

import json
from pathlib import Path


def add_line(path: Path, target: str, what: str, tried: int, passed: int, seconds: float, peak_mb: float, note: str = "") -> None:
    """Adds to a file, and prints, how often something was tried and how often it went well."""
    line = {
        "target": target,
        "what": what,
        "tried": tried,
        "passed": passed,
        "seconds": round(seconds),
        "peak_mb": round(peak_mb),
    }
    text = json.dumps(line | ({"note": note} if note else {}))
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{text}\n")
    print(text, flush=True)
