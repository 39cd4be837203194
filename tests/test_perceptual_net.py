"""The perceiver: what it sees, how it is stored, that its training works, and that the outer loop listens to it."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from conftest import TINY, parts

from metagan_cli.config import DataConfig, ModelConfig, Recipe, TrainConfig
from metagan_cli.data.episodes import Episode, Episodes
from metagan_cli.data.sources.doodles import Doodles
from metagan_cli.data.sources.open import open_source
from metagan_cli.errors import CheckpointError
from metagan_cli.networks.bundle import Networks
from metagan_cli.networks.perceptual_net import FEATURES, SIDE, PerceptualNet, build_perceptual_net, look
from metagan_cli.networks.state import TaskState
from metagan_cli.networks.weights import flat
from metagan_cli.objectives.energy_distance import by_features, energy_score
from metagan_cli.rng import generator_for, seeded
from metagan_cli.store.features import load_perceptual_net, save_perceptual_net
from metagan_cli.store.models import load_model, save_model
from metagan_cli.training.outer_loop import OuterLoop
from recipes import train_perceptual_net


def drawings(count: int, task: int = 5) -> torch.Tensor:
    images = Doodles(64).draw(task, count, generator_for(task, "perceiver"))[:, None].float() / 127.5 - 1
    return F.pad(images[:, :, 8:-8, 8:-8], (8, 8, 8, 8), value=-1)


def fresh(channels: int = 1) -> PerceptualNet:
    with seeded(generator_for(3, "perceiver")):
        return build_perceptual_net(channels).eval()


def test_gray_pictures_are_centred() -> None:
    images = drawings(4)
    seen, moved = look(images), look(images.roll((4, -6), (2, 3)))
    assert seen.shape == (4, 1, SIDE, SIDE)
    assert (seen - moved).abs().mean() < 1e-5 < (look(images) - look(drawings(4, 6))).abs().mean()
    assert torch.equal(look(-torch.ones(1, 1, 64, 64)), -torch.ones(1, 1, SIDE, SIDE))


def test_colour_stays_where_it_is() -> None:
    images = drawings(4).expand(-1, 3, -1, -1)
    assert torch.equal(look(images), F.avg_pool2d(images, 2))


def test_images_are_described_one_by_one_and_with_a_gradient() -> None:
    net, images = fresh(), drawings(6).unflatten(0, (2, 3)).requires_grad_()
    kinds = net.describe(images)
    assert kinds[1].shape == (2, 3, FEATURES)
    assert len(kinds) == 4
    for whole, alone in zip(kinds, net.describe(images[1:, :1]), strict=True):
        assert torch.allclose(whole[1:, :1], alone, atol=1e-5)
    torch.cat(kinds, 2).square().sum().backward()
    assert images.grad is not None
    assert images.grad.flatten(2).norm(dim=2).min() > 0


def test_its_features_make_an_energy_distance() -> None:
    by = by_features(fresh().requires_grad_(False).describe)
    halves = [drawings(16, 40 + i)[None].split(8, 1) for i in range(6)]
    scores = [float(energy_score(first, second, by=by)) for first, second in halves]
    other = [float(energy_score(drawings(8, 40 + i)[None], drawings(8, 60 + i)[None], by=by)) for i in range(6)]
    assert abs(sum(scores) / 6) < 0.1
    assert min(other) > max(scores)


def test_file_round_trip(tmp_path: Path) -> None:
    net, path = fresh(3), tmp_path / "perceiver.safetensors"
    written = save_perceptual_net(path, net, {"seed": 0})
    read, digest = load_perceptual_net(path)
    images = drawings(3).expand(-1, 3, -1, -1)
    assert digest == written
    assert read.channels == 3
    assert not any(p.requires_grad for p in read.parameters())
    assert torch.allclose(read(images)[0], net(images)[0], atol=2e-2)


def test_another_file_is_refused(tiny_model: Path) -> None:
    with pytest.raises(CheckpointError, match="kind 'model', not perceiver"):
        load_perceptual_net(tiny_model)


@pytest.mark.slow
def test_training_lowers_the_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_perceptual_net, "WAYS", 12)
    monkeypatch.setattr(train_perceptual_net, "BATCH", 16)
    net, sources = fresh(), [open_source(DataConfig(), 64, 1).train]

    def loss(step: int) -> torch.Tensor:
        return train_perceptual_net.loss_of(net, sources, torch.ones(1), 0, step)

    before = sum(loss(step).item() for step in range(1000, 1004))
    adam = torch.optim.Adam(net.parameters(), train_perceptual_net.RATE)
    for step in range(12):
        adam.zero_grad()
        loss(step).backward()
        adam.step()
    assert sum(loss(step).item() for step in range(1000, 1004)) < 0.9 * before


def test_the_outer_loop_listens_to_it() -> None:
    """The generator's updates are others with the perceiver, and the same ones with a weight of zero."""
    train = TrainConfig(steps=10, shots=(2,), queries=4, tasks_per_batch=2, inner_steps=0, head_start=0, perception=4.0)
    model = ModelConfig(width=32, tokens=32, style=32, fine=8, critic_tokens=32)
    episodes = Episodes([open_source(DataConfig(), 32, 1).train], [1.0], train)

    def updated(weight: float, perceiver: PerceptualNet | None, middle: float = 0.0) -> torch.Tensor:
        recipe = Recipe("", model, replace(train, perception=weight, middle=middle))
        loop = OuterLoop(recipe, torch.device("cpu"), torch.float32, perceiver)
        for step in range(6):  # the generator waits at first
            loop.step(step, *parts(episodes.draw(step)))
        return flat(loop.nets.generator)

    net, without = fresh().requires_grad_(False), updated(0.0, None)
    assert torch.equal(updated(0.0, net), without)
    listening = updated(4.0, net)
    assert not torch.equal(listening, without)
    assert not torch.equal(updated(4.0, net, middle=1.0), listening)
    assert all(p.grad is None for p in net.parameters())


