"""What metagan evaluate says of new members of a set."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from metagan_cli.cli.console import Console
from metagan_cli.config import DataConfig, EvaluateConfig
from metagan_cli.errors import UsageError

if TYPE_CHECKING:
    from metagan_cli.workflows.evaluate.members import MemberRow

COLUMNS = {  # heads, by what figures are multiplied, and their decimals
    "hand": ("hand, %", 100, 0),
    "motif": ("motif, %", 100, 0),
    "pixels": ("pixels", 1, 3),
    "own": ("own nets", 1, 3),
    "outside": ("outside net", 1, 3),
    "apart": ("told apart, %", 100, 0),
    "outside apart": ("by outside net, %", 100, 0),
    "copies": ("copies, %", 100, 0),
}


def judge_members(
    console: Console, names: Sequence[str], source: DataConfig, settings: EvaluateConfig, device: str, features: str
) -> None:
    """Scores what models make of guests in hands that they have not seen, and says it."""
    from metagan_cli.evaluation.outside import outside_net
    from metagan_cli.workflows.evaluate.members import evaluate_members
    from metagan_cli.workflows.evaluate.setup import FEATURES, ready_models

    if features not in FEATURES:
        raise UsageError(f"--features {features}: use {' or '.join(FEATURES)}")
    models = ready_models(names, device)
    outside = outside_net() if features != FEATURES[0] else None
    rows = evaluate_members(models, source, settings, outside, console.progress)
    values = {"source": source.source, "members": [row.as_dict() for row in rows]}
    console.result("evaluate", values, [line for shots in settings.shots for line in _table(rows, shots)])


def _table(rows: "Sequence[MemberRow]", shots: int) -> list[str]:
    """Means and, in brackets, 95 % intervals, of all rows at so many shots."""
    some = [row for row in rows if row.shots == shots]
    shown = [name for name in COLUMNS if name in some[0].score.figures]
    lines = [f"{f'{shots} shots':28}" + "".join(f"{COLUMNS[name][0]:>22}" for name in shown)]
    for row in some:
        cells = []
        for name in shown:
            figure, (_, times, decimals) = row.score.figures[name], COLUMNS[name]
            mean, low, high = (f"{times * x:.{decimals}f}" for x in (figure.mean, figure.low, figure.high))
            cells.append(f"{f'{mean} ({low} to {high})':>22}")
        lines.append(f"{row.name:28}" + "".join(cells))
    return lines
