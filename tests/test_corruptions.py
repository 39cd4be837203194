"""Blemished images: spoilt, each kind in its way, and nothing else."""

import pytest
import torch

from metagan_cli.data.sources.doodles import Doodles
from metagan_cli.images import corruptions as blemishes
from metagan_cli.images.corruptions import KINDS, Chance, blemish, blemish_packs, foreign_of
from metagan_cli.ranks import ALONE, Ranks
from metagan_cli.rng import generator_for


def drawings(side: int = 64) -> torch.Tensor:
    """Six doodle tasks of eight drawings [6, 8, 1, side, side]."""
    tasks = [Doodles(side).draw(task, 8, generator_for(task, "test")) for task in range(40, 46)]
    return torch.stack(tasks)[:, :, None].float() / 127.5 - 1


def ink(images: torch.Tensor) -> torch.Tensor:
    return ((images + 1) / 2).mean((2, 3, 4))


def of_kind(kind: str, images: torch.Tensor, monkeypatch: pytest.MonkeyPatch) -> torch.Tensor:
    monkeypatch.setattr(blemishes, "_kinds", lambda shares, channels: torch.full(shares.shape, KINDS.index(kind)))
    return blemish(images, foreign_of(images), Chance(ALONE.part(len(images)), images.shape[1], generator_for(0, "blemish")))


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    images = drawings()
    spoilt = of_kind(kind, images, monkeypatch)
    assert spoilt.shape == images.shape
    assert spoilt.abs().max() <= 1
    assert ((spoilt - images).abs().amax((2, 3, 4)) > 0.5).float().mean() > 0.95
    before, after = ink(images), ink(spoilt)
    if kind == "foreign":
        assert torch.equal(spoilt, images.roll(1, 0))
    if kind == "erased":
        assert (after <= before + 1e-6).all()
        assert (after < 0.95 * before).float().mean() > 0.9
    if kind == "filled":
        assert (after >= before - 1e-6).all()
        assert (after > 1.02 * before).float().mean() > 0.9
    if kind == "bent":
        assert (spoilt.abs() > 0.9).float().mean() > 0.9  # still black on white


def test_every_pack_is_spoilt_and_not_every_image() -> None:
    images = drawings()
    spoilt = blemish_packs(images, images.roll(1, 0), 2, generator_for(0, "packs"))
    changed = (spoilt != images).flatten(2).any(2).unflatten(1, (4, 2))
    assert changed.any(2).all()
    assert not changed.all()
    assert changed[..., 0].any()
    assert changed[..., 1].any()


def test_colour_is_erased_to_white(monkeypatch: pytest.MonkeyPatch) -> None:
    images = -drawings(32).expand(-1, -1, 3, -1, -1)
    spoilt = of_kind("erased", images, monkeypatch)
    assert (spoilt >= images - 1e-6).all()
    assert (spoilt > images).any()


def test_only_colour_is_doubled(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = [blemishes._kinds(torch.rand(600, generator=generator_for(0, "kinds")), channels) for channels in (1, 3)]
    assert [len(kind.unique()) for kind in kinds] == [len(KINDS) - 1, len(KINDS)]
    images = -drawings(32).expand(-1, -1, 3, -1, -1)
    spoilt, other = of_kind("doubled", images, monkeypatch), images.roll(1, 1)
    apart = images != other
    share = ((spoilt - images) / (other - images))[apart]
    assert torch.equal(spoilt[~apart], images[~apart])
    assert share.min() > 0.29
    assert share.max() < 0.71


def test_one_task_alone_has_its_mirror_image_for_a_foreign_one(monkeypatch: pytest.MonkeyPatch) -> None:
    images = drawings()[:1]
    assert torch.equal(of_kind("foreign", images, monkeypatch), images.flip(4))


def test_a_part_of_a_batch_is_blemished_as_in_the_whole() -> None:
    images = drawings(32)
    whole = blemish_packs(images, foreign_of(images), 2, generator_for(0, "packs"))
    for number in range(2):
        part = Ranks(number, 2).part(len(images))
        drawn = images[part.with_before]
        own, foreign = (some[: len(part.own)] for some in (drawn, foreign_of(drawn)))
        assert torch.equal(blemish_packs(own, foreign, 2, generator_for(0, "packs"), part), whole[part.rows])
