"""view: samples, or what a folder of results holds, as a page, and what writes what is picked of it."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from metagan_cli.config import AdaptConfig
from metagan_cli.data.readers.support import Support
from metagan_cli.errors import UsageError
from metagan_cli.store.pictures import check_folder
from metagan_cli.workflows.progress import Report, silent
from metagan_cli.workflows.ready import load_ready
from metagan_cli.workflows.sample import SampleRequest, check_request, motif_count
from metagan_cli.workflows.view.picked import Write, files_written, samples_written
from metagan_cli.workflows.view.results import Result, view_results
from metagan_cli.workflows.view.samples import command, view_samples
from metagan_cli.workflows.view.shown import MOST, View


@dataclass(frozen=True)
class Looked:
    """What a page shows, and what writes what is picked of it."""

    view: View
    write: Write
    seconds: float
    support: Support | None = None  # what a folder that was adapted on the way holds


def look_at_samples(
    source: Path,
    request: SampleRequest,
    settings: AdaptConfig,
    device: str = "auto",
    one_each: bool = False,
    report: Report = silent,
) -> Looked:
    """The samples of a request, or `one_each` of its motifs from its first seed on. Raises like `load_ready` and `sample`."""
    start = time.monotonic()
    check_request(request)
    check_seeds(request)
    ready = load_ready(source, device, settings, report)
    if one_each and request.motifs is not None:
        first = request.seeds[0]
        request = replace(request, seeds=range(first, first + motif_count(ready, request.motifs)))
        check_seeds(request)
    request = replace(request, seeds=sorted(set(request.seeds)))
    view = view_samples(ready, request, source, command(source, request, settings, device), report)
    return Looked(view, samples_written(ready, request), time.monotonic() - start, ready.support)


def look_at_results(
    folder: Path,
    results: Sequence[Result],
    each: Path,
    count: int | None = None,
    skip_bad: bool = False,
    overwrite: bool = False,
    report: Report = silent,
) -> Looked:
    """At most `count` of a folder's results. Raises InputError for its pictures, UsageError or OutputError for `each`."""
    start = time.monotonic()
    if each.resolve() == folder.resolve():
        raise UsageError(f"--each {each}: is the folder that is looked at; name another one")
    check_folder(each, each)
    view = view_results(folder, results, count, skip_bad, report)
    return Looked(view, files_written(folder, each, overwrite), time.monotonic() - start)


def check_seeds(request: SampleRequest) -> None:
    """Refuses more samples than a page shows, and seeds that are none. Raises UsageError."""
    if len(request.seeds) > MOST:
        raise UsageError(f"{len(request.seeds):,} samples are more than a page of {MOST:,}; ask for fewer with -n or --seeds")
    if request.seeds[-1] >= 2**64:
        raise UsageError(f"--seed {request.seeds[0]}: the last seed would pass 2^64")
