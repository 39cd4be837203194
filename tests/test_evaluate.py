"""evaluate: rows, methods, resuming and the page, with tiny networks and untrained judges."""

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from conftest import TINY, draw_folder
from PIL import Image
from test_networks import drawings

from metagan_cli.config import DataConfig, EvaluateConfig
from metagan_cli.data.sources.open import open_source
from metagan_cli.errors import InputError, OutputError, UsageError
from metagan_cli.evaluation.gain import Gain
from metagan_cli.evaluation.judges import build_judges
from metagan_cli.evaluation.scores import Score
from metagan_cli.store.features import save_judges
from metagan_cli.store.samples import SampleCache
from metagan_cli.store.shipped import choose_model
from metagan_cli.workflows.evaluate import augmentation_gain as gains_workflow
from metagan_cli.workflows.evaluate import learning_curve as curve_workflow
from metagan_cli.workflows.evaluate import scoring as workflow
from metagan_cli.workflows.evaluate import setup as setting
from metagan_cli.workflows.evaluate.baselines import OTHERS, REALS, Scratch
from metagan_cli.workflows.evaluate.leave_one_out import is_single_folder, leave_one_out
from metagan_cli.workflows.evaluate.report import check_report, write_report
from metagan_cli.workflows.evaluate.tasks import EvaluationTask, draw_tasks

SMALL = EvaluateConfig(shots=(1, 3), tasks=6, samples=5, steps=1)


