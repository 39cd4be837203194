"""Networks, learners and the task state."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from conftest import TINY, gaussian, stirred_networks

from metagan_cli.config import VariationRules
from metagan_cli.data.sources.doodles import Doodles
from metagan_cli.images.resampling import twice_differentiable
from metagan_cli.learners.base import seen
from metagan_cli.learners.build import build_learner
from metagan_cli.learners.game import InnerGame
from metagan_cli.networks.bundle import Networks, build_networks
from metagan_cli.networks.discriminator import Discriminator
from metagan_cli.networks.generator.part_swap import donors
from metagan_cli.networks.generator.repaint import REACH, within_reach
from metagan_cli.networks.generator.variation import chance_sizes, shared_edges, support_spread, variation_limits
from metagan_cli.networks.layers import Attention
from metagan_cli.networks.perceptual_net import build_perceptual_net
from metagan_cli.networks.state import TaskState, draw_latents
from metagan_cli.objectives.energy_distance import BY_SIGNATURES, by_features, energy_score
from metagan_cli.rng import generator_for

RULES = VariationRules()


def test_attention_is_the_same_where_it_is_differentiated_twice() -> None:
    layer, x, memory = Attention(16).double(), gaussian("x", 2, 5, 16).double(), gaussian("memory", 2, 7, 16).double()
    x.requires_grad_()
    usual = layer(x, memory)
    with twice_differentiable():
        written_out = layer(x, memory)
        (once,) = torch.autograd.grad(written_out.square().sum(), x, create_graph=True)
        (again,) = torch.autograd.grad(once.square().sum(), x)
    assert torch.allclose(usual, written_out, rtol=1e-6, atol=1e-9)
    assert again.abs().max() > 0


def drawings(tasks: int, count: int, size: int = 32) -> torch.Tensor:
    """Doodles [tasks, count, 1, size, size] in [-1, 1]."""
    family = Doodles(size)
    return torch.stack([family.draw(t, count, generator_for(t, "test")) for t in range(tasks)])[:, :, None] / 127.5 - 1


@pytest.fixture
def nets() -> Networks:
    return stirred_networks()


def adapted(nets: Networks, support: torch.Tensor, steps: int = 0) -> TaskState:
    with torch.no_grad():
        return build_learner(TINY).adapt(nets, support, steps, InnerGame(), generator_for(0, "adapt"))


@pytest.mark.parametrize(("size", "channels"), [(32, 1), (64, 1), (128, 3)])
def test_shapes(size: int, channels: int) -> None:
    config = replace(TINY, image_size=size, channels=channels)
    nets, learner = build_networks(config), build_learner(config)
    support = torch.rand(2, 3, channels, size, size) * 2 - 1
    state = learner.adapt(nets, support, 1, InnerGame(), generator_for(0, "adapt"))
    latents = draw_latents(2, 4, nets.generator.latent_sizes, generator_for(0, "latents"), pack=2)
    images, bases, _ = nets.generator(latents, state)
    assert images.shape == bases.shape == (2, 4, channels, size, size)
    assert images.abs().max() <= 1
    assert nets.discriminator(images, bases).shape == (2, 2)


def test_untrained_generator_starts_from_its_support() -> None:
    nets, support = build_networks(TINY, generator_for(0, "weights")), drawings(2, 2)
    latents = draw_latents(2, 6, nets.generator.latent_sizes, generator_for(0, "latents"))
    with torch.no_grad():
        still, bases, _ = nets.generator(replace(latents, noise=torch.zeros_like(latents.noise)), adapted(nets, support))
        bent, _, _ = nets.generator(latents, adapted(nets, support))
    assert (still - bases).abs().mean() < 0.1 < (bent - bases).abs().mean()  # chance bends it
    assert (bent - bases).mean().abs() < 0.05  # and keeps its ink
    assert torch.equal(bases[0, 0], support[0, latents.base_index(2)[0, 0]])


def test_weights_come_from_the_generator_alone() -> None:
    first = build_networks(TINY, generator_for(3, "weights")).state_dict()
    torch.manual_seed(9)
    second = build_networks(TINY, generator_for(3, "weights")).state_dict()
    other = build_networks(TINY, generator_for(4, "weights")).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_order_of_the_support_does_not_matter(nets: Networks) -> None:
    support = drawings(1, 5)
    turned = support[:, [3, 1, 4, 0, 2]]
    assert torch.allclose(adapted(nets, support).code, adapted(nets, turned).code, atol=1e-5)


def test_tasks_of_a_batch_do_not_meet(nets: Networks) -> None:
    support = drawings(3, 4)
    together = adapted(nets, support)
    alone = adapted(nets, support[1:2])
    for name, tensor in together.tensors().items():
        assert torch.allclose(tensor[1:2], alone.tensors()[name], atol=1e-4), name
    latents = draw_latents(3, 2, nets.generator.latent_sizes, generator_for(0, "latents"))
    whole, _, _ = nets.generator(latents, together)
    single, _, _ = nets.generator(latents.part(slice(1, 2), slice(None)), alone)
    assert torch.allclose(whole[1:2], single, atol=1e-4)


@pytest.mark.parametrize("samples", range(4))
def test_a_sample_does_not_know_its_place_in_the_batch(nets: Networks, samples: int) -> None:
    state = adapted(nets, drawings(1, 3))
    latents = draw_latents(1, 16, nets.generator.latent_sizes, generator_for(samples, "place"))
    turned = latents.map(lambda tensor: tensor.roll(3, 1))
    with torch.no_grad():
        (images, *_), (moved, *_) = (nets.generator(drawn, state) for drawn in (latents, turned))
    assert torch.equal(images.roll(3, 1), moved)


def test_every_part_of_the_latents_and_the_state_matters(nets: Networks) -> None:
    state = adapted(nets, drawings(1, 3))
    latents = draw_latents(1, 1, nets.generator.latent_sizes, generator_for(0, "latents"))
    with torch.no_grad():
        plain, _, _ = nets.generator(latents, state)
        changed = [
            (replace(latents, z=-latents.z), state),
            (replace(latents, noise=-latents.noise), state),
            (replace(latents, pick=(latents.pick + 0.5) % 1), state),
            (latents, state.moved(-state.code, state.modulation, state.critic_modulation)),
            (latents, state.moved(state.code, state.modulation + 1, state.critic_modulation)),
            (latents, replace(state, tokens=-state.tokens)),
        ]
        assert all(not torch.allclose(plain, nets.generator(*pair)[0], atol=1e-4) for pair in changed)


def test_judge_of_zeros_is_the_outer_critic(nets: Networks) -> None:
    images = drawings(2, 6)
    scores = nets.discriminator(images[:, :4], images[:, 4:5].expand(-1, 4, -1, -1, -1))
    judge = torch.zeros(2, nets.discriminator.modulation_size)
    bases = images[:, 4:5].expand(-1, 4, -1, -1, -1)
    assert torch.allclose(scores, nets.discriminator(images[:, :4], bases, judge), atol=1e-6)
    assert not torch.allclose(scores, nets.discriminator(images[:, :4], bases, judge + 0.5), atol=1e-4)


def test_critic_sees_whole_packs(nets: Networks) -> None:
    images = drawings(1, 5)
    bases = images[:, 4:].expand(-1, 4, -1, -1, -1)
    before = nets.discriminator(images[:, :4], bases)
    other = images[:, :4].clone()
    other[:, 1] = images[:, 4]  # one image of the first pack
    after = nets.discriminator(other, bases)
    assert (before[0, 0] - after[0, 0]).abs() > 1e-4
    assert torch.allclose(before[0, 1], after[0, 1], atol=1e-5)


@pytest.mark.parametrize("pack", [2, 4, 8])
def test_a_critic_takes_over_one_of_another_pack(pack: int) -> None:
    old, new = Discriminator(replace(TINY, pack=2)), Discriminator(replace(TINY, pack=pack))
    new.take_over(old)
    same = drawings(1, 1).expand(-1, 8, -1, -1, -1)  # one image all over: how many there are makes no difference
    assert torch.allclose(old(same, same)[0, 0], new(same, same)[0, 0], atol=1e-5)


def colour_networks() -> tuple[Networks, torch.Tensor, TaskState]:
    """Untrained networks for colour, three support images in which nothing is the same, and what is seen in them."""
    nets = build_networks(replace(TINY, channels=3), generator_for(0, "weights")).eval()
    support = gaussian("support", 1, 3, 3, 32, 32).clamp(-1, 1)
    with torch.no_grad():
        return nets, support, seen(nets, support)


def test_a_partner_is_another_support_image() -> None:
    latents = draw_latents(2, 200, (1, 1), generator_for(0, "latents"))
    for shots in (2, 3, 8):
        base, partner = latents.base_index(shots), latents.partner_index(shots)
        assert (base != partner).all()
        assert partner.min() == 0
        assert partner.max() == shots - 1
        assert len(((partner - base) % shots).unique()) == shots - 1
        further = latents.partner_index(shots, turn=1)
        assert (base != further).all()
        assert (further == partner).all() == (shots == 2)
    assert torch.equal(latents.partner_index(1), latents.base_index(1))
    assert [donors(shots) for shots in (1, 2, 3, 4, 5, 64)] == [0, 1, 1, 2, 2, 2]


def test_what_is_lent_comes_from_the_partner_where_edges_are_shared() -> None:
    nets, texture, state = colour_networks()
    support = texture[..., ::8, ::8].repeat_interleave(8, 3).repeat_interleave(8, 4)  # of even blocks
    alike = support.clone()
    alike[..., :24] = support[:, :1, ..., :24]  # all but a quarter is the same in all
    latents = draw_latents(1, 8, nets.generator.latent_sizes, generator_for(0, "latents"))
    latents = replace(latents, noise=torch.zeros_like(latents.noise))

    def distances(images: torch.Tensor, logit: float) -> list[float]:
        """Of samples from the image that they start from, and from their partner's."""
        torch.nn.init.constant_(nets.generator.get_parameter("lend.bias"), logit)
        with torch.no_grad():
            drawn = nets.generator(latents, replace(state, bases=images))[0][0]
        places = (latents.base_index(3), latents.partner_index(3))
        return [float((drawn - images[0, index[0]])[..., 24:].abs().mean()) for index in places]

    (kept, other), (lent, nearer), (apart, far) = (
        distances(images, logit) for images, logit in ((alike, -100.0), (alike, 100.0), (support, 100.0))
    )
    assert max(kept / other, apart / far) < 0.1
    assert lent > 10 * kept
    assert nearer < 0.7 * other


