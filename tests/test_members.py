"""New members of a set, and variants beside them: which motifs they show, by seed, at any size, transparent, in pixel art."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from conftest import TINY, draw_folder, gaussian, refused, run
from drawn_hands import SIDE, WITH_GUESTS, draw_set, drawn, ship, shipped, write_guest_model, write_nets
from PIL import Image

from metagan_cli.config import AdaptConfig
from metagan_cli.errors import InputError, UsageError
from metagan_cli.images.drawings import draw_svg
from metagan_cli.images.paints import covered, paints_of
from metagan_cli.images.shifts import placed
from metagan_cli.images.styling import PLAIN
from metagan_cli.networks.bundle import build_networks
from metagan_cli.rng import generator_for
from metagan_cli.sampling.members import HalfAndHalf, MemberSampler
from metagan_cli.sampling.sampler import BLOCK, CHUNK, Sampler
from metagan_cli.store.motifs import bank
from metagan_cli.workflows import kinship
from metagan_cli.workflows.guests import Guests, akin, guests_for, members_of
from metagan_cli.workflows.nearing import SLACK, Nearing
from metagan_cli.workflows.painting import Painting
from metagan_cli.workflows.ready import Ready, load_ready
from metagan_cli.workflows.repeat import Kept, like, requested
from metagan_cli.workflows.sample import SampleRequest, check_request, draw, source_of

NAMES = ("home", "camera", "heart")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the nets, a model that paints guests and one that does not, and both adapted to five motifs."""
    folder = tmp_path_factory.mktemp("members")
    write_nets(folder / "nets")
    write_guest_model(folder / "guests.safetensors")
    write_guest_model(folder / "plain.safetensors", TINY)
    draw_set(folder / "set")
    draw_folder(folder / "one", 4, size=SIDE)
    for model, out in (("guests", "set"), ("plain", "unpainted")):
        asked = ("--from", f"{model}.safetensors", "--steps", "0", "-o", f"{out}.safetensors")
        ran = run("adapt", "set", *asked, cwd=folder, bootstrap=ship(folder / "nets"))
        assert ran.code == 0, ran.err
    return folder


