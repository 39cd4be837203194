"""Benchmarks of training and the cost model: what they count, against what a step does, and where figures go."""

import json
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from conftest import gaussian
from torch import nn

from benchmarks import cost_model, measuring, peer, performance_page, ranks
from benchmarks.counting import Kernel, flops_of, saved_bytes_of
from benchmarks.loops import FixedLoop, OneByOne, contiguous, episode_of, glyph_recipe, make_loop
from metagan_cli import cores
from metagan_cli.devices import choose_device
from metagan_cli.store.tensors import read_tensors
from recipes.held_out import AVATARS, ICON_SETS, ICONS

CPU, RECIPE = torch.device("cpu"), glyph_recipe(small=True)


def test_products_are_counted_forward_and_backward() -> None:
    layer, x = nn.Linear(5, 7, bias=False), gaussian("rows", 3, 5).requires_grad_()
    once = 2 * 3 * 5 * 7
    assert flops_of(lambda: layer(x)) == once
    assert flops_of(lambda: layer(x).sum().backward()) == 3 * once  # of weights and of inputs
    assert flops_of(lambda: torch.autograd.grad(layer(x).sum(), x)) == 2 * once


def test_what_graphs_hold_is_counted_while_they_live() -> None:
    x = gaussian("held", 1000).requires_grad_()

    def twice() -> None:
        for _ in range(2):
            (x * 2).exp().sum().backward()

    assert saved_bytes_of(twice, [x]) == 4000  # the result of one exp at a time


@pytest.mark.slow
@pytest.mark.parametrize(("shots", "inner_steps"), [(1, 0), (4, 2)])
def test_the_model_counts_what_a_larger_step_does_and_holds(shots: int, inner_steps: int) -> None:
    counts = cost_model.count(RECIPE, shots, inner_steps)
    loop, tasks = make_loop(RECIPE, CPU, torch.float32, inner_steps=inner_steps), 5
    step = partial(loop.step, 1, *episode_of(RECIPE, shots, tasks).images)
    step()
    weights = [t for m in (loop.nets, loop.learner, loop.averages) for t in m.state_dict().values()]
    assert counts.flops(tasks) == flops_of(step) > 1e8
    assert counts.activations(tasks) == saved_bytes_of(step, weights) > 1e6


def test_the_bytes_of_weights_and_optimisers_are_those_of_a_run() -> None:
    loop = make_loop(RECIPE, CPU, torch.float32)
    predicted = cost_model.weights_of(loop)
    loop.inner_steps = 1
    loop.step(1, *episode_of(RECIPE, 4, 2).images)
    held = sum(tensor.numel() * tensor.element_size() for tensor in loop.tensors().values())
    assert predicted.networks + predicted.averages + predicted.optimisers == held
    gradients = [p.grad for part in (loop.generating(), loop.nets.discriminator) for p in part.parameters() if p.grad is not None]
    assert 0.9 < 4 * sum(gradient.numel() for gradient in gradients) / predicted.gradients <= 1  # of the parts that had one


def test_seconds_follow_the_slowest_of_arithmetic_memory_and_starts() -> None:
    kernel = Kernel(calls=10, flops=1e6, bytes=1e3)
    counts = cost_model.Counts({"one": (Kernel(), kernel)}, (0, 0))
    quick = cost_model.Device(1e12, 1e12, 1e-9, 1e9, 0, 1e3)
    for slow, factor in (("flops", 1e6 / 1e3), ("memory", 1e3 / 1e3), ("call", 10 * 1e3)):
        device = replace(quick, **{slow: 1e3})
        assert counts.seconds(2, device) == pytest.approx(2 * factor)


def test_more_ranks_exchange_more_and_compute_less() -> None:
    counts = cost_model.Counts({"one": (Kernel(), Kernel(1, 1e9, 1e6))}, (0, 10))
    device = cost_model.Device(1e12, 1e12, 0.0, 1e9, 1e-5, 1e9)
    one, eight = (cost_model.predict(RECIPE, [cost_model.Case(counts, 1.0)], device, n, 80) for n in (1, 8))
    assert one.exchange == 0 < eight.exchange
    assert one.computing == pytest.approx(8 * eight.computing)
    assert one.activations == 8 * eight.activations
    assert cost_model.exchange_seconds(1e9, 2, device) == pytest.approx(1.0 + 4e-5)


def test_one_task_at_a_time_moves_all_weights_once() -> None:
    loop = make_loop(RECIPE, CPU, torch.float32, OneByOne)
    before = {name: tensor.clone() for name, tensor in loop.tensors().items()}
    loop.step(1, *episode_of(RECIPE, 1, 3).images)
    after = loop.tensors()
    assert {float(value) for name, value in after.items() if name.endswith(".step")} == {1.0}  # of both optimisers
    assert any(not torch.equal(before[name], after[name]) for name in before if name.startswith("nets.discriminator"))
    assert any(not torch.equal(before[name], after[name]) for name in before if name.startswith("averages.generator"))