def test_sources_are_the_images_that_a_sample_is_made_of(nets: Networks) -> None:
    colour, _, _ = colour_networks()
    latents = draw_latents(2, 20, (1, 1), generator_for(0, "latents"))
    gray, both = (some.generator.sources(latents, 4) for some in (nets, colour))
    assert gray.sum(2).unique().tolist() == [1]
    assert both.sum(2).unique().tolist() == [2]
    assert torch.equal(gray.float().argmax(2), latents.base_index(4))
    assert (both | ~gray).all()


def test_parts_are_lent_whole_and_by_several() -> None:
    nets, _, _ = colour_networks()
    part = nets.generator
    assert part.lend is not None
    for layer in (part.out, part.lend):
        for parameter in layer.parameters():
            torch.nn.init.zeros_(parameter)
    torch.nn.init.zeros_(part.flow.weight[2:])
    torch.nn.init.zeros_(part.get_parameter("flow.bias"))
    support, places = torch.full((1, 4, 3, 32, 32), 0.2), [(3, 3), (3, 23), (23, 3), (23, 23)]
    support[..., 12:20, 1::2] = 0.9  # edges that all share
    for k, (top, left) in enumerate(places):  # and a mark that the others have not
        support[0, k, :, top : top + 7, left : left + 7] = -0.9
    latents = draw_latents(1, 64, part.latent_sizes, generator_for(0, "latents"))
    latents.noise[..., :-16] = 0  # chance lends, and changes nothing else
    with torch.no_grad():
        images = part(replace(latents, noise=4 * latents.noise), seen(nets, support))[0][0] / REACH
    found = torch.stack([images[:, :, top : top + 7, left : left + 7] for top, left in places], 1).flatten(2)
    marked, plain = ((found - value).abs().amax(2) < 0.05 for value in (-0.9, 0.2))
    assert (marked ^ plain).all()  # a mark is there as a whole or not at all
    kept = marked[torch.arange(64), latents.base_index(4)[0]]
    assert kept.any()
    assert not kept.all()  # that an image has none is lent as well
    assert set(marked.sum(1).tolist()) == {0, 1, 2, 3}  # its own, and those of two others


