"""What the targets found, one JSON object a line."""

import json
from pathlib import Path

LINES = Path(__file__).resolve().parents[1] / "runs" / "reliability.jsonl"


def record(
    target: str, what: str, tried: int, passed: int, seconds: float, peak_mb: float, note: str = "", path: Path = LINES
) -> None:
    """Adds to a file, and prints, how often something was tried and how often it went well."""
    figures = {"tried": tried, "passed": passed, "seconds": round(seconds), "peak_mb": round(peak_mb)}
    text = json.dumps({"target": target, "what": what} | figures | ({"note": note} if note else {}))
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{text}\n")
    print(text, flush=True)
