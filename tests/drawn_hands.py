"""A packed file of motifs by hands that are drawn by program, as small as tests need it, and networks for it."""

from dataclasses import replace
from functools import cache
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from conftest import TINY
from PIL import Image
from torch import Tensor

from metagan_cli.config import ModelConfig
from metagan_cli.data.sources.tasks import is_held_out
from metagan_cli.images.drawings import draw_svg
from metagan_cli.images.styling import Styling, styled
from metagan_cli.learners.build import build_learner
from metagan_cli.networks.bundle import build_networks
from metagan_cli.networks.hand_net import FEATURES, HandNet
from metagan_cli.rng import generator_for, seeded
from metagan_cli.store import places
from metagan_cli.store.features import save_hand_net
from metagan_cli.store.kinship import Kinship, save_kinship
from metagan_cli.store.models import save_model
from metagan_cli.store.motifs import bank
from metagan_cli.workflows import kinship

SIDE, MOTIFS = 32, 24
WITH_GUESTS = replace(TINY, guests=True)
UNSEEN = next(name for name in (f"unseen{number}" for number in count()) if is_held_out(name))  # a family that never trains
_TONES = tuple(torch.tensor([tone]) for tone in (-1.0, 1.0, -0.4, 0.2))
PLAIN = Styling("keep", 0.0, 1.0, 0.0, 0.0, 1.0, "none", (0, 0), 0.0, 0, 0.0, 6.0, _TONES)
HANDS = {
    "plain/upright": PLAIN,
    "plain/narrow": replace(PLAIN, wide=0.7),
    "bold/upright": replace(PLAIN, weight=1.0),
    "filled/upright": replace(PLAIN, form="solid", weight=0.4),
    f"{UNSEEN}/upright": replace(PLAIN, form="duotone"),
    f"{UNSEEN}/narrow": replace(PLAIN, form="duotone", wide=0.7),
    f"{UNSEEN}/badge": replace(PLAIN, badge="disc"),
}


@cache
def coverage(motifs: int = MOTIFS) -> Tensor:
    """Plain drawings of the bank's first icons: ink [M, 1, S, S] in [0, 1]."""
    return torch.stack([(draw_svg(motif.drawings[0].body, SIDE) + 1) / 2 for motif in bank().group("icons")[:motifs]])


@cache
def drawn(name: str) -> Tensor:
    """What one of the hands makes of them: [M, 1, S, S] in [-1, 1]."""
    return styled(coverage(), HANDS[name], generator_for(0, "drawn hand"))


def write_hands(path: Path, hands: tuple[str, ...] = tuple(HANDS)) -> Path:
    """Writes the packed file of some of the hands, each with all motifs."""
    images = torch.cat([drawn(name) for name in hands])[:, 0]
    np.savez(
        path,
        images=((images + 1) * 127.5).round().byte().numpy(),
        labels=np.arange(len(hands)).repeat(MOTIFS),
        names=np.array(hands),
        motif=np.tile(np.arange(MOTIFS), len(hands)),
        motifs=np.array([motif.name for motif in bank().group("icons")[:MOTIFS]]),
    )
    return path


def draw_set(folder: Path, count: int = 5, side: int = SIDE, hand: str = "plain/upright") -> Path:
    """A folder with so many different motifs by one hand, dark on light, each as large as `side` pixels."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, ink in enumerate(drawn(hand)[:count, 0]):
        image = Image.fromarray((255 - (ink + 1) * 127.5).round().byte().numpy())
        image.resize((side, side), Image.Resampling.BICUBIC).save(folder / f"{number}.png")
    return folder


def write_guest_model(path: Path, config: ModelConfig = WITH_GUESTS, stream: str = "guests") -> Path:
    """An untrained model that paints guests, in a file: at first it paints them nearly as they are."""
    nets, learner = build_networks(config, generator_for(0, stream)), build_learner(config)
    save_model(path, config, nets, learner, {"name": path.stem, "step": 0, "seed": 0, "data": []})
    return path


def hand_net(channels: int = 1, stream: str = "hand net") -> HandNet:
    """A net that tells hands and motifs, untrained."""
    with seeded(generator_for(0, stream)):
        return HandNet(channels).eval().requires_grad_(False)


@cache
def small_kinship() -> Kinship:
    """An untrained net that tells drawings apart all the same, as it sees none of what they have in common.

    It knows the first icons, and all letters and digits; of the other motifs it has never seen anything.
    """
    net, motifs = hand_net(), bank().motifs
    icons = [i for i, motif in enumerate(motifs) if motif.kind == "icon"][:150]
    known = icons + [i for i, motif in enumerate(motifs) if motif.kind in ("letter", "digit")]
    drawings = torch.stack([draw_svg(motifs[i].drawings[0].body, SIDE) for i in known])
    shape = F.adaptive_avg_pool2d(F.gelu(net.maps(drawings)[-1]), 4).flatten(1)
    net.motif.bias.copy_(-(shape @ net.motif.weight.T).mean(0))
    vectors = F.normalize(torch.randn(len(motifs), FEATURES, generator=generator_for(0, "unknown motifs")), dim=1)
    vectors[known] = net(drawings)[1]
    return Kinship(net, vectors)


def write_nets(folder: Path) -> Path:
    """The nets that ship with a painter of guests, untrained: that for kinship, and that which judges."""
    folder.mkdir(parents=True, exist_ok=True)
    save_kinship(folder / "kinship-gray.safetensors", small_kinship(), {})
    save_hand_net(folder / "judges-hands-gray.safetensors", hand_net(stream="judge"), {})
    return folder


def ship(folder: Path) -> str:
    """Python that makes a command find the nets of a folder before those that ship."""
    first = f"from pathlib import Path; from metagan_cli.store import places; nets = Path({str(folder)!r})"
    return f"{first}; places.FOLDERS = (nets, *places.FOLDERS)"


def shipped(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for this process."""
    monkeypatch.setattr(places, "FOLDERS", (folder, *places.FOLDERS))
    monkeypatch.setattr(kinship, "_shipped", cache(kinship._shipped.__wrapped__))  # afterwards that which ships is there again