def test_pictures_bend_as_a_whole() -> None:
    nets, _, state = colour_networks()
    stripes = torch.ones(1, 3, 3, 32, 32)
    for place in range(3):
        stripes[:, place, ..., 9 + 4 * place : 13 + 4 * place] = -1.0  # at odd places: no pixel art
    latents = draw_latents(1, 8, nets.generator.latent_sizes, generator_for(0, "latents"))
    torch.nn.init.constant_(nets.generator.get_parameter("lend.bias"), -100.0)
    torch.nn.init.normal_(nets.generator.flow.weight, std=0.05, generator=generator_for(1, "flow"))
    for parameter in nets.generator.out.parameters():
        torch.nn.init.zeros_(parameter)  # nothing is repainted
    with torch.no_grad():
        images = nets.generator(latents, replace(state, bases=stripes))[0][0].mean(1)
    ink = (1 - images[:, 4:28]).clamp(min=0)
    middle = (ink * torch.arange(32.0)).sum(2) / ink.sum(2)  # of the stripe, in each line
    assert (middle[:, 0] - middle[:, -1]).abs().max() > 0.5  # it moves
    assert middle.diff(dim=1).diff(dim=1).abs().max() < 0.3  # and stays a line


def test_where_edges_are_shared_nothing_bends_and_where_nothing_changes_a_picture_stays_exact() -> None:
    nets, _, state = colour_networks()
    part = nets.generator
    blocks = gaussian("picture", 1, 1, 3, 4, 4).clamp(-1, 1).repeat_interleave(8, 3).repeat_interleave(8, 4)
    state = replace(state, bases=blocks.expand(1, 3, 3, 32, 32))
    latents = draw_latents(1, 8, part.latent_sizes, generator_for(0, "latents"))
    torch.nn.init.normal_(part.flow.weight, std=0.05, generator=generator_for(1, "flow"))
    torch.nn.init.zeros_(part.flow.weight[2:])  # no tint that is predicted
    torch.nn.init.zeros_(part.get_parameter("flow.bias"))
    for parameter in part.out.parameters():
        torch.nn.init.zeros_(parameter)
    with torch.no_grad():
        images, bases, _ = part(latents, state)
    assert (images / REACH - bases).abs().max() < 1e-4


