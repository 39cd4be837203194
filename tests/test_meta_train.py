"""meta-train: the run folder, resuming, interruption, and that it learns."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import TINY, draw_folder, parts, refused, run
from PIL import Image
from safetensors.torch import load

from metagan_cli.config import ALGORITHMS, LEARNERS, AdaptConfig, DataConfig, Recipe, TrainConfig
from metagan_cli.data.episodes import Episodes
from metagan_cli.data.sources.open import open_source
from metagan_cli.errors import MetaganError
from metagan_cli.images.copies import distances
from metagan_cli.learners.game import InnerGame, Turn
from metagan_cli.objectives.thermostat import Thermostat
from metagan_cli.rng import generator_for
from metagan_cli.sampling.sampler import Sampler
from metagan_cli.store.recipes import to_toml
from metagan_cli.training import outer_loop as outer
from metagan_cli.training.outer_loop import OuterLoop
from metagan_cli.workflows import meta_train as workflow
from metagan_cli.workflows import training
from metagan_cli.workflows.adapt import learn
from metagan_cli.workflows.inspect import inspect

CPU = torch.device("cpu")
TRAIN = TrainConfig(
    steps=6,
    queries=4,
    tasks_per_batch=2,
    shots=(1, 3),
    every=2,
    head_start=1,
    inner_steps=2,
    inner_share=0.5,
    precision="fp32",
    keep=3,
)
RECIPE = Recipe("tiny", TINY, TRAIN)


@pytest.fixture(autouse=True)
def few_tasks_for_the_domain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "DOMAIN_TASKS", 24)  # they are drawn at every start, and take seconds


def train(folder: Path, recipe: Recipe = RECIPE, **options: Any) -> workflow.TrainResult:
    return workflow.meta_train(recipe, folder, device="cpu", **options)


def tensors(folder: Path, step: int) -> dict[str, torch.Tensor]:
    return load((folder / "state" / f"step-{step:08d}.safetensors").read_bytes())


def test_a_run_leaves_what_the_contract_names(tmp_path: Path) -> None:
    result = train(tmp_path / "run")
    assert result.finished
    assert result.step == 6
    folder = tmp_path / "run"
    assert sorted(p.name for p in folder.iterdir()) == ["config.toml", "model.safetensors", "previews", "state", "stats.jsonl"]
    assert sorted(p.name for p in (folder / "previews").iterdir()) == [f"{i:08d}.png" for i in (2, 4, 6)]
    with Image.open(folder / "previews" / "00000006.png") as preview:
        assert preview.width > 500
        assert preview.convert("L").getextrema() == (0, 255)
    lines = [json.loads(line) for line in (folder / "stats.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(6))
    assert {"critic_loss", "generator_loss", "energy", "margin", "spread", "penalty", "shots"} <= set(lines[0])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("learner", "algorithm"),
    [("attention", "maml"), ("rnn", "maml"), *(("gradient", a) for a in ALGORITHMS)],
    ids=[*LEARNERS[:2], *ALGORITHMS],
)
def test_every_learner_trains_and_resumes_bit_for_bit(
    learner: str, algorithm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Thermostat, "BEHIND", 9.0)  # the generator learns from the second step on
    recipe = replace(RECIPE, model=replace(TINY, learner=learner, algorithm=algorithm))
    train(tmp_path / "whole", recipe)
    train(tmp_path / "parts", replace(recipe, train=replace(TRAIN, decay_from=1.0, steps=3)))
    config = tmp_path / "parts" / "config.toml"
    config.write_text(to_toml(replace(recipe, train=replace(TRAIN, steps=3))))
    stored = {name.partition(".")[0] for name in tensors(tmp_path / "parts", 3)}
    assert stored >= {"nets", "averages", "generator_adam", "critic_adam"}
    train(tmp_path / "parts", recipe, resume=True)
    whole, parts = tensors(tmp_path / "whole", 6), tensors(tmp_path / "parts", 6)
    assert whole.keys() == parts.keys()
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
    stats = [(tmp_path / name / "stats.jsonl").read_text() for name in ("whole", "parts")]
    assert stats[0] == stats[1]
    adapted = learn(draw_folder(tmp_path / "folder", 4), AdaptConfig(str(tmp_path / "whole" / "model.safetensors"), learner))
    assert adapted.inner_steps == AdaptConfig.steps
    with pytest.raises(MetaganError, match=f"trained with {learner}"):
        learn(tmp_path / "folder", AdaptConfig(str(tmp_path / "whole" / "model.safetensors"), "other"))


@pytest.mark.slow
def test_the_seed_decides(tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        train(tmp_path / name, replace(RECIPE, train=replace(TRAIN, seed=seed, steps=2)))
    a, b, c = (tensors(tmp_path / name, 2) for name in "abc")
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert not all(torch.equal(a[name], c[name]) for name in a)


@pytest.mark.slow
def test_a_budget_ends_a_run(tmp_path: Path) -> None:
    result = train(tmp_path / "run", replace(RECIPE, train=replace(TRAIN, steps=10_000, every=10_000)), budget=1.0)
    assert not result.finished
    assert 0 < result.step < 10_000
    assert (tmp_path / "run" / "model.safetensors").is_file()
    assert (
        train(tmp_path / "run", replace(RECIPE, train=replace(TRAIN, steps=10_000)), resume=True, budget=0.2).step > result.step
    )


@pytest.mark.slow
def test_only_some_settings_may_change(tmp_path: Path) -> None:
    train(tmp_path / "run", replace(RECIPE, train=replace(TRAIN, steps=2)))
    assert train(tmp_path / "run", RECIPE, resume=True).step == 6
    other = replace(RECIPE, train=replace(TRAIN, seed=5), data=(DataConfig("fonts"),))
    with pytest.raises(MetaganError, match=r"seed was 0, is 5; data was doodles, is fonts"):
        train(tmp_path / "run", other, resume=True)
    with pytest.raises(MetaganError, match=r"data was doodles, is doodles \(weight 2.0\)"):
        train(tmp_path / "run", replace(RECIPE, data=(DataConfig("doodles", 2.0),)), resume=True)
    with pytest.raises(MetaganError, match="--resume goes on with it"):
        train(tmp_path / "run")
    with pytest.raises(MetaganError, match="no run to resume"):
        train(tmp_path / "nothing", resume=True)


@pytest.mark.slow
def test_a_damaged_checkpoint_is_passed_over(tmp_path: Path) -> None:
    train(tmp_path / "run")
    newest = tmp_path / "run" / "state" / "step-00000006.safetensors"
    newest.write_bytes(newest.read_bytes()[:1000])
    said: list[str] = []
    result = train(tmp_path / "run", replace(RECIPE, train=replace(TRAIN, steps=8)), resume=True, say=said.append)
    assert result.step == 8
    assert any("truncated" in line for line in said)
    assert "going on after step 4" in said


@pytest.mark.slow
def test_starting_from_a_model(tmp_path: Path, tiny_model: Path) -> None:
    still = replace(TRAIN, steps=1, head_start=5)
    train(tmp_path / "run", replace(RECIPE, train=still), start_from=str(tiny_model))
    model, state = load(tiny_model.read_bytes()), tensors(tmp_path / "run", 1)
    name = "nets.generator.out.weight"
    assert torch.equal(model[name].float(), state[name])
    train(
        tmp_path / "more",
        replace(RECIPE, model=replace(TINY, pack=4), train=replace(still, queries=4)),
        start_from=str(tiny_model),
    )
    train(tmp_path / "learner", replace(RECIPE, model=replace(TINY, learner="rnn"), train=still), start_from=str(tiny_model))
    assert torch.equal(model[name].float(), tensors(tmp_path / "learner", 1)[name])
    train(tmp_path / "colour", replace(RECIPE, model=replace(TINY, channels=3), train=still), start_from=str(tiny_model))
    assert torch.equal(-model[name].float().repeat(3, 1, 1, 1), tensors(tmp_path / "colour", 1)[name])
    with pytest.raises(MetaganError, match="another architecture"):
        train(tmp_path / "other", replace(RECIPE, model=replace(TINY, tokens=64)), start_from=str(tiny_model))


@pytest.mark.slow
def test_nothing_is_lost_to_a_start_that_cannot_be(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with pytest.raises(MetaganError, match="no such file"):
        train(folder, start_from="nowhere")
    train(folder)  # a failed start is no run
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(MetaganError, match="no such file"):
        train(folder, overwrite=True, start_from="nowhere")
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    last = train(
        folder,
        replace(RECIPE, train=replace(TRAIN, steps=1, head_start=5)),
        overwrite=True,
        start_from=str(folder / "model.safetensors"),
    )
    assert last.step == 1
    assert not (folder / "state" / "step-00000006.safetensors").exists()


@pytest.mark.slow
def test_a_run_keeps_the_precision_that_was_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[str]()

    def measured(name: str, device: torch.device) -> torch.dtype:
        asked.append(name)
        return torch.float32 if name == "fp32" else torch.bfloat16

    monkeypatch.setattr(training, "choose_precision", measured)
    recipe = replace(RECIPE, train=replace(TRAIN, precision="auto"))
    train(tmp_path / "run", replace(recipe, train=replace(recipe.train, steps=1)))
    train(tmp_path / "run", replace(recipe, train=replace(recipe.train, steps=2)), resume=True)
    assert asked == ["auto", "bf16"]


def test_a_dead_critic_is_pointed_out() -> None:
    loop, watch = OuterLoop(RECIPE, CPU, torch.float32), workflow.DeadCritic()
    stats = loop.step(0, *parts(Episodes([open_source(DataConfig(), 32, 1).train], [1.0], TRAIN).draw(0)))
    dead = replace(stats, spread=0.001, margin=0.001)
    said = [watch.warning(dead) for _ in range(workflow.DEAD_AFTER)]
    assert not any(said[:-1])
    assert "dead" in said[-1]
    assert not watch.warning(replace(stats, spread=0.5))


def test_the_generators_side_averages_and_the_critic_learns(tmp_path: Path) -> None:
    loop = OuterLoop(RECIPE, CPU, torch.float32)
    episodes = Episodes([open_source(DataConfig(), 32, 1).train], [1.0], TRAIN)
    before = {name: tensor.clone() for name, tensor in loop.tensors().items()}
    first = loop.step(0, *parts(episodes.draw(0)))
    assert first.generator_loss is None  # the critic's head start
    changed = {n.split(".")[1] for n, t in loop.tensors().items() if n in before and not torch.equal(t, before[n])}
    assert changed == {"discriminator"}
    loop.thermostat.mean = 0.5  # the critic leads
    loop.step(1, *parts(episodes.draw(1)))
    after = loop.tensors()
    name = "generator.out.weight"
    assert not torch.equal(after[f"nets.{name}"], before[f"nets.{name}"])
    assert not torch.equal(after[f"averages.{name}"], after[f"nets.{name}"])


@pytest.mark.parametrize("algorithm", ["maml", "fomaml"])
def test_gradients_through_inner_steps_are_cut(algorithm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outer, "LARGEST", 1e-3)
    train = replace(TRAIN, shots=(3,), tasks_per_batch=2, head_start=0)
    recipe = Recipe("cut", replace(TINY, learner="gradient", algorithm=algorithm), train)
    loop = OuterLoop(recipe, CPU, torch.float32)
    loop.thermostat.mean = 0.5  # the critic leads
    loop.step(0, *parts(Episodes([open_source(DataConfig(), 32, 1).train], [1.0], train).draw(0)))
    norm = torch.cat([p.grad.flatten() for p in loop.generating().parameters() if p.grad is not None]).norm()
    assert (float(norm) <= 1.01e-3) == (algorithm == "maml")


def test_second_order_comes_after_the_share_of_first_order(monkeypatch: pytest.MonkeyPatch) -> None:
    train = replace(TRAIN, steps=4, shots=(3,), tasks_per_batch=2, head_start=0, first_order=0.5)
    episodes = Episodes([open_source(DataConfig(), 32, 1).train], [1.0], train)

    turns, play = list[Turn](), InnerGame.play

    def watched(*args: Any) -> Turn:
        turns.append(play(*args))
        return turns[-1]

    monkeypatch.setattr(InnerGame, "play", watched)

    def orders(algorithm: str) -> list[bool]:
        """Whether the inner gradients of each outer step had derivatives."""
        loop = OuterLoop(Recipe("annealed", replace(TINY, learner="gradient", algorithm=algorithm), train), CPU, torch.float32)
        loop.thermostat.mean, found = 0.5, []  # the critic leads
        for step in range(4):
            turns.clear()
            loop.step(step, *parts(episodes.draw(step)))
            (order,) = {turn.code_each.requires_grad for turn in turns}
            found.append(order)
        return found

    assert orders("maml") == [False, False, True, True]
    assert orders("fomaml") == [False] * 4


@pytest.mark.slow
def test_it_learns(tmp_path: Path) -> None:
    """After a minute of doodles a tiny model's samples of an unseen task vary, and stay nearer to it than to others."""
    train = TrainConfig(steps=200, tasks_per_batch=4, queries=4, precision="fp32", inner_steps=0, generator_rate=4e-4)
    recipe = Recipe("learns", TINY, train)
    loop = OuterLoop(recipe, CPU, torch.float32)
    split = open_source(DataConfig(), 32, 1)
    episodes = Episodes([split.train], [1.0], recipe.train)
    tasks = [split.held_out.draw(t, 8, generator_for(t, "t")).float() / 127.5 - 1 for t in range(8)]

    def variety() -> list[torch.Tensor]:
        nets, learner = loop.averaged()
        drawn = []
        for images in tasks:
            with torch.no_grad():
                state = learner.adapt(nets, images[None, :1], 0, loop.game, generator_for(0, "adapt"))
            drawn.append(Sampler(nets, state, drafts=1).draw(range(8)))
        return drawn

    def apart(drawn: list[torch.Tensor]) -> float:
        return sum(float(distances(samples, task[:1]).mean()) for samples, task in zip(drawn, tasks, strict=True)) / len(tasks)

    start = apart(variety())
    for step in range(recipe.train.steps):
        loop.step(step, *parts(episodes.draw(step)))
    drawn = variety()
    assert apart(drawn) > 1.5 * start
    own = [float(distances(samples, task).amin(1).mean()) for samples, task in zip(drawn, tasks, strict=True)]
    other = [float(distances(samples, tasks[i - 1]).amin(1).mean()) for i, samples in enumerate(drawn)]
    assert sum(a < b for a, b in zip(own, other, strict=True)) >= 7


