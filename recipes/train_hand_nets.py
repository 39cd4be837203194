"""Trains a net that tells hands and motifs: one orders motifs by kinship and teaches the painter of guests, another one judges.

python -m recipes.train_hand_nets kinship [--channels 3] [--minutes 22]
python -m recipes.train_hand_nets judges-hands [--channels 3] --seed 12    # which never trains a generator

Hands by the mean of a few drawings, as prototypes (Snell et al. 2017); motifs by pairs of hands of
two families, each against all others of the batch (as in InfoNCE: van den Oord et al. 2018). Only hands that the painter knows.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from metagan_cli.data.guests import images_of
from metagan_cli.data.program_hands import draw_hand
from metagan_cli.data.sources.hands import Hands, for_training, of_names, open_hands
from metagan_cli.devices import choose_device, choose_precision, compute
from metagan_cli.images.drawings import draw_svg
from metagan_cli.images.ink import ink_of
from metagan_cli.images.resampling import sample_bilinear
from metagan_cli.images.styling import styled
from metagan_cli.networks.hand_net import HandNet
from metagan_cli.rng import generator_for
from metagan_cli.store.features import save_hand_net
from metagan_cli.store.kinship import Kinship, save_kinship
from metagan_cli.store.motifs import bank
from metagan_cli.store.recipes import read_recipe
from metagan_cli.store.shipped import features_name
from recipes.train_judges import fit

RECIPES = {1: Path("recipes/guests-gray-1.toml"), 3: Path("recipes/guests-colour-1.toml")}  # whose sources are taken
WAYS, EACH, PAIRS = 32, 4, 64  # hands of a batch, drawings of each, half of which make its prototype; and motifs
SIDE = 64  # pixels
FAMILIES = 3  # that draw a motif, at least
SCALED, MOVED = 0.06, 0.06  # deviations of size, and of place in half sides
RATE, SHARPNESS = 2e-3, 2.3  # Adam's, and the logarithm of the scale of cosines at first
SHOTS, TESTED, EPISODES = 8, 2, 60  # of the test among WAYS_TESTED held-out hands
WAYS_TESTED = 20


def main() -> None:
    """Trains the net, says how well it tells held-out hands, and writes it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("kind", choices=("kinship", "judges-hands"))
    parser.add_argument("--channels", type=int, default=1, choices=(1, 3))
    parser.add_argument("--minutes", type=float, default=22)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--program", type=float, default=0.0, help="share of the hands that are drawn by program")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    recipe = read_recipe(RECIPES[options.channels])
    every = open_hands(recipe.data, recipe.model.image_size, options.channels)
    hands, held_out = for_training(every), of_names(every, ())
    torch.manual_seed(options.seed)
    device = choose_device("cpu")
    precision = choose_precision("auto", device)
    taught = Taught(HandNet(options.channels).to(memory_format=torch.channels_last), hands, options.program)

    def loss(step: int) -> Tensor:
        rng = generator_for(options.seed, "hands", step)
        by_hand, by_motif = taught.draw_hands(rng), taught.draw_motifs(rng)
        with compute(device, precision):
            return taught.hands(by_hand) + taught.motifs(by_motif)

    steps = fit(taught, loss, 60 * options.minutes, RATE)
    told = one_of_twenty(taught.net.eval(), held_out)
    print(f"held-out hands among {WAYS_TESTED}, by {SHOTS} drawings: {100 * told:.1f} %")
    data = [Path(source.source).stem for source in recipe.data]
    metadata = {"data": data, "seed": options.seed, "steps": steps, "hands": round(told, 4)}
    out = options.out or Path("pretrained") / features_name(options.kind, options.channels)
    if options.kind == "kinship":
        save_kinship(out, Kinship(taught.net, of_bank(taught.net)), metadata)
    else:
        save_hand_net(out, taught.net, metadata)
    print(f"wrote {out}")


@torch.no_grad()
def of_bank(net: HandNet) -> Tensor:
    """What the net sees of the bank's motifs [M, 128], by the mean of each one's drawings."""
    seen = []
    for motif in bank().motifs:
        ink = torch.stack([draw_svg(drawing.body, SIDE) for drawing in motif.drawings])
        seen.append(net(ink if net.channels == 1 else -ink.expand(-1, 3, -1, -1))[1].mean(0))
    return F.normalize(torch.stack(seen), dim=1)