def test_real_images_are_as_bright_as_samples() -> None:
    gray, colour = gaussian("image", 2, 1, 8, 8).clamp(-1, 1), gaussian("image", 2, 3, 8, 8).clamp(-1, 1)
    assert torch.equal(within_reach(colour), REACH * colour)
    assert torch.equal(within_reach(gray), gray.clamp(-REACH, REACH))


def test_a_folder_says_what_chance_may_change() -> None:
    """Shared edges: parts are lent, nothing bends, but of textures; one colour: it is kept; a single one: all may change."""
    picture, shade = (
        gaussian("picture", 1, 1, 3, 32, 32).clamp(-1, 1) / 2,
        torch.linspace(-0.4, 0.4, 4)[None, :, None, None, None],
    )
    alike, full = picture.expand(1, 4, 3, 32, 32), RULES.several_share * RULES.filled_share  # such pictures fill their squares
    bend, _, hue, strength, light, loan = variation_limits(alike, RULES)[0].tolist()
    assert (bend, loan) == (0, 1)
    assert max(hue, strength, light) < 1e-3
    bend, _, _, _, _, loan = variation_limits(alike, RULES, torch.tensor([False]))[0].tolist()  # a texture
    assert (bend, loan) == (pytest.approx(RULES.textured_share * full), 0)
    assert variation_limits(alike[:, :1], RULES).tolist() == [pytest.approx(6 * [full])]
    assert variation_limits(torch.ones(1, 1, 3, 32, 32), RULES).tolist() == [6 * [1]]
    assert variation_limits(alike + 0.05 * shade, RULES)[0].tolist() == pytest.approx([0, 0, 0, 0, 0.86 * full, 1], abs=0.05)
    tints = torch.tensor([1.0, 0.0, -1.0])[:, None, None]
    assert variation_limits(alike + shade * tints, RULES)[0].tolist() == pytest.approx([0, 0, full, full, 0, 1], abs=0.01)
    apart = torch.stack([picture[:, 0].roll(9 * k, 3) for k in range(4)], 1)
    assert variation_limits(apart, RULES)[0].tolist() == pytest.approx([full, full, 0, 0, 0, 0], abs=0.01)


