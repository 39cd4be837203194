"""The evaluation as one page that needs nothing else: figures, curves, and samples to look at."""

import base64
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image
from torch import Tensor

from metagan_cli import __version__
from metagan_cli.errors import OutputError, UsageError
from metagan_cli.evaluation.gain import Gain
from metagan_cli.evaluation.inception import FID_IMAGES
from metagan_cli.images.copies import distances
from metagan_cli.images.sheets import picture, tile, to_bytes
from metagan_cli.store.files import write_bytes
from metagan_cli.store.pictures import check_folder
from metagan_cli.workflows.evaluate.baselines import OTHERS, REALS
from metagan_cli.workflows.evaluate.learning_curve import CurvePoint
from metagan_cli.workflows.evaluate.scoring import Evaluated, Row
from metagan_cli.workflows.evaluate.tasks import EvaluationTask, thinned

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

MARK = "made by metagan evaluate"  # what a report of ours carries

SHOWN, EXTREMES, COLUMNS = 8, 4, 10  # tasks on a sheet, best and worst ones, samples a task
OUTSIDE = {  # what the outside net's table shows: heads, by what figures are multiplied, and their decimals
    "outside recognizability": ("recognised, %", 100, 1),
    "outside diversity": ("diversity", 1, 2),
    "outside mmd": ("MMD x 1000", 1000, 0),
    "outside neighbour": ("told apart, %", 100, 0),
    "outside distance": ("distance", 1, 2),
}
PLAIN = {  # and the table of what needs no net
    "flatness": ("flatness", 1, 2),
    "gradient": ("gradient energy", 1, 2),
    "orientations": ("orientations", 1, 2),
    "halftones": ("half-tones", 1, 2),
}
Columns = dict[str, tuple[str, int, int]]
STYLE: Any = {"svg.fonttype": "none", "svg.hashsalt": "metagan", "font.size": 9, "axes.grid": True, "grid.alpha": 0.3}


@dataclass(frozen=True)
class Sheet:
    """A picture of samples, and what it shows."""

    title: str
    image: str  # PNG in base64
    width: int


def write_report(path: Path, evaluated: Evaluated, curve: Sequence[CurvePoint], gains: Sequence[Gain]) -> None:
    """Writes the page. Raises OutputError."""
    write_bytes(path, page(evaluated, curve, gains).encode())


def page(evaluated: Evaluated, curve: Sequence[CurvePoint], gains: Sequence[Gain]) -> str:
    """The whole report as HTML."""
    from jinja2 import Environment, FileSystemLoader

    environment = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True)
    shots = sorted({row.shots for row in evaluated.rows})
    return environment.get_template("report.html").render(
        version=__version__,
        mark=MARK,
        evaluated=evaluated,
        tables=[(k, [_line(row, evaluated) for row in evaluated.rows if row.shots == k]) for k in shots],
        outside=([head for head, _, _ in OUTSIDE.values()], _further(evaluated, OUTSIDE)) if evaluated.outside_side else None,
        plain=([head for head, _, _ in PLAIN.values()], _further(evaluated, PLAIN)),
        planes=[(k, _plane([row for row in evaluated.rows if row.shots == k], evaluated)) for k in shots],
        curves=_curves(curve) if curve else [],
        pooled=[row for row in evaluated.rows if row.pooled],
        fid_images=FID_IMAGES,
        gains=gains,
        sheets=[sheet for row in evaluated.rows if row.kind == "model" for sheet in _sheets(row, evaluated.tasks)],
    )


def _line(row: Row, evaluated: Evaluated) -> dict[str, Any]:
    """A row of the table, as text."""
    figures = row.score.figures
    cells = {name: f"{f.mean:.3f}" for name, f in figures.items()}
    if "recognizability" in figures:
        f = figures["recognizability"]
        cells["recognizability"] = f"{100 * f.mean:.1f} ({100 * f.low:.0f} to {100 * f.high:.0f})"
    cells["relative"] = f"{evaluated.relative_diversity(row):.2f}"
    cells["copies"] = f"{100 * figures['copies'].mean:.0f} %"
    return {"name": row.name, "kind": row.kind, "tasks": row.tasks, "verdict": row.score.verdict, "cells": cells}


def _further(evaluated: Evaluated, columns: Columns) -> list[tuple[int, list[dict[str, Any]]]]:
    """For each number of shots the rows of the first table with other figures, each with its interval."""
    shots = sorted({row.shots for row in evaluated.rows})
    return [(k, [_cells(row, columns) for row in evaluated.rows if row.shots == k]) for k in shots]


def _cells(row: Row, columns: Columns) -> dict[str, Any]:
    """A row as text, by the heads of its columns."""
    cells, figures = {}, row.score.figures
    for name, (head, times, decimals) in columns.items():
        if name in figures:
            mean, low, high = (f"{times * getattr(figures[name], of):z.{decimals}f}" for of in ("mean", "low", "high"))
            cells[head] = f"{mean} ({low} to {high})"
    return {"name": row.name, "kind": row.kind, "cells": cells}