def test_a_run_that_was_killed_before_its_first_checkpoint_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    short = replace(RECIPE, train=replace(TRAIN, steps=2))
    train(tmp_path / "whole", short)
    train(tmp_path / "first", replace(short, train=replace(short.train, seed=9)))
    model = tmp_path / "first" / "model.safetensors"
    train(tmp_path / "from", short, start_from=str(model))
    for name, origin in (("again", None), ("again-from", str(model))):
        with monkeypatch.context() as context:
            context.setattr(workflow, "save_model", killed)  # after the first stats were written
            with pytest.raises(KeyboardInterrupt):
                train(tmp_path / name, short, start_from=origin)
        with (tmp_path / name / "stats.jsonl").open("a") as file:
            file.write('{"step": 2, "sh')
        assert inspect(tmp_path / name)["last"]["step"] == 1
    model.unlink()  # what a run began with it has
    for name, whole in (("again", "whole"), ("again-from", "from")):
        train(tmp_path / name, short, resume=True)
        assert (tmp_path / name / "stats.jsonl").read_text() == (tmp_path / whole / "stats.jsonl").read_text()
        for key, tensor in tensors(tmp_path / whole, 2).items():
            assert torch.equal(tensors(tmp_path / name, 2)[key], tensor), (name, key)


def killed(*arguments: object) -> None:
    raise KeyboardInterrupt


# --- the command ---


def test_dry_run_changes_nothing(tmp_path: Path) -> None:
    ran = run("meta-train", "out", "--steps", "77", "--dry-run", cwd=tmp_path)
    assert ran.code == 0
    assert "steps = 77" in ran.out
    assert not list(tmp_path.iterdir())


def test_no_option_at_all_means_doodles_at_32_pixels(tmp_path: Path) -> None:
    ran = run("meta-train", "--dry-run", "--json", cwd=tmp_path)
    recipe = json.loads(ran.out)["recipe"]
    assert recipe["model"]["image_size"] == 32
    assert [d["source"] for d in recipe["data"]] == ["doodles"]
    assert json.loads(ran.out)["out"] == "metagan-run"


def test_a_file_where_the_run_should_be(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("mine")
    assert "run" in refused(5, "meta-train", "run", cwd=tmp_path)