@pytest.fixture(scope="session")
def judges(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Untrained judges: their figures mean little, but are there."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("judges") / "judges-gray.safetensors"
    save_judges(path, build_judges(1), {"seed": 0})
    return path


@pytest.fixture(scope="module")
def setup(tiny_model: Path, judges: Path) -> Iterator[setting.Setup]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(setting, "find_features", lambda kind, channels: judges)
        yield setting.set_up([str(tiny_model)], DataConfig("doodles"), SMALL)


def silent(what: str, done: int, whole: int) -> None:
    pass


@pytest.fixture(scope="module")
def evaluated(setup: setting.Setup) -> workflow.Evaluated:
    return workflow.evaluate(setup, cache=None, report=silent)


def test_models_of_one_name_are_told_apart(setup: setting.Setup, tiny_model: Path) -> None:
    both = setting.set_up([str(tiny_model)] * 2, DataConfig("doodles"), SMALL).models
    assert setup.models[0].name == "tiny"
    assert [m.name for m in both] == [f"tiny {setup.models[0].hash[:6]}"] * 2


def test_every_step_from_scratch_is_one_of_both_players() -> None:
    support = drawings(1, 3)[0]
    for config in (TINY, replace(TINY, pack=3), replace(TINY, learner="gradient", algorithm="reptile")):
        scratch = Scratch(config, 3, 0, EvaluationTask(0, "", support, support, support))
        scratch.train(3)
        assert scratch.loop.updates == 3
        assert scratch.loop.critic_adam.state_dict()["state"][0]["step"] == 3
        assert scratch.draw(2).shape == (2, 1, 32, 32)


@pytest.mark.slow
def test_diversity_is_relative_to_the_same_tasks(evaluated: workflow.Evaluated) -> None:
    real = next(row for row in evaluated.rows if row.name == REALS and row.shots == 3)
    few = replace(real, own=(1, 4), score=Score.of({"diversity": real.score.values["diversity"][[1, 4]]}))
    assert evaluated.relative_diversity(few) == pytest.approx(1)
    assert few.score.figures["diversity"].mean != pytest.approx(real.score.figures["diversity"].mean)


def test_a_folder_gets_the_model_that_suits_it(tmp_path: Path) -> None:
    for i in range(3):
        (tmp_path / "tasks" / str(i)).mkdir(parents=True)
        Image.new("RGB", (32, 32), (200, 30, 60 * i)).save(tmp_path / "tasks" / str(i) / "a.png")
    draw_folder(tmp_path / "gray", 3)
    (tmp_path / "empty").mkdir()
    assert setting.default_model(str(tmp_path / "tasks")) == choose_model(colourful=True).name
    chosen = [setting.default_model(str(tmp_path / name)) for name in ("gray", "empty", "missing.npz")]
    assert chosen == ["glyph", "glyph", "glyph"]


@pytest.mark.slow
def test_rows_and_references(evaluated: workflow.Evaluated, tmp_path: Path) -> None:
    names = [row.name for row in evaluated.rows if row.shots == 3]
    assert names[0] == "tiny"
    assert names[1] == REALS
    assert OTHERS in names
    assert "from scratch, 10 steps" in names
    rows = {(row.name, row.shots): row for row in evaluated.rows}
    assert len(rows) == 2 * len(names)
    assert evaluated.relative_diversity(rows[REALS, 1]) == 1
    assert rows["tiny", 3].score.figures["newness"].mean < rows[OTHERS, 3].score.figures["newness"].mean
    assert rows["copies, slight jitter", 1].score.verdict != rows[OTHERS, 1].score.verdict
    assert rows["from scratch, 10 steps", 1].tasks == 5
    curve = [curve_workflow.CurvePoint("tiny", n, 0.5 + n, rows["tiny", 3].score) for n in (0, 4)]
    path = tmp_path / "r.html"
    write_report(path, evaluated, curve, [Gain(5, 0.7, 0.75, 0.8)])
    text = path.read_text()
    assert "http" not in text.replace("http://www.w3.org/", "")  # names of SVG itself
    assert text.count("<svg") == 4
    assert text.count("flatness</th>") == 2  # at either number of shots
    assert "MMD x 1000" not in text
    assert text.count("data:image/png") >= 2
    assert 'name="viewport"' in text
    check_report(path, overwrite=False)  # ours: may be replaced
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("chromium is not installed (Debian: apt-get install chromium)")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--v=0", "--window-size=390,800"]
    ran = subprocess.run([chromium, *flags, "--dump-dom", path.as_uri()], capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0
    assert "Augmentation gain" in ran.stdout
    assert "CONSOLE" not in ran.stderr, ran.stderr


@pytest.mark.slow
def test_the_page_and_json_say_what_the_outside_net_saw(evaluated: workflow.Evaluated, tmp_path: Path) -> None:
    assert evaluated.as_dict()["outside"] is None
    seen = {"outside mmd": torch.tensor([0.25, -0.25, 0.251]), "outside neighbour": torch.tensor([0.5])}
    rows = [replace(row, score=Score.of(row.score.values | seen)) for row in evaluated.rows]
    judged = replace(evaluated, rows=tuple(rows), outside_side=224)
    assert judged.as_dict()["outside"] == {"net": "efficientnet-lite1", "side": 224}
    write_report(tmp_path / "r.html", judged, [], [])
    text = (tmp_path / "r.html").read_text()
    assert "looks at 224 pixels a side" in text
    assert text.count("<td>84 (-250 to 251)</td><td>50 (50 to 50)</td><td>–</td>") == len(rows)  # references too
    flat = rows[0].score.figures["flatness"]
    assert f"<td>{flat.mean:.2f} ({flat.low:.2f} to {flat.high:.2f})</td>" in text


def test_the_most_typical_image_comes_first(setup: setting.Setup) -> None:
    tasks = [draw_tasks(setup.source, 3, 5, 0, judges) for judges in (None, setup.judges)]
    moved = 0
    for any_first, typical_first in zip(*tasks, strict=True):
        drawn, ordered = (torch.cat([t.support, t.more, t.truth]) for t in (any_first, typical_first))
        features = setup.judges.describe(drawn)
        distance = torch.cdist(features, features.mean(0, keepdim=True))[:, 0]
        assert torch.equal(ordered[0], drawn[distance.argmin()])
        assert torch.allclose(ordered.sum(0), drawn.sum(0), atol=1e-4)  # none is lost
        moved += not torch.equal(ordered[0], drawn[0])
    assert moved
    with pytest.raises(UsageError, match="exemplar must be one of"):
        replace(SMALL, exemplar="first")


@pytest.mark.slow
def test_the_same_numbers_again_and_after_an_interruption(
    setup: setting.Setup, evaluated: workflow.Evaluated, tmp_path: Path
) -> None:
    cache, drawn = SampleCache(tmp_path / "cache"), 0

    def interrupt(what: str, done: int, whole: int) -> None:
        nonlocal drawn
        drawn += 1
        if drawn == 9:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        workflow.evaluate(setup, cache=cache, report=interrupt)
    kept = len(list(cache.folder.iterdir()))
    assert 6 <= kept <= 9
    again = workflow.evaluate(setup, cache=cache, report=silent)
    assert again.as_dict() == evaluated.as_dict()
    assert not cache.folder.exists()


@pytest.mark.slow
def test_gain_and_learning_curve(setup: setting.Setup, evaluated: workflow.Evaluated, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curve_workflow, "CURVE_STEPS", (0, 2))
    monkeypatch.setattr(curve_workflow, "SCRATCH_STEPS", (1,))
    monkeypatch.setattr(gains_workflow, "SHOTS", (2,))
    monkeypatch.setattr(gains_workflow, "GENERATED", 8)
    monkeypatch.setattr("metagan_cli.evaluation.gain.FEWEST_STEPS", 20)
    points = curve_workflow.learning_curve(setup, evaluated, silent)
    assert [(p.name, p.steps) for p in points] == [("tiny", 0), ("tiny", 2), ("from scratch", 1)]
    assert all(p.seconds > 0 for p in points)
    (gain,) = gains_workflow.augmentation_gains(setup, silent)
    assert gain.shots == 2
    assert all(0 <= x <= 1 for x in (gain.real, gain.augmented, gain.generated))


def test_leave_one_out(setup: setting.Setup, tmp_path: Path) -> None:
    folder = draw_folder(tmp_path / "one", 5)
    assert is_single_folder(str(folder))
    assert not is_single_folder(str(tmp_path))
    left = leave_one_out(DataConfig(str(folder)), setup.models[0], SMALL, silent)
    assert left.images == 5
    assert left.to_example > 0
    assert replace(left, to_sample=0.1, to_example=0.2).verdict.endswith("it generalises")
    assert replace(left, to_sample=0.2, to_example=0.2).verdict.endswith("it varies the examples")
    with pytest.raises(InputError, match="needs three"):
        leave_one_out(DataConfig(str(draw_folder(tmp_path / "two", 2))), setup.models[0], SMALL, silent)


def test_what_is_refused(setup: setting.Setup, tmp_path: Path) -> None:
    few = draw_folder(tmp_path / "tasks" / "a", 4).parent
    draw_folder(few / "b", 4)
    with pytest.raises(InputError, match="needs two tasks of 11 images"):
        workflow.evaluate(replace(setup, source=open_source(DataConfig(str(few)), 32, 1).all_tasks()), cache=None, report=silent)
    with pytest.raises(UsageError, match="ending"):
        check_report(tmp_path / "r.pdf", overwrite=False)
    foreign = tmp_path / "mine.html"
    foreign.write_text("<p>my own")
    with pytest.raises(OutputError, match="not written by metagan"):
        check_report(foreign, overwrite=False)
