"""What a folder's images are to each other, and which motifs come next."""

import json
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from conftest import draw_folder, gaussian, run
from drawn_hands import draw_set, drawn, hand_net, ship, small_kinship, write_guest_model, write_nets

from metagan_cli.errors import CheckpointError
from metagan_cli.networks.hand_net import FEATURES, HandNet
from metagan_cli.store import places
from metagan_cli.store.features import load_hand_net, save_hand_net
from metagan_cli.store.kinship import Kinship, load_kinship, save_kinship
from metagan_cli.store.models import load_adapted
from metagan_cli.store.motifs import KINDS, bank
from metagan_cli.store.shipped import find_features
from metagan_cli.workflows import kinship
from metagan_cli.workflows.kinship import HELD, INVENTED, MANY, ONE, STEP, family_of, kindred

MOTIFS = bank().motifs


class Said(HandNet):
    """A net that sees what it is told to."""

    def __init__(self, vectors: torch.Tensor) -> None:
        super().__init__(1)
        self.vectors = vectors

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.vectors[: len(images)], self.vectors[: len(images)]


def axis(number: int) -> torch.Tensor:
    return F.one_hot(torch.tensor(number), FEATURES).float()


def alike(likeness: float, count: int = 4) -> torch.Tensor:
    """Unit vectors with one cosine between any two of them: [count, 128]."""
    return torch.stack([likeness**0.5 * axis(0) + (1 - likeness) ** 0.5 * axis(1 + i) for i in range(count)])


def told(patch: pytest.MonkeyPatch, seen: torch.Tensor, known: torch.Tensor | None = None) -> torch.Tensor:
    """Makes the net see these vectors in examples, and know these of the bank's motifs; returns as many examples."""
    known = axis(100).expand(len(MOTIFS), -1) if known is None else known
    patch.setattr(kinship, "_shipped", lambda channels: Kinship(Said(seen), known))
    return torch.zeros(len(seen), 1, 8, 8)


