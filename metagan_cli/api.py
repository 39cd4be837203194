"""What notebooks and pipelines call: images or paths in, images out; nothing is printed, and errors are those of the commands.

Errors are of `metagan_cli.errors`: InputError for images, CheckpointError for models, UsageError for settings, OutputError for
files, DeviceError for devices; MetaganError is what all of them are.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from PIL import Image

from metagan_cli.config import DEPTHS, AdaptConfig, AugmentConfig, DataConfig, EvaluateConfig, SampleConfig
from metagan_cli.errors import InputError, UsageError
from metagan_cli.store.models import as_saved
from metagan_cli.store.pictures import check_target
from metagan_cli.workflows.adapt import Adapted, adapt_images, save
from metagan_cli.workflows.augment.request import AugmentRequest
from metagan_cli.workflows.augment.run import Augmented
from metagan_cli.workflows.augment.run import augment as augment_folders
from metagan_cli.workflows.new_images import NewImages, new_images
from metagan_cli.workflows.ready import Ready, load_ready, ready_of
from metagan_cli.workflows.sample import draw, motif_count
from metagan_cli.workflows.suited import Source

PathLike = str | os.PathLike[str]
Images = PathLike | Sequence[PathLike | Image.Image]  # a folder, or files and opened pictures
__all__ = ["Model", "NewImages", "adapt", "augment", "augment_tree", "evaluate", "load", "sample"]
ADAPT, SAMPLE, AUGMENT, EVALUATE = AdaptConfig(), SampleConfig(), AugmentConfig(), EvaluateConfig()


@dataclass(frozen=True)
class Model:
    """A model adapted to some images. Make one with `adapt` or `load`."""

    ready: Ready
    adapted: Adapted | None = None  # what came about when it was adapted; None where it was loaded

    @property
    def base(self) -> str:
        """The name of the base model."""
        return self.ready.base.name

    @property
    def warnings(self) -> tuple[str, ...]:
        """What `metagan adapt` would have warned of."""
        return self.ready.warnings

    @property
    def copies(self) -> float | None:
        """The share of test samples that were copies of an image, in [0, 1]; None where the model was loaded."""
        return self.adapted.copies.copies / self.adapted.copies.samples if self.adapted else None

    def sample(self, count: int | None = None, **options: Any) -> list[Image.Image]:
        """New images: `sample` with this model."""
        return sample(self, count, **options)

    def save(self, path: PathLike, *, standalone: bool = False, strip: bool = False, overwrite: bool = False) -> Path:
        """Write what `load` and `metagan sample` read; with `standalone` the base goes into the file, with `strip` no name.

        Raises UsageError for an ending other than .safetensors, a model that was loaded, or a base that would not be found again,
        OutputError for what stands there.
        """
        if self.adapted is None:
            raise UsageError("a model that was loaded has its file already")
        check_target(Path(path), (".safetensors",), overwrite)
        save(Path(path), self.adapted, standalone, strip)
        return Path(path)


def adapt(
    images: Images,
    *,
    base: str = ADAPT.base,
    steps: int = ADAPT.steps,
    depth: str = ADAPT.depth,
    fit: str = ADAPT.fit,
    skip_bad: bool = ADAPT.skip_bad,
    budget: float | None = ADAPT.budget,
    compact: bool = ADAPT.compact,
    seed: int = ADAPT.seed,
    device: str = "auto",
) -> Model:
    """Learn what images have in common: a folder, or a list of files and PIL images.

    `base` is a shipped model's name or a file, `steps` the inner steps after the feed-forward one, `depth` what may change,
    `fit` how images that are not square are made so, `budget` the seconds after which no further step begins. With `compact`
    images are kept at the model's size only.
    Raises InputError, CheckpointError, UsageError or DeviceError, as `metagan adapt` does.
    """
    settings = AdaptConfig(base, steps=steps, depth=depth, fit=fit, skip_bad=skip_bad, budget=budget, compact=compact, seed=seed)
    adapted = adapt_images(_source(images), settings, device)
    learned = adapted.learned
    ready = replace(ready_of(learned, settings), state=as_saved(learned.state), warnings=adapted.warnings)
    return Model(ready, adapted)


def load(path: PathLike, *, device: str = "auto") -> Model:
    """A model that `metagan adapt` or `Model.save` wrote. Raises CheckpointError where it is none, or its base is missing."""
    place = Path(path)
    if place.is_dir():
        raise InputError(f"{place}: a folder; adapt it first")
    return Model(load_ready(place, device))


def sample(
    model: Model | Images,
    count: int | None = None,
    *,
    seed: int = SAMPLE.seed,
    seeds: Sequence[int] | None = None,
    truncation: float = SAMPLE.truncation,
    size: str | int = SAMPLE.size,
    scale: int = SAMPLE.scale,
    motifs: str | Sequence[str] | None = None,
    variants: bool = False,
    device: str = "auto",
) -> list[Image.Image]:
    """New images of a model, of its file, or of a folder or images that are adapted first.

    `count` images (64 unless told) with seeds from `seed` on, or one for each of `seeds`: an image depends on its seed and the
    model alone. `truncation` in [0, 1]: less is tamer. `size` is auto, model, folder, a longer side in pixels, or as 48x64;
    `scale` repeats pixels. Images are in modes L, RGB or RGBA. `motifs` are names, a group of them or a folder of drawings: new
    members that show these, one of each unless told otherwise; with `variants` there are none, and samples show the examples'.
    Raises UsageError for settings that cannot be, else what `adapt` and `load` raise.
    """
    if seeds is not None and count is not None:
        raise UsageError("count and seeds: give one of them")
    if motifs is not None and variants:
        raise UsageError("motifs and variants: variants show the examples' own motifs; leave one of them out")
    wanted = motifs if motifs is None or isinstance(motifs, str) else ",".join(motifs)
    chosen = list(seeds) if seeds is not None else range(seed, seed + (SAMPLE.count if count is None else count))
    if not len(chosen) or not all(0 <= one < 2**64 for one in (chosen if seeds is not None else (chosen[0], chosen[-1]))):
        raise UsageError("an image at least, and seeds from 0 to 2^64 - 1")
    if not 0 <= truncation <= 1 or scale < 1:
        raise UsageError("truncation is between 0 and 1, scale 1 or more")
    if not isinstance(model, Model):
        is_file = isinstance(model, str | os.PathLike) and not Path(model).is_dir()
        model = load(model, device=device) if is_file else adapt(model, device=device)  # type: ignore[arg-type]
    if wanted is not None and seeds is None and count is None:
        chosen = range(seed, seed + motif_count(model.ready, wanted))
    return draw(model.ready, chosen, truncation, str(size), scale, wanted, variants)


def augment(
    data: object,
    count: int = AUGMENT.count,
    *,
    transform: Callable[[Image.Image], Any] | None = None,
    seed: int = AUGMENT.seed,
    truncation: float = AUGMENT.truncation,
    size: str | int = AUGMENT.size,
    base: str = ADAPT.base,
    steps: int = ADAPT.steps,
    device: str = "auto",
) -> NewImages:
    """New images of classes as a data set, for `torch.utils.data.DataLoader` and its workers, drawn when they are asked for.

    `data` is a tree of class folders, a mapping of class names to images, or a data set of (picture, class number), as
    torchvision's are without a transform. There are `count` new ones of each class; `transform` takes a PIL image.
    Raises InputError for images, UsageError for settings.
    """
    wanted = AugmentConfig(count=count, seed=seed, truncation=truncation, size=str(size))
    source = Path(data) if isinstance(data, str | os.PathLike) else data
    return new_images(source, wanted, AdaptConfig(base, steps=steps, depth=DEPTHS[0]), device, transform)


def augment_tree(tree: PathLike, out: PathLike, **settings: Any) -> Augmented:
    """A tree of class folders with new images and their labels at another place: what `metagan augment` does, and returns.

    Settings are those of the command: count, per_class, seed, truncation, size, format, drop_copies, least; new_only and
    overwrite; base, steps, depth, fit and skip_bad. Goes on with what was interrupted.
    Raises InputError for images and labels, OutputError for what stands there, UsageError for settings.
    """
    parts = {kind: {f.name for f in fields(kind)} & settings.keys() for kind in (AugmentConfig, AdaptConfig)}
    unknown = settings.keys() - {"new_only", "overwrite", "device"} - parts[AugmentConfig] - (parts[AdaptConfig] - {"seed"})
    if unknown:
        raise UsageError(f"{min(unknown)}: no setting of augment_tree")
    wanted = AugmentConfig(**{name: settings[name] for name in parts[AugmentConfig]})
    adapting = AdaptConfig(**{"depth": DEPTHS[0]} | {name: settings[name] for name in parts[AdaptConfig] - {"seed"}})
    how = {name: settings[name] for name in ("new_only", "overwrite") if name in settings}
    request = AugmentRequest(Path(tree), Path(out), wanted, adapting, **how)
    return augment_folders(request, settings.get("device", "auto"))


def evaluate(
    models: str | Sequence[str] = "glyph",
    *,
    data: PathLike = "doodles",
    only: Sequence[str] = (),
    shots: Sequence[int] = EVALUATE.shots,
    tasks: int = EVALUATE.tasks,
    steps: int = EVALUATE.steps,
    seed: int = EVALUATE.seed,
    device: str = "auto",
) -> dict[str, Any]:
    """Figures of base models on unseen tasks, beside the references: what `metagan evaluate --json` prints, as a dict.

    `data` is a folder of task folders, an .npz file or a built-in source, `only` keeps the tasks whose names start so.
    Raises InputError where the source holds too few tasks or images, CheckpointError for a model.
    """
    from metagan_cli.workflows.evaluate.scoring import evaluate as score
    from metagan_cli.workflows.evaluate.setup import set_up
    from metagan_cli.workflows.progress import silent

    names = (models,) if isinstance(models, str) else tuple(models)
    settings = replace(EVALUATE, shots=tuple(sorted(set(shots))), tasks=tasks, steps=steps, seed=seed)
    setup = set_up(names, DataConfig(os.fspath(data), only=tuple(only)), settings, device)
    return score(setup, None, silent).as_dict()


def _source(images: Images) -> Source:
    if isinstance(images, str | os.PathLike):
        return Path(images)
    return [image if isinstance(image, Image.Image) else Path(image) for image in images]
