"""What new members are worth: figures of images whose worth is known, and evaluate --shows."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from conftest import refused, run
from drawn_hands import (
    HANDS,
    SIDE,
    UNSEEN,
    WITH_GUESTS,
    coverage,
    drawn,
    hand_net,
    ship,
    shipped,
    write_guest_model,
    write_hands,
    write_nets,
)

from metagan_cli.cli.console import Console
from metagan_cli.cli.members import judge_members
from metagan_cli.config import DataConfig, EvaluateConfig
from metagan_cli.errors import InputError, UsageError
from metagan_cli.evaluation.members import MemberRuler, nearest_examples, with_weight_matched
from metagan_cli.evaluation.outside import OutsideNet
from metagan_cli.networks.hand_net import FEATURES, HandNet
from metagan_cli.store.models import load_model
from metagan_cli.store.motifs import Bank, bank
from metagan_cli.workflows.evaluate import members
from metagan_cli.workflows.evaluate.members import GUEST, MATCHED, NEAREST, REAL, evaluate_members
from metagan_cli.workflows.evaluate.setup import ready_models
from metagan_cli.workflows.progress import silent

SETTINGS = EvaluateConfig(shots=(3,), tasks=4)
T, N = 6, 4


class Coded(HandNet):
    """A net that reads from two pixels who drew an image, and what it shows."""

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        hand, motif = (((images[:, 0, 0, place] + 1) * 50).round().long() for place in (0, 1))
        return F.one_hot(hand, FEATURES).float(), F.one_hot(motif, FEATURES).float()


def coded(hands: torch.Tensor, motifs: torch.Tensor) -> torch.Tensor:
    """Drawings of different motifs [T, N, 1, S, S], with their hands and motifs [T, N] where the net reads them."""
    images = 2 * coverage()[motifs] - 1
    images[..., 0, 0, 0], images[..., 0, 0, 1] = hands / 50 - 1, motifs / 50 - 1
    return images


HAND, MOTIF = torch.arange(T)[:, None].expand(T, N), torch.arange(T * N).view(T, N)


@pytest.fixture(scope="module")
def exact() -> MemberRuler:
    """A ruler whose judge reads codes: six hands with four motifs each, all of them others."""
    support = coded(HAND, (MOTIF + 3) % 24)
    return MemberRuler(Coded(1), support, coded(HAND, MOTIF), coded(HAND + 20, MOTIF))


def figures(ruler: MemberRuler, images: torch.Tensor) -> dict[str, float]:
    return {name: figure.mean for name, figure in ruler.measure(images).figures.items()}


def test_truths_are_all_that_can_be_wanted(exact: MemberRuler) -> None:
    found = figures(exact, coded(HAND, MOTIF))
    assert {name: found[name] for name in ("hand", "motif", "pixels", "own")} == {"hand": 1, "motif": 1, "pixels": 0, "own": 0}
    assert "outside" not in found


def test_who_draws_and_what_is_shown_are_told_alone(exact: MemberRuler) -> None:
    other_hand = figures(exact, coded((HAND + 1) % T, MOTIF))
    assert other_hand["hand"] < 0.25
    assert other_hand["motif"] == 1
    other_motif = figures(exact, coded(HAND, (MOTIF + 1) % (T * N)))
    assert other_motif["hand"] == 1
    assert other_motif["motif"] < 0.25
    assert abs(other_hand["own"] - 2**0.5) < 1e-4  # one of two unit vectors is at a right angle
    half = coded(torch.where(torch.arange(N) < 2, HAND, (HAND + 1) % T), MOTIF)
    values = exact.measure(half).values["hand"]
    assert values.shape == (T,)
    assert ((values > 0.4) & (values < 0.65)).all()


def test_members_are_told_from_drawings_of_other_motifs(exact: MemberRuler) -> None:
    """A hand's own are as near to its other drawings as these to each other; another hand's are not."""
    assert figures(exact, coded((HAND + 1) % T, MOTIF))["apart"] == 1
    assert figures(exact, coded(HAND, MOTIF))["apart"] <= 0.5


def test_truths_are_told_from_their_like_as_often_as_chance_has_it(ruler: MemberRuler) -> None:
    """Three of either side: (3 - 1) / (6 - 1) of them by chance; beside themselves they would never be told."""
    assert 0.2 < figures(ruler, ruler.truths)["apart"] < 0.6


def test_copies_of_a_support_image_are_found(exact: MemberRuler) -> None:
    assert figures(exact, exact.support)["copies"] == 1
    assert figures(exact, nearest_examples(coded(HAND, MOTIF)[0], exact.support[0])[None].expand(T, -1, -1, -1, -1))["copies"] > 0
    fresh = MemberRuler(Coded(1), coded(HAND, MOTIF).roll(1, 0), coded(HAND, MOTIF), coded(HAND, MOTIF))
    assert figures(fresh, coded(HAND, MOTIF))["copies"] == 0


@pytest.fixture(scope="module")
def ruler() -> MemberRuler:
    """A ruler of drawn hands, with an untrained judge."""
    whole = torch.stack([drawn(name) for name in HANDS])
    others = torch.stack([drawn(name) for name in (*list(HANDS)[1:], "plain/upright")])
    return MemberRuler(hand_net(), whole[:, :8], whole[:, 8:14], others[:, 8:14])


def test_a_shifted_copy_is_nearly_a_truth(ruler: MemberRuler) -> None:
    truths = ruler.truths
    at_place, moved, other = (figures(ruler, images) for images in (truths, truths.roll((1, 2), (3, 4)), truths.roll(1, 0)))
    assert at_place["pixels"] == at_place["own"] == 0
    assert moved["pixels"] < 0.02
    assert moved["pixels"] < 0.2 * other["pixels"]
    assert 0 < moved["own"] < other["own"]
    far = figures(ruler, truths.roll(5, 4))
    assert far["pixels"] > 5 * moved["pixels"]


def test_separable_hands_are_recognised() -> None:
    """Hands that differ in how much ink they use, even by an untrained net."""
    names = ("plain/upright", "bold/upright", f"{UNSEEN}/badge", f"{UNSEEN}/upright")
    inks = [drawn(name)[:16] for name in names] + [-drawn("bold/upright")[:16], 0.3 * drawn(f"{UNSEEN}/badge")[:16]]
    whole = torch.stack(inks)
    ruler = MemberRuler(hand_net(), whole[:, :8], whole[:, 8:], whole[:, 8:].roll(1, 0))
    found = figures(ruler, whole[:, 8:])
    assert found["hand"] > 0.6
    assert found["hand"] > 2 * figures(ruler, whole[:, 8:].roll(2, 0))["hand"]


def test_of_few_hands_nothing_is_said_about_recognising_them(ruler: MemberRuler) -> None:
    few = MemberRuler(hand_net(), ruler.support[:4], ruler.truths[:4], ruler.truths[1:5])
    assert "hand" not in figures(few, few.truths)
    assert "motif" in figures(few, few.truths)


def test_an_outside_net_looks_as_well(ruler: MemberRuler) -> None:
    class Seen(OutsideNet):
        def __init__(self) -> None:
            pass

        def describe(self, images: torch.Tensor, side: int) -> torch.Tensor:
            return F.adaptive_avg_pool2d(images.mean(1, keepdim=True), 8).flatten(1)

    outside = MemberRuler(hand_net(), ruler.support, ruler.truths, ruler.truths.roll(1, 0), Seen())
    found, other = figures(outside, ruler.truths), figures(outside, ruler.truths.roll(1, 0))
    assert found["outside"] == 0 < other["outside"]
    assert other["outside apart"] > found["outside apart"]


@pytest.mark.parametrize("hand", ["bold/upright", f"{UNSEEN}/upright"])
def test_weight_is_matched(hand: str) -> None:
    guests, support = 2 * coverage()[10:16] - 1, drawn(hand)[:8]
    matched = with_weight_matched(guests, support)
    assert abs(float(matched.mean() - support.mean())) < 0.02
    assert float((guests.mean() - support.mean()).abs()) > 0.1
    assert ((matched > 0) | (guests <= 0)).float().mean() > 0.99  # grown, so ink stays
    thin = with_weight_matched(drawn("bold/upright")[:6], 2 * coverage()[10:16] - 1)
    assert abs(float(thin.mean() - (2 * coverage()[10:16] - 1).mean())) < 0.02
    ink, ground = torch.tensor([0.9, -0.6, -0.6])[:, None, None], torch.ones(3, 1, 1)
    colour = with_weight_matched(-guests.expand(-1, 3, -1, -1), torch.lerp(ground, ink, (support.sign() + 1) / 2))
    strongest = colour.flatten(2)[:, 1].argmin(1)
    picked = torch.stack([image.flatten(1)[:, place] for image, place in zip(colour, strongest.tolist(), strict=True)])
    assert (picked - ink.flatten()).abs().max() < 0.05
    assert torch.allclose(colour[:, :, 0, 0], torch.ones(6, 3), atol=0.05)


def test_the_nearest_example_is_one_of_them() -> None:
    support = drawn("plain/upright")[:6]
    order = [4, 1, 1, 5]
    assert torch.equal(nearest_examples(0.8 * support[order], support), support[order])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("judged")
    write_hands(folder / "sets.npz")
    write_nets(folder / "nets")
    write_guest_model(folder / "guests.safetensors")
    (folder / "other").mkdir()
    write_guest_model(folder / "other" / "guests.safetensors", stream="other")
    return folder


def test_models_stand_between_what_is_best_and_what_is_simple(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped(place / "nets", monkeypatch)
    monkeypatch.setattr(members, "QUERIES", 6)
    model = load_model(place / "guests.safetensors")
    data = DataConfig(str(place / "sets.npz"), shows="motif")
    rows = {row.name: row for row in evaluate_members([model], data, SETTINGS, None, silent)}
    assert list(rows) == [REAL, GUEST, MATCHED, NEAREST, "guests, 0 inner steps", f"guests, {SETTINGS.steps} inner steps"]
    assert all(row.images.shape == (3, 6, 1, SIDE, SIDE) and row.shots == 3 for row in rows.values())  # of the unseen hands
    means = {name: {key: figure.mean for key, figure in row.score.figures.items()} for name, row in rows.items()}
    assert means[REAL]["pixels"] == means[REAL]["own"] == 0
    assert means[NEAREST]["copies"] == 1
    assert max(means[REAL]["copies"], means[GUEST]["copies"]) < 0.2
    assert means[GUEST]["pixels"] > 0
    weights = {name: float(row.images.mean()) for name, row in rows.items()}
    assert abs(weights[MATCHED] - weights[REAL]) < 0.6 * abs(weights[GUEST] - weights[REAL])
    before, after = (rows[f"guests, {steps} inner steps"] for steps in (0, SETTINGS.steps))
    assert (before.images - rows[GUEST].images).abs().mean() > 0.05  # they are brought near first
    json.dumps(after.as_dict())
    named = evaluate_members([model], replace(data, only=("plain", "bold", "filled")), SETTINGS, None, silent)
    assert len(named[0].images) == 4
    with pytest.raises(InputError, match="fewer than two hands"):
        evaluate_members([model], replace(data, only=("bold",)), SETTINGS, None, silent)


def test_guests_may_be_the_banks(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hands draw the bank's motifs themselves: guests are the plain ones, and what comes of them is what sample draws."""
    shipped(place / "nets", monkeypatch)
    monkeypatch.setattr(members, "QUERIES", 6)
    model, data = (
        load_model(place / "guests.safetensors"),
        DataConfig(str(place / "sets.npz"), shows="motif", only=("plain", "bold")),
    )
    rows = {row.name: row for row in evaluate_members([model], data, replace(SETTINGS, guests="bank"), None, silent)}
    truths, guests = rows[REAL].images, rows[GUEST].images
    plain = torch.isclose(truths, guests, atol=0.02).flatten(1).all(1)
    assert plain.sum() == 1  # of plain/upright, but of no other hand
    drawn_anew = rows[f"guests, {SETTINGS.steps} inner steps"].images
    assert (drawn_anew - guests).abs().mean() > 0.02
    assert (drawn_anew - truths).abs().mean() < (guests - truths).abs().mean()
    unknown = tuple(motif for motif in bank().motifs if motif.kind != "icon")
    monkeypatch.setattr(members, "bank", lambda: Bank(unknown, {}))
    with pytest.raises(InputError, match="fewer than two hands"):
        evaluate_members([model], data, replace(SETTINGS, guests="bank"), None, silent)


