"""The ruler: it tells ruled drawings from those of a free hand, and ruled lines stay straight in samples."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from conftest import TINY, gaussian
from torch import Tensor

from metagan_cli.config import VariationRules
from metagan_cli.data.sources.doodles import Doodles
from metagan_cli.errors import CheckpointError
from metagan_cli.learners.base import seen
from metagan_cli.networks.bundle import build_networks
from metagan_cli.networks.generator.warp import straightened, warp_grid, warped
from metagan_cli.networks.ruler import Ruler
from metagan_cli.networks.state import draw_latents
from metagan_cli.rng import generator_for
from metagan_cli.store.features import load_ruler, save_ruler
from metagan_cli.store.shipped import find_features

SIDE = 64


def frames(count: int, side: int = SIDE) -> Tensor:
    """Ruled drawings [count, 1, side, side]: the outlines of boxes, each with a bar in it."""
    images = torch.full((count, 1, side, side), -1.0)
    for i in range(count):
        low, high = side // 8 + i % 5, side - side // 8 - i % 3
        images[i, 0, low:high, low:high] = 1
        images[i, 0, low + 3 : high - 3, low + 3 : high - 3] = -1
        images[i, 0, side // 2 : side // 2 + 3, low + 8 : high - 8] = 1
    return images


def wavering(images: Tensor, size: float) -> Tensor:
    """The same under a smooth random warp."""
    n = len(images)
    flow, rest = size * gaussian("waver", n, 2, 4, 4), torch.zeros(n, 1, 1, 1)
    drawn = torch.ones(n, dtype=torch.long)
    grid = warp_grid(images, flow, torch.zeros(n, 2, 8, 8), torch.zeros(n, 6), 1 + rest, rest, VariationRules())
    return warped(images, grid, drawn, rest)


def test_the_shipped_ruler_knows_what_was_ruled() -> None:
    ruler = load_ruler(find_features("ruler", 1))
    boxes = frames(6)
    doodles = Doodles(SIDE)
    by_hand = torch.stack([doodles.draw(k, 6, generator_for(k, "hand"))[:, None].float() / 127.5 - 1 for k in range(4)])
    assert float(ruler.ruled(boxes[None])) == 1
    assert float(ruler.ruled(wavering(boxes, 0.08)[None])) < 0.3
    assert float(ruler.ruled(by_hand).mean()) < 0.3
    assert float(ruler.ruled(boxes[None, :1])) == 1  # from one image too


def test_a_ruler_comes_back_from_its_file(tmp_path: Path) -> None:
    ruler, path = Ruler(), tmp_path / "ruler.safetensors"
    save_ruler(path, ruler, {"seed": 1})
    assert torch.allclose(load_ruler(path)(frames(2)), ruler(frames(2)), atol=1e-2)
    with pytest.raises(CheckpointError, match="kind 'judges', not ruler"):
        load_ruler(find_features("judges", 1))


@pytest.mark.parametrize("size", [0.1, 0.5, 2.0])
def test_a_straightened_flow_keeps_columns_rows_and_all_ink(size: float) -> None:
    images = frames(40)
    images[:20, :, :, :4] = images[:20, :, :, -4:] = 1  # ink to the very border
    flow = straightened(size * gaussian("flow", 40, 2, 4, 4), images)
    assert torch.equal(flow[:, 0], flow[:, 0, :1].expand(-1, SIDE, -1))
    assert torch.equal(flow[:, 1], flow[:, 1, :, :1].expand(-1, -1, SIDE))
    seen_from = torch.stack([flow[:, 0, 0], flow[:, 1, :, 0]], 1) + torch.linspace(1 / SIDE - 1, 1 - 1 / SIDE, SIDE)
    assert (seen_from.diff(dim=2) > 0).all()  # nothing is folded over
    assert seen_from[:20, 0, 0].max() <= 1 / SIDE - 1 + 1e-5
    assert seen_from[:20, 0, -1].min() >= 1 - 1 / SIDE - 1e-5
    assert (flow.abs().amax((1, 2, 3)) > 0.2 * min(size, 0.5)).float().mean() > 0.5  # and it does change something


def test_ruled_lines_stay_straight_in_samples_and_those_of_a_hand_do_not() -> None:
    nets = build_networks(TINY, generator_for(0, "weights")).eval()
    side = TINY.image_size
    with torch.no_grad():
        state = seen(nets, frames(4, side)[None])
        assert state.ruled.tolist() == [0]  # where no ruler is there nothing counts as ruled
        latents = draw_latents(1, 16, nets.generator.latent_sizes, generator_for(0, "latents"))
        latents = nets.generator.widened(latents, torch.full((1, 16), 3.0))
        waver = []
        for ruled in (1.0, 0.0):
            drawn = nets.generator(latents, replace(state, ruled=torch.tensor([ruled])))[0][0, :, 0]
            columns = (drawn > 0).float().sum(1)  # a box whose sides stand upright has columns full of ink
            waver.append(float((columns.amax(1) / (drawn > 0).float().amax(2).sum(1).clamp(min=1)).mean()))
    assert waver[0] > 0.97
    assert waver[1] < 0.9
