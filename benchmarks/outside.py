"""Writes the table of the outside net in docs/results.md: development folders of six sets, eight images each, beside copies.

python -m benchmarks.outside [--data data] [--folders N] [--sheets FOLDER] [--dry]

Needs the training data's sets, of which it takes folders that no model was trained on: those of recipes/held_out.py, and of fonts
and gray icons the ones that every source holds out; and the packages of the extra `outside`.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import torch

from benchmarks.development import sheet
from benchmarks.results import RESULTS, rewrite, tell
from metagan_cli.config import DataConfig, EvaluateConfig
from metagan_cli.data.sources.open import open_source
from metagan_cli.evaluation.scores import Score
from metagan_cli.workflows.evaluate.baselines import REALS, model_method, references
from metagan_cli.workflows.evaluate.scoring import ruler_of, score_row
from metagan_cli.workflows.evaluate.setup import Setup, set_up
from metagan_cli.workflows.evaluate.tasks import draw_tasks
from recipes.held_out import AVATARS, EMOJI, PHOTOGRAPHS, TILES

BEGIN, END = "<!-- outside: made by benchmarks/outside.py -->\n", "<!-- end of outside -->\n"
SETS = {  # model, file, development tasks or none where the source's own held-out ones are taken, and keys that make tasks
    "gray icons": ("glyph", "icon_styles_gray_64.npz", (), ()),
    "fonts": ("glyph", "fonts_latin_64.npz", (), ()),
    "avatars": ("picture", "dicebear_64.npz", AVATARS, ()),
    "emoji": ("picture", "emoji_vendor_subgroup_64.npz", EMOJI, ()),
    "photographs": ("picture", "caltech101_64.npz", PHOTOGRAPHS, ()),
    "tiles": ("picture", "crawl_tiles_32.npz", TILES, ()),
}
SHOTS = 8
SHOWN = (REALS, "copies, slight jitter", "copies, medium jitter")
HEAD = (
    "| set | who draws | recognised, % | diversity | MMD x 1000 | told apart | distance | flatness | gradient | orientations |",
    "|---|---|---|---|---|---|---|---|---|---|",
)


def main() -> None:
    """Scores the models beside the references on each set, prints every row, and rewrites the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--folders", type=int, default=8, help="at most, of a set")
    parser.add_argument("--sheets", type=Path, help="a folder for a sheet of each set")
    parser.add_argument("--only", choices=SETS, help="one set")
    parser.add_argument("--dry", action="store_true", help="leave the table as it is")
    options = parser.parse_args()
    lines = list(HEAD)
    for name in [options.only] if options.only else SETS:
        lines += rows_of(name, options.data, options.folders, options.sheets)
        print("\n".join(lines[-1 - len(SHOWN) :]), flush=True)
    if not options.dry and not options.only:
        rewrite(RESULTS, BEGIN, END, "\n".join(lines) + "\n")


def rows_of(name: str, data: Path, folders: int, sheets: Path | None) -> list[str]:
    """The lines of one set."""
    model, file, only, by = SETS[name]
    settings = EvaluateConfig(shots=(SHOTS,), tasks=folders)
    source = DataConfig(str(data / file), only=only, by=by)
    setup = set_up([model], source, settings, features="imagenet")
    if not only:
        config = setup.models[0].config
        setup = replace(setup, source=open_source(source, config.image_size, config.channels).held_out)
    return [line(name, who, score) for who, score in scores(setup, name, sheets)]


def scores(setup: Setup, name: str, sheets: Path | None) -> list[tuple[str, Score]]:
    """The model's row, then those of the references."""
    settings, model = setup.settings, setup.models[0]
    tasks = draw_tasks(setup.source, SHOTS, settings.tasks, settings.seed)
    ruler = ruler_of(setup, tasks)
    methods = [model_method(model, model.name, settings.steps, settings.seed)]
    methods += [other for other in references(model, settings.steps, settings.seed) if other.name in SHOWN]
    rows = [score_row(setup, ruler, method, tasks, None, tell) for method in methods]
    if sheets is not None:
        sheets.mkdir(parents=True, exist_ok=True)
        drawn = rows[0].samples[:, :12].float() / 127.5 - 1
        sheet(sheets / f"{name.replace(' ', '-')}.png", [task.support for task in tasks], list(drawn))
    return [(f"**{row.name}**" if row.kind == "model" else row.name, row.score) for row in rows]


def line(name: str, who: str, score: Score) -> str:
    """One row of the table."""
    f = {key: figure.mean for key, figure in score.figures.items()}
    known = f.get("outside recognizability")
    cells = [
        name,
        who,
        f"{100 * known:.1f}" if known is not None else "-",
        f"{f['outside diversity']:.2f}",
        f"{1000 * f['outside mmd']:.0f}",
        f"{100 * f['outside neighbour']:.0f}",
        f"{f['outside distance']:.2f}",
        f"{f['flatness']:.2f}",
        f"{f['gradient']:.2f}",
        f"{f['orientations']:.2f}",
    ]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    torch.set_num_threads(2)
    main()
