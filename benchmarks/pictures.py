"""Writes the table of a colour model in docs/results.md: six sets' development tasks, eight images each, beside turned copies.

python -m benchmarks.pictures [MODEL] [--data data] [--tasks N] [--sheets FOLDER] [--dry]

Needs the colour sets of the training data, whose development tasks no model and no feature net is trained on.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from benchmarks.development import sheet
from benchmarks.results import RESULTS, line, rewrite, tell
from metagan_cli.config import DataConfig, EvaluateConfig
from metagan_cli.evaluation.references import JITTERS
from metagan_cli.evaluation.scores import Score
from metagan_cli.workflows.evaluate.baselines import REALS, model_method, references
from metagan_cli.workflows.evaluate.scoring import Row, ruler_of, score_row
from metagan_cli.workflows.evaluate.setup import Setup, set_up
from metagan_cli.workflows.evaluate.tasks import EvaluationTask, draw_tasks
from recipes.held_out import AVATARS, CLIP_ART, EMOJI, ICONS, PHOTOGRAPHS, TILES

BEGIN, END = "<!-- pictures: made by benchmarks/pictures.py -->\n", "<!-- end of pictures -->\n"
SETS = {
    "emoji": ("emoji_vendor_subgroup_64.npz", EMOJI),
    "avatars": ("dicebear_64.npz", AVATARS),
    "icon packs": ("icons_color_pack_64.npz", ICONS),
    "clip art": ("openclipart_64.npz", CLIP_ART),
    "pixel art": ("crawl_tiles_32.npz", TILES),
    "photographs": ("caltech101_64.npz", PHOTOGRAPHS),
}
SHOTS = 8
ADAPTATIONS = 3  # of the model to each task, by seeds of their own: what inner steps make of a folder hangs on chance
WANTED = (REALS, *(f"copies, {strength} jitter" for strength in JITTERS))


def main() -> None:
    """Scores the model and the references on each set, prints every row, and rewrites the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("model", nargs="?", default="picture")
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--tasks", type=int, default=24, help="at most, of each set")
    parser.add_argument("--steps", type=int, default=EvaluateConfig.steps)
    parser.add_argument("--sheets", type=Path, help="a folder for sheets of samples")
    parser.add_argument("--dry", action="store_true", help="leave the table as it is")
    options = parser.parse_args()
    lines = [
        "| set | who draws | recognizability, % | diversity | kernel distance | told apart, % | copies, % |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, (file, tasks) in SETS.items():
        settings = EvaluateConfig(shots=(SHOTS,), tasks=options.tasks, steps=options.steps)
        setup = set_up([options.model], DataConfig(str(options.data / file), only=tasks), settings)
        drawn = draw_tasks(setup.source, SHOTS, settings.tasks, settings.seed, setup.judges)
        rows = score(setup, drawn)
        if options.sheets:
            options.sheets.mkdir(exist_ok=True)
            samples = rows[0].samples.float() / 127.5 - 1
            shown = slice(None, None, 2)
            sheet(options.sheets / f"{name.replace(' ', '-')}.png", [task.support for task in drawn][shown], list(samples[shown]))
        for row in rows:
            diversity, real = (r.score.figures["diversity"].mean for r in (row, rows[1]))
            lines.append(line(f"{name} ({len(drawn)})", row, diversity / real))
            print(lines[-1], flush=True)
    if not options.dry:
        rewrite(RESULTS, BEGIN, END, "\n".join(lines) + "\n")


def score(setup: Setup, tasks: list[EvaluationTask]) -> list[Row]:
    """The model's row, then those of held-out images and of turned copies."""
    settings, model, ruler = setup.settings, setup.models[0], ruler_of(setup, tasks)
    own = [model_method(model, model.name, settings.steps, settings.seed + i) for i in range(ADAPTATIONS)]
    others = [method for method in references(model, settings.steps, settings.seed) if method.name in WANTED]
    mine, theirs = ([score_row(setup, ruler, method, tasks, None, tell) for method in methods] for methods in (own, others))
    return [replace(mine[0], score=mean_score([row.score for row in mine])), *theirs]


def mean_score(scores: Sequence[Score]) -> Score:
    """The means of several scores of the same tasks, and their intervals over tasks."""
    return Score.of({name: torch.stack([score.values[name] for score in scores]).mean(0) for name in scores[0].values})


if __name__ == "__main__":
    main()
