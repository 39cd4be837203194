"""Sources that pair hand and motif, and the episodes that are drawn from them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from drawn_hands import HANDS, MOTIFS, SIDE, UNSEEN, drawn, write_hands

from metagan_cli.config import DataConfig, TrainConfig
from metagan_cli.data.guests import KIN, GuestEpisode, GuestEpisodes, draw_members, images_of
from metagan_cli.data.sources.hands import Hands, for_training, of_names, open_hands
from metagan_cli.data.sources.tasks import is_held_out
from metagan_cli.errors import InputError

TRAIN = TrainConfig(shots=(3, 5), queries=4, tasks_per_batch=6, program=0.0)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_hands(tmp_path_factory.mktemp("hands") / "sets.npz")


def opened(path: Path, **changes: object) -> Hands:
    return open_hands([DataConfig(str(path), shows="motif", **changes)], SIDE, 1)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def every(path: Path) -> Hands:
    return opened(path)


def found(hands: Hands) -> Callable[[torch.Tensor], set[tuple[int, int]]]:
    """What says of an image [C, S, S] in [-1, 1] which hands and motifs it may be by."""
    known = hands.images.flatten(1)

    def look(image: torch.Tensor) -> set[tuple[int, int]]:
        same = (known == ((image + 1) * 127.5).round().byte().flatten()).all(1).nonzero()[:, 0].tolist()
        return {(int(hands.hand[i]), int(hands.motif[i])) for i in same}

    return look


def episodes(hands: Hands, **changes: object) -> list[GuestEpisode]:
    drawer = GuestEpisodes(hands, replace(TRAIN, **changes))  # type: ignore[arg-type]
    return [drawer.draw(step) for step in range(8)]


def test_each_image_has_its_hand_and_motif(every: Hands) -> None:
    assert every.names == tuple(f"sets/{name}" for name in sorted(HANDS))
    assert len(every.by_motif) == MOTIFS
    for number, name in enumerate(every.names):
        assert np.array_equal(every.hand[every.by_hand[number]], np.full(MOTIFS, number))
        own = images_of(every, every.by_hand[number].tolist())
        assert (own - drawn(name.removeprefix("sets/"))).abs().max() < 1 / 127
    for motif, group in enumerate(every.by_motif):
        assert set(every.motif[group].tolist()) == {motif}
        assert len(group) == len(HANDS)
    titles = [name.split("/")[1] for name in every.names]
    assert all((every.family[i] == every.family[j]) == (titles[i] == titles[j]) for i in range(7) for j in range(7))
    assert [bool(held) for held in every.held_out] == [is_held_out(title) for title in titles] == [t == UNSEEN for t in titles]


def test_files_weigh_what_they_are_given(path: Path, tmp_path: Path) -> None:
    other = write_hands(tmp_path / "more.npz", ("plain/upright", "bold/upright"))
    both = open_hands([DataConfig(str(p), w, shows="motif") for p, w in ((path, 3.0), (other, 1.0))], SIDE, 1)
    shares = {name: float(weight) for name, weight in zip(both.names, both.weights, strict=True)}
    assert shares["more/plain/upright"] == shares["more/bold/upright"] == 0.5
    assert abs(sum(weight for name, weight in shares.items() if name.startswith("sets/")) - 3) < 1e-9
    plain = {name: both.family[number] for number, name in enumerate(both.names) if "plain" in name}
    assert len(set(plain.values())) == 1  # hands of one family, wherever they lie
    assert all(len(group) == len(HANDS) + 2 for group in both.by_motif)  # what one calls a motif may be another's guest


def test_some_hands_are_left_out(path: Path) -> None:
    assert opened(path, exclude=("plain", "bold")).names == tuple(
        f"sets/{n}" for n in sorted(HANDS) if n[:4] not in ("plai", "bold")
    )
    assert opened(path, only=("plain",)).names == ("sets/plain/narrow", "sets/plain/upright")
    by = opened(path, by=("motif",))
    assert len(by.names) == MOTIFS
    assert len(set(by.family.tolist())) == MOTIFS


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"exclude": ("plain", "bold", "filled", UNSEEN)}, r"sets\.npz: no hands are left"),
        ({"only": ("nobody",)}, r"sets\.npz: no hands are left"),
        ({"shows": "letter"}, "has no array 'letter'"),
        ({"by": ("drawer",)}, "has no array 'drawer'"),
    ],
)
def test_sources_that_are_refused(changes: dict[str, object], says: str, path: Path) -> None:
    with pytest.raises(InputError, match=says):
        open_hands([replace(DataConfig(str(path), shows="motif"), **changes)], SIDE, 1)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="not a readable .npz"):
        open_hands([DataConfig("doodles", shows="motif")], SIDE, 1)


def test_no_held_out_family_trains_as_hand_or_guest(every: Hands) -> None:
    hands, look = for_training(every), found(every)
    held_out = {number for number, name in enumerate(every.names) if UNSEEN in name}
    assert len(held_out) == 3
    seen = set[int]()
    for episode in episodes(hands):
        for images in episode.images:
            assert images.shape[2:] == (1, SIDE, SIDE)
            for image in images.flatten(0, 1):
                there = {hand for hand, _ in look(image)}
                assert there
                assert not there & held_out
                seen |= there
    assert seen == set(range(len(every.names))) - held_out


def test_guests_show_what_is_asked_for_by_another_hand(every: Hands) -> None:
    look = found(every)
    for episode in episodes(for_training(every)):
        tasks, queries = episode.guests.shape[:2]
        assert (tasks, queries) == (6, 4)
        assert episode.truths.shape == episode.guests.shape
        assert episode.support.shape[:2] in {(6, 3), (6, 5)}
        for task in range(tasks):
            (hand,) = set.intersection(*({h for h, _ in look(image)} for image in episode.support[task]))
            asked = list[int]()
            for guest, truth in zip(episode.guests[task], episode.truths[task], strict=True):
                assert hand in {h for h, _ in look(truth)}
                assert hand not in {h for h, _ in look(guest)}
                ((motif,), other) = ({m for _, m in look(image)} for image in (truth, guest))
                assert other == {motif}
                asked.append(motif)
            shown = {motif for image in episode.support[task] for _, motif in look(image)}
            assert not shown & set(asked)
            assert len(set(asked)) == queries


def test_hands_of_a_family_are_guests_more_often_than_strangers(every: Hands) -> None:
    hands = replace(
        for_training(every), weights=every.weights * torch.tensor([name == "sets/plain/upright" for name in every.names])
    )
    look, kin = found(every), {every.names.index("sets/plain/narrow")}
    guests = [{h for h, _ in look(guest)} for episode in episodes(hands) for guest in episode.guests.flatten(0, 1)]
    share = sum(bool(hands_ & kin) for hands_ in guests) / len(guests)
    assert abs(share - KIN) < 0.12


def test_episodes_are_the_step_s_alone(every: Hands) -> None:
    drawer = GuestEpisodes(for_training(every), replace(TRAIN, program=0.5))
    ahead = list(drawer.stream(3, 6, 0))
    for number, episode in enumerate(ahead, start=3):
        for one, again in zip(episode.images, drawer.draw(number).images, strict=True):
            assert torch.equal(one, again)
    assert not torch.equal(ahead[0].truths, ahead[1].truths)
    other = GuestEpisodes(for_training(every), replace(TRAIN, program=0.5, seed=1)).draw(3)
    assert not torch.equal(other.truths[:, :1], ahead[0].truths[:, :1])


def test_hands_by_program_have_truths_of_the_guests_motifs(every: Hands) -> None:
    look = found(every)
    new = own = 0
    for episode in episodes(for_training(every), program=1.0):
        assert all(-1 <= part.min() <= part.max() <= 1 for part in episode.images)
        for support, guests, truths in zip(*episode.images, strict=True):
            new += sum(not look(truth) for truth in truths)
            assert all(look(guest) for guest in guests)  # as they lie in the file
            own += len({frozenset(h for h, _ in look(guest)) for guest in guests}) == 1
            assert support.shape[0] in (3, 5)
    assert new > 0.8 * 8 * 6 * 4
    assert 8 * 6 * 0.4 < own < 8 * 6 * 0.8  # of the others guests are by several hands


@pytest.fixture(scope="module")
def thrice(tmp_path_factory: pytest.TempPathFactory) -> Hands:
    """Two hands with three drawings of each of eight motifs."""
    path = write_hands(tmp_path_factory.mktemp("thrice") / "few.npz", ("plain/upright", "bold/upright"))
    arrays = dict(np.load(path))
    np.savez(path, **(arrays | {"motif": arrays["motif"] % 8}))
    return opened(path)


def test_a_support_never_shows_what_is_asked_for_however_often_it_is_drawn(thrice: Hands) -> None:
    look = found(thrice)
    sets = [one for episode in episodes(thrice, shots=(4,)) for one in zip(*episode.images, strict=True)]
    tasks = draw_members(thrice, 4, 3, 2, 0)
    for support, *asked in (*sets, *((task.support, task.guests, task.truths, task.others) for task in tasks)):
        shown, *wanted = ([motif for image in part for _, motif in look(image)] for part in (support, *asked))
        for motifs in wanted:
            assert len(set(motifs)) == len(motifs)
            assert not set(motifs) & set(shown)


def test_too_few_motifs_are_refused_however_many_drawings_there_are(tmp_path: Path, every: Hands, thrice: Hands) -> None:
    with pytest.raises(InputError, match="no hand draws 29 motifs that others draw as well; lower shots or queries"):
        GuestEpisodes(every, replace(TRAIN, queries=24))
    with pytest.raises(InputError, match="no hand draws 9 motifs"):
        GuestEpisodes(thrice, TRAIN)
    assert GuestEpisodes(thrice, replace(TRAIN, shots=(4,))).draw(0).truths.shape[1] == 4
    alone = opened(write_hands(tmp_path / "alone.npz", ("plain/upright",)))
    with pytest.raises(InputError, match="no hand draws 9 motifs"):
        GuestEpisodes(alone, TRAIN)


def test_members_to_judge_by(every: Hands) -> None:
    look = found(every)
    tasks = draw_members(of_names(every, ()), 4, 6, 10, 0)
    assert [task.title for task in tasks] == [name for name in every.names if UNSEEN in name]
    family = {number for number, name in enumerate(every.names) if UNSEEN in name}
    for task in tasks:
        assert task.support.shape == (4, 1, SIDE, SIDE)
        shown = {motif for image in task.support for _, motif in look(image)}
        motifs: list[set[int]] = [{m for _, m in look(image)} for image in task.truths]
        asked = {motif for found_ in motifs for motif in found_}
        assert len(asked) == 6
        assert not shown & asked
        for part in (task.guests, task.others):
            assert [{m for _, m in look(image)} for image in part] == motifs
            assert not any({h for h, _ in look(image)} <= family for image in part)
        assert not torch.equal(task.guests, task.others)
    again = draw_members(of_names(every, ()), 4, 6, 10, 0)
    assert all(torch.equal(one.truths, other.truths) for one, other in zip(tasks, again, strict=True))
    assert len(draw_members(of_names(every, ()), 4, 6, 2, 0)) == 2


def test_members_of_the_hands_that_are_named(every: Hands) -> None:
    named = of_names(every, ("plain/", "bold/"))
    assert [task.title for task in draw_members(named, 4, 6, 10, 0)] == [
        "sets/bold/upright",
        "sets/plain/narrow",
        "sets/plain/upright",
    ]
    with pytest.raises(InputError, match="fewer than two hands have 4 drawings"):
        draw_members(of_names(every, ("filled",)), 4, 6, 10, 0)
    with pytest.raises(InputError, match="fewer than two hands have 20 drawings, and 6"):
        draw_members(named, 20, 6, 10, 0)