def test_one_task_at_a_time_has_the_critics_gradient_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    episode = episode_of(RECIPE, 1, 2)
    for kind, tasks in ((OneByOne, (0, 1)), (FixedLoop, (0,)), (FixedLoop, (1,))):
        loop = make_loop(RECIPE, CPU, torch.float32, kind)
        loop.step(1, *(images[list(tasks)] for images in episode.images))
        found.append(torch.cat([p.grad.flatten() for p in loop.nets.discriminator.parameters() if p.grad is not None]))
    both, first, second = found
    assert torch.allclose(both, (first + second) / 2, rtol=1e-3, atol=1e-6)


def test_contiguous_memory_where_it_is_asked_for() -> None:
    with contiguous():
        plain = make_loop(RECIPE, CPU, torch.float32)
    usual = make_loop(RECIPE, CPU, torch.float32)
    weights = [loop.nets.discriminator.local.weight for loop in (plain, usual)]
    assert [weight.is_contiguous() for weight in weights] == [True, False]


def test_all_jobs_are_called_in_turn() -> None:
    called = list[str]()
    times = measuring.alternately({name: partial(called.append, name) for name in "ab"}, 0.0)
    assert called == ["a", "b", "a", "b"]
    assert times.keys() == {"a", "b"}


def test_the_newest_figures_are_kept_but_not_those_of_a_trial(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "runs" / "figures.jsonl"
    for value in (1, 2.34567):
        measuring.tell("some", {"Table": [{"what": "a", "figure": value}]}, CPU, path)
    measuring.tell("trial", {"Table": [{"what": "b", "figure": 3}]}, CPU, None)
    assert "| b | 3 |" in capsys.readouterr().out
    found = measuring.recorded(path)
    assert found.keys() == {"some"}
    assert found["some"].tables["Table"][0]["figure"] == 2.34567
    assert "| what | figure |\n|---|---|\n| a | 2.35 |" in measuring.as_text(found["some"])
    assert len([json.loads(line) for line in path.read_text().splitlines()]) == 2


def test_numbers_too_small_are_zero_in_all_threads() -> None:
    script = """
import torch
from metagan_cli import cores
from metagan_cli.devices import choose_device
torch.set_num_threads(2)
cores.begin()
choose_device("cpu")
print(int((torch.full((1 << 20,), 1e-39) * 1).count_nonzero()))
"""
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.strip() == "0"


def test_only_processes_of_our_own_flush_them() -> None:
    choose_device("cpu")
    assert float(torch.tensor(1e-39) * 1) > 0


def test_usual_numbers_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cores, "ours", True)
    net, x = nn.Conv2d(3, 4, 3), gaussian("usual", 2, 3, 8, 8)
    try:
        torch.set_flush_denormal(False)
        before = net(x)
        choose_device("cpu")
        assert torch.equal(before, net(x))
        assert float(torch.tensor(1e-39) * 1) == 0
    finally:
        torch.set_flush_denormal(False)


def test_every_benchmark_has_its_place_on_the_page(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(performance_page.PAGE.read_text())
    for name in ("training", "ranks", "peer", performance_page.CHECK, performance_page.SCALE):
        performance_page.put(page, name, f"what {name} says")
        performance_page.put(page, name, f"what {name} says now")
        assert page.read_text().count(f"what {name} says now\n<!-- end of {name} -->") == 1
    assert len(page.read_text()) > 3000  # the prose stands
    with pytest.raises(SystemExit, match="has no place for another"):
        performance_page.put(page, "another", "figures")


def test_pictures_come_back_from_tensors() -> None:
    for channels in (1, 3):
        images = (gaussian("pictures", 3, channels, 8, 8).clamp(-1, 1) * 127.5 + 127.5).round() / 127.5 - 1
        assert torch.allclose(peer.as_tensor(peer.as_pictures(images), gray=channels == 1), images, atol=1e-5)


def test_the_peers_torch_has_no_other_device_than_the_processor() -> None:
    torch_of_peer = peer.OnProcessor()
    assert torch_of_peer.device("cuda:0") == CPU
    assert torch_of_peer.randn is torch.randn


def test_without_the_peer_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lightweight_gan", None)
    with pytest.raises(SystemExit, match="is not installed"), peer.on_processor():
        pass
    assert not torch.cuda.is_available() or torch.cuda.device_count()


def test_the_pace_of_a_run_is_that_between_its_checkpoints(tmp_path: Path) -> None:
    run = tmp_path / "run"
    recipe = glyph_recipe(small=True, steps=3, every=1, keep=3, shots=(1,), inner_share=0.0, precision="fp32")
    ranks.train(recipe, run, (), 1)
    pace, precision = ranks.pace_of(run, recipe)
    assert precision == "fp32"
    states = sorted((run / "state").glob("*.safetensors"))
    assert len(states) == 3
    first, last = (read_tensors(path, ("run",)).metadata["seconds"] for path in (states[0], states[-1]))
    assert pace == pytest.approx(2 * 2 * 4 / (last - first))
    with pytest.raises(SystemExit, match="holds a run already"):
        ranks.train(recipe, run, (), 1)


def test_the_peer_is_met_on_folders_that_no_model_was_trained_on() -> None:
    labels = [place.partition(":")[2] for place in peer.FOLDERS]
    assert all(label.startswith((*ICON_SETS, *ICONS, *AVATARS)) for label in labels)
