"""Writes the table of the outside net in docs/results.md and what the models' cards say of it: development folders of six sets.

python -m benchmarks.outside [--data data] [--folders N] [--sheets FOLDER] [--dry]
python -m benchmarks.outside --tree FOLDER    # prints such rows of any folders: each folder below is a task of 12 images or more

Eight images each, beside copies of them. Needs the packages of the extra `outside`; and without a tree the training data's sets,
of which it takes folders that no model was trained on: those of recipes/held_out.py, and of fonts and gray icons the ones that
every source holds out. Of a tree, whose images may have any size, each folder gets the model that `adapt` would choose, and as
many of its other images are compared with as the smallest folder of that model has.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.development import sheet
from benchmarks.results import RESULTS, rewrite, tell
from metagan_cli.config import AdaptConfig, DataConfig, EvaluateConfig
from metagan_cli.data.sources.open import open_source
from metagan_cli.errors import InputError
from metagan_cli.evaluation.metrics import evenly
from metagan_cli.evaluation.outside import side_for
from metagan_cli.evaluation.scores import Score
from metagan_cli.workflows.adapt import read_examples
from metagan_cli.workflows.evaluate.baselines import REALS, model_method, references
from metagan_cli.workflows.evaluate.scoring import ruler_of, score_row
from metagan_cli.workflows.evaluate.setup import Setup, set_up
from metagan_cli.workflows.evaluate.tasks import EvaluationTask, draw_tasks
from metagan_cli.workflows.progress import silent
from recipes.held_out import AVATARS, EMOJI, PHOTOGRAPHS, TILES

BEGIN, END = "<!-- outside: made by benchmarks/outside.py -->\n", "<!-- end of outside -->\n"
CARDS = RESULTS.parents[1] / "pretrained"
SETS = {  # model, file, development tasks or none where the source's own held-out ones are taken, and keys that make tasks
    "gray icons": ("glyph", "icon_styles_gray_64.npz", (), ()),
    "fonts": ("glyph", "fonts_latin_64.npz", (), ()),
    "avatars": ("picture", "dicebear_64.npz", AVATARS, ()),
    "emoji": ("picture", "emoji_vendor_subgroup_64.npz", EMOJI, ()),
    "photographs": ("picture", "caltech101_64.npz", PHOTOGRAPHS, ()),
    "tiles": ("picture", "crawl_tiles_32.npz", TILES, ()),
}
SHOTS, FOLDERS = 8, 8  # examples of a task, and tasks of a set unless told otherwise
FEWEST = 12  # images of a folder of a tree
NEAR = "copies, slight jitter"
SHOWN = (REALS, NEAR, "copies, medium jitter")
COLUMNS = {  # heads, and of which figures, by what they are multiplied, and their decimals
    "recognised, %": ("outside recognizability", 100, 1),
    "diversity": ("outside diversity", 1, 2),
    "MMD x 1000": ("outside mmd", 1000, 0),
    "told apart, %": ("outside neighbour", 100, 0),
    "distance": ("outside distance", 1, 2),
    "flatness": ("flatness", 1, 2),
    "gradient": ("gradient", 1, 2),
    "orientations": ("orientations", 1, 2),
}
MMD, OF_COPIES, OF_REALS = "MMD x 1000", "MMD of slight copies", "MMD of held-out images"
IN_CARDS = ("recognised, %", MMD, OF_COPIES, OF_REALS, "told apart, %", "distance", "flatness", "orientations")


@dataclass(frozen=True)
class Judged:
    """A set's rows by who draws, the model's first."""

    name: str
    model: str
    side: int  # pixels a side that the outside net saw
    scores: dict[str, Score]

    def lines(self) -> list[str]:
        """The rows of the table."""
        names = {who: f"**{who}**" if who == self.model else who for who in self.scores}
        return [table_row(self.name, names[who], *(cell(score, head) for head in COLUMNS)) for who, score in self.scores.items()]

    def card_line(self) -> str:
        """The model's row in its card, which has figures of others as columns."""
        others = {OF_COPIES: self.scores[NEAR], OF_REALS: self.scores[REALS]}
        cells = [cell(others.get(head, self.scores[self.model]), MMD if head in others else head) for head in IN_CARDS]
        return table_row(self.name, *cells)

    def is_nearer(self) -> bool:
        """Whether samples are nearer to held-out images than slight copies are."""
        own, copies = (self.scores[who].figures["outside mmd"].mean for who in (self.model, NEAR))
        return own < copies


def main() -> None:
    """Scores the models beside the references on each set, prints every row, and rewrites the table and the cards."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--folders", type=int, help=f"at most, of a set: {FOLDERS} unless told otherwise; of a tree all")
    parser.add_argument("--sheets", type=Path, help="a folder for a sheet of each set")
    parser.add_argument("--dry", action="store_true", help="leave the table and the cards as they are")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--only", choices=SETS, help="one set")
    which.add_argument("--tree", type=Path, help="instead of the sets a folder of folders of images; nothing is written")
    options = parser.parse_args()
    if options.tree:
        results = judge_tree(options.tree, options.folders, options.sheets)
    else:
        names = [options.only] if options.only else SETS
        results = (judge_set(name, options.data, options.folders or FOLDERS, options.sheets) for name in names)
    print("\n".join(table_head("set", "who draws", *COLUMNS)), flush=True)
    judged = []
    for result in results:
        judged.append(result)
        print("\n".join(result.lines()), flush=True)
    if not (options.dry or options.only or options.tree):
        write(judged, RESULTS, CARDS)


def write(judged: Sequence[Judged], results: Path, cards: Path) -> None:
    """Rewrites the table, and in each model's card what is said of its own sets."""
    rewrite(
        results, BEGIN, END, _text(*table_head("set", "who draws", *COLUMNS), *(row for one in judged for row in one.lines()))
    )
    for model in dict.fromkeys(one.model for one in judged):
        rewrite(cards / f"{model}.md", BEGIN, END, card([one for one in judged if one.model == model]))