def test_one_example_is_the_most_typical_to_it_where_the_recipe_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """In every task the image whose features lie nearest to their mean; the others, in their order, are the queries."""
    net = fresh().requires_grad_(False)

    def seen(exemplar: str, shots: int) -> tuple[Episode, torch.Tensor]:
        train = TrainConfig(
            steps=1, shots=(shots,), queries=6, tasks_per_batch=4, inner_steps=0, perception=4.0, exemplar=exemplar
        )
        episode = Episodes([open_source(DataConfig(), 32, 1).train], [1.0], train).draw(0)
        loop, found = OuterLoop(Recipe("", TINY, train), torch.device("cpu"), torch.float32, net), []
        begin = loop.learner.begin

        def watched(nets: Networks, support: torch.Tensor) -> TaskState:
            found.append(support)
            return begin(nets, support)

        monkeypatch.setattr(loop.learner, "begin", watched)
        loop.step(0, *parts(episode))
        return episode, found[0]

    for exemplar, shots in (("random", 1), ("prototype", 2)):
        episode, support = seen(exemplar, shots)
        assert torch.equal(support, episode.support)
    episode, support = seen("prototype", 1)
    images = torch.cat([episode.support, episode.query], 1)
    features = net.contrast(net(images.flatten(0, 1))[0]).unflatten(0, images.shape[:2])
    typical = torch.cdist(features, features.mean(1, keepdim=True))[:, :, 0].argmin(1)
    assert typical.any()  # not always the first
    assert torch.equal(support[:, 0], images[torch.arange(4), typical])


def test_a_model_whose_inner_game_listens_to_it_carries_it(tmp_path: Path) -> None:
    config, net, path = replace(TINY, inner_perception=4.0), fresh(), tmp_path / "model.safetensors"
    loop = OuterLoop(Recipe("", config, TrainConfig(steps=1)), torch.device("cpu"), torch.float32, net)
    assert loop.nets.perceiver is not None
    assert loop.perceived is None
    assert not any(parameter.requires_grad for parameter in loop.nets.perceiver.parameters())
    save_model(path, config, *loop.averaged(), {})
    read = load_model(path).nets.perceiver
    assert read is not None
    for kept, given in zip(read.parameters(), net.parameters(), strict=True):
        assert torch.allclose(kept, given, atol=1e-3)
        assert not kept.requires_grad
