"""The painter of guests: what it makes of a motif by another hand, before it has learned anything and with all that it can do."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from conftest import TINY, gaussian, stirred, stirred_networks
from drawn_hands import SIDE, WITH_GUESTS, coverage, drawn

from metagan_cli.config import ModelConfig, VariationRules
from metagan_cli.images.distance import REACH, distance_field
from metagan_cli.images.paints import Paints, covered, with_soft_edges
from metagan_cli.images.shifts import placed
from metagan_cli.images.styling import fields_of
from metagan_cli.learners.build import build_learner
from metagan_cli.networks.bundle import Networks
from metagan_cli.networks.generator.guests import FIELDS, HAND, Edges, GuestPainter, plan_of, splines, up, warped
from metagan_cli.networks.generator.render import Picture, Renderer
from metagan_cli.networks.hand_net import FEATURES, HandNet
from metagan_cli.networks.layers import GRID
from metagan_cli.networks.widen import painter_in_colour
from metagan_cli.rng import generator_for, seeded


def support(*hands: str, shots: int = 4) -> torch.Tensor:
    """Drawings by some hands: [B, K, 1, S, S]."""
    return torch.stack([drawn(name)[:shots] for name in hands])


def guests(count: int = 3) -> torch.Tensor:
    """Plain drawings of other motifs: [1, N, 1, S, S] in [-1, 1]."""
    return 2 * coverage()[None, 10 : 10 + count] - 1


def in_colour(images: torch.Tensor, ground: tuple[float, ...], ink: tuple[float, ...]) -> torch.Tensor:
    """Gray images [..., 1, S, S] in two colours."""
    low, high = (torch.tensor(colour)[:, None, None] for colour in (ground, ink))
    return torch.lerp(low, high, (images + 1) / 2)


@pytest.fixture(scope="module")
def fresh() -> GuestPainter:
    with seeded(generator_for(0, "painter")):
        return GuestPainter(1, SIDE).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def nets() -> Networks:
    """Networks in which everything has an effect."""
    return stirred(WITH_GUESTS).requires_grad_(False)


def painter_of(nets: Networks) -> GuestPainter:
    assert nets.guests is not None
    return nets.guests


def test_at_first_edges_run_where_the_guest_has_them(fresh: GuestPainter) -> None:
    images, logits = fresh(guests(), fresh.hand(support("plain/upright")))
    assert images.shape == (1, 3, 1, SIDE, SIDE)
    assert logits.shape == (1, 3, 3, SIDE, SIDE)
    near = placed(images[0], guests()[0])  # it may lie a pixel aside
    assert ((near > 0) == (guests()[0] > 0)).float().mean() > 0.95
    aside = torch.cat([guests()[0, 1:], guests()[0, :1]])  # of other motifs
    assert (near - guests()[0]).abs().mean() < 0.3 * (near - aside).abs().mean()


def test_pictures_are_of_the_folder_s_paints_alone(nets: Networks) -> None:
    painter = painter_of(nets)
    two, three = painter.hand(support("plain/upright")), painter.hand(support("filled/upright"))
    assert not two.paints.there[0, 2]
    images, logits = painter(guests(), two)
    assert (logits[:, :, 2] < -1e3).all()
    assert torch.allclose(images, 2 * covered(with_soft_edges(logits))[:, :, 1:2] - 1, atol=1e-4)
    assert -1 <= images.min() < images.max() <= 1
    assert three.paints.colours.shape == (1, 3, 1)


def test_coloured_folders_give_their_colours() -> None:
    nets = stirred(ModelConfig(**(vars(WITH_GUESTS) | {"channels": 3}))).requires_grad_(False)
    ground, ink = (1.0, 1.0, 1.0), (0.9, -0.7, 0.1)
    painter = painter_of(nets)
    hand = painter.hand(in_colour(support("bold/upright").sign(), ground, ink))
    assert hand.paints.there[0].sum() == 2
    images, _ = painter(in_colour(guests(), (1.0, 1.0, 1.0), (-1.0, -1.0, -1.0)), hand)
    share = (images[0, :, 1] - 1) / (ink[1] - 1)
    for channel in range(3):  # on the line between both, whatever the guest's own colours are
        assert torch.allclose(images[0, :, channel], torch.lerp(torch.tensor(1.0), torch.tensor(ink[channel]), share), atol=0.02)
    assert share.max() > 0.6
    assert share.min() < 0.4


def test_a_painter_in_colour_begins_as_a_gray_one(nets: Networks) -> None:
    """Black on white it paints what that one paints, light on dark."""
    gray, drawn, seen = painter_of(nets), support("bold/upright").sign(), guests().sign()
    colour = painter_in_colour(gray, SIDE)
    wanted, _ = gray(seen, gray.hand(drawn))
    found, _ = colour(-seen.expand(-1, -1, 3, -1, -1), colour.hand(-drawn.expand(-1, -1, 3, -1, -1)))
    assert torch.allclose(-found, wanted.expand_as(found), atol=0.02)
    assert (wanted - seen).abs().mean() > 0.1  # which is more than to leave guests as they are


def test_a_guest_is_painted_the_same_beside_any_other(nets: Networks) -> None:
    painter, both = painter_of(nets), support("plain/upright", "filled/upright")
    together, _ = painter(guests(4).expand(2, -1, -1, -1, -1), painter.hand(both))
    for number in range(2):
        hand = painter.hand(both[number : number + 1])
        alone, _ = painter(guests(4)[:, 2:3], hand)
        assert torch.allclose(alone[0, 0], together[number, 2], atol=1e-3)
    assert (together[0] - together[1]).abs().mean() > 0.02  # by two hands


def test_a_hand_is_known_whatever_the_order_of_its_drawings(nets: Networks) -> None:
    painter, own = painter_of(nets), support("filled/upright", shots=5)
    hand, other = painter.hand(own), painter.hand(own.flip(1))
    assert hand.code.shape == (1, HAND)
    assert torch.allclose(hand.code, other.code, atol=1e-4)
    assert torch.allclose(hand.uses, other.uses, atol=1e-4)
    assert not torch.allclose(hand.code, painter.hand(support("bold/upright", shots=5)).code, atol=1e-2)


def test_edges_that_are_known_better_are_painted_so(nets: Networks) -> None:
    painter = painter_of(nets)
    hand, seen = painter.hand(support("bold/upright")), guests()
    own = fields_of((seen[0] + 1) / 2).ink[None]
    images, logits = painter(seen, hand)
    same_images, same_logits = painter(seen, hand, own)
    assert torch.allclose(same_images, images, atol=1e-3)
    assert torch.allclose(same_logits, logits, atol=1e-2)
    assert not torch.allclose(painter(seen, hand, own + 0.25)[0], images, atol=0.05)


def test_what_a_guest_is_seen_as() -> None:
    ink = coverage()[:3]
    plan, fields = plan_of(2 * ink - 1)
    assert torch.allclose(plan[:, :2], ink.expand(-1, 2, -1, -1), atol=1e-6)
    assert torch.allclose(plan[:, 2:3], distance_field(ink) / REACH, atol=1e-5)
    assert (plan[:, 3:][ink > 0.5] == 1).all()
    assert set(plan[:, 3].unique().tolist()) <= {0.0, 1.0}
    assert fields.shape == (3, FIELDS, SIDE, SIDE)
    assert torch.allclose(fields[:, :3] * REACH, torch.cat(fields_of(ink), 1), atol=1e-4)
    assert torch.allclose(fields[:, 6:7], 2 * ink - 1, atol=1e-6)
    dark, _ = plan_of(-(2 * ink - 1).expand(-1, 3, -1, -1))
    assert torch.allclose(dark[:, 0], ink[:, 0], atol=1e-5)
    assert torch.allclose(dark[:, 1], ink[:, 0], atol=1e-5)


def test_how_thick_lines_are_is_seen_around_them() -> None:
    lines = torch.zeros(2, 1, SIDE, SIDE)
    lines[0, ..., SIDE // 2 - 1 : SIDE // 2 + 1] = lines[1, ..., SIDE // 2 - 3 : SIDE // 2 + 3] = 1
    _, fields = plan_of(2 * lines - 1)
    thin, thick = fields[:, -1, SIDE // 2, SIDE // 2 - 2] * REACH
    assert 0.3 < thin < 1.2  # half the width, of which pixels' middles tell a little less
    assert 2 < thick < 3.2


def test_edges_know_places_by_fields_and_smooth_maps_alone() -> None:
    """The same distances have the same edges along a line, wherever its pixels lie."""
    edges = stirred_edges()
    fields = gaussian("fields", 1, FIELDS, SIDE, 1).expand(-1, -1, -1, SIDE)
    whole = gaussian("whole", 1, edges.whole.in_features)
    flat = edges(fields, gaussian("flat", 1, edges.local.out_channels, 1, 1).expand(-1, -1, GRID, GRID), whole)
    assert torch.allclose(flat, flat[..., :1].expand_as(flat), atol=1e-4)
    bent = edges(fields, gaussian("bent", 1, edges.local.out_channels, GRID, GRID), whole)
    step, far = ((bent[..., n:] - bent[..., :-n]).abs().mean() for n in (1, SIDE // 4))
    assert far > 0.05
    assert step < 0.5 * far


def stirred_edges() -> Edges:
    """Edges in which everything has an effect."""
    with seeded(generator_for(0, "edges")):
        edges = Edges().requires_grad_(False)
        for layer in (edges.local, edges.whole, edges.out):
            torch.nn.init.normal_(layer.weight, std=0.1)
    return edges


def test_splines_are_smooth_and_give_back_what_is_even() -> None:
    spread = splines(SIDE, 8)
    assert torch.allclose(spread.sum(1), torch.ones(SIDE))
    assert spread.min() >= 0
    inner = spread @ torch.arange(8.0)
    assert torch.allclose(inner.diff()[SIDE // 4 : -SIDE // 4], torch.tensor(8 / SIDE), atol=1e-5)  # and what rises evenly


@pytest.mark.parametrize("side", [8, 16, 32])
def test_a_grid_that_moves_nothing_moves_nothing_at_any_side(side: int) -> None:
    still = F.affine_grid(torch.eye(2, 3)[None], [1, 1, SIDE, SIDE], align_corners=False)
    x = gaussian("features", 1, 4, side, side)
    assert torch.allclose(warped(x, still), x, atol=1e-5)
    right = still + torch.tensor([2.0 * (SIDE / side) / SIDE, 0.0])
    assert torch.allclose(warped(x, right)[..., :-1], x[..., 1:], atol=1e-4)
    assert up(x).shape[-1] == 2 * side


def test_edges_are_as_sharp_at_any_side() -> None:
    field = (12 - (torch.arange(SIDE) + 0.5)).expand(SIDE, SIDE)
    logits = torch.stack([torch.zeros_like(field), 4 * field])
    paints = Paints(torch.tensor([[[-1.0], [1.0]]]), torch.ones(1, 2, dtype=torch.bool))
    blank = torch.zeros(1, 1, SIDE, SIDE)
    for times in (1, 2, 4):
        renderer = Renderer(blank, lambda number: Picture(blank[number]), VariationRules(), times * SIDE)
        picture = renderer.paint(paints, logits)
        row = picture.colour[0, SIDE // 2]
        assert picture.alpha is not None
        assert torch.allclose(picture.alpha, (picture.colour + 1) / 2, atol=1e-5)
        assert (row[: 12 * times - 1] > 0.9).all()  # within a pixel of the finer side from ink to ground
        assert (row[12 * times + 1 :] < -0.9).all()


def test_pixel_art_stays_in_whole_blocks(nets: Networks) -> None:
    small = F.interpolate(drawn("bold/upright")[:4], size=(SIDE // 2, SIDE // 2), mode="area")
    state = build_learner(WITH_GUESTS).begin(nets, F.interpolate(small, size=(SIDE, SIDE), mode="nearest")[None])
    images, _ = nets.paint_guests(guests(), state, nets.hand_in(state))
    drawn_pixels = images[0, ..., ::2, ::2]
    assert torch.allclose(F.interpolate(drawn_pixels, size=(SIDE, SIDE), mode="nearest"), images[0])
    free = build_learner(WITH_GUESTS).begin(nets, support("bold/upright"))
    images, _ = nets.paint_guests(guests(), free, nets.hand_in(free))
    assert not torch.allclose(images[..., ::2], images[..., 1::2], atol=0.1)


def test_a_state_carries_the_hand_s_code(nets: Networks) -> None:
    state = build_learner(WITH_GUESTS).begin(nets, support("bold/upright"))
    assert state.hand.shape == (1, nets.hand_size) == (1, HAND)
    changed = replace(state, hand=state.hand + 1)
    assert torch.equal(nets.hand_in(changed).code, changed.hand)
    other, _ = nets.paint_guests(guests(), state, nets.hand_in(changed))
    assert not torch.allclose(other, nets.paint_guests(guests(), state, nets.hand_in(state))[0], atol=1e-3)


def test_models_without_guests_have_no_hand() -> None:
    nets = stirred_networks().requires_grad_(False)
    state = build_learner(TINY).begin(nets, support("bold/upright"))
    assert state.hand.shape == (1, 0)
    with pytest.raises(ValueError, match="support images alone"):
        nets.hand_in(state)
    assert not any(name.startswith("guests") for name, _ in nets.named_parameters())


@pytest.mark.parametrize("channels", [1, 3])
def test_a_net_of_hands_sees_unit_vectors(channels: int) -> None:
    with seeded(generator_for(0, "net")):
        net = HandNet(channels).eval().requires_grad_(False)
    images = gaussian("seen", 3, channels, SIDE, SIDE)
    hand, motif = net(images)
    for seen in (hand, motif):
        assert seen.shape == (3, FEATURES)
        assert torch.allclose(seen.norm(dim=1), torch.ones(3), atol=1e-5)
    assert [maps.shape[-1] for maps in net.maps(images)] == [SIDE // 2, SIDE // 4, SIDE // 8, SIDE // 16]
    assert torch.equal(torch.stack(net.read(net.maps(images))), torch.stack([hand, motif]))
    moved = net(images.roll(8, 3))  # where it is drawn says less of the hand than of the motif
    assert (moved[0] * hand).sum() > (moved[1] * motif).sum()
