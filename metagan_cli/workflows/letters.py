"""The letters of a font as pictures: those of a folder, and new ones that its hand paints."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median

import torch
from torch import Tensor

from metagan_cli.data.readers.support import Support
from metagan_cli.errors import InputError
from metagan_cli.images.drawings import BOX
from metagan_cli.images.lettering import box_of, coverage
from metagan_cli.networks.generator.render import Picture, Renderer
from metagan_cli.sampling.members import MemberSampler
from metagan_cli.workflows.characters import character_of, characters
from metagan_cli.workflows.guests import members_of, of_bank
from metagan_cli.workflows.lines import Line, class_of, placed
from metagan_cli.workflows.progress import Report
from metagan_cli.workflows.ready import Ready
from metagan_cli.workflows.typesetting import Letter

SIDE = 512  # pixels a side that letters are traced at, at most
GROWN = (0.5, 2.0)  # how much smaller and larger than its guests a hand's letters can be believed to be


def drawn_letters(folder: Path, support: Support, report: Report) -> tuple[list[Letter], list[tuple[str, str]]]:
    """A folder's letters, and its pictures that are none, with reasons. Raises InputError where all are."""
    found: dict[str, Letter] = {}
    missing = list[tuple[str, str]]()
    side = min(support.native_side or support.images.shape[-1], SIDE)
    usual = median(map(max, support.sizes))
    for number, name in sorted(enumerate(support.names), key=lambda pair: pair[1]):
        report("letters read", len(found) + len(missing) + 1, len(support.names))
        character = character_of(Path(name).stem)
        if character is None:
            missing.append((name, "its name is no letter's"))
            continue
        if character in found:
            missing.append((name, f"another picture shows {character}"))
            continue
        pixels = torch.from_numpy(support.at_side(number, side))[..., : support.images.shape[1]]
        share = coverage(pixels.permute(2, 0, 1).float() / 127.5 - 1)
        larger = 1.0 if support.form.block else max(support.sizes[number]) / usual
        if box_of(share) is None:
            missing.append((name, "a picture without ink"))
        else:
            found[character] = Letter(character, share, larger * BOX / side, drawn=True)
    if not found:
        name, reason = missing[0]
        raise InputError(f"{folder}: no letter ({name}: {reason}); pictures are called a.png, upper-a.png, 0.png, comma.png")
    return [found[character] for character in sorted(found)], missing


def new_letters(ready: Ready, line: Line, there: Iterable[str], report: Report) -> list[Letter]:
    """The letters of the Latin set that are not there yet, as the folder's hand paints them."""
    everything = {character: placed(character, motif, line) for character, motif in characters().items()}
    guests = {character: one for character, one in everything.items() if character not in there}
    if not guests:
        return []
    motifs, by = ([one.motif for one in some.values()] for some in (guests, everything))
    sampler = members_of(ready, of_bank(ready, motifs, by))
    shares = zip(guests, _painted(ready, sampler, len(guests), report), strict=True)
    letters = [Letter(character, share, BOX / len(share), drawn=False) for character, share in shares if box_of(share)]
    grown = {letter.character: letter.box.height / guests[letter.character].height for letter in letters}

    def in_scale(letter: Letter) -> Letter:
        alike = [times for other, times in grown.items() if class_of(other) == class_of(letter.character)]
        times = 1.0 if ready.form.block else min(max(median(alike), GROWN[0]), GROWN[1])
        return replace(letter, unit=letter.unit * guests[letter.character].squeezed / times)

    return list(map(in_scale, letters))


def _painted(ready: Ready, sampler: MemberSampler, count: int, report: Report) -> Iterator[Tensor]:
    """How much ink is in the pixels of a sampler's members [S, S], as finely as they are traced; of pixel art in its own."""
    renderer = Renderer(ready.examples, lambda number: Picture(ready.examples[number]), ready.base.nets.generator.rules, SIDE)
    done = 0
    for drawn in sampler.stream(range(count)):
        assert drawn.logits is not None
        for image, logits in zip(drawn.images, drawn.logits, strict=True):
            done += 1
            report("letters painted", done, count)
            alpha = None if ready.form.block else renderer.paint(sampler.paints, logits).alpha
            yield coverage(image) if alpha is None else alpha[0]
