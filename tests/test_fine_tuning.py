"""Adapting deeper than the state, and the held-out images that say when to stop."""

import pytest
import torch
from conftest import TINY, gaussian, stirred_networks

from metagan_cli.learners import fine_tuning as module
from metagan_cli.learners.build import build_learner
from metagan_cli.learners.fine_tuning import can_deepen, deepen
from metagan_cli.learners.game import inner_game
from metagan_cli.networks.weights import flat
from metagan_cli.objectives.energy_distance import energy_of_observation, energy_score


def support(count: int) -> torch.Tensor:
    images = torch.full((count, 1, 32, 32), -1.0)
    for i in range(count):
        images[i, :, 6 + i : 20 + i, 14:18] = 1.0
    return images


def deepened(deepest: str, monkeypatch: pytest.MonkeyPatch, scores: list[float], count: int = 6) -> module.Deepened:
    """With the held-out images' scores as told, so that only they decide."""
    told = iter(scores)
    monkeypatch.setattr(module, "_score", lambda *_: next(told))
    monkeypatch.setattr(module, "MOST", 2)
    monkeypatch.setattr(module, "STRETCH", 2)
    nets, learner = stirred_networks(), build_learner(TINY)
    before = flat(nets.generator)
    done = deepen(nets, learner, support(count), inner_game(TINY, 2), deepest, seed=0)
    assert torch.equal(flat(nets.generator), before), "the base itself has changed"
    return done


def changed(done: module.Deepened) -> set[str]:
    own = stirred_networks().generator
    pairs = zip(own.named_parameters(), done.nets.generator.parameters(), strict=True)
    return {name for (name, before), after in pairs if not torch.equal(before, after)}


def test_the_modulation_opens_first_and_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    done = deepened("modulation", monkeypatch, [3.0, 2.0, 1.0])
    assert (done.depth, done.steps, done.held_out, done.scores) == ("modulation", 4, 1, (3.0, 2.0, 1.0))
    names = changed(done)
    assert "map.0.weight" in names
    assert "blocks.0.scale_first.weight" in names
    assert not any("gather" in name or ".second.weight" in name and "scale" not in name for name in names)


def test_then_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    done = deepened("all", monkeypatch, [5.0, 4.0, 3.0, 2.0, 1.0])
    assert done.depth == "all"
    assert done.steps == 8
    assert {"gather.out.weight", "out.weight", "blocks.3.second.weight"} <= changed(done)


def test_what_does_not_help_is_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    done = deepened("all", monkeypatch, [3.0, 3.5])
    assert (done.depth, done.steps) == ("state", 2)
    assert not changed(done)
    one = deepened("modulation", monkeypatch, [3.0, 2.0, 2.5])
    half = deepened("modulation", monkeypatch, [3.0, 2.0, 1.0])
    assert one.depth == "modulation"
    assert changed(one)
    assert not torch.equal(flat(one.nets.generator), flat(half.nets.generator))


def test_it_ends_when_time_does(monkeypatch: pytest.MonkeyPatch) -> None:
    told = iter([3.0, 2.0, 1.0])
    monkeypatch.setattr(module, "_score", lambda *_: next(told))
    monkeypatch.setattr(module, "STRETCH", 1)
    late = iter([False, True])
    done = deepen(stirred_networks(), build_learner(TINY), support(6), inner_game(TINY, 2), "all", 0, lambda: next(late))
    assert done.steps == 1
    assert done.depth == "modulation"


def test_no_other_depth_begins_after_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    told = iter([3.0, 2.0, 2.5])
    monkeypatch.setattr(module, "_score", lambda *_: next(told))
    monkeypatch.setattr(module, "STRETCH", 1)
    late = iter([False, False, True])
    done = deepen(stirred_networks(), build_learner(TINY), support(6), inner_game(TINY, 2), "all", 0, lambda: next(late))
    assert done.steps == 2
    assert done.depth == "modulation"


def test_few_images_hold_none_out() -> None:
    game, learner = inner_game(TINY), build_learner(TINY)
    assert [can_deepen(game, learner, shots) for shots in (1, 3, 4, 5, 20)] == [False, False, False, True, True]


def test_the_score_of_an_observation_is_proper() -> None:
    """Samples from where the observation came from score best: better than others, and than copies of one image."""
    shapes = support(8)[None]
    noise = 0.1 * gaussian("noise", 2, 24, 1, 32, 32)
    near = shapes[:, torch.arange(24) % 8] + noise[:1]
    far = -near
    held = shapes[:, :4] + 0.1 * gaussian("held", 1, 4, 1, 32, 32)
    scores = [float(energy_of_observation(held, fake, shapes)) for fake in (near, far)]
    assert scores[0] < scores[1]
    copies = shapes[:, :1].expand(-1, 24, -1, -1, -1)
    assert scores[0] < float(energy_of_observation(held, copies, shapes))
    distances = [float(energy_score(held, fake)) for fake in (near, far)]
    assert (distances[0] < distances[1]) == (scores[0] < scores[1])