def test_pictures_that_fill_their_squares_change_by_half_as_much() -> None:
    pictures = gaussian("pictures", 1, 4, 3, 32, 32).clamp(-1, 1) / 2
    framed = torch.stack([F.pad(pictures[:, k, :, k + 2 : -k - 2, k + 2 : -k - 2], 4 * [k + 2], value=1.0) for k in range(4)], 1)
    half = torch.cat([pictures[:, :2], framed[:, 2:]], 1)
    for images, share in ((pictures, RULES.filled_share), (framed, 1.0), (half, (1 + RULES.filled_share) / 2)):
        assert variation_limits(images, RULES)[0, :2].tolist() == pytest.approx(2 * [RULES.several_share * share], abs=0.01)


def test_a_ground_of_one_colour_keeps_it_and_white_says_nothing() -> None:
    motifs = gaussian("motif", 1, 4, 3, 1, 1).clamp(-1, 1).expand(-1, -1, -1, 16, 16)
    white, beige, many = (torch.ones(1, 4, 3, 32, 32) for _ in range(3))
    beige *= torch.tensor([0.9, 0.8, 0.5])[:, None, None]
    many *= beige - torch.linspace(0, 0.4, 4)[None, :, None, None, None] * torch.tensor([1.0, 0.5, 0.0])[:, None, None]
    found = []
    for ground in (white, beige, many):
        ground[..., 8:24, 8:24] = motifs
        found.append(variation_limits(ground, RULES)[0, 2:5].tolist())
    assert found[1] == pytest.approx([0, 0, 0], abs=0.01)
    assert min(found[0] + found[2]) == pytest.approx(RULES.several_share)


def test_edges_are_shared_where_they_lie_at_the_same_places() -> None:
    picture, others = gaussian("picture", 2, 1, 3, 32, 32), gaussian("others", 2, 5, 3, 32, 32)
    assert torch.allclose(shared_edges(picture.expand(2, 5, 3, 32, 32)), torch.ones(2), atol=1e-4)
    assert shared_edges(others).abs().max() < 0.05
    assert torch.allclose(shared_edges(picture + others), torch.full((2,), 0.5), atol=0.06)
    assert shared_edges(torch.ones(2, 5, 3, 32, 32)).max() <= 0


def test_chance_knows_how_much_support_images_differ() -> None:
    same = gaussian("image", 1, 1, 3, 32, 32).clamp(-1, 1).expand(1, 4, 3, 32, 32)
    assert support_spread(same).abs().max() < 1e-5
    assert not support_spread(same[:, :1]).any()
    shade = torch.tensor([0.0, 0.1, 0.2, 0.3])[None, :, None, None, None]
    light, colour, layout = support_spread(same / 2 + shade)[0]
    assert light > 0.1
    assert colour < 1e-4
    assert layout > 0.1
    light, colour, _ = support_spread(same / 2 + shade * torch.tensor([1.0, 0.0, -1.0])[:, None, None])[0]
    assert light < 1e-4 < 0.05 < colour
    nets, support, state = colour_networks()
    torch.nn.init.normal_(nets.generator.sway.weight, std=0.05, generator=generator_for(0, "sway"))
    latents = draw_latents(1, 4, nets.generator.latent_sizes, generator_for(0, "latents"))
    alike = support[:, :1].expand_as(support)
    with torch.no_grad():
        style = nets.generator.map(torch.cat([latents.z, state.code[:, None].expand(-1, 4, -1)], 2).flatten(0, 1))
        first, second = [
            chance_sizes(nets.generator.sway, style, some, variation_limits(some, RULES), RULES) for some in (support, alike)
        ]
    assert not torch.allclose(first, second, rtol=0.01)