def test_whose_guests_has_a_part_in_new_members_alone(place: Path) -> None:
    assert "--guests: goes with --shows" in refused(2, "evaluate", "--data", "sets.npz", "--guests", "bank", cwd=place)
    with pytest.raises(UsageError, match="guests mine: use others or bank"):
        replace(SETTINGS, guests="mine")


def test_the_command_judges_new_members(place: Path, tiny_model: Path) -> None:
    asked = ("--data", "sets.npz", "--shows", "motif", "--device", "cpu")
    fewer = f"{ship(place / 'nets')}; from metagan_cli.workflows.evaluate import members; members.QUERIES = 4"
    model = "guests.safetensors"
    ran = run("evaluate", model, f"other/{model}", *asked, "--shots", "2,3", "--tasks", "2", "--json", cwd=place, bootstrap=fewer)
    assert ran.code == 0, ran.err
    said = json.loads(ran.out)
    assert said["source"] == "sets.npz"
    assert [row["shots"] for row in said["members"]] == [2] * 8 + [3] * 8
    names = [row["name"] for row in said["members"][:8]]
    assert names[:4] == [REAL, GUEST, MATCHED, NEAREST]
    assert all(name.startswith("guests ") for name in names[4:])  # two of one name have their hashes beside it
    assert [name.split(", ")[1] for name in names[4:]] == 2 * ["0 inner steps", f"{SETTINGS.steps} inner steps"]
    assert len(set(names)) == 8
    assert said["members"][0]["figures"]["pixels"]["mean"] == 0
    ran = run("evaluate", model, *asked, "--shots", "3", "--tasks", "2", cwd=place, bootstrap=fewer)
    assert ran.code == 0, ran.err
    (line,) = [line for line in ran.out.splitlines() if line.startswith(REAL)]
    assert "0.000 (0.000 to 0.000)" in line
    assert "3 shots" in ran.out
    for option in (("--report", "page.html"), ("--exemplar", "random")):
        line = refused(2, "evaluate", model, *asked, *option, cwd=place, bootstrap=fewer)
        assert f"{option[0]}: has no part in judging new members" in line


def test_models_that_cannot_be_judged(place: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped(place / "nets", monkeypatch)
    data = DataConfig(str(place / "sets.npz"), shows="motif")
    monkeypatch.setattr(members, "QUERIES", 6)
    assert evaluate_members([load_model(tiny_model)], data, SETTINGS, None, silent)[-1].name == "tiny"  # without a painter
    with pytest.raises(UsageError, match="--features other: use own or imagenet"):
        judge_members(Console(), ["guests"], data, SETTINGS, "cpu", "other")


def test_models_of_other_sizes_are_not_compared(place: Path, tmp_path: Path) -> None:
    large = write_guest_model(tmp_path / "large.safetensors", replace(WITH_GUESTS, image_size=64))
    with pytest.raises(UsageError, match="different sizes or colours"):
        ready_models([str(place / "guests.safetensors"), str(large)], "cpu")
