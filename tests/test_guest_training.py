"""meta-train of the painter of guests: runs, resuming, what it takes over from a model, and what it refuses."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import TINY, refused, run
from drawn_hands import (
    HANDS,
    SIDE,
    UNSEEN,
    WITH_GUESTS,
    hand_net,
    ship,
    shipped,
    write_hands,
    write_nets,
)
from PIL import Image
from safetensors.torch import load

from metagan_cli.config import DataConfig, ModelConfig, Recipe, TrainConfig, VariationRules
from metagan_cli.data.guests import GuestEpisodes
from metagan_cli.data.sources.hands import for_training, open_hands
from metagan_cli.errors import MetaganError
from metagan_cli.learners.build import build_learner
from metagan_cli.networks.bundle import build_networks
from metagan_cli.rng import generator_for
from metagan_cli.store.models import load_model, save_model
from metagan_cli.store.recipes import read_recipe, to_toml
from metagan_cli.store.shipped import find_model
from metagan_cli.training import guests
from metagan_cli.training.guests import GuestLoop
from metagan_cli.workflows import meta_train as workflow
from metagan_cli.workflows import training

TRAIN = TrainConfig(
    steps=3,
    shots=(2, 4),
    queries=2,
    tasks_per_batch=2,
    head_start=1,
    generator_rate=4e-4,
    perception=1.0,
    critic=0.1,
    program=0.35,
    every=2,
    precision="fp32",
    keep=3,
)
CPU = torch.device("cpu")
PREVIEW = {"shots": (3,), "queries": 2, "tasks_per_batch": 2}
RULES = VariationRules(warp=0.05)  # of the model that guests come to
KEPT = ("encoder", "generator", "discriminator")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the packed file, the nets, and a model without guests."""
    folder = tmp_path_factory.mktemp("guests")
    write_hands(folder / "sets.npz")
    write_nets(folder / "nets")
    nets, learner = build_networks(TINY, generator_for(0, "plain"), RULES), build_learner(TINY)
    metadata = {"name": "plain", "step": 7, "seed": 0, "data": [{"name": "omniglot", "licence": "MIT"}], "shots": [1, 5]}
    save_model(folder / "plain.safetensors", TINY, nets, learner, metadata)
    return folder


def smaller(place: Path, patch: pytest.MonkeyPatch) -> None:
    """The nets of a folder, a small critic and small previews."""
    shipped(place / "nets", patch)
    patch.setattr(guests, "CRITIC", (32, 32, 8))
    for name, count in PREVIEW.items():
        patch.setitem(training.PREVIEW, name, count)


