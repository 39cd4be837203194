"""What is asked of augment."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from metagan_cli.config import FORMATS, AdaptConfig, AugmentConfig
from metagan_cli.data.readers.geometry import check_size
from metagan_cli.errors import InputError, OutputError, UsageError
from metagan_cli.store.manifests import Manifest, Record
from metagan_cli.values import from_dict

ADAPTING = ("base", "steps", "depth", "fit", "skip_bad", "frames")  # settings of the adaptations that a manifest keeps
OPAQUE = ("jpg",)


@dataclass(frozen=True)
class AugmentRequest:
    """New images for each class of a tree."""

    tree: Path
    out: Path
    augment: AugmentConfig = AugmentConfig()
    adapt: AdaptConfig = AdaptConfig()
    new_only: bool = False  # without the originals
    shard: tuple[int, int] = (1, 1)  # number and count of the parts in which the classes are made
    overwrite: bool = False

    @property
    def header(self) -> Record:
        """What a manifest keeps of it: everything that its images depend on."""
        kept = {name: getattr(self.augment, name) for name in self.augment.__dataclass_fields__}
        adapting: dict[str, Any] = {name: getattr(self.adapt, name) for name in ADAPTING}
        return kept | {"adapt": adapting, "new_only": self.new_only}

    def wanted(self, originals: int) -> int:
        """New images of a class of so many."""
        if self.augment.per_class is not None:
            return max(0, self.augment.per_class - originals)
        return self.augment.count


def requested_again(path: Path, request: AugmentRequest) -> AugmentRequest:
    """A request for the same images as a manifest lists. Raises InputError where it is none or was changed."""
    header = Manifest(path).header
    if not header:
        raise InputError(f"{path}: no such file")
    adapting = {name: value for name, value in header.get("adapt", {}).items() if name in ADAPTING}
    wanted = {name: header[name] for name in AugmentConfig.__dataclass_fields__ if name in header}
    try:
        augment, adapt = from_dict(AugmentConfig, wanted), from_dict(AdaptConfig, adapting)
    except UsageError as error:
        raise InputError(f"{path}: was changed ({error})") from error
    return replace(request, augment=augment, adapt=adapt, new_only=header.get("new_only") is True)


def check_request(request: AugmentRequest) -> None:
    """Refuses before any work what cannot be done. Raises UsageError or OutputError."""
    check_size(request.augment.size)
    if request.augment.format not in FORMATS[:-1]:
        raise UsageError(f"--format {request.augment.format}: must be one of {', '.join(FORMATS[:-1])}")
    number, count = request.shard
    if not 1 <= number <= count:
        raise UsageError(f"--shard {number}/{count}: parts run from 1/{count} to {count}/{count}")
    tree, out = request.tree.resolve(), request.out.resolve()
    if out == tree or out.is_relative_to(tree) or tree.is_relative_to(out):
        raise OutputError(f"{request.out}: new images go beside the tree, not into it or around it; name another folder")
    if request.out.exists() and not request.out.is_dir():
        raise OutputError(f"{request.out}: is a file, not a folder")