def test_only_images_that_share_edges_lend() -> None:
    nets, support, state = colour_networks()
    style = nets.generator.map(torch.cat([torch.zeros(1, TINY.latent), state.code], 1))
    far = gaussian("far", 1, 4, 3, 32, 32).clamp(-1, 1)
    near = torch.where(torch.rand(1, 4, 3, 32, 32, generator=generator_for(0, "dots")) < 0.02, -1.0, support[:, :1])
    with torch.no_grad():
        loans = [
            float(chance_sizes(nets.generator.sway, style, some, variation_limits(some, RULES), RULES)[0, -1])
            for some in (near, far)
        ]
    assert loans[0] > 0.3
    assert loans[1] == 0.0


def test_wider_latents_tint_and_lend_no_more() -> None:
    nets, _, _ = colour_networks()
    latents = draw_latents(1, 2, nets.generator.latent_sizes, generator_for(0, "latents"))
    wider = nets.generator.widened(latents, torch.tensor([[1.0, 2.0]]))
    assert torch.equal(wider.z, latents.z * torch.tensor([1.0, 2.0])[:, None])
    assert torch.equal(wider.noise[0, 0], latents.noise[0, 0])
    kept = 3 + 16  # hue, saturation and lightness, and the loan's 4 x 4 cells
    assert torch.equal(wider.noise[0, 1, :-kept], 2 * latents.noise[0, 1, :-kept])
    assert torch.equal(wider.noise[0, 1, -kept:], latents.noise[0, 1, -kept:])


@pytest.mark.parametrize("form", ["minimax", "non-saturating", "relativistic", "wasserstein"])
def test_inner_steps_go_down_the_value_function(form: str, nets: Networks) -> None:
    support = drawings(2, 6)
    state = adapted(nets, support)
    game = InnerGame(form, energy=0.0, packs=64)
    turn = game.play(nets, state, generator_for(0, "game"))
    code, modulation, critic = turn.code, turn.modulation, turn.critic_modulation
    assert code.shape == state.code.shape
    assert modulation.shape == state.modulation.shape
    assert critic.shape == state.critic_modulation.shape
    assert all(g.abs().max() > 0 for g in (code, modulation, critic))
    step = 0.05 / modulation.square().mean().sqrt()

    def rating(state: TaskState) -> float:
        """What the discriminator thinks of samples, on fixed latents."""
        latents = draw_latents(2, 64, nets.generator.latent_sizes, generator_for(5, "latents"), pack=2)
        with torch.no_grad():
            return float(nets.discriminator(*nets.generator(latents, state)[:2], state.critic_modulation).mean())

    assert rating(state.moved(state.code, state.modulation - step * modulation, state.critic_modulation)) > rating(state)


@pytest.mark.parametrize("by", ["energy", "perception"])
def test_inner_steps_bring_samples_nearer_to_the_other_examples(nets: Networks, by: str) -> None:
    nets.perceiver, support = build_perceptual_net(1).requires_grad_(False), drawings(2, 6)
    state = adapted(nets, support)
    game = InnerGame(energy=1000.0 * (by == "energy"), perception=1000.0 * (by == "perception"), packs=64)
    modulation = game.play(nets, state, generator_for(0, "game")).modulation
    yardstick = BY_SIGNATURES if by == "energy" else by_features(nets.perceiver.describe)

    def away(state: TaskState) -> float:
        latents = draw_latents(2, 64, nets.generator.latent_sizes, generator_for(5, "latents"))
        with torch.no_grad():
            return float(energy_score(support, nets.generator(latents, state)[0] / REACH, by=yardstick))

    step = 0.02 / modulation.square().mean().sqrt()
    assert away(state.moved(state.code, state.modulation - step * modulation, state.critic_modulation)) < away(state)


def test_inner_steps_need_a_pack_beside_an_example(nets: Networks) -> None:
    for shots, moves in ((1, False), (2, False), (3, True)):
        state = adapted(nets, drawings(1, shots), steps=2)
        assert bool(state.modulation.abs().max() > 0) == moves


def test_inner_steps_are_reproducible_and_differ_by_seed(nets: Networks) -> None:
    support, learner = drawings(1, 5), build_learner(TINY)
    runs = [learner.adapt(nets, support, 3, InnerGame(), generator_for(seed, "adapt")).modulation for seed in (1, 1, 2)]
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])
