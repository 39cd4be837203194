"""Writes the results table of docs/results.md: a shipped model on the development alphabets, beside the references.

python -m benchmarks.results [MODEL] [--data data/omniglot_105.npz] [--report report.html]
python -m benchmarks.results [MODEL] --gain    # the table of augmentation gain instead, all characters as classes

Needs the Omniglot file of the training data; the same numbers whenever it is run again on one machine.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from metagan_cli.config import DataConfig, EvaluateConfig
from metagan_cli.evaluation.gain import GENERATED, Gain
from metagan_cli.workflows.evaluate.augmentation_gain import augmentation_gains
from metagan_cli.workflows.evaluate.report import write_report
from metagan_cli.workflows.evaluate.scoring import Evaluated, Row, evaluate
from metagan_cli.workflows.evaluate.setup import set_up
from recipes.held_out import ALPHABETS

RESULTS = Path(__file__).resolve().parents[1] / "docs" / "results.md"
BEGIN, END = "<!-- results: made by `make results` -->\n", "<!-- end of results -->\n"
GAIN_BEGIN, GAIN_END = "<!-- gain: made by benchmarks/results.py --gain -->\n", "<!-- end of gain -->\n"
ALL = 10_000  # tasks at most: every character


def main() -> None:
    """Evaluates and rewrites the table between its two marks in docs/results.md."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("model", nargs="?", default="glyph")
    parser.add_argument("--data", type=Path, default=Path("data/omniglot_105.npz"))
    parser.add_argument("--report", type=Path)
    parser.add_argument("--gain", action="store_true")
    options = parser.parse_args()
    settings = EvaluateConfig(tasks=ALL, steps=0) if options.gain else EvaluateConfig()
    setup = set_up([options.model], DataConfig(str(options.data), only=ALPHABETS), settings)
    if options.gain:
        rewrite(RESULTS, GAIN_BEGIN, GAIN_END, gain_table(augmentation_gains(setup, tell)))
        return
    evaluated = evaluate(setup, None, tell)
    rewrite(RESULTS, BEGIN, END, table(evaluated))
    if options.report:
        write_report(options.report, evaluated, [], [])


def rewrite(path: Path, begin: str, end: str, text: str) -> None:
    """Puts other text between two marks of a file."""
    before, _, rest = path.read_text(encoding="utf-8").partition(begin)
    _, _, after = rest.partition(end)
    path.write_text(before + begin + text + end + after, encoding="utf-8")


def tell(what: str, done: int, whole: int) -> None:
    """A line for each row that is drawn."""
    if done == whole:
        print(what, file=sys.stderr, flush=True)


def table(evaluated: Evaluated) -> str:
    """The rows as Markdown."""
    lines = [
        "| examples | who draws | recognizability, % | diversity | kernel distance | told apart, % | copies, % |",
        "|---|---|---|---|---|---|---|",
        *(line(str(row.shots), row, evaluated.relative_diversity(row)) for row in evaluated.rows),
    ]
    return "\n".join(lines) + "\n"


def gain_table(gains: Sequence[Gain]) -> str:
    """What is measured, and the accuracies, as Markdown."""
    about = (
        "Generated images as training data: the judge that recognises begins with the examples' prototypes and learns all\n"
        f"characters of those alphabets from a few real images of each and {GENERATED} others; tested on five more (accuracy in "
        "per cent,\nno inner steps):"
    )
    lines = [about, "", "| real images a class | those alone | with turned copies | with generated images |", "|---|---|---|---|"]
    lines += [f"| {g.shots} | {100 * g.real:.1f} | {100 * g.augmented:.1f} | **{100 * g.generated:.1f}** |" for g in gains]
    return "\n".join(lines) + "\n"


def line(label: str, row: Row, diversity: float) -> str:
    """One row under a label: figures with half their 95 % interval where it says much; diversity in units of real images'."""
    f = row.score.figures
    known, name = f["recognizability"], f"**{row.name}**" if row.kind == "model" else row.name
    cells = [
        label,
        name,
        f"{100 * known.mean:.1f} ± {50 * (known.high - known.low):.1f}",
        f"{diversity:.2f}",
        f"{f['kernel'].mean:.3f} ± {(f['kernel'].high - f['kernel'].low) / 2:.3f}",
        f"{100 * f['neighbour'].mean:.0f}",
        f"{100 * f['copies'].mean:.0f}",
    ]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
