"""Fills the tables of docs/performance.md from runs/performance.jsonl, and those of the cost model.

python -m benchmarks.performance_page [--page docs/performance.md]

Run benchmarks.training, benchmarks.ranks and benchmarks.peer before, on an idle machine. A table that nothing was recorded for
stays as it is.
"""

import argparse
from pathlib import Path

import torch

from benchmarks.cost_model import DEVICES, cases_of, check, predict
from benchmarks.loops import glyph_recipe
from benchmarks.measuring import RECORDS, Record, as_table, as_text, recorded
from benchmarks.results import rewrite

PAGE = Path(__file__).resolve().parents[1] / "docs" / "performance.md"
CHECK, SCALE = "cost model, checked", "cost model, scaled"
SCALES = ((1, 8), (8, 512), (100, 12_800), (1000, 128_000))  # ranks, and tasks of a step on all of them
WHOLE = 10_000_000  # tasks


def main() -> None:
    """Rewrites the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--page", type=Path, default=PAGE)
    options = parser.parse_args()
    records = recorded(RECORDS)
    fill(options.page, records)
    if "training" in records:
        put(options.page, CHECK, as_table(check()))
    put(options.page, SCALE, scaled())


def fill(page: Path, records: dict[str, Record]) -> None:
    """Puts what was recorded between the marks of its benchmark."""
    for name, record in records.items():
        put(page, name, as_text(record))


def put(page: Path, name: str, text: str) -> None:
    """Puts text between two marks of the page. Raises SystemExit where it has none of that name."""
    begin, end = marks(name)
    if begin not in page.read_text(encoding="utf-8"):
        raise SystemExit(f"{page}: has no place for {name}; add {begin.strip()}{end}")
    rewrite(page, begin, end, text.rstrip() + "\n")


def marks(name: str) -> tuple[str, str]:
    """Where a table begins and ends."""
    return f"<!-- {name}: made by benchmarks/performance_page.py -->\n", f"<!-- end of {name} -->\n"


def scaled() -> str:
    """On paper: glyph's recipe on ever more H200s."""
    recipe = glyph_recipe()
    cases, rows = cases_of(recipe, torch.bfloat16), []
    for ranks, tasks in SCALES:
        found = predict(recipe, cases, DEVICES["H200"], ranks, tasks)
        rows.append(
            {"GPUs": ranks, "tasks of a step": tasks, "memory of each, GB": (found.weights.whole + found.activations) / 1e9}
            | {"computing, ms": 1000 * found.computing, "adding gradients, ms": 1000 * found.exchange}
            | {"drawing, ms": 1000 * found.drawing, "tasks a second": tasks / found.seconds}
            | {"hours for 10 million tasks": WHOLE / tasks * found.seconds / 3600}
        )
    return as_table(rows)


if __name__ == "__main__":
    main()
