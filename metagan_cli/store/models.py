"""Base models and adapted models as files."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from metagan_cli.config import ModelConfig, VariationRules
from metagan_cli.errors import CheckpointError, UsageError
from metagan_cli.evaluation.domain import domain_from_dict
from metagan_cli.images.natives import Natives
from metagan_cli.learners.base import Learner
from metagan_cli.learners.build import build_learner
from metagan_cli.networks.bundle import Networks
from metagan_cli.networks.ruler import Ruler
from metagan_cli.networks.state import PARTS, TaskState, state_of
from metagan_cli.store.features import load_ruler
from metagan_cli.store.natives import described, natives_in, tensors_of
from metagan_cli.store.places import is_shipped
from metagan_cli.store.shipped import find_features
from metagan_cli.store.tensors import half, read_tensors, write_tensors
from metagan_cli.values import from_dict, to_dict

UNNAMED = "unnamed"
NAMELESS = (
    "format",
    "version",
    "kind",
    "hash",
    "model",
    "variation",
    "domain",
    "step",
)  # of a base's metadata, what names nothing
IN_FILES = {"modulation": "gains", "critic_modulation": "judge"}  # parts of the state that files call otherwise


@dataclass(frozen=True)
class BaseModel:
    """A meta-trained model, ready to adapt."""

    config: ModelConfig
    nets: Networks
    learner: Learner
    metadata: dict[str, Any]
    hash: str
    path: Path  # the file it came from

    @property
    def name(self) -> str:
        """The name that the recipe gave it."""
        return str(self.metadata.get("name") or UNNAMED)


@dataclass(frozen=True)
class Origin:
    """What an adapted file says of its base."""

    name: str
    hash: str
    path: str  # where it was, or nothing


@dataclass(frozen=True)
class AdaptedModel:
    """A task state and what its file says of the base that it belongs to."""

    state: TaskState
    origin: Origin
    metadata: dict[str, Any]
    support: dict[str, Any]  # what the metadata says of the images that it was adapted to
    hash: str
    base: BaseModel | None  # where it was embedded
    natives: Natives | None  # the examples at their own size, where they are kept


def save_model(path: Path, config: ModelConfig, nets: Networks, learner: Learner, metadata: dict[str, Any]) -> str:
    """Writes a base model; returns its hash."""
    return write_tensors(path, "model", half(_weights(nets, learner)), _described(config, nets) | metadata)


def _described(config: ModelConfig, nets: Networks) -> dict[str, Any]:
    return {"model": to_dict(config), "variation": to_dict(nets.generator.rules)}


def load_model(path: Path) -> BaseModel:
    """A base model from its file. Raises CheckpointError where it is missing, damaged, foreign or newer."""
    file = read_tensors(path, ("model",))
    return _build(path, file.tensors, file.metadata, file.hash)


def save_adapted(
    path: Path,
    state: TaskState,
    base: BaseModel,
    metadata: dict[str, Any],
    standalone: bool,
    natives: Natives | None = None,
    strip: bool = False,
) -> str:
    """Writes an adapted model, with its examples at their own size if given; with `standalone` its base goes into the file.

    With `strip` no name of a person's own and no path does. Raises UsageError where the base could not be found again then.
    """
    if strip:
        check_strip(base.path, standalone)
    tensors = {_in_file(name): tensor for name, tensor in half(state.tensors()).items()}
    tensors |= tensors_of(natives)
    head = {"base": _named(base, standalone, strip)} | metadata | described(natives) | ({"stripped": True} if strip else {})
    if standalone:
        tensors |= {f"base.{name}": tensor for name, tensor in half(_weights(base.nets, base.learner)).items()}
        head["base_metadata"] = _told_of(base, strip)
    return write_tensors(path, "adapted", tensors, head)


def check_strip(base: Path, standalone: bool) -> None:
    """Raises UsageError where a file that says no path would lose its base."""
    if not standalone and not is_shipped(base):
        raise UsageError(f"--strip: leaves out where the base {base} lies, and so it would not be found; add --standalone")


def _named(base: BaseModel, standalone: bool, strip: bool) -> dict[str, Any]:
    """By what an adapted file finds its base again; where that lies, only where nothing else would do."""
    named = {"name": str(_told_of(base, strip).get("name") or UNNAMED), "hash": base.hash}
    return named if standalone or is_shipped(base.path) else named | {"path": str(base.path.resolve())}


def _told_of(base: BaseModel, strip: bool) -> dict[str, Any]:
    """A base's metadata, where `strip` without the names that its maker gave; those of one that ships are no secret."""
    return {name: value for name, value in base.metadata.items() if not strip or is_shipped(base.path) or name in NAMELESS}


def as_saved(state: TaskState) -> TaskState:
    """The state as it comes back from a file, in half precision."""
    return state_of({name: tensor.float() for name, tensor in half(state.tensors()).items()})