class Taught(nn.Module):
    """The net with what it learns from."""

    def __init__(self, net: HandNet, hands: Hands, program: float) -> None:
        super().__init__()
        self.net, self.drawings, self.program = net, hands, program
        self.sharpness = nn.Parameter(torch.tensor(SHARPNESS))
        self.weights = hands.weights.sqrt() * torch.tensor([len(members) >= EACH for members in hands.by_hand])
        self.shared = [motif for motif, group in enumerate(hands.by_motif) if len(np.unique(families(hands, group))) >= FAMILIES]

    def draw_hands(self, rng: torch.Generator) -> Tensor:
        """Drawings by a batch's hands [WAYS * EACH, C, S, S]."""
        images = drawings(self.drawings, self.weights, WAYS, EACH, rng).unflatten(0, (WAYS, EACH))
        for number in range(round(self.program * WAYS)):
            images[number] = styled((ink_of(images[number]) + 1) / 2, draw_hand(rng, self.net.channels), rng)
        return moved(images.flatten(0, 1), rng)

    def hands(self, images: Tensor) -> Tensor:
        """Cross-entropy of drawings among the prototypes of a batch's hands."""
        seen = self.net(images)[0].unflatten(0, (WAYS, EACH))
        prototypes = F.normalize(seen[:, : EACH // 2].mean(1), dim=1)
        odds = self.sharpness.exp() * seen[:, EACH // 2 :].flatten(0, 1) @ prototypes.T
        return F.cross_entropy(odds, torch.arange(WAYS).repeat_interleave(EACH - EACH // 2))

    def draw_motifs(self, rng: torch.Generator) -> Tensor:
        """Two drawings of each motif of a batch, by hands of two families: [2 * PAIRS, C, S, S]."""
        hands, numbers = self.drawings, list[int]()
        chosen = torch.randperm(len(self.shared), generator=rng)[:PAIRS].tolist()
        for place in chosen:
            group = hands.by_motif[self.shared[place]]
            one = group[int(torch.randint(len(group), (), generator=rng))]
            others = group[families(hands, group) != hands.family[hands.hand[one]]]
            numbers += [one, others[int(torch.randint(len(others), (), generator=rng))]]
        return moved(images_of(hands, numbers), rng)

    def motifs(self, images: Tensor) -> Tensor:
        """Cross-entropy of which drawing shows the same motif, both ways."""
        seen = self.net(images)[1].unflatten(0, (PAIRS, 2))
        odds, own = self.sharpness.exp() * seen[:, 0] @ seen[:, 1].T, torch.arange(PAIRS)
        return (F.cross_entropy(odds, own) + F.cross_entropy(odds.T, own)) / 2


def families(hands: Hands, numbers: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    """The families by whose hands these drawings are."""
    return hands.family[hands.hand[numbers]]


def drawings(hands: Hands, weights: Tensor, ways: int, each: int, rng: torch.Generator) -> Tensor:
    """So many drawings each by different hands [ways * each, C, S, S]."""
    chosen = torch.multinomial(weights, ways, generator=rng).tolist()
    numbers = [
        int(number)
        for hand in chosen
        for number in hands.by_hand[hand][torch.randperm(len(hands.by_hand[hand]), generator=rng)[:each].numpy()]
    ]
    return images_of(hands, numbers)


def moved(images: Tensor, rng: torch.Generator) -> Tensor:
    """Images [N, C, S, S], each a little larger or smaller and elsewhere: neither tells a hand."""
    n, ground = len(images), -1.0 if images.shape[1] == 1 else 1.0
    theta = torch.eye(2, 3).repeat(n, 1, 1) * (1 + SCALED * torch.randn(n, 1, 1, generator=rng))
    theta[:, :, 2] = MOVED * torch.randn(n, 2, generator=rng)
    return sample_bilinear(images - ground, F.affine_grid(theta, list(images.shape), align_corners=False)) + ground


@torch.no_grad()
def one_of_twenty(net: HandNet, held_out: Hands) -> float:
    """How often drawings by held-out hands are given to their own, in [0, 1]."""
    able = held_out.weights * torch.tensor([len(members) >= SHOTS + TESTED for members in held_out.by_hand])
    right = []
    for episode in range(EPISODES):
        images = drawings(held_out, able, WAYS_TESTED, SHOTS + TESTED, generator_for(episode, "hands tested"))
        seen = net(images)[0].unflatten(0, (WAYS_TESTED, SHOTS + TESTED))
        prototypes = F.normalize(seen[:, :SHOTS].mean(1), dim=1)
        told = (seen[:, SHOTS:].flatten(0, 1) @ prototypes.T).argmax(1)
        right.append((told == torch.arange(WAYS_TESTED).repeat_interleave(TESTED)).float().mean())
    return float(torch.stack(right).mean())


if __name__ == "__main__":
    main()
