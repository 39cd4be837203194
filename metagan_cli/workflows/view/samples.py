"""Samples to look at, of an adapted model or of examples."""

import shlex
from collections.abc import Iterator
from pathlib import Path

from metagan_cli.config import AdaptConfig, SampleConfig
from metagan_cli.data.readers.files import shown as printable
from metagan_cli.images.copies import distances, nearest_examples, thresholds
from metagan_cli.images.sheets import picture
from metagan_cli.sampling.drawn import Drawn
from metagan_cli.workflows.guests import Guests, guests_for
from metagan_cli.workflows.painting import LARGEST_CELL, Painting
from metagan_cli.workflows.progress import Report, silent
from metagan_cli.workflows.ready import Ready
from metagan_cli.workflows.sample import SampleRequest, source_of
from metagan_cli.workflows.view.shown import Choice, Example, View, shown

SAMPLE, ADAPT = SampleConfig(), AdaptConfig()


def view_samples(ready: Ready, request: SampleRequest, source: Path, again: str, report: Report = silent) -> View:
    """The samples of a request, each with its nearest example; `again` is the command that draws of them what is picked.

    Raises UsageError like `sample`.
    """
    guests = guests_for(ready, request.motifs) if request.motifs is not None else None
    drawing = source_of(ready, request.truncation, guests, request.variants)
    painting = Painting(ready, request.size, LARGEST_CELL)
    names = ready.support.names if ready.support else [f"example {number + 1}" for number in range(len(ready.examples))]
    examples = tuple(Example(name, shown(picture(pixels))) for name, pixels in zip(names, painting.examples(), strict=False))
    choices, seeds, within = list[Choice](), list(request.seeds), thresholds(ready.examples)
    report("samples", 0, len(seeds))
    for drawn in drawing.stream(seeds):
        some = seeds[len(choices) : len(choices) + len(drawn.images)]
        figures = nearest_examples(distances(drawn.images, ready.examples), within)
        for seed, pixels, compared, quality in zip(some, painting.pictures(drawn), figures, _qualities(drawn), strict=True):
            choices.append(Choice(str(seed), _label(seed, guests), shown(picture(pixels)), *compared, quality))
        report("samples", len(choices), len(seeds))
    before, after = f"{again} --seeds ", f" --each {_word(request.each)}"
    about = f"Drawn by {ready.base.name}, adapted to these examples ({ready.hash[:12]})"
    return View(printable(source), about, tuple(choices), examples, before, ",", after, ready.warnings)


def command(source: Path, request: SampleRequest, settings: AdaptConfig, device: str) -> str:
    """The start of a command line that draws a request's samples, with what is not as usual."""
    words = ["metagan", "sample", _word(source)]
    usual = {"--truncation": (request.truncation, SAMPLE.truncation), "--size": (request.size, SAMPLE.size)}
    usual |= {"--motifs": (request.motifs, None), "--from": (settings.base, ADAPT.base), "--device": (device, "auto")}
    for option, (value, default) in usual.items():
        words += [option, shlex.quote(str(value))] if value != default else []
    words += ["--variants"] if request.variants else []
    words += ["--skip-bad"] if settings.skip_bad else []
    return " ".join(words)


def _word(path: Path | None) -> str:
    """A path as a shell takes it, and no option."""
    return shlex.quote(f"./{path}" if str(path).startswith("-") else str(path))


def _label(seed: int, guests: Guests | None) -> str:
    return f"sample {seed}" if guests is None else f"{guests.names[seed % len(guests.names)]}, sample {seed}"


def _qualities(drawn: Drawn) -> Iterator[float | None]:
    """What the discriminator says of each, where it judged it."""
    scores = {} if drawn.scores is None else dict(zip(drawn.variants, drawn.scores.tolist(), strict=True))
    return map(scores.get, range(len(drawn.images)))