@pytest.fixture(autouse=True)
def small(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    smaller(place, monkeypatch)


def recipe_of(place: Path, **changes: Any) -> Recipe:
    return Recipe(
        "guests", WITH_GUESTS, replace(TRAIN, **changes), (DataConfig(str(place / "sets.npz"), shows="motif", licence="MIT"),)
    )


def train(folder: Path, recipe: Recipe, place: Path, **options: Any) -> workflow.TrainResult:
    from_model = {} if options.get("resume") else {"start_from": str(place / "plain.safetensors")}
    return workflow.meta_train(recipe, folder, device="cpu", **(from_model | options))


def tensors(folder: Path, step: int) -> dict[str, torch.Tensor]:
    return load((folder / "state" / f"step-{step:08d}.safetensors").read_bytes())


# Commands first: they are forked as long as nothing has been trained in this process.


def test_the_command_trains(place: Path, tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text(to_toml(recipe_of(place, steps=1, perception=0.0, critic=0.0)))
    bootstrap = f"{ship(place / 'nets')}\nfrom metagan_cli.workflows import training; training.PREVIEW |= {PREVIEW}"
    asked = ("--config", "recipe.toml", "--from", place / "plain.safetensors", "--device", "cpu", "--json")
    ran = run("meta-train", "run", *asked, cwd=tmp_path, bootstrap=bootstrap)
    assert ran.code == 0, ran.err
    assert f"fp32, {len(HANDS)} hands, 24 motifs" in ran.err
    assert json.loads(ran.out)["finished"]
    assert load_model(tmp_path / "run" / "model.safetensors").nets.guests is not None


def test_the_command_refuses_in_one_line(place: Path, tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text(to_toml(recipe_of(place)))
    line = refused(2, "meta-train", "run", "--config", "recipe.toml", cwd=tmp_path, bootstrap=ship(place / "nets"))
    assert "name one with --from" in line


@pytest.fixture(scope="module")
def whole(place: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of three steps."""
    with pytest.MonkeyPatch.context() as patch:
        smaller(place, patch)
        folder = tmp_path_factory.mktemp("whole") / "run"
        train(folder, recipe_of(place), place)
    return folder


def test_a_run_leaves_what_other_runs_leave(whole: Path) -> None:
    assert sorted(p.name for p in whole.iterdir()) == ["config.toml", "model.safetensors", "previews", "state", "stats.jsonl"]
    assert sorted(p.name for p in (whole / "previews").iterdir()) == ["00000002.png", "00000003.png"]
    with Image.open(whole / "previews" / "00000003.png") as preview:
        assert 12 * SIDE < preview.width < 14 * SIDE  # three drawings, and two guests, pictures and truths
        assert 2 * SIDE < preview.height < 3 * SIDE
    lines = [json.loads(line) for line in (whole / "stats.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(3))
    assert lines[0]["critic_loss"] == 0 < lines[1]["critic_loss"]  # the painter begins alone
    assert {line["shots"] for line in lines} <= {2, 4}
    assert all(line["energy"] > 0 for line in lines)


def test_all_but_the_painter_stays_as_it_was(whole: Path, place: Path) -> None:
    model, before = load_model(whole / "model.safetensors"), load_model(place / "plain.safetensors")
    assert model.config == WITH_GUESTS
    for name in KEPT:
        own, old = (getattr(nets, name).state_dict() for nets in (model.nets, before.nets))
        assert all(torch.equal(own[key], old[key]) for key in old)
    assert all(
        torch.equal(a, b) for a, b in zip(model.learner.state_dict().values(), before.learner.state_dict().values(), strict=True)
    )
    assert model.metadata["data"] == [{"name": "omniglot", "licence": "MIT"}, {"name": "sets", "licence": "MIT"}]
    assert model.metadata["shots"] == [1, 5]
    assert (model.name, model.metadata["step"]) == ("guests", 3)
    assert model.nets.generator.rules == RULES
    first = tensors(whole, 2)
    assert any(
        not torch.equal(first[name], tensor) for name, tensor in tensors(whole, 3).items() if name.startswith("nets.guests.")
    )


def test_an_interrupted_run_goes_on_bit_for_bit(whole: Path, place: Path, tmp_path: Path) -> None:
    calls = iter(range(100))
    stopped = train(tmp_path / "parts", recipe_of(place), place, stopped=lambda: next(calls) == 1)
    assert (stopped.step, stopped.finished) == (1, False)
    again = train(tmp_path / "parts", recipe_of(place), place, resume=True)
    assert (again.step, again.finished) == (3, True)
    one, other = tensors(whole, 3), tensors(tmp_path / "parts", 3)
    assert {name.partition(".")[0] for name in one} == {"nets", "learner", "average", "critic", "down", "up"}
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert (whole / "stats.jsonl").read_text() == (tmp_path / "parts" / "stats.jsonl").read_text()
    one_model, other_model = (load_model(folder / "model.safetensors") for folder in (whole, tmp_path / "parts"))
    assert one_model.metadata | {"seconds": 0} == other_model.metadata | {"seconds": 0}
    assert other_model.nets.generator.rules == RULES


def test_a_run_goes_on_from_a_model_with_guests(whole: Path, place: Path, tmp_path: Path) -> None:
    train(tmp_path / "on", recipe_of(place, steps=1), place, start_from=str(whole / "model.safetensors"))
    model = load_model(tmp_path / "on" / "model.safetensors")
    before = load_model(whole / "model.safetensors")
    assert model.metadata["data"] == before.metadata["data"]  # sources are named once
    assert model.nets.guests is not None
    assert before.nets.guests is not None
    moved = [(a - b).abs().max() for a, b in zip(model.nets.guests.parameters(), before.nets.guests.parameters(), strict=True)]
    assert 0 < max(moved) < 0.01  # one step from where that one ended


def test_refusals(place: Path, tmp_path: Path) -> None:
    recipe = recipe_of(place)
    plain = DataConfig("doodles")
    refusals: dict[str, tuple[Recipe, dict[str, Any]]] = {
        "guests come to a model that is trained already: name one with --from": (recipe, {"start_from": None}),
        r"guests = true in \[model\] goes with sources": (replace(recipe, data=(*recipe.data, plain)), {}),
        r"guests = true in \[model\] goes with": (replace(recipe, model=TINY), {}),
        r"sources that all say what they show, and with no others": (replace(recipe, data=(plain,)), {}),
        r"guests come to a model as it is": (replace(recipe, model=replace(WITH_GUESTS, inner_perception=2.0)), {}),
        r"plain.safetensors: guests come to a model as it is": (replace(recipe, model=replace(WITH_GUESTS, width=64)), {}),
        "painter = glyph: a painter in colour begins as one of a gray model": (recipe_of(place, painter="glyph"), {}),
        "has no array 'letter'": (replace(recipe, data=(replace(recipe.data[0], shows="letter"),)), {}),
        "no hands are left": (replace(recipe, data=(replace(recipe.data[0], only=("nobody",)),)), {}),
        "no hand draws 28 motifs": (recipe_of(place, queries=24), {}),
        "no such model file": (recipe, {"start_from": str(tmp_path / "nothing.safetensors")}),
    }
    for number, (says, (asked, options)) in enumerate(refusals.items()):
        with pytest.raises(MetaganError, match=says):
            train(tmp_path / f"run{number}", asked, place, **options)
        assert not (tmp_path / f"run{number}" / "config.toml").exists()


def test_without_held_out_hands_there_is_no_preview(place: Path, tmp_path: Path) -> None:
    recipe = recipe_of(place, steps=1, critic=0.0, perception=0.0)
    train(tmp_path / "run", replace(recipe, data=(replace(recipe.data[0], exclude=(UNSEEN,)),)), place)
    assert not list((tmp_path / "run" / "previews").iterdir())
    assert (tmp_path / "run" / "model.safetensors").is_file()


def test_the_painter_learns(place: Path) -> None:
    """From drawings of one hand, and guests of another: in a few steps pictures come nearer to the truths."""
    recipe = recipe_of(place, steps=40, tasks_per_batch=1, critic=0.0, perception=0.0, program=0.0, decay_from=1.0)
    nets = build_networks(WITH_GUESTS, generator_for(0, "painter")).eval()
    loop = GuestLoop(recipe, CPU, torch.float32, nets, build_learner(WITH_GUESTS), hand_net())
    hands = for_training(open_hands(recipe.data, SIDE, 1))
    episode = GuestEpisodes(hands, recipe.train).draw(0)
    apart = [loop.step(number, *episode.images).energy or 0.0 for number in range(30)]
    assert sum(apart[-3:]) / 3 < 0.85 * apart[0]
    averaged, _ = loop.averaged()
    assert averaged.guests is not None
    assert averaged.guests is not nets.guests
    moved = [(a - b).abs().max() for a, b in zip(averaged.guests.parameters(), loop.painter.parameters(), strict=True)]
    assert 0 < max(moved) < 0.2
    assert not any(parameter.requires_grad for parameter in loop.net.parameters())


def test_the_critic_learns_beside_the_painter_and_touches_nothing_else(place: Path) -> None:
    recipe = recipe_of(place, head_start=0, critic=1.0)
    nets = build_networks(WITH_GUESTS, generator_for(0, "painter")).eval()
    loop = GuestLoop(recipe, CPU, torch.float32, nets, build_learner(WITH_GUESTS), hand_net())
    before = {name: tensor.clone() for name, tensor in loop.tensors().items()}
    episode = GuestEpisodes(for_training(open_hands(recipe.data, SIDE, 1)), recipe.train).draw(0)
    stats = loop.step(0, *episode.images)
    assert 0.3 < stats.critic_loss < 1.5  # ln 2, about, of a critic that knows nothing
    after = loop.tensors()
    moved = {name.split(".")[0] + "." + name.split(".")[1] for name in before if not torch.equal(before[name], after[name])}
    assert {part for part in moved if part.startswith("nets")} == {"nets.guests"}
    assert any(part.startswith("critic") for part in moved)
    assert not any(part.startswith("learner") for part in moved)


def test_shipped_recipes_of_guests_go_with_the_shipped_model() -> None:
    for path in sorted((Path(__file__).resolve().parents[1] / "recipes").glob("guests-*.toml")):
        recipe = read_recipe(path)
        model = load_model(find_model("glyph" if recipe.model.channels == 1 else "picture")).config
        assert isinstance(model, ModelConfig)
        assert replace(model, guests=True) == recipe.model
        assert all(source.shows for source in recipe.data)
