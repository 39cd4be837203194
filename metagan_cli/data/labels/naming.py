"""Which images of a tree those in a COCO file are."""

import posixpath
from collections import Counter
from collections.abc import Collection, Mapping

from metagan_cli.data.labels.coco import Id
from metagan_cli.data.labels.places import HERE
from metagan_cli.data.readers.files import shown
from metagan_cli.errors import InputError


def matched(label: str, key: str, names: Mapping[Id, str], images: Collection[str], unique: Mapping[str, str]) -> dict[str, Id]:
    """The id of each image of the tree that the COCO file `key` has, by its file_name.

    That is a path below the file's folder, the tree, or one of the tree's usual folders. Where it is none, it is the image that
    alone has such a name, by `unique`, in the tree, if also no other in the file has it. Raises InputError for two of one image.
    """
    folder, name = posixpath.split(key)
    part = posixpath.splitext(name)[0].rpartition("_")[2]  # train2017 of instances_train2017.json
    bases = [folder, HERE, "images", part, f"images/{part}"]
    found: dict[str, Id] = {}
    left: dict[Id, str] = {}
    for known, said in names.items():
        paths = (posixpath.normpath(posixpath.join(base, said.replace("\\", "/"))) for base in bases)
        image = next((path for path in paths if path in images), None)
        if image is None:
            left[known] = posixpath.basename(said.replace("\\", "/"))
        elif image in found:
            raise InputError(f"{label}: images: {shown(image)} stands there twice")
        else:
            found[image] = known
    counts = Counter(left.values())
    for known, last in left.items():
        image = unique.get(last)
        if image is not None and image not in found and counts[last] == 1:
            found[image] = known
    return found


def named_alike(said: str, image: str, new: str) -> str:
    """The file_name of a new image, which lies to its original's as their paths lie to each other."""
    prefix = said[: max(said.rfind("/"), said.rfind("\\")) + 1]
    move = posixpath.relpath(posixpath.dirname(new) or HERE, posixpath.dirname(image) or HERE)
    name = posixpath.basename(new)
    return prefix + name if move == HERE else posixpath.normpath(posixpath.join(prefix, move, name))


def unique_names(images: Collection[str]) -> dict[str, str]:
    """The images whose names no other in the tree has."""
    counts = Counter(posixpath.basename(image) for image in images)
    return {name: image for image in images if counts[name := posixpath.basename(image)] == 1}
