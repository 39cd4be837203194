"""What is picked, written to a folder."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from metagan_cli.store.files import link_or_copy
from metagan_cli.store.pictures import ENDINGS, check_target, written_by_metagan
from metagan_cli.workflows.ready import Ready
from metagan_cli.workflows.sample import SampleRequest, sample

Write = Callable[[Sequence[str]], Sequence[Path]]  # from names of a page's pictures to the files that were written


def samples_written(ready: Ready, request: SampleRequest) -> Write:
    """What writes samples, picked by their seeds, to the request's folder: as `metagan sample --seeds LIST --each DIR`."""

    def write(names: Sequence[str]) -> list[Path]:
        assert request.each is not None
        sample(ready, replace(request, seeds=list(map(int, names))))
        return [request.each / f"{number:06d}.{request.format}" for number in range(len(names))]

    return write


def files_written(folder: Path, each: Path, overwrite: bool) -> Write:
    """What writes files that lie in a folder to another one, below which they are called the same."""

    def write(names: Sequence[str]) -> list[Path]:
        paths = [each / name for name in names]
        for path in paths:
            check_target(path, ENDINGS, overwrite, folder)
        for name, path in zip(names, paths, strict=True):
            link_or_copy(folder / name, path)
        return paths

    return write


def alone(write: Write) -> Write:
    """The same, but of what it wrote before, what is not picked any more goes, so that its folder holds what is picked."""
    before = set[Path]()

    def again(names: Sequence[str]) -> Sequence[Path]:
        written = write(names)
        for path in before.difference(written):
            if written_by_metagan(path):
                path.unlink(missing_ok=True)
        before.clear()
        before.update(written)
        return written

    return again
