"""What metagan evaluate says of tasks: tables, and what is not in them."""

import shutil
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import RenderableType

    from metagan_cli.evaluation.gain import Gain
    from metagan_cli.workflows.evaluate.learning_curve import CurvePoint
    from metagan_cli.workflows.evaluate.scoring import Evaluated, Row

COLUMNS = {  # of the table at a terminal, and the width that each is shown from
    "recognised, %": 0,
    "diversity": 0,
    "kernel": 60,
    "precision": 110,
    "coverage": 110,
    "told apart": 70,
    "copies": 0,
    "verdict": 90,
}
FIGURES = (("kernel", 7), ("precision", 9), ("coverage", 8), ("neighbour", 10))  # columns of the table, and their widths


def table_lines(evaluated: "Evaluated") -> list[str]:
    """All rows as plain text, those of each number of shots below a head."""
    lines: list[str] = []
    head = "recognizability %        diversity  kernel  precision  coverage  told apart  copies"
    for shots in _all_shots(evaluated):
        lines += ["" if lines else f"{evaluated.source}: {len(evaluated.tasks)} tasks", f"{f'{shots} shots':24} {head}"]
        for row in evaluated.rows:
            if row.shots == shots:
                known, diversity, *figures, copies = _cells(evaluated, row)
                padded = [f"{figure:>{width}}" for figure, (_, width) in zip(figures, FIGURES, strict=True)]
                cells = "  ".join([f"{known:22}", f"{diversity:>9}", *padded, f"{copies:>6}"])
                lines.append(f"{_name(evaluated, row):24} {cells}  {row.score.verdict}")
    return lines


def shown(evaluated: "Evaluated", further: list[str]) -> "RenderableType":
    """A table for each number of shots, the models' rows in bold, with as many columns as the terminal has room for."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    width = shutil.get_terminal_size().columns
    chosen = [head for head, least in COLUMNS.items() if width >= least]
    tables = []
    for shots in _all_shots(evaluated):
        title = f"{evaluated.source}: {len(evaluated.tasks)} tasks, {shots} shots"
        table = Table(title=Text(title), title_justify="left", box=None, padding=(0, 1, 0, 0))
        table.add_column("who draws")
        for head in chosen:
            table.add_column(head, justify="left" if head == "verdict" else "right")
        for row in evaluated.rows:
            if row.shots == shots:
                cells = dict(zip(COLUMNS, (*_cells(evaluated, row), row.score.verdict), strict=True))
                cells["recognised, %"] = _recognised(row)
                shown = (_name(evaluated, row), *(cells[head] for head in chosen))
                table.add_row(*map(Text, shown), style="bold" if row.kind == "model" else "")
        tables.append(table)
    return Group(*tables, *map(Text, further))


def _recognised(row: "Row") -> str:
    """Recognizability with half its interval."""
    known = row.score.figures.get("recognizability")
    return f"{100 * known.mean:.1f} ± {50 * (known.high - known.low):.1f}" if known else "-"


def _all_shots(evaluated: "Evaluated") -> list[int]:
    return sorted({row.shots for row in evaluated.rows})


def _name(evaluated: "Evaluated", row: "Row") -> str:
    return row.name if row.tasks == len(evaluated.tasks) else f"{row.name} ({row.tasks} tasks)"


def _cells(evaluated: "Evaluated", row: "Row") -> list[str]:
    """The row's figures as text, without padding but of those that have parts."""
    f = row.score.figures
    known = f.get("recognizability")
    cells = [f"{100 * known.mean:5.1f} ({100 * known.low:5.1f} to {100 * known.high:5.1f})" if known else "-"]
    cells.append(f"{evaluated.relative_diversity(row):.2f}")
    cells += [f"{f[name].mean:.3f}" if name in f else "-" for name, _ in FIGURES]
    return [*cells, f"{100 * f['copies'].mean:.0f} %"]


def _looks(row: "Row") -> str:
    """How clean samples are, in units of the examples."""
    f = row.score.figures
    names = {"flatness": "flatness", "gradient": "gradient energy", "orientations": "orientations", "halftones": "half-tones"}
    return ", ".join(f"{text} {f[name].mean:.2f}" for name, text in names.items()) + " of the examples'"


def _outside(row: "Row", side: int | None) -> str:
    """What the outside net says, of images of so many pixels a side."""
    f = row.score.figures
    known = f.get("outside recognizability")
    return (
        f"recognised {f'{100 * known.mean:.1f} %' if known else '-'}, diversity {f['outside diversity'].mean:.2f}, "
        f"MMD x 1000 {1000 * f['outside mmd'].mean:.0f}, told apart {100 * f['outside neighbour'].mean:.0f} %, "
        f"distance from the examples {f['outside distance'].mean:.2f} of held-out images'; seen at {side} px"
    )


def further_lines(evaluated: "Evaluated", curve: "Sequence[CurvePoint]", gains: "Sequence[Gain]") -> list[str]:
    """What is not in the table: figures on Inception features, the learning curve, the augmentation gain."""
    lines = []
    for row in evaluated.rows:
        if row.pooled:
            found = ", ".join(f"{name.upper()} {value:.4g}" for name, value in row.pooled.items())
            lines.append(f"inception {row.name}, {row.shots} shots: {found}")
    for row in evaluated.rows:
        if row.kind == "model":
            lines += [f"looks    {_name(evaluated, row)}, {row.shots} shots: {_looks(row)}"]
        if "outside mmd" in row.score.figures:
            lines += [f"outside  {_name(evaluated, row)}, {row.shots} shots: {_outside(row, evaluated.outside_side)}"]
    for point in curve:
        kernel = point.score.figures["kernel"].mean
        lines.append(f"curve    {point.name}, {point.steps} steps, {point.seconds:.2f} s a task: kernel {kernel:.3f}")
    for g in gains:
        lines.append(
            f"gain     {g.shots} real images a class: {100 * g.real:.1f} % alone, {100 * g.augmented:.1f} % with turned copies, "
            f"{100 * g.generated:.1f} % with generated ones"
        )
    return lines