def judge_set(name: str, data: Path, folders: int, sheets: Path | None) -> Judged:
    """One set's folders."""
    model, file, only, by = SETS[name]
    settings = EvaluateConfig(shots=(SHOTS,), tasks=folders)
    source = DataConfig(str(data / file), only=only, by=by)
    setup = set_up([model], source, settings, features="imagenet")
    if not only:
        config = setup.models[0].config
        setup = replace(setup, source=open_source(source, config.image_size, config.channels).held_out)
    return judge(setup, name, draw_tasks(setup.source, SHOTS, settings.tasks, settings.seed), sheets)


def judge_tree(tree: Path, most: int | None, sheets: Path | None) -> Iterator[Judged]:
    """The folders below a tree, all or at most so many, by the models that they get. Raises InputError where there are none."""
    settings, found = EvaluateConfig(shots=(SHOTS,)), dict[Path, list[tuple[str, Tensor]]]()
    for name, model, images in read_tree(tree):
        found.setdefault(model, []).append((name, images))
    if not found:
        raise InputError(f"{tree}: holds no folder of {FEWEST} images or more")
    for model, folders in found.items():
        # the tasks are the tree's, so the source that a setup has goes unused
        setup = set_up([str(model)], DataConfig(), settings, features="imagenet")
        chosen = [folders[i] for i in evenly(len(folders), most or len(folders))]
        name = f"{tree.resolve().name}, {setup.models[0].name} ({len(chosen)})"
        yield judge(setup, name, split(chosen, settings.samples), sheets)


def read_tree(tree: Path) -> Iterator[tuple[str, Path, Tensor]]:
    """Of each folder below a tree its name, the model that `adapt` chooses for it, and its images; says what is left out."""
    for folder in sorted(place for place in tree.iterdir() if place.is_dir() and not place.name.startswith(".")):
        try:
            base, support, _ = read_examples(folder, AdaptConfig(skip_bad=True), silent)
        except InputError as error:
            _say(f"left out: {error}")
            continue
        support.tell_skipped(_say, f"{folder.name}/")
        if len(support.images) < FEWEST:
            _say(f"left out: {folder}: {len(support.images)} images; a task needs {FEWEST}")
        else:
            yield folder.name, base.path, support.images


def split(folders: Sequence[tuple[str, Tensor]], most: int) -> list[EvaluationTask]:
    """The first SHOTS images of each folder as examples, and as many others on either side as all folders have, or `most`."""
    count = min(most, min(len(images) - SHOTS for _, images in folders) // 2)
    parts = [images[: SHOTS + 2 * count].split([SHOTS, count, count]) for _, images in folders]
    return [EvaluationTask(i, name, *three) for i, ((name, _), three) in enumerate(zip(folders, parts, strict=True))]


def judge(setup: Setup, name: str, tasks: Sequence[EvaluationTask], sheets: Path | None) -> Judged:
    """The model's row, then those of the references."""
    settings, model = setup.settings, setup.models[0]
    ruler = ruler_of(setup, tasks)
    methods = [model_method(model, model.name, settings.steps, settings.seed)]
    methods += [other for other in references(model, settings.steps, settings.seed) if other.name in SHOWN]
    rows = [score_row(setup, ruler, method, tasks, None, tell) for method in methods]
    if sheets is not None:
        sheets.mkdir(parents=True, exist_ok=True)
        drawn = rows[0].samples[:, :12].float() / 127.5 - 1
        sheet(sheets / f"{name.replace(' ', '-')}.png", [task.support for task in tasks], list(drawn))
    return Judged(name, model.name, side_for(model.config.image_size), {row.name: row.score for row in rows})


def cell(score: Score, head: str) -> str:
    """A figure as text, or a dash where it makes no sense."""
    name, times, decimals = COLUMNS[head]
    return f"{times * score.figures[name].mean:z.{decimals}f}" if name in score.figures else "-"


def card(judged: Sequence[Judged]) -> str:
    """What a model's card says of its sets."""
    return _text(
        f"By a net that others trained on photographs (EfficientNet-Lite1, at {judged[0].side} pixels; "
        f"`python -m benchmarks.outside`), from {SHOTS} examples each, samples lie {_verdict(judged)}.",
        "*MMD* is that from held-out images, 0 is best; *distance* is that from the nearest example, held-out images' being 1; "
        "a *flatness* below 1 is mottled, *orientations* above 1 are wavering edges.",
        "",
        *table_head("set", *IN_CARDS),
        *(one.card_line() for one in judged),
    )


def _verdict(judged: Sequence[Judged]) -> str:
    """In which sets samples are nearer to held-out images than slight copies are."""
    near, others = ([one.name for one in judged if one.is_nearer() == wanted] for wanted in (True, False))
    than = "to held-out images than slight copies of the examples do in"
    if not near:
        return f"no nearer {than} {_listed(others)}"
    return f"nearer {than} {_listed(near)}" + (f", and no nearer in {_listed(others)}" if others else "")


def table_head(*heads: str) -> list[str]:
    """The first two lines of a Markdown table."""
    return [table_row(*heads), "|---" * len(heads) + "|"]


def table_row(*cells: str) -> str:
    """A line of it."""
    return f"| {' | '.join(cells)} |"


def _text(*lines: str) -> str:
    return "\n".join(lines) + "\n"


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    torch.set_num_threads(2)
    main()