def load_adapted(path: Path) -> AdaptedModel:
    """An adapted model from its file. Raises CheckpointError like `load_model`."""
    file = read_tensors(path, ("adapted",))
    parts = {name: tensor.float() for name, tensor in file.tensors.items() if name.startswith("state.")}
    parts = {
        "state.weights": torch.zeros(1, 0),
        "state.ruled": torch.zeros(1),
        "state.hand": torch.zeros(1, 0),
    } | parts  # which older files lack
    missing = {_in_file(name) for name in PARTS} - set(parts)
    if missing:
        raise CheckpointError(f"{path}: has no tensor '{min(missing)}'")
    state, origin = state_of({name: parts[_in_file(name)] for name in PARTS}), origin_of(path, file.metadata)
    embedded = {name.removeprefix("base."): t for name, t in file.tensors.items() if name.startswith("base.")}
    base = None
    if embedded:
        base = _build(path, embedded, file.said("base_metadata"), origin.hash)
    natives = natives_in(path, file.tensors, file.metadata, state.bases) if state.bases.ndim == 5 else None
    return AdaptedModel(state, origin, file.metadata, file.said("support"), file.hash, base, natives)


def origin_of(path: Path, metadata: dict[str, Any]) -> Origin:
    """What an adapted file's metadata say of its base. Raises CheckpointError where they say none."""
    match metadata.get("base"):
        case {"name": str(name), "hash": str(digest), **more} if isinstance(place := more.get("path") or "", str):
            return Origin(name, digest, place)
    raise CheckpointError(f"{path}: does not say what it was adapted from: adapt again")


def check_state(path: Path, state: TaskState, base: BaseModel) -> None:
    """Raises CheckpointError where a state does not fit its base."""
    config, shots = base.config, state.bases.shape[1] if state.bases.ndim == 5 else -1
    own = sum(parameter.numel() for parameter in base.nets.generator.parameters())
    expected = {
        "bases": (1, shots, config.channels, config.image_size, config.image_size),
        "tokens": (1, shots, 64, config.tokens),
        "code": (1, config.tokens),
        "modulation": (1, base.nets.generator.modulation_size),
        "critic_modulation": (1, base.nets.discriminator.modulation_size),
        "weights": (1, own if state.weights.numel() else 0),
        "ruled": (1,),
        "hand": (1, base.nets.hand_size),
    }
    for name, tensor in state.tensors().items():
        if tuple(tensor.shape) != expected[name]:
            raise CheckpointError(
                f"{path}: tensor '{_in_file(name)}' is {list(tensor.shape)}, its base needs {list(expected[name])}"
            )


def _in_file(name: str) -> str:
    """What a part of the state is called in files."""
    return f"state.{IN_FILES.get(name, name)}"


class _Unfilled(TorchFunctionMode):
    """Leaves new weights unfilled: to fill them on the meta device torch would import its compiler, a second of start-up."""

    FILLS = (Tensor.normal_, Tensor.uniform_, Tensor.zero_, Tensor.fill_)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in self.FILLS or getattr(func, "__module__", "") == nn.init.__name__:
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


def _weights(nets: Networks, learner: Learner) -> dict[str, Tensor]:
    return nn.ModuleDict({"nets": nets, "learner": learner}).state_dict()


@cache
def _shipped_ruler() -> Ruler:
    return load_ruler(find_features("ruler", 1))


def _ruled(support: Tensor) -> Tensor:
    """What the shipped ruler says; who samples from an adapted file never asks, and need not read it."""
    return _shipped_ruler().ruled(support)


def _build(path: Path, tensors: dict[str, Tensor], metadata: dict[str, Any], digest: str) -> BaseModel:
    try:
        config = from_dict(ModelConfig, metadata.get("model", {}))
        rules = from_dict(VariationRules, metadata.get("variation", {}))
        if "domain" in metadata:
            domain_from_dict(metadata["domain"])
    except UsageError as error:
        raise CheckpointError(f"{path}: asks for a network that metagan does not build ({error})") from error
    with torch.device("meta"), _Unfilled():  # shapes only: nothing is allocated for a network that does not fit its file
        nets, learner = Networks(config, rules), build_learner(config)
    nets.ruled = _ruled
    whole = nn.ModuleDict({"nets": nets, "learner": learner})
    expected = whole.state_dict()
    for name in [*expected, *tensors]:
        if name not in tensors:
            raise CheckpointError(f"{path}: tensor '{name}' is missing")
        if name not in expected:
            raise CheckpointError(f"{path}: tensor '{name}' does not belong to its architecture")
        if tensors[name].shape != expected[name].shape:
            found, wanted = list(tensors[name].shape), list(expected[name].shape)
            raise CheckpointError(f"{path}: tensor '{name}' is {found}, its architecture needs {wanted}")
    whole.load_state_dict({name: tensor.float() for name, tensor in tensors.items()}, assign=True)
    nets.to(memory_format=torch.channels_last)
    return BaseModel(config, nets.eval(), learner.eval(), metadata, digest, path)
