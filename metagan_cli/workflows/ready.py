"""What samples are drawn from: an adapted model's file, or a folder that is adapted on the way."""

import hashlib
import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import Tensor

from metagan_cli.config import AdaptConfig
from metagan_cli.data.readers.geometry import Form
from metagan_cli.data.readers.support import Support
from metagan_cli.devices import choose_device
from metagan_cli.errors import CheckpointError, UsageError
from metagan_cli.images.natives import Natives
from metagan_cli.networks.state import TaskState, state_of
from metagan_cli.store.models import BaseModel, Origin, check_state, load_adapted, load_model
from metagan_cli.store.shipped import shipped_models
from metagan_cli.values import from_dict
from metagan_cli.workflows.adapt import Check, Learned, any_images, learn
from metagan_cli.workflows.kinship import Family, family_of
from metagan_cli.workflows.progress import Report, silent

AS_ADAPTED = ("steps", "depth", "fit")  # settings of an adaptation that a picture keeps


@dataclass(frozen=True)
class Ready:
    """A task state with its base, ready to sample from."""

    state: TaskState
    base: BaseModel
    hash: str  # of the adapted model; of base, examples and settings where a folder was adapted on the way
    light_on_dark: bool
    form: Form
    support: Support | None = None  # what a folder that was adapted on the way holds
    warnings: tuple[str, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)  # by which a folder was adapted on the way
    natives: Natives | None = None  # the examples at their own size, where they are kept

    @property
    def examples(self) -> Tensor:
        """The support images [K, C, S, S] in [-1, 1], on the CPU."""
        return self.state.bases[0].float().cpu()

    @cached_property
    def family(self) -> Family:
        """What the examples are to each other, looked at once."""
        return family_of(self.examples)


def load_ready(
    source: Path,
    device: str = "auto",
    settings: AdaptConfig | None = None,
    report: Report = silent,
    check: Check = any_images,
) -> Ready:
    """An adapted model from its file, or a folder adapted now, unless `check` refuses the folder's images before.

    Raises CheckpointError or InputError.
    """
    if source.is_dir():
        settings = settings or AdaptConfig()
        return ready_of(learn(source, settings, device, report, check), settings)
    chosen = choose_device(device)
    loaded = load_adapted(source)
    base = loaded.base or _find_base(source, loaded.origin)
    check_state(source, loaded.state, base)
    base.nets.to(chosen)
    state = state_of({name: tensor.to(chosen) for name, tensor in loaded.state.tensors().items()})
    light_on_dark = bool(loaded.support.get("light_on_dark"))
    form = _form(source, loaded.metadata.get("form", {}))
    return Ready(state, base, loaded.hash, light_on_dark, form, natives=loaded.natives)


def ready_of(learned: Learned, settings: AdaptConfig) -> Ready:
    """What was learned now, by these settings."""
    own = {name: getattr(settings, name) for name in AS_ADAPTED}
    digest = hashlib.blake2b(f"{learned.base.hash} {own}".encode(), digest_size=32)
    digest.update(learned.state.bases.cpu().numpy().tobytes())
    support = learned.support
    look = support.light_on_dark, support.form
    return Ready(learned.state, learned.base, digest.hexdigest(), *look, support, learned.warnings, own, learned.natives)


def _form(source: Path, values: dict[str, Any]) -> Form:
    try:
        return from_dict(Form, values)
    except UsageError as error:
        raise CheckpointError(f"{source}: its results would have no form ({error})") from error


def _find_base(source: Path, wanted: Origin) -> BaseModel:
    """The base that an adapted file names: among the shipped models, or where the file remembers it."""
    for model in shipped_models():
        if model.name == wanted.name:
            base = load_model(model.path)
            if base.hash != wanted.hash:
                raise CheckpointError(
                    f"{source}: was adapted from '{wanted.name}' {wanted.hash[:12]}, "
                    f"but the one installed is {base.hash[:12]}: adapt again"
                )
            return base
    remembered = Path(wanted.path)
    if not wanted.path or not os.path.isfile(remembered):
        raise CheckpointError(
            f"{source}: its base '{wanted.name}' ({wanted.hash[:12]}) is not here: adapt again with --standalone"
        )
    base = load_model(remembered)
    if base.hash != wanted.hash:
        raise CheckpointError(f"{source}: its base {remembered} has changed: {wanted.hash[:12]} then, {base.hash[:12]} now")
    return base
