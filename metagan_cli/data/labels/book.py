"""All labels of a tree of images."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from metagan_cli.data.labels.coco import MOST_BYTES as MOST_JSON
from metagan_cli.data.labels.coco import CocoFile, Entry, Id, open_coco
from metagan_cli.data.labels.naming import matched, named_alike, unique_names
from metagan_cli.data.labels.places import HERE, MASKS, UNCARRIED, VOC, YOLO, Files, Way
from metagan_cli.data.labels.things import MOST_BYTES, Labelled, NewImage, Thing
from metagan_cli.data.labels.voc import read_voc, starts_like_voc, written_voc
from metagan_cli.data.labels.yolo import is_empty, keypoint_shape, read_yolo, starts_like_labels, written_yolo
from metagan_cli.data.readers.files import read_bytes, shown
from metagan_cli.data.readers.kinds import ENDINGS, beginning

FORMATS = ("mask", "yolo", "voc", "coco")
HEAD = 4096  # bytes of a file that tell whether it holds labels
FILE = "file of COCO"  # what a thing's extra says as well where several files have its image: whose it is


class LabelBook:
    """What labels a tree has, found by their places and names; files of one image are read when it is asked for.

    Paths are below the tree, or absolute.
    """

    def __init__(self, tree: Path, images: Sequence[Path]) -> None:
        """Masks may be among the images. Raises InputError for a folder, a data.yaml or a COCO file that cannot be used."""
        self._tree, self._files, self._shape = tree, Files(tree), keypoint_shape(tree)
        keys = [self._key(image) for image in images]
        self._masks, self._mask_files = self._find_masks(keys)
        self._images = dict.fromkeys(key for key in keys if key not in self._mask_files)
        self._coco = self._find_coco()
        self._has_yolo = any(self._says_yolo(path) for image in self._images for _, path in self._texts(image))
        has_voc = any(self._voc(image) for image in self._images)
        found = (bool(self._masks), self._has_yolo, has_voc, bool(self._coco))
        self.formats = tuple(name for name, is_there in zip(FORMATS, found, strict=True) if is_there)

    def is_label(self, path: Path) -> bool:
        """Whether a file of the tree, be it an image file, is a label of images and no image itself."""
        key = self._key(path)
        if key.lower().endswith((".txt", ".xml")):
            return key in self._of_one_image
        return key in self._mask_files or key in self._coco

    def of(self, image: Path, width: int, height: int) -> Labelled:
        """The labels of an image of that upright size in pixels. Raises InputError with the file, and its line or field."""
        key, size, things = self._key(image), (width, height), dict[str, tuple[Thing, ...]]()
        if text := self._yolo(key):
            things["yolo"] = read_yolo(*self._read(text[1]), size, self._shape)
        if xml := self._voc(key):
            things["voc"] = read_voc(*self._read(xml[1]), size, self._tree / key)
        owners = [name for name, (_, ids) in self._coco.items() if key in ids]
        if owners:
            things["coco"] = tuple(thing for name in owners for thing in self._coco_things(name, key, size, len(owners) > 1))
        return Labelled(things, self._tree / self._masks[key][1] if key in self._masks else None)

    def beside(
        self, image: Path, new: Path, size: tuple[int, int], things: Mapping[str, Sequence[Thing]]
    ) -> list[tuple[Path, bytes]]:
        """The labels of a new image of that width and height, made of another, in the formats that have a file for each.

        They lie to the new path, below the folder of results, as the original's do to its. Raises InputError as `of` does.
        """
        key, target, written = self._key(image), new.as_posix(), list[tuple[Path, bytes]]()
        if "yolo" in things and (text := self._yolo(key)):
            written.append((Path(text[0].to(target, ".txt")), written_yolo(things["yolo"], size, self._shape)))
        if "voc" in things and (xml := self._voc(key)):
            written.append((Path(xml[0].to(target, ".xml")), written_voc(*self._read(xml[1]), new.name, size, things["voc"])))
        return written

    def mask_path(self, image: Path, new: Path) -> Path:
        """Where the mask of a new image goes, a PNG that lies to it as that of the original, which has one, does."""
        return Path(self._masks[self._key(image)][0].to(new.as_posix(), ".png"))

    def collected(self, new: Sequence[NewImage], originals: bool) -> list[tuple[Path, bytes]]:
        """The COCO files, below the folder of results, with new images, and without those they have unless `originals`."""
        return [(Path(name), file.with_new(self._entries(name, new), originals)) for name, (file, _) in self._coco.items()]

    def _key(self, path: Path) -> str:
        return (path.relative_to(self._tree) if path.is_absolute() else path).as_posix()

    def _read(self, key: str) -> tuple[str, bytes]:
        """What messages call a file of one image, and its content."""
        path = self._tree / key
        return shown(path), read_bytes(path, MOST_BYTES)[0]

    def _find_masks(self, keys: Sequence[str]) -> tuple[dict[str, tuple[Way, str]], set[str]]:
        """The mask of each image, and all files that are masks; of several in one folder a PNG comes first."""
        masks, files = dict[str, tuple[Way, str]](), set[str]()
        for key in keys:
            found = list(self._files.find(key, MASKS, ENDINGS))
            if found:
                masks[key] = min(found, key=lambda item: (MASKS.index(item[0]), not item[1].lower().endswith(".png")))
            files.update(path for _, path in [*found, *self._files.find(key, UNCARRIED, ENDINGS)])
        return {key: mask for key, mask in masks.items() if key not in files}, files

    def _find_coco(self) -> dict[str, tuple[CocoFile, dict[str, Id]]]:
        """The COCO files that speak of images of the tree, and the id of each image in them."""
        found, unique = {}, unique_names(self._images)
        stems = {os.path.splitext(image)[0] for image in self._images}
        folders = {HERE, "annotations", *(os.path.dirname(image) or HERE for image in self._images)}
        for key in sorted(path for folder in folders for path in self._files.ending_with(folder, ".json")):
            if os.path.splitext(key)[0] in stems:
                continue  # another format's, of one image
            path = self._tree / key
            file = open_coco(shown(path), read_bytes(path, MOST_JSON)[0])
            if file is not None and (ids := matched(shown(path), key, file.names, self._images, unique)):
                found[key] = file, ids
        return found

    def _coco_things(self, name: str, image: str, size: tuple[int, int], is_shared: bool) -> Iterator[Thing]:
        file, ids = self._coco[name]
        for thing in file.things(ids[image], size, self._tree / image):
            yield replace(thing, extra={FILE: name, **thing.extra}) if is_shared else thing

    def _entries(self, name: str, new: Sequence[NewImage]) -> Iterator[Entry]:
        """The new images of a COCO file, each with the things that are of this file."""
        file, ids = self._coco[name]
        for image in new:
            original = self._key(image.original)
            if original in ids:
                mine = [thing for thing in image.things if thing.extra.get(FILE, name) == name]
                things = [replace(t, extra={key: value for key, value in t.extra.items() if key != FILE}) for t in mine]
                said = named_alike(file.names[ids[original]], original, image.path.as_posix())
                yield Entry(said, ids[original], image.size, things)

    def _texts(self, image: str) -> Iterator[tuple[Way, str]]:
        return self._files.find(image, YOLO, (".txt",))

    def _yolo(self, image: str) -> tuple[Way, str] | None:
        """The YOLO file of an image; an empty one counts where others in the tree are not."""
        if not self._has_yolo:
            return None
        return next((found for found in self._texts(image) if self._says_yolo(found[1]) or is_empty(self._head(found[1]))), None)

    def _voc(self, image: str) -> tuple[Way, str] | None:
        return next((f for f in self._files.find(image, VOC, (".xml",)) if starts_like_voc(self._head(f[1]))), None)

    def _says_yolo(self, key: str) -> bool:
        return starts_like_labels(self._head(key), HEAD)

    def _head(self, key: str) -> bytes:
        return beginning(self._tree / key, HEAD)

    @cached_property
    def _of_one_image(self) -> set[str]:
        """All files of YOLO and VOC that speak of an image of the tree."""
        return {found[1] for image in self._images for found in (self._yolo(image), self._voc(image)) if found}