def _plane(rows: Sequence[Row], evaluated: Evaluated) -> str:
    """Diversity against recognizability: models, real images, and the frontier of jittered copies.

    Another task's images are left out: they are at chance, so far below that nothing else could be told apart.
    """
    rows = [row for row in rows if "recognizability" in row.score.figures and row.name != OTHERS]
    drawing = _drawing(5.2, 4.4)
    axes = drawing.add_subplot(xlabel="diversity (held-out images: 1)", ylabel="recognizability, %")
    places = {row.name: (evaluated.relative_diversity(row), 100 * row.score.figures["recognizability"].mean) for row in rows}
    frontier = [places[row.name] for row in rows if row.kind == "reference" and row.name != REALS]
    if frontier:
        axes.plot(*zip(*frontier, strict=True), "--", color="gray", linewidth=1)
    markers = iter("ov^sDPXp<>" * len(rows))
    for row in rows:
        marker, size = ("*", 13) if row.kind == "model" else (next(markers), 7)
        axes.plot(*places[row.name], marker, markersize=size, label=row.name)
    if rows:
        drawing.legend(loc="outside lower center", ncols=2)
    return _svg(drawing)


def _curves(points: Sequence[CurvePoint]) -> list[tuple[str, str]]:
    """Quality against steps and against seconds."""
    found = []
    for across, label in (("steps", "inner steps (from scratch: training steps)"), ("seconds", "seconds a task")):
        drawing = _drawing(5.2, 3.4)
        axes = drawing.add_subplot(xlabel=label, ylabel="kernel distance from held-out images")
        for name in dict.fromkeys(point.name for point in points):
            line = [point for point in points if point.name == name]
            xs, ys = [getattr(p, across) for p in line], [p.score.figures["kernel"].mean for p in line]
            axes.plot(xs, ys, "o-", label=name)
        axes.set_xscale("symlog" if across == "steps" else "log")
        axes.legend()
        found.append((f"Quality against {across} (lower is better)", _svg(drawing)))
    return found


def _sheets(row: Row, tasks: Sequence[EvaluationTask]) -> list[Sheet]:
    """Evenly chosen tasks, then the best and the worst ones by precision and coverage together.

    The kernel distance would not do: where a task's images lie close together, as a few dots do, it is small whatever is drawn.
    """
    chosen = {"evenly chosen tasks": thinned(range(len(tasks)), SHOWN)}
    if "precision" in row.score.values and len(tasks) > 2 * EXTREMES:
        order = (row.score.values["precision"] + row.score.values["coverage"]).argsort(descending=True, stable=True).tolist()
        chosen |= {"best tasks": order[:EXTREMES], "worst tasks": order[::-1][:EXTREMES]}
    return [_sheet(f"{row.name}, {row.shots} shots: {title}", row, tasks, numbers) for title, numbers in chosen.items()]


def _sheet(title: str, row: Row, tasks: Sequence[EvaluationTask], numbers: Sequence[int]) -> Sheet:
    """Of each task an example and its samples, each with the nearest example under it."""
    cells = []
    for number in numbers:
        support = tasks[number].support[: row.shots]
        samples = row.samples[number, :COLUMNS].float() / 127.5 - 1
        nearest = support[distances(samples, support).argmin(1)]
        blank = torch.full_like(support[:1], -1.0 if support.shape[1] == 1 else 1.0)
        cells += [support[:1], samples, blank, nearest]
    pixels = tile(to_bytes(torch.cat(cells), light_on_dark=False), 1 + row.samples[:, :COLUMNS].shape[1])
    return Sheet(title, _base64(pixels), pixels.shape[1])


def _base64(pixels: Tensor) -> str:
    buffer = io.BytesIO()
    image: Image.Image = picture(pixels)
    image.save(buffer, "PNG", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode()


def _drawing(width: float, height: float) -> "Drawing":
    """An empty drawing of so many inches, in the report's style."""
    import matplotlib
    from matplotlib.figure import Figure

    matplotlib.rcParams |= STYLE
    return Figure(figsize=(width, height), layout="constrained")


def _svg(drawing: "Drawing") -> str:
    buffer = io.StringIO()
    drawing.savefig(buffer, format="svg", metadata={"Date": None})
    text = re.sub(r"<metadata>.*?</metadata>", "", buffer.getvalue(), flags=re.DOTALL)
    return text[text.index("<svg") :]


def check_report(path: Path, overwrite: bool) -> None:
    """Refuses a report's place before any work: UsageError for its name, OutputError for what stands there."""
    if path.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"--report {path}: the ending must be .html")
    if path.is_dir():
        raise OutputError(f"{path}: is a folder; name a file")
    check_folder(path, path.parent)
    if path.exists() and not overwrite and MARK.encode() not in path.read_bytes()[:4096]:
        raise OutputError(f"{path}: was not written by metagan; --overwrite replaces it")
