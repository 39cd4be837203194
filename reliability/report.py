"""Rewrites the table of docs/reliability.md: what was tried to break the program, how often, and what was lost.

python -m reliability.report

The targets beside this one add lines to runs/reliability.jsonl; of each target and what it tried the newest counts.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.results import rewrite
from reliability.lines import LINES

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reliability.md"
BEGIN, END = "<!-- reliability: made by `make reliability` -->\n", "<!-- end of reliability -->\n"
TARGETS = ("faults", "fuzz", "soak", "kills")  # in the table's order
Line = dict[str, Any]


def newest(path: Path) -> list[Line]:
    """The last line of each target and what it tried, in the table's order."""
    lines = [json.loads(text) for text in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []
    last = {(line["target"], line["what"]): line for line in lines}
    return sorted(last.values(), key=lambda line: TARGETS.index(line["target"]))


def table(lines: Sequence[Line]) -> str:
    """The lines as Markdown, and their sum."""
    tried, passed = (sum(line[name] for line in lines) for name in ("tried", "passed"))
    rows = ["| target | what | tried | lost | minutes | most memory, MB | |", "|---|---|---|---|---|---|---|"]
    for line in lines:
        cells = (line["target"], line["what"], f"{line['tried']:,}", _lost(line["tried"] - line["passed"]))
        cost = (f"{line['seconds'] / 60:.1f}", f"{line['peak_mb']:,.0f}", line.get("note", "").replace("|", "/"))
        rows.append(f"| {' | '.join((*cells, *cost))} |")
    return "\n".join([*rows, "", f"Tried in all: {tried:,}. Lost: {_lost(tried - passed)}.", ""])


def _lost(count: int) -> str:
    return f"**{count:,}**" if count else "none"


def main() -> None:
    """Rewrites the table between its two marks."""
    rewrite(PAGE, BEGIN, END, table(newest(LINES)))


if __name__ == "__main__":
    main()
