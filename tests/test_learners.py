"""Meta-learners: every one adapts, gradients through adaptation are right, and each does what its name says."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import TINY, stirred_networks
from test_networks import drawings

from metagan_cli.config import AdaptConfig, ModelConfig
from metagan_cli.errors import CheckpointError
from metagan_cli.learners import reptile, rnn
from metagan_cli.learners.attention import AttentionLearner
from metagan_cli.learners.base import Learner, players
from metagan_cli.learners.build import build_learner
from metagan_cli.learners.game import InnerGame
from metagan_cli.learners.gradient import RATE, GradientLearner
from metagan_cli.learners.reptile import ReptileLearner
from metagan_cli.learners.rnn import LearnedOptimizer, RecurrentLearner
from metagan_cli.learners.steps import evened
from metagan_cli.networks.bundle import Networks, build_networks
from metagan_cli.networks.state import TaskState, draw_latents
from metagan_cli.networks.weights import flat, put
from metagan_cli.objectives.gan_losses import gradient_penalty
from metagan_cli.rng import generator_for
from metagan_cli.store.models import BaseModel, check_state, load_adapted, save_adapted
from metagan_cli.workflows.evaluate.baselines import draw_adapted

ALL = [("attention", "maml"), ("rnn", "maml"), *(("gradient", a) for a in ("maml", "fomaml", "reptile", "meta-sgd"))]
NAMES = [name if name != "gradient" else algorithm for name, algorithm in ALL]


def config(learner: str, algorithm: str = "maml") -> ModelConfig:
    return replace(TINY, learner=learner, algorithm=algorithm)


def parts(learner: str, algorithm: str = "maml", form: str = TINY.inner_loss) -> tuple[Networks, Learner]:
    """Tiny networks, and a learner."""
    chosen = replace(config(learner, algorithm), inner_loss=form)
    return stirred_networks(), build_learner(chosen, generator_for(3, "learner"))


def adapted(nets: Networks, learner: Learner, support: torch.Tensor, steps: int, game: InnerGame | None = None) -> TaskState:
    return learner.adapt(nets, support, steps, game or InnerGame(), generator_for(0, "adapt"))


def sampled(nets: Networks, state: TaskState, count: int = 4) -> torch.Tensor:
    latents = draw_latents(state.tasks, count, nets.generator.latent_sizes, generator_for(9, "latents"))
    return torch.as_tensor(nets.generator(latents, state)[0])


@pytest.mark.parametrize(("name", "algorithm"), ALL, ids=NAMES)
def test_every_learner_adapts_and_its_state_is_stored(name: str, algorithm: str, tmp_path: Path) -> None:
    nets, learner = parts(name, algorithm)
    support = drawings(2, 4)
    with torch.no_grad():
        first, state, again, alone = (
            adapted(nets, learner, s, n) for s, n in ((support, 0), (support, 3), (support, 3), (support[1:], 0))
        )
        images = sampled(nets, state)
    assert images.shape == (2, 4, 1, 32, 32)
    assert state.memory == ()
    assert not torch.allclose(sampled(nets, first), images, atol=1e-3)
    assert torch.equal(images, sampled(nets, again))
    assert torch.allclose(sampled(nets, alone), sampled(nets, first.task(1)), atol=1e-4)
    base = BaseModel(config(name, algorithm), nets, learner, {"name": "x"}, "h", tmp_path / "x")
    save_adapted(tmp_path / "a.safetensors", state.task(0), base, {}, standalone=False)
    read = load_adapted(tmp_path / "a.safetensors").state
    check_state(tmp_path, read, base)
    with pytest.raises(CheckpointError, match="weights"):
        check_state(tmp_path, replace(read, weights=torch.zeros(1, 5)), base)
    assert torch.allclose(sampled(nets, read), sampled(nets, state.task(0)), atol=2e-2)


@pytest.mark.parametrize(("name", "algorithm"), ALL, ids=NAMES)
def test_a_generator_that_sees_no_support_knows_it_by_inner_steps_alone(name: str, algorithm: str) -> None:
    _, learner = parts(name, algorithm)
    nets = build_networks(replace(TINY, feed_forward=False), generator_for(0, "blind"))
    with torch.no_grad():
        first, state = (adapted(nets, learner, drawings(2, 4), steps) for steps in (0, 3))
        latents = draw_latents(1, 4, nets.generator.latent_sizes, generator_for(9, "latents"))
        before, after = ([nets.generator(latents, s.task(task))[0] for task in range(2)] for s in (first, state))
    assert torch.allclose(before[0], before[1], atol=1e-5)
    assert not torch.allclose(after[0], after[1], atol=1e-4)


@pytest.mark.parametrize(("name", "algorithm"), [p for p in ALL if "reptile" not in p], ids=[n for n in NAMES if n != "reptile"])
def test_the_outer_loss_reaches_all_that_is_learned(name: str, algorithm: str) -> None:
    nets, learner = parts(name, algorithm)
    (sampled(nets, adapted(nets, learner, drawings(2, 4), 2)) ** 2).mean().backward()
    unused = {n for n, p in learner.named_parameters() if p.requires_grad and p.grad is None}
    assert unused <= {n for n, _ in learner.named_parameters() if n.startswith("up.")}  # first order: judge moves no sample yet
    assert all(p.grad is not None for p in nets.generator.parameters())


def test_the_encoder_learns_through_every_unroll() -> None:
    def learning(steps: int) -> set[str]:
        nets, learner = parts("rnn")
        (sampled(nets, adapted(nets, learner, drawings(2, 4), steps)) ** 2).mean().backward()
        return {name for name, p in nets.encoder.named_parameters() if p.grad is not None}

    assert learning(rnn.UNROLL + 1) == learning(rnn.UNROLL) != set()


def outer_loss(nets: Networks, learner: Learner, support: torch.Tensor, steps: int) -> torch.Tensor:
    state = adapted(nets, learner, support, steps)
    images = sampled(nets, replace(state, tokens=state.tokens.detach()))
    return (images * torch.linspace(-1, 1, 32)).mean() * 10


@pytest.mark.parametrize(("algorithm", "steps"), [("maml", 2), ("meta-sgd", 1)])
@pytest.mark.parametrize("form", ["relativistic", "wasserstein"])
def test_gradients_through_adaptation_against_finite_differences(algorithm: str, steps: int, form: str) -> None:
    nets, learner = parts("gradient", algorithm)
    torch.nn.init.constant_(nets.generator.sway.bias, -0.6)  # hardly any bend: sampling bent images has kinks
    nets.double(), learner.double()
    assert isinstance(learner, GradientLearner)
    support, game = drawings(2, 4).double(), InnerGame(form)

    def loss() -> torch.Tensor:
        return (sampled(nets, adapted(nets, learner, support, steps, game)) * torch.linspace(-1, 1, 32)).mean() * 10

    loss().backward()
    # Meta-SGD's rates alone: it is of first order, which is exact for a single step's length
    checked = [learner.code, learner.gains] if algorithm == "maml" else [learner.code_rate, learner.gains_rate]
    for i, parameter in enumerate(checked):
        assert parameter.grad is not None
        way = torch.randn(parameter.shape, generator=generator_for(i, "way"), dtype=torch.float64)
        if algorithm == "meta-sgd":  # of steps themselves
            way /= RATE
        found, step = [], 3e-9
        with torch.no_grad():
            for sign in (1, -1):
                parameter.add_(sign * step * way)
                with torch.enable_grad():
                    found.append(loss().item())
                parameter.sub_(sign * step * way)
        assert float((parameter.grad * way).sum()) == pytest.approx((found[0] - found[1]) / (2 * step), rel=1e-4, abs=1e-8)


def first_state_gradient(algorithm: str, rate: float) -> torch.Tensor:
    nets, learner = parts("gradient", algorithm)
    assert isinstance(learner, GradientLearner)
    with torch.no_grad():
        learner.code_rate.fill_(rate / RATE), learner.gains_rate.fill_(rate / RATE)
    outer_loss(nets, learner, drawings(2, 4), 2).backward()
    assert learner.code.grad is not None
    return learner.code.grad


def test_first_and_second_order_agree_where_steps_are_small() -> None:
    small, large = ([first_state_gradient(a, rate) for a in ("maml", "fomaml")] for rate in (1e-7, 0.3))
    assert float(torch.cosine_similarity(small[0], small[1], dim=0)) > 0.9999
    assert float(torch.cosine_similarity(large[0], large[1], dim=0)) < 0.99


def test_an_untrained_recurrent_learner_is_adam() -> None:
    torch.manual_seed(0)
    learned, rng = LearnedOptimizer(), generator_for(0, "gradients")
    torch.nn.init.zeros_(learned.write.weight)
    theirs = torch.zeros(3, 5, requires_grad=True)
    adam, ours, memory = torch.optim.Adam([theirs], rnn.RATE, betas=rnn.BETAS), torch.zeros(3, 5), None
    memory = learned.start(ours)
    for step in range(4):
        gradient = torch.randn(3, 5, generator=rng)
        move, memory = learned(gradient, torch.zeros(3, 2), memory, step, torch.zeros(3, dtype=torch.bool))
        ours = ours - move
        theirs.grad = gradient
        adam.step()
    assert torch.allclose(ours, theirs, atol=1e-5)


def test_the_safeguard_leaves_only_adam() -> None:
    torch.manual_seed(0)
    learned = LearnedOptimizer()
    torch.nn.init.normal_(learned.write.weight, std=3)
    gradient, rose = torch.randn(2, 5, generator=generator_for(0, "gradients")), torch.tensor([True, False])
    move, _ = learned(gradient, torch.zeros(2, 2), learned.start(gradient), 0, rose)
    assert torch.allclose(move[0], rnn.RATE * gradient[0].sign(), atol=1e-4)
    assert not torch.allclose(move[1], rnn.RATE * gradient[1].sign(), atol=1e-2)


def test_unrolls_are_truncated() -> None:
    nets, learner = parts("rnn")
    assert isinstance(learner, RecurrentLearner)
    reached = []
    for steps in (rnn.UNROLL, rnn.UNROLL + 1):
        learner.zero_grad()
        outer_loss(nets, learner, drawings(1, 4), steps).backward()
        reached.append(learner.code.grad is not None and bool(learner.code.grad.abs().max() > 0))
    assert reached == [True, False]


def test_a_task_may_have_weights_of_its_own() -> None:
    nets, learner = parts("gradient", "reptile")
    support, rng = drawings(2, 4), generator_for(4, "vectors")
    other = build_networks(TINY)
    with torch.no_grad():
        state = learner.begin(nets, support)
        vectors = flat(nets.generator) + 0.02 * torch.randn(2, flat(nets.generator).numel(), generator=rng)
        images = sampled(nets, replace(state, weights=vectors))
        latents = draw_latents(2, 4, nets.generator.latent_sizes, generator_for(9, "latents"))
        put(other.generator, vectors[1])
        alone = other.generator(latents, state)[0]
    assert torch.allclose(images[1], alone[1], atol=1e-5)
    assert not torch.allclose(images[0], alone[0], atol=1e-3)


@pytest.mark.parametrize("form", ["relativistic", "wasserstein"])
def test_reptile_trains_all_weights_for_each_task_alone(form: str) -> None:
    nets, learner = parts("gradient", "reptile", form)
    assert isinstance(learner, ReptileLearner)
    support, before = drawings(2, 4), [flat(side) for side in players(nets)]
    whole = learner.task_weights(nets, support, 3, InnerGame(form, 0.0), generator_for(0, "inner"))
    for side, vector in zip(players(nets), before, strict=True):
        assert torch.equal(flat(side), vector)  # the shared weights stay
    for i in (0, 1):
        first, second = (trained.weights[i] for trained in whole)
        assert not torch.equal(first, second)
        assert 0 < float((first - before[i]).abs().max()) < 0.1


def test_reptile_moves_every_tensor_along_its_evened_gradient_and_figr_along_the_plain_one() -> None:
    support, moves = drawings(1, 4), {}
    for form in ("relativistic", "wasserstein"):
        (nets, learner), game = parts("gradient", "reptile", form), InnerGame(form, 0.0)
        assert isinstance(learner, ReptileLearner)
        layer = nets.generator.affine.weight
        (trained,) = learner.task_weights(nets, support, 1, game, generator_for(0, "inner"))
        copied = build_networks(TINY)
        put(players(copied)[0], trained.weights[0])
        moves[form] = (layer - copied.generator.affine.weight).detach()
    rng = generator_for(0, "inner")
    loss = InnerGame("relativistic", 0.0).losses(nets, learner.begin(nets, support), rng).downward.sum()
    (gradient,) = torch.autograd.grad(loss, layer)
    expected = reptile.RATE * evened(gradient.reshape(1, -1)).view_as(layer)
    assert torch.allclose(moves["relativistic"], expected, atol=0.02 * reptile.RATE)
    spread = {form: float(move.abs().max() / move.square().mean().sqrt()) for form, move in moves.items()}
    assert spread["relativistic"] < 3 < spread["wasserstein"]  # evened entries move about alike


@pytest.mark.parametrize(("form", "times"), [("relativistic", 4), ("wasserstein", 1)])
def test_reptile_adapts_by_more_packs_but_figr_as_published(
    form: str, times: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nets, learner = parts("gradient", "reptile", form)
    base = BaseModel(replace(TINY, inner_loss=form), nets, learner, {}, "", tmp_path)
    played, losses = list[int](), InnerGame.losses

    def watched(game: InnerGame, *rest: Any) -> Any:
        played.append(game.packs)
        return losses(game, *rest)

    monkeypatch.setattr(InnerGame, "losses", watched)
    draw_adapted(base, drawings(1, 4)[0], 2, generator_for(0, "adapt"), range(1), drafts=1)
    assert set(played) == {times * AdaptConfig.packs}


def test_gradient_penalty_of_a_linear_critic() -> None:
    real, fake = drawings(2, 3), -drawings(2, 3)
    weight = torch.zeros(1, 32, 32)
    weight[0, 3, 4] = 3.0  # a gradient of length 3 everywhere
    share = torch.rand(2, 3, generator=generator_for(0, "share"))
    assert float(gradient_penalty(lambda x: (x * weight).sum((2, 3, 4)), real, fake, share)) == pytest.approx(4.0)


def test_gradients_by_way_of_each_sample_add_up() -> None:
    nets, learner = parts("attention")
    game, support = InnerGame(packs=3), drawings(2, 5)
    state = learner.begin(nets, support).detached()
    turn = game.play(nets, state, generator_for(0, "game"))
    assert turn.code_each.shape == (2, 6, TINY.tokens)
    code = state.code.requires_grad_()
    together = game.losses(nets, replace(state, code=code), generator_for(0, "game")).downward.sum()
    assert torch.allclose(turn.code, torch.autograd.grad(together, code)[0], atol=1e-5)
    assert float(turn.code_each.std(1).mean()) > 0.1 * float(turn.code_each.abs().mean())


def test_attention_takes_the_samples_gradients_as_a_set(monkeypatch: pytest.MonkeyPatch) -> None:
    nets, learner = parts("attention")
    assert isinstance(learner, AttentionLearner)
    state, play = learner.begin(nets, drawings(1, 5)), InnerGame.play
    with torch.no_grad():
        for layer in (learner.compare.out, learner.recall.out, learner.write):
            layer.weight.normal_(generator=generator_for(0, "out"))

    def moved(change: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
        def changed(game: InnerGame, *rest: Any) -> Any:
            turn = play(game, *rest)
            return replace(turn, code_each=change(turn.code_each), modulation_each=change(turn.modulation_each))

        monkeypatch.setattr(InnerGame, "play", changed)
        with torch.no_grad():
            return learner.refine(nets, state, 0, InnerGame(), generator_for(0, "game")).code

    plain, turned, evened = moved(lambda x: x), moved(lambda x: x.flip(1)), moved(lambda x: x.mean(1, True).expand_as(x))
    assert torch.allclose(plain, turned, atol=1e-4)
    assert not torch.allclose(plain, evened, atol=1e-2)  # the same sum, but other parts
