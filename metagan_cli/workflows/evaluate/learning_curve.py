"""evaluate --learning-curve: quality against inner steps and against seconds, beside training from scratch."""

from dataclasses import dataclass, replace
from typing import Any

from metagan_cli.evaluation.scores import Score
from metagan_cli.workflows.evaluate.baselines import model_method, scratch_method
from metagan_cli.workflows.evaluate.scoring import Evaluated, ruler_of, score_row
from metagan_cli.workflows.evaluate.setup import Setup
from metagan_cli.workflows.evaluate.tasks import thinned
from metagan_cli.workflows.progress import Report

CURVE_TASKS, CURVE_STEPS, SCRATCH_STEPS = 8, (0, 1, 2, 4, 8, 16), (1, 4, 16, 64)


@dataclass(frozen=True)
class CurvePoint:
    """Quality after some steps, at the most shots of an evaluation."""

    name: str
    steps: int
    seconds: float  # of adapting or training, and drawing, a task
    score: Score

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        figures = {name: round(f.mean, 6) for name, f in self.score.figures.items()}
        return {"name": self.name, "steps": self.steps, "seconds": round(self.seconds, 3), "figures": figures}


def learning_curve(setup: Setup, evaluated: Evaluated, report: Report) -> list[CurvePoint]:
    """Each model after CURVE_STEPS inner steps, and the first one's networks from scratch, on CURVE_TASKS of the tasks."""
    tasks = [replace(task, number=i) for i, task in enumerate(thinned(evaluated.tasks, CURVE_TASKS))]
    ruler, seed = ruler_of(setup, tasks), setup.settings.seed
    methods = [(m.name, steps, model_method(m, m.name, steps, seed)) for m in setup.models for steps in CURVE_STEPS]
    methods += [("from scratch", steps, scratch_method(setup.models[0], steps, seed)) for steps in SCRATCH_STEPS]
    points = []
    for name, steps, method in methods:
        row = score_row(setup, ruler, method, tasks, None, report)
        points.append(CurvePoint(name, steps, row.seconds, row.score))
    return points
