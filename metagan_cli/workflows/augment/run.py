"""The classes of a tree, one after the other, so that what was begun can be ended at any other time."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from metagan_cli.data.labels.things import NewImage
from metagan_cli.errors import OutputError
from metagan_cli.store.files import link_or_copy, sweep, write_bytes
from metagan_cli.store.locks import locked
from metagan_cli.store.manifests import NAME, Manifest
from metagan_cli.workflows.augment.labels import thing_of
from metagan_cli.workflows.augment.request import AugmentRequest, check_request
from metagan_cli.workflows.augment.tree import ClassFolder, Tree, read_tree
from metagan_cli.workflows.augment.workers import draw_all
from metagan_cli.workflows.progress import Report, silent


@dataclass(frozen=True)
class Augmented:
    """What lies in the folder of results now."""

    out: Path
    classes: int
    originals: int  # that were put there
    new: int
    copies: int  # of the new ones
    skipped: tuple[tuple[str, str], ...]  # classes and images, and why
    labels: tuple[str, ...]  # formats that went along
    finished: bool  # whether all classes are there, and not those of some shards alone
    seconds: float


def augment(
    request: AugmentRequest, device: str = "auto", report: Report = silent, warn: Callable[[str], None] = lambda line: None
) -> Augmented:
    """Puts new images of each class, and the originals, into a folder of the same structure; goes on with what was begun.

    Raises UsageError or OutputError before any work, InputError for an image or label unless those are to be skipped.
    """
    start = time.monotonic()
    check_request(request)
    tree, (number, count) = read_tree(request.tree), request.shard
    name = shard_name(number, count)
    with locked(request.out, f"{name}.lock"):
        whole = Manifest(request.out / NAME)
        if count > 1 and whole.header:
            raise OutputError(f"{request.out}: is finished already; name another folder")
        manifest = whole if count == 1 else Manifest(request.out / name)
        _begin(manifest, tree, request)
        originals = 0 if request.new_only else _put_originals(tree, request, report)
        _draw_classes(tree, tree.classes[number - 1 :: count], request, manifest, device, report, warn)
        finished = count == 1 or _joined(request, whole, tree)
        if finished:
            manifest = whole
            _write_collected(tree, request, whole)
    blocks = list(manifest.blocks.values())
    images = [image for block in blocks for image in block.images]
    return Augmented(
        request.out,
        len(blocks),
        originals,
        len(images),
        sum(bool(image["copy"]) for image in images),
        (*tree.skipped, *((block.name, str(block.about["skipped"])) for block in blocks if "skipped" in block.about)),
        tree.book.formats,
        finished,
        time.monotonic() - start,
    )


def _draw_classes(
    tree: Tree,
    folders: Sequence[ClassFolder],
    request: AugmentRequest,
    manifest: Manifest,
    device: str,
    report: Report,
    warn: Callable[[str], None],
) -> None:
    """Draws those classes that are not there yet."""
    missing = [folder for folder in folders if folder.name not in manifest.blocks]
    for folder in missing:
        sweep(request.out / folder.name)
    done = len(folders) - len(missing)
    report("classes", done, len(folders))
    for folder, (block, warnings) in draw_all(tree, missing, request, device):
        manifest.add(block)
        for line in warnings:
            warn(f"{folder.name}: {line}")
        done += 1
        report("classes", done, len(folders))


def _begin(manifest: Manifest, tree: Tree, request: AugmentRequest) -> None:
    """Goes on with a manifest, but for classes that have changed or are gone, whose new images are removed."""
    before = manifest.blocks
    manifest.begin(request.header, request.overwrite)
    folders = {folder.name: folder for folder in tree.classes}
    kept = [b for b in manifest.blocks.values() if b.name in folders and b.about.get("state") == tree.state_of(folders[b.name])]
    manifest.rewrite(kept)
    for name in before.keys() - manifest.blocks.keys():
        for image in before[name].images:
            for path in (image["image"], *image.get("labels", ())):
                (request.out / path).unlink(missing_ok=True)


def _put_originals(tree: Tree, request: AugmentRequest, report: Report) -> int:
    """The originals, and all that lies beside them, in the folder of results; how many images."""
    images = [path for folder in tree.classes for path in folder.images]
    paths = [*images, *tree.others]
    for place, path in enumerate(paths):
        source, target = tree.place / path, request.out / path
        if not target.exists() or target.stat().st_size != source.stat().st_size:
            link_or_copy(source, target)
        report("originals", place + 1, len(paths))
    return len(images)


def _joined(request: AugmentRequest, whole: Manifest, tree: Tree) -> bool:
    """Makes one manifest of those of all shards, as soon as each of their classes is there; whether it is."""
    count = request.shard[1]
    shards = [Manifest(request.out / shard_name(number, count)) for number in range(1, count + 1)]
    blocks = {name: block for shard in shards for name, block in shard.blocks.items()}
    if not all(folder.name in blocks for folder in tree.classes):
        return whole.path.exists()  # where another shard has just done it
    whole.begin(request.header, False)
    whole.rewrite([blocks[folder.name] for folder in tree.classes])
    for shard in shards:
        shard.path.unlink(missing_ok=True)
    return True


def _write_collected(tree: Tree, request: AugmentRequest, manifest: Manifest) -> None:
    """The label files that speak of all images."""
    new = [
        NewImage(
            Path(image["image"]), Path(image["example"]), tuple(image["size"]), [thing_of(thing) for thing in image["things"]]
        )
        for block in manifest.blocks.values()
        for image in block.images
        if "things" in image
    ]
    for path, data in tree.book.collected(new, not request.new_only):
        write_bytes(request.out / path, data)


def shard_name(number: int, count: int) -> str:
    """The manifest of one of some parts; of the whole, where there is but one."""
    return NAME if count == 1 else f"manifest.{number}-of-{count}.jsonl"