@pytest.mark.parametrize(
    ("likeness", "kind", "brings"),
    [
        (0.0, "many motifs", "members"),
        (MANY - 0.01, "many motifs", "members"),
        (MANY + 0.01, "perhaps many motifs", "both"),
        (ONE - 0.01, "perhaps many motifs", "both"),
        (ONE + 0.01, "one motif", "variants"),
        (0.95, "one motif", "variants"),
    ],
)
def test_likeness_says_what_images_are_to_each_other(
    likeness: float, kind: str, brings: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    family = family_of(told(monkeypatch, alike(likeness)))
    assert abs(family.likeness - likeness) < 1e-5
    assert (family.kind, family.brings) == (kind, brings)
    assert family.words.endswith(f"(likeness {likeness:.2f})")
    assert ("new members" in family.words) == (brings != "variants")


def test_a_single_image_is_one_motif(monkeypatch: pytest.MonkeyPatch) -> None:
    family = family_of(told(monkeypatch, alike(0.0, 1)))
    assert (family.kind, family.likeness) == ("one motif", 1.0)


@pytest.mark.parametrize(("nearest", "invented"), [(INVENTED - 0.02, True), (INVENTED + 0.02, False)])
def test_motifs_that_are_like_none_of_the_bank_are_invented(
    nearest: float, invented: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = alike(0.0, 5)
    known = axis(100).repeat(len(MOTIFS), 1)
    for number in range(3):  # as near to most of them, and far from the others
        known[10 * number] = nearest * seen[number] + (1 - nearest**2) ** 0.5 * axis(90)
    assert family_of(told(monkeypatch, seen, known)).invented == invented


def test_pictures_have_no_motifs_that_can_be_brought(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = alike(0.1)
    told(monkeypatch, seen, seen.repeat(len(MOTIFS), 1)[: len(MOTIFS)])  # which the bank holds
    family = family_of(gaussian("photographs", 4, 3, 32, 32).clamp(-1, 1))
    assert (family.kind, family.brings) == ("pictures", "variants")
    flat = torch.ones(4, 3, 32, 32)
    flat[:, :, 8:24, 8:24] = torch.tensor([0.9, -0.5, -0.5])[:, None, None]
    assert family_of(flat).kind == "many motifs"
    grounds = torch.linspace(0, 1, len(flat))[:, None, None, None]
    assert family_of(torch.where(flat > 0.9, grounds, flat)).kind == "pictures", "each on a ground of its own"


def test_what_has_no_name_is_invented_in_ink_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Characters drawn by a pen go with strokes; a flat-coloured folder that is like nothing in the bank gives variants."""
    told(monkeypatch, alike(0.1), axis(120).repeat(len(MOTIFS), 1))
    flat = torch.ones(4, 3, 32, 32)
    flat[:, :, 8:24, 8:24] = torch.tensor([0.9, -0.5, -0.5])[:, None, None]
    family = family_of(flat)
    assert (family.kind, family.brings, family.invented) == ("motifs without names", "variants", True)
    assert "variants" in family.words
    assert family_of(flat[:, :1]).brings == "members"


def test_kindred_motifs_are_of_the_folder_s_kind_and_the_likest_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    letters = [i for i, motif in enumerate(MOTIFS) if motif.kind == "letter"]
    icons = [i for i, motif in enumerate(MOTIFS) if motif.kind == "icon"]
    seen = alike(0.0, 3)
    middle = F.normalize(seen.mean(0), dim=0)
    known = axis(100).repeat(len(MOTIFS), 1)
    for number in letters:
        known[number] = 0.5 * middle + 0.75**0.5 * axis(90)
    for number, likeness in ((letters[20], 0.9), (letters[30], 0.75), (icons[3], 0.9)):
        known[number] = likeness * middle + (1 - likeness**2) ** 0.5 * axis(91)
    known[letters[5]] = seen[1]  # which the folder has
    order = kindred(told(monkeypatch, seen, known))
    assert len(order) == len(MOTIFS) - 1
    assert MOTIFS[letters[5]] not in order
    assert [motif.kind for motif in order[: len(letters) - 1]] == ["letter"] * (len(letters) - 1)
    assert order[:2] == [MOTIFS[letters[20]], MOTIFS[letters[30]]]
    rest = [MOTIFS[i] for i in letters if i not in (letters[5], letters[20], letters[30])]
    assert order[2 : 2 + len(rest)] == rest  # equally like: the commonest first
    own = [motif for motif in order if motif.kind == "icon"]
    assert own[0] == MOTIFS[icons[3]]
    assert {motif.kind for motif in order} == set(KINDS)


def test_likeness_counts_in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    icons = [i for i, motif in enumerate(MOTIFS) if motif.kind == "icon"]
    seen = alike(0.0, 1)
    known = axis(100).repeat(len(MOTIFS), 1)
    for number, likeness in ((icons[0], 0.52), (icons[1], 0.54), (icons[2], 0.54 + STEP)):
        known[number] = likeness * seen[0] + (1 - likeness**2) ** 0.5 * axis(90)
    assert kindred(told(monkeypatch, seen, known))[:3] == [MOTIFS[icons[i]] for i in (2, 0, 1)]


def test_what_a_folder_shows_is_not_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinship, "_shipped", lambda channels: small_kinship())
    names = [motif.name for motif in bank().group("icons")[:5]]
    examples = drawn("plain/upright")[:5]
    left = {motif.name for motif in kindred(examples)}
    assert not left & set(names)
    seen = small_kinship().net(examples)[1]
    likeness = (small_kinship().bank @ seen.T).amax(1)
    assert left == {motif.name for motif, like in zip(MOTIFS, likeness.tolist(), strict=True) if like <= HELD}
    assert family_of(examples).kind == "many motifs"
    assert not family_of(examples).invented
    assert family_of(drawn("plain/upright")[:1].expand(3, -1, -1, -1)).kind == "one motif"


def test_a_file_reads_back_what_it_wrote(tmp_path: Path) -> None:
    known = F.normalize(gaussian("bank", len(MOTIFS), FEATURES), dim=1)
    save_kinship(tmp_path / "kinship-gray.safetensors", Kinship(hand_net(), known), {"seed": 3})
    read = load_kinship(tmp_path / "kinship-gray.safetensors", len(MOTIFS))
    assert torch.allclose(read.bank, known, atol=1e-3)
    images = gaussian("seen", 3, 1, 32, 32)
    for own, other in zip(read.net(images), hand_net()(images), strict=True):
        assert torch.allclose(own, other, atol=0.02)
    assert not any(parameter.requires_grad for parameter in read.net.parameters())
    save_hand_net(tmp_path / "judge.safetensors", hand_net(3), {})
    judge, digest = load_hand_net(tmp_path / "judge.safetensors")
    assert judge.channels == 3
    assert len(digest) > 16


def test_files_that_do_not_fit_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = tmp_path / "few.safetensors"
    save_kinship(few, Kinship(hand_net(), axis(0)[None]), {})
    assert len(load_kinship(few).bank) == 1
    with pytest.raises(CheckpointError, match="knows other motifs than the bank that ships"):
        load_kinship(few, len(MOTIFS))
    save_hand_net(tmp_path / "judge.safetensors", hand_net(), {})
    with pytest.raises(CheckpointError, match="judge.safetensors"):
        load_kinship(tmp_path / "judge.safetensors")
    with pytest.raises(CheckpointError, match="few.safetensors"):
        load_hand_net(few)
    with pytest.raises(CheckpointError, match="nothing.safetensors"):
        load_kinship(tmp_path / "nothing.safetensors")
    wide = hand_net()
    wide.motif = torch.nn.Linear(8, FEATURES)
    save_kinship(few, Kinship(wide, axis(0)[None]), {})
    with pytest.raises(CheckpointError, match="not those of a kinship file"):
        load_kinship(few)
    monkeypatch.setattr(places, "FOLDERS", (tmp_path,))
    with pytest.raises(CheckpointError, match="pretrained/kinship-gray.safetensors"):
        find_features("kinship", 1)


def test_what_ships_knows_the_bank() -> None:
    if places.shipped_file("kinship-gray.safetensors") is None:
        pytest.skip("pretrained/kinship-gray.safetensors is not there")
    shipped_ = load_kinship(find_features("kinship", 1), len(MOTIFS))
    assert torch.allclose(shipped_.bank.norm(dim=1), torch.ones(len(MOTIFS)), atol=0.01)


@pytest.mark.parametrize("paints", [True, False])
def test_adapt_says_what_a_folder_holds(paints: bool, tmp_path: Path, tiny_model: Path) -> None:
    """Whether its model has a painter of guests or not."""
    nets, model = write_nets(tmp_path / "nets"), write_guest_model(tmp_path / "guests.safetensors") if paints else tiny_model
    draw_set(tmp_path / "set")
    draw_folder(tmp_path / "one", 5)
    asked = ("--from", model, "--steps", "1")
    ran = run("adapt", "set", *asked, "-o", "set.safetensors", cwd=tmp_path, bootstrap=ship(nets))
    assert ran.code == 0, ran.err
    (line,) = [line for line in ran.out.splitlines() if line.startswith("motifs")]
    assert "different motifs by one hand, so samples are new members (likeness" in line
    ran = run("adapt", "one", *asked, "-o", "one.safetensors", "--json", cwd=tmp_path, bootstrap=ship(nets))
    assert ran.code == 0, ran.err
    family = json.loads(ran.out)["family"]
    assert family["kind"] == "one motif"
    assert family["likeness"] > ONE
    kept = [load_adapted(tmp_path / f"{name}.safetensors").metadata["family"] for name in ("set", "one")]
    assert [one["kind"] for one in kept] == ["many motifs", "one motif"]
    assert kept[1] == family