@pytest.fixture(autouse=True)
def nets_that_ship(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped(place / "nets", monkeypatch)


@pytest.fixture
def ready(place: Path) -> Ready:
    return load_ready(place / "set.safetensors", "cpu")


@pytest.fixture
def as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Guests stay the first plain hand's drawings, as large as they are, as no better way is looked for."""

    def search(self: Nearing) -> Nearing:
        self.manner = replace(self.manner, styling=PLAIN)
        return self

    monkeypatch.setattr(Nearing, "search", search)


def adapted_to(folder: Path, place: Path, model: str = "guests") -> Ready:
    return load_ready(folder, "cpu", AdaptConfig(base=str(place / f"{model}.safetensors"), steps=0))


def painted(guests: Guests, whether: bool = True) -> Guests:
    """The same, taken over by the painter or not, whatever a net that has learned nothing says."""
    guests.painted = whether
    return guests


def sample(place: Path, *arguments: object) -> dict[str, object]:
    """What the command says of itself."""
    ran = run("sample", *arguments, "--json", cwd=place, bootstrap=ship(place / "nets"))
    assert ran.code == 0, ran.err
    said: dict[str, object] = json.loads(ran.out)
    return said


def pixels(folder: Path) -> list[np.ndarray]:
    return [np.asarray(Image.open(path)) for path in sorted(folder.iterdir())]


def images(ready: Ready, guests: Guests, seeds: range) -> torch.Tensor:
    """Samples [N, C, S, S] of these guests."""
    return torch.cat([block.images for block in members_of(ready, guests).stream(seeds)])


def plain(name: str, style: int = 0) -> torch.Tensor:
    """A motif's drawing in the bank: [1, S, S]."""
    return draw_svg(bank().named(name).drawings[style].body, SIDE)


def nearest(some: torch.Tensor, others: torch.Tensor) -> list[int]:
    """For each of images [N, C, S, S] which of the others [M, C, S, S] it is, but for a shift."""
    apart = [(placed(others, one.expand_as(others)) - one).abs().mean((1, 2, 3)) for one in some]
    return [int(one.argmin()) for one in apart]


@pytest.mark.parametrize("model", ["set", "unpainted"])
@pytest.mark.parametrize("asked", [(), ("--motifs", "home,camera,heart")])
def test_few_samples_are_the_first_of_many(asked: tuple[str, ...], model: str, place: Path, tmp_path: Path) -> None:
    few, many = tmp_path / "few", tmp_path / "many"
    for count, out in ((7, few), (BLOCK, many)):
        assert sample(place, f"{model}.safetensors", *asked, "-n", count, "--each", out)["count"] == count
    assert len(pixels(few)) == 7
    assert all(np.array_equal(one, other) for one, other in zip(pixels(few), pixels(many), strict=False))
    distinct = len({one.tobytes() for one in pixels(many)})
    assert distinct == (2 * len(NAMES) if asked else BLOCK)  # of motifs that are named by either plain hand, by turns


@pytest.mark.parametrize("paints", [True, False])
def test_a_member_depends_on_its_seed_alone(paints: bool, ready: Ready) -> None:
    source = members_of(ready, painted(akin(ready), paints))
    assert (source.hand is not None) == paints
    many = torch.cat([block.images for block in source.stream(range(10, 10 + BLOCK + 3))])
    assert len(many) == BLOCK + 3
    for seeds in ([13, 14], [10 + CHUNK], [10 + BLOCK + 2], [15, 10]):
        (block,) = source.stream(seeds)
        assert torch.equal(block.images, many[[seed - 10 for seed in seeds]])
        assert block.members == tuple(range(len(seeds)))
        assert block.variants == ()


@pytest.mark.parametrize("paints", [True, False])
def test_members_show_what_the_folder_does_not(paints: bool, ready: Ready) -> None:
    """At first a painter leaves guests nearly as they are: samples are then the bank's drawings, in the order of kinship."""
    guests = painted(akin(ready), paints)
    shown = {motif.name for motif in bank().group("icons")[:5]}
    assert not shown & set(guests.names)
    assert len(set(guests.names)) == len(guests.names)
    found = images(ready, guests, range(6))
    wanted = torch.stack([guests(seed).image for seed in range(6)])
    assert nearest(found, wanted) == list(range(6))
    assert torch.equal(found, wanted) != paints  # they are what is brought near, or are painted from it


@pytest.mark.parametrize("asked", [True, False])
def test_another_motif_comes_instead_of_a_copy_unless_it_was_asked_for(asked: bool, ready: Ready) -> None:
    guests = painted(akin(ready), False)
    usual = guests._guest
    copy = usual(0, 0)._replace(image=ready.examples[2])
    guests._guest = lambda again, number: copy if (again, number) == (0, 1) else usual(again, number)  # type: ignore[method-assign]
    (block,) = members_of(ready, guests, asked).stream(range(3))
    other = copy if asked else guests.instead(1)
    assert torch.equal(block.images, torch.stack([guests(0).image, other.image, guests(2).image]))
    assert block.logits is not None
    assert torch.equal(block.logits[1], other.logits)
    assert len(guests.names) // 2 > 1


@pytest.mark.parametrize("painter_is_nearer", [True, False])
def test_the_painter_takes_over_where_it_does_not_lead_away(
    painter_is_nearer: bool, ready: Ready, monkeypatch: pytest.MonkeyPatch
) -> None:
    guests = guests_for(ready, "home,camera,heart")
    drawn, worth = guests.near.draw(guests.near.manner), -SLACK + (0.01 if painter_is_nearer else -0.01)
    monkeypatch.setattr(guests.near, "likeness_of", lambda seen: 0.0 if torch.equal(seen, drawn) else worth)
    assert guests.painted == painter_is_nearer
    near = torch.stack([guests(seed).image for seed in range(3)])
    assert torch.equal(images(ready, guests, range(3)), near) != painter_is_nearer


def test_guests_are_of_the_folder_s_paints(ready: Ready) -> None:
    image, logits = guests_for(ready, "home")(0)
    paints = paints_of(ready.examples[None])
    assert logits.shape == (3, SIDE, SIDE)
    assert torch.allclose(image, torch.einsum("phw,pc->chw", covered(logits), paints.colours[0]))
    (block,) = members_of(ready, painted(guests_for(ready, "home"), False)).stream([0])
    assert block.logits is not None
    assert torch.equal(block.logits[0], logits)  # of which larger pictures are painted
    assert block.paints is not None
    assert torch.equal(block.paints.colours, paints.colours)


def test_half_and_half(ready: Ready, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinship, "ONE", 2.0)
    monkeypatch.setattr(kinship, "MANY", -2.0)
    source = source_of(ready, 1.0, None, variants=False)
    assert isinstance(source, HalfAndHalf)
    source.variants.drafts = 1  # quicker
    blocks = list(source.stream(range(3, 3 + BLOCK + 5)))
    assert [len(block.images) for block in blocks] == [BLOCK, 5]
    found = torch.cat([block.images for block in blocks])
    members = torch.cat([block.images for block in source.members.stream(range(2, 40))])
    variants = source.variants.draw(range(3, 3 + BLOCK + 5))
    for place, seed in enumerate(range(3, 3 + BLOCK + 5)):
        assert torch.equal(found[place], members[seed // 2 - 2] if seed % 2 == 0 else variants[place])
    for seeds in ([4], [5], [9, 4, 6]):
        (block,) = source.stream(seeds)
        assert torch.equal(block.images, found[[seed - 3 for seed in seeds]])
    assert blocks[0].variants == tuple(range(0, BLOCK, 2))
    assert blocks[0].members == tuple(range(1, BLOCK, 2))


def test_half_and_half_are_painted_each_its_own_way(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinship, "ONE", 2.0)
    monkeypatch.setattr(kinship, "MANY", -2.0)
    ready = adapted_to(draw_set(tmp_path / "large", side=64), place)
    source = source_of(ready, 1.0, None, variants=False)
    assert isinstance(source, HalfAndHalf)
    source.variants.drafts = 1
    painting = Painting(ready, "auto")
    large = [picture[..., 0].numpy() for block in source.stream(range(6)) for picture in painting.pictures(block)]
    assert large[0].shape == (64, 64)
    members = list(Painting(ready, "auto").pictures(next(source.members.stream(range(3)))))
    variants = list(Painting(ready, "auto").pictures(next(source.variants.stream([1, 3, 5]))))
    for number in range(3):
        assert np.array_equal(large[2 * number], members[number][..., 0].numpy())
        assert np.array_equal(large[2 * number + 1], variants[number][..., 0].numpy())


def test_variants_are_what_was_drawn_before(ready: Ready, place: Path) -> None:
    """A model with guests and one without, of the same weights otherwise, draw the same variants."""
    nets = build_networks(TINY, generator_for(0, "other")).eval()
    nets.load_state_dict({n: t for n, t in ready.base.nets.state_dict().items() if not n.startswith("guests.")})
    before = Sampler(nets, ready.state).draw(range(6))
    source = source_of(ready, 1.0, None, variants=True)
    assert torch.equal(torch.cat([block.images for block in source.stream(range(6))]), before)
    assert source_of(ready, 0.5, None, variants=True).truncation == 0.5  # type: ignore[attr-defined]
    without = source_of(replace(ready, base=replace(ready.base, nets=nets)), 1.0, None, variants=True)
    assert isinstance(without, Sampler)
    assert torch.equal(without.draw(range(6)), before)


def test_one_motif_gives_variants(place: Path) -> None:
    ready = adapted_to(place / "one", place)
    assert isinstance(source_of(ready, 1.0, None, variants=False), Sampler)
    assert isinstance(source_of(ready, 1.0, guests_for(ready, "home"), variants=False), MemberSampler)


@pytest.mark.usefixtures("as_they_are")
def test_motifs_by_their_names(ready: Ready) -> None:
    guests = guests_for(ready, "home, camera,heart,")
    assert guests.names == NAMES
    drawings = torch.stack([plain(name, style) for style in (0, 1) for name in NAMES])
    own = torch.stack([guests(seed).image for seed in range(6)])
    assert nearest(own, drawings) == list(range(6))  # drawn otherwise when they come again
    assert (own - drawings).abs().mean() < 0.15  # their lines weigh what most do
    assert torch.equal(guests(6).image, guests(0).image)
    found = images(ready, painted(guests), range(3))
    assert nearest(found, own[:3]) == [0, 1, 2]
    assert guests_for(ready, "?").names == (bank().named("?").name,)


def test_motifs_of_a_group(ready: Ready) -> None:
    assert guests_for(ready, "digits").names == tuple("0123456789")
    assert guests_for(ready, "latin").names == tuple(motif.name for motif in bank().group("latin"))
    assert len(guests_for(ready, "all").names) == len(bank().motifs)


def test_more_names_than_a_path_is_long(ready: Ready) -> None:
    names = [motif.name for motif in bank().group("icons")[:900]]
    assert guests_for(ready, ",".join(names)).names == tuple(names)


def test_the_plain_hand_that_is_nearer_comes_first(ready: Ready, monkeypatch: pytest.MonkeyPatch) -> None:
    def solid(self: Nearing) -> Nearing:
        self.manner = replace(self.manner, hand=1)
        return self

    monkeypatch.setattr(Nearing, "search", solid)
    guests = guests_for(ready, "home")
    assert nearest(torch.stack([guests(seed).image for seed in (0, 1)]), torch.stack([plain("home", s) for s in (0, 1)])) == [
        1,
        0,
    ]


@pytest.mark.usefixtures("as_they_are")
def test_motifs_of_a_folder_of_drawings(ready: Ready, place: Path, tmp_path: Path) -> None:
    folder = draw_set(tmp_path / "mine", count=6, hand="bold/upright")
    guests = guests_for(ready, str(folder))
    assert [Path(name).stem for name in guests.names] == [str(number) for number in range(6)]
    own = torch.stack([guests(number).image for number in range(6)])
    assert nearest(own, drawn("bold/upright")[:6]) == list(range(6))
    assert (own - drawn("bold/upright")[:6]).abs().mean() < 0.1
    assert all(torch.equal(guests(number + 6).image, own[number]) for number in range(6))
    said = sample(place, "set.safetensors", "--motifs", folder, "--each", tmp_path / "theirs")
    assert said["count"] == 6  # one of each
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError):
        guests_for(ready, str(tmp_path / "empty"))


@pytest.mark.usefixtures("as_they_are")
def test_invented_characters_get_others(ready: Ready, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinship, "INVENTED", 2.0)
    guests = akin(ready)
    assert all(name.startswith("invented ") for name in guests.names)
    assert len(set(guests.names)) == len(guests.names) > 8
    assert torch.equal(guests(7).image, guests(7).image)
    again = guests(7 + len(guests.names)).image
    assert not torch.equal(guests(7).image, again)  # drawn once more
    others = torch.stack([guests(seed).image for seed in (3, 4, 5, 6)])
    assert (guests(7).image - again).abs().mean() < (guests(7).image - others).abs().mean()
    assert guests(7).image.shape == (1, SIDE, SIDE)
    assert guests(7).image.min() < -0.9 < 0.9 < guests(7).image.max()


@pytest.mark.parametrize("paints", [True, False])
def test_coloured_folders_get_members_in_their_colours(paints: bool, tmp_path: Path) -> None:
    config = replace(WITH_GUESTS, channels=3, guests=paints)
    model, folder = write_guest_model(tmp_path / "colour.safetensors", config), tmp_path / "coloured"
    folder.mkdir()
    for number, ink in enumerate(drawn("bold/upright")[:5, 0] > 0):
        image = np.where(ink[..., None].numpy(), np.array([200, 30, 40], np.uint8), np.array([255, 255, 255], np.uint8))
        Image.fromarray(image).save(folder / f"{number}.png")
    ready = load_ready(folder, "cpu", AdaptConfig(base=str(model), steps=0))
    guests = guests_for(ready, "home")
    assert guests(0).image.shape == (3, SIDE, SIDE)
    (block,) = members_of(ready, painted(guests, paints)).stream([0])
    for member in (guests(0).image, block.images[0]):
        colours = 127.5 * (1 + member.flatten(1).T)
        assert (colours[0] - 255).abs().max() < 12
        assert (colours - torch.tensor([200, 30, 40])).abs().amax(1).min() < 30
        share = (255 - colours[:, 1:2]) / 225  # of ink: on the line between both colours
        between = 255 + share * (torch.tensor([200.0, 30.0, 40.0]) - 255)
        assert (colours - between).abs().max() < 12


def test_a_picture_says_how_to_draw_it_again(place: Path, ready: Ready) -> None:
    assert sample(place, "set.safetensors", "--motifs", "heart,home", "-n", 5, "-o", "first.png")["count"] == 5
    sample(place, "set.safetensors", "--like", "first.png", "-o", "again.png")
    first, again = (np.asarray(Image.open(place / f"{name}.png")) for name in ("first", "again"))
    assert np.array_equal(first, again)
    sample(place, "set.safetensors", "-n", 5, "--variants", "-o", "variants.png", "--each", "variants")
    expected = [np.asarray(image) for image in draw(ready, range(5), 1.0, "auto", 1, variants=True)]
    assert all(np.array_equal(one, other) for one, other in zip(pixels(place / "variants"), expected, strict=True))
    assert not np.array_equal(first, np.asarray(Image.open(place / "variants.png")))
    request = SampleRequest([9], None, None)
    for name, motifs, variants in (("first", "heart,home", False), ("variants", None, True)):
        asked = requested(like(place / f"{name}.png"), request)
        assert (list(asked.seeds), asked.motifs, asked.variants) == ([0, 1, 2, 3, 4], motifs, variants)
    line = refused(2, "sample", "set.safetensors", "--like", "first.png", "--motifs", "home", "-o", "no.png", cwd=place)
    assert "--like and --motifs" in line


def test_pictures_of_earlier_versions_were_variants() -> None:
    kept = Kept("hash", "0-3", 1.0, None, 1, False, None)
    assert requested(kept, SampleRequest([0], None, None)).variants
    assert not SampleRequest([0], None, None).variants


def test_motifs_that_cannot_be(ready: Ready, place: Path) -> None:
    line = refused(
        2, "sample", "set.safetensors", "--motifs", "home,camra", "-o", "no.png", cwd=place, bootstrap=ship(place / "nets")
    )
    assert "camra: no motif of that name; is it camera" in line
    with pytest.raises(UsageError, match="--motifs: name some, as home,camera,heart"):
        guests_for(ready, " , ")
    request = SampleRequest([0, 1], None, None, motifs="home")
    with pytest.raises(UsageError, match="--motifs and --variants: variants show the examples' own motifs"):
        check_request(replace(request, variants=True))
    with pytest.raises(UsageError, match="--motifs and --interpolate: there is no way from one motif to another"):
        check_request(replace(request, walk_count=4))


def test_a_model_without_a_painter_draws_guests_that_are_brought_near(place: Path, tmp_path: Path) -> None:
    ready = load_ready(place / "unpainted.safetensors", "cpu")
    assert ready.base.nets.guests is None
    source = source_of(ready, 1.0, None, variants=False)  # the folder's motifs are unlike
    assert isinstance(source, MemberSampler)
    (block,) = source.stream(range(4))
    assert torch.equal(block.images, torch.stack([akin(ready)(seed).image for seed in range(4)]))
    assert sample(place, "unpainted.safetensors", "--motifs", "home,camera", "--each", tmp_path / "named")["count"] == 2
    for picture, guest in zip(pixels(tmp_path / "named"), map(guests_for(ready, "home,camera"), range(2)), strict=True):
        assert np.abs(picture - (127.5 - 127.5 * guest.image[0].numpy())).max() < 2


def test_photographs_have_no_motifs(place: Path, tmp_path: Path) -> None:
    config = replace(TINY, channels=3)
    write_guest_model(tmp_path / "colour.safetensors", config)
    (tmp_path / "photographs").mkdir()
    for number in range(4):  # no two pixels alike
        coarse = gaussian(f"photograph {number}", 1, 3, 6, 6)
        soft = F.interpolate(coarse, size=(SIDE, SIDE), mode="bicubic")[0] + 0.1 * gaussian(f"grain {number}", 3, SIDE, SIDE)
        Image.fromarray((127.5 + 60 * soft).clamp(0, 255).byte().permute(1, 2, 0).numpy()).save(
            tmp_path / "photographs" / f"{number}.png"
        )
    ship_ = ship(place / "nets")
    asked = ("sample", "photographs", "--from", "colour.safetensors", "--steps", "0")
    for motifs in ("home,camera", "icons", "photographs"):
        line = refused(2, *asked, "--motifs", motifs, "-n", "2", "--each", "no", cwd=tmp_path, bootstrap=ship_)
        assert line.endswith("--motifs: the folder holds pictures, to which no motifs can be brought; leave it out")
    assert not (tmp_path / "no").exists()
    ran = run(*asked, "-n", "2", "--each", "yes", cwd=tmp_path, bootstrap=ship_)
    assert ran.code == 0, ran.err
    ready = load_ready(tmp_path / "photographs", "cpu", AdaptConfig(base=str(tmp_path / "colour.safetensors"), steps=0))
    assert isinstance(source_of(ready, 1.0, None, variants=False), Sampler)


def test_members_are_as_large_and_sharp_as_the_examples(place: Path, tmp_path: Path) -> None:
    ready = adapted_to(draw_set(tmp_path / "large", side=96), place)
    large = [np.asarray(image).astype(float) for image in draw(ready, range(4), 1.0, "auto", 1)]
    small = [np.asarray(image).astype(float) for image in draw(ready, range(4), 1.0, "model", 1)]
    for own, coarse in zip(large, small, strict=True):
        assert own.shape == (96, 96)
        assert coarse.shape == (32, 32)
        enlarged = np.asarray(Image.fromarray(coarse.round().astype(np.uint8)).resize((96, 96), Image.Resampling.BICUBIC)).astype(
            float
        )
        assert np.abs(enlarged - own).mean() < 25  # the same drawing
        assert ((own > 40) & (own < 215)).mean() < 0.6 * ((enlarged > 40) & (enlarged < 215)).mean()


def test_light_folders_get_light_members(place: Path, tmp_path: Path) -> None:
    folder = draw_set(tmp_path / "light")
    for path in folder.iterdir():
        Image.fromarray(255 - np.asarray(Image.open(path))).save(path)
    for ready, ground in ((adapted_to(folder, place), 0), (adapted_to(place / "set", place), 255)):
        for image in draw(ready, range(3), 1.0, "auto", 1):
            assert abs(int(np.asarray(image)[0, 0]) - ground) < 10


@pytest.mark.parametrize("side", [SIDE, 64])
def test_members_of_transparent_folders_are_transparent(side: int, place: Path, tmp_path: Path) -> None:
    folder = tmp_path / "clear"
    folder.mkdir()
    for number, ink in enumerate(drawn("plain/upright")[:5, 0]):
        alpha = Image.fromarray((127.5 + 127.5 * ink).round().byte().numpy()).resize((side, side), Image.Resampling.BICUBIC)
        image = Image.new("RGBA", (side, side), (0, 0, 0, 255))
        image.putalpha(alpha)
        image.save(folder / f"{number}.png")
    ready = adapted_to(folder, place)
    for image in draw(ready, range(3), 1.0, "auto", 1, "home,camera,heart"):
        assert (image.mode, image.size) == ("RGBA", (side, side))
        cover = np.asarray(image)[..., 3].astype(int)
        assert cover[0, 0] < 10
        assert (cover > 200).mean() > 0.03
        if side > SIDE:  # else what the ink encloses stays white
            assert np.asarray(image)[..., :3][cover > 200].max() < 60  # the ink's own colour
    source = source_of(ready, 1.0, guests_for(ready, "home"), variants=False)
    (picture,) = Painting(ready, "auto", opaque=True).pictures(next(source.stream([0])))
    assert picture.shape[2] < 4


@pytest.mark.parametrize("model", ["guests", "plain"])
def test_members_of_pixel_art_are_pixel_art(model: str, place: Path, tmp_path: Path) -> None:
    folder = tmp_path / "sprites"
    folder.mkdir()
    for number, ink in enumerate(F.avg_pool2d(drawn("bold/upright")[:5], 2)[:, 0] > -0.2):
        image = Image.fromarray(np.where(ink.numpy(), np.uint8(0), np.uint8(255)))
        image.resize((48, 48), Image.Resampling.NEAREST).save(folder / f"{number}.png")
    ready = adapted_to(folder, place, model)
    assert ready.form.block == 3
    if ready.base.nets.guests is None:  # the model's own pixels as well
        small = images(ready, guests_for(ready, "home,camera,heart"), range(3))
        assert torch.equal(small[..., ::2, ::2].repeat_interleave(2, 2).repeat_interleave(2, 3), small)
    for image in draw(ready, range(3), 1.0, "auto", 1, "home,camera,heart"):
        seen = np.asarray(image)
        assert seen.shape[:2] == (48, 48)
        assert np.array_equal(seen[1::3, 1::3].repeat(3, 0).repeat(3, 1), seen)
        assert seen.min() < 100 < 200 < seen.max()
