"""doctor: does this installation work? In seconds, offline."""

import importlib.metadata
import platform
import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch

from metagan_cli.devices import choose_device, choose_precision
from metagan_cli.errors import MetaganError
from metagan_cli.learners.game import InnerGame
from metagan_cli.rng import generator_for
from metagan_cli.sampling.sampler import Sampler
from metagan_cli.store.files import write_bytes
from metagan_cli.store.models import load_model
from metagan_cli.store.shipped import shipped_models

PACKAGES = ("torch", "numpy", "pillow", "safetensors", "typer", "rich")
OF_EVALUATE = ("torchvision", "torchmetrics", "matplotlib", "jinja2")  # imported by evaluate, reports and downloads alone


@dataclass(frozen=True)
class Check:
    """One thing looked at."""

    name: str
    ok: bool
    detail: str


def doctor(device: str = "auto") -> list[Check]:
    """Checks packages, device, precision, disk and every shipped model."""
    chosen = choose_device(device)
    dtype = str(choose_precision("auto", chosen)).removeprefix("torch.")
    checks = [
        Check("python", True, f"{platform.python_version()} on {platform.machine()}"),
        *map(_package, PACKAGES + OF_EVALUATE),
    ]
    checks.append(Check("device", True, f"{chosen}, {torch.get_num_threads()} threads, {dtype} is faster for training"))
    checks.append(_disk())
    checks += [_model(model.name, model.path, chosen) for model in shipped_models()]
    if not shipped_models():
        checks.append(Check("models", False, "none is installed"))
    return checks


def _package(name: str) -> Check:
    try:
        return Check(name, True, importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return Check(name, False, "not installed")


def _disk() -> Check:
    try:
        with tempfile.TemporaryDirectory() as folder:
            write_bytes(Path(folder) / "probe", b"metagan")
        return Check("disk", True, f"{tempfile.gettempdir()} can be written")
    except (OSError, MetaganError) as error:
        return Check("disk", False, str(error))


def _model(name: str, path: Path, device: torch.device) -> Check:
    """Loads a model and draws one sample from a blank example with a stroke on it."""
    try:
        model = load_model(path)
    except MetaganError as error:
        return Check(name, False, str(error))
    size = model.config.image_size
    support = torch.full((1, 1, model.config.channels, size, size), -1.0, device=device)
    support[..., size // 4 : -size // 4, size // 2 - 1 : size // 2 + 1] = 1.0
    with torch.no_grad():
        state = model.learner.to(device).adapt(model.nets.to(device), support, 0, InnerGame(), generator_for(0, "doctor"))
    finite = bool(Sampler(model.nets, state, drafts=1).draw([0]).isfinite().all())
    return Check(name, finite, f"{size} px, step {model.metadata.get('step')}, {model.hash[:12]}")
