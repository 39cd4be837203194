"""Folders that are full of results already: of `metagan augment`, and of `metagan sample --each`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from metagan_cli.data.readers.files import read_picture
from metagan_cli.data.readers.files import shown as printable
from metagan_cli.data.readers.support import thinned
from metagan_cli.errors import InputError
from metagan_cli.store.manifests import NAME, Manifest, Record
from metagan_cli.store.pictures import ENDINGS, read_text
from metagan_cli.workflows.progress import Report, silent
from metagan_cli.workflows.view.shown import MOST, Choice, Example, View, shown

SINGLE = "[0-9][0-9][0-9][0-9][0-9][0-9]*"  # what single samples are called


@dataclass(frozen=True)
class Result:
    """A picture in such a folder, and what is known of it."""

    image: str  # below the folder, as are examples
    seed: int | None = None
    group: str = ""
    example: str | None = None  # the nearest one, where it is there
    distance: float | None = None
    copy: bool = False


def results_in(folder: Path) -> list[Result] | None:
    """What a folder of results holds; None of one that holds anything else."""
    if (folder / NAME).is_file():
        return _of_manifest(folder / NAME)
    singles = sorted(path for path in folder.glob(SINGLE) if path.suffix.lower() in ENDINGS and path.is_file())
    told = [_told(path) for path in singles]
    if not singles or not all(text.get("kind") == "single" for text in told):
        return None
    return [Result(path.name, _number(text.get("seed"))) for path, text in zip(singles, told, strict=True)]


def view_results(
    folder: Path, results: Sequence[Result], count: int | None = None, skip_bad: bool = False, report: Report = silent
) -> View:
    """At most `count` of a folder's results, evenly chosen, with their examples.

    Raises InputError where none is there or, unless `skip_bad`, one cannot be read.
    """
    there = [result for result in results if _within(folder, result.image)]
    wanted = thinned(there, min(count or MOST, MOST))
    kept = sorted({result.example for result in wanted if result.example and _within(folder, result.example)})
    examples = tuple(Example(printable(name), shown(read_picture(folder / name))) for name in kept[:MOST])
    number = {name: place for place, name in enumerate(kept[:MOST])}
    choices, bad = list[Choice](), list[str]()
    for done, result in enumerate(wanted, start=1):
        near = number.get(result.example or "")
        try:
            picture = shown(read_picture(folder / result.image))
        except InputError as error:
            if not skip_bad:
                raise InputError(f"{error}; --skip-bad goes on without it") from error
            bad.append(f"left out {error}")
            continue
        choices.append(Choice(result.image, _label(result), picture, near, result.distance, result.copy, group=result.group))
        report("pictures", done, len(wanted))
    if not choices:
        raise InputError(f"{printable(folder)}: none of the {len(results)} pictures that it should hold can be shown")
    warnings = (*_warnings(results, there, wanted), *bad)
    return View(printable(folder), "New images in a folder", tuple(choices), examples, "", "\n", "", warnings)


def _of_manifest(path: Path) -> list[Result] | None:
    """What a manifest of augment's lists; None where another program wrote it."""
    try:
        blocks = Manifest(path).blocks.values()
    except InputError:
        return None
    return [_result(record) for block in blocks for record in block.images]


def _result(record: Record) -> Result:
    distance, group, example = record.get("distance"), record.get("class"), record.get("example")
    far = float(distance) if isinstance(distance, int | float) else None
    texts = (str(group or ""), example if isinstance(example, str) else None)
    return Result(record["image"], _number(record.get("seed")), *texts, far, record.get("copy") is True)


def _told(path: Path) -> dict[str, Any]:
    try:
        return read_text(path)
    except InputError:
        return {}


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _within(folder: Path, name: str) -> bool:
    """Whether a name that a manifest gives is of a file in the folder, wherever links lead."""
    if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
        return False
    try:
        return (folder / name).is_file() and (folder / name).resolve().is_relative_to(folder.resolve())
    except (OSError, ValueError):  # a name that no file can have
        return False


def _label(result: Result) -> str:
    return printable(PurePosixPath(result.image).name if result.seed is None else f"{result.seed} {result.group}").strip()


def _warnings(results: Sequence[Result], there: Sequence[Result], wanted: Sequence[Result]) -> tuple[str, ...]:
    def said() -> Iterator[str]:
        if len(there) < len(results):
            yield f"{len(results) - len(there)} of {len(results)} pictures are not there any more, and are left out"
        if len(wanted) < len(there):
            yield f"{len(wanted):,} of {len(there):,} pictures are shown, evenly chosen"

    return tuple(said())
