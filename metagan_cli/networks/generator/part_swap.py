"""The part swap: whole parts of other support images, in folders whose images share one layout."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from metagan_cli.config import VariationRules
from metagan_cli.devices import as_float32
from metagan_cli.images.palette import recoloured
from metagan_cli.images.regions import are_areas, parts_of
from metagan_cli.networks.generator.warp import resized
from metagan_cli.networks.layers import activate
from metagan_cli.networks.state import Latents


def donors(shots: int) -> int:
    """How many others give a support image parts: two, or half of all images, so that of few not most is another's."""
    return min(2, shots // 2)


def swap_parts(
    base: Tensor,
    random: Tensor,
    predict: nn.Conv2d | None,
    features: Tensor,
    limit: Tensor,
    latents: Latents,
    support: Tensor,
    rules: VariationRules,
) -> tuple[Tensor, Tensor]:
    """Base images [N, 3, S, S] with parts of others of the support [B, K, 3, S, S], in the base images' colours there.

    One donor gives where chance, the maps `random` [N, 1, 4, 4], and what is predicted from features are high, the next where
    chance is low. A part that differs is taken or kept as a whole, so that nothing is cut through; gradients are those of a
    smooth mask. Beside them, where each of T donors gives: [N, T, S, S]. `limit` [N, 1, 1, 1] is the share of what is predicted
    that counts; where it is 0 for all, nothing is swapped.
    """
    side, shots = base.shape[-1], support.shape[1]
    turns = donors(shots)
    if predict is None or not turns or not (limit > 0).any():
        return base, base.new_zeros(len(base), 0, side, side)
    aimed = F.interpolate(as_float32(predict(activate(features))), size=(side, side), mode="bilinear", align_corners=False)
    chance = resized(random, side)
    partners = torch.cat([latents.partner_index(shots, turn) for turn in range(turns)], 1)
    like = latents.base_index(shots).repeat(1, turns)
    others = recoloured(support, partners, like, rules.recolour_agreement).unflatten(0, (len(support), turns, -1))
    given = []
    for turn, wanted in enumerate((chance + limit * aimed, -chance)[:turns]):
        other = others[:, turn].flatten(0, 1)
        smooth = torch.sigmoid(rules.swap_sharpness * (wanted - rules.swap_from))
        parts = parts_of(base, other, rules.part_difference, rules.part_margin)
        size = torch.zeros_like(parts).scatter_add(1, parts, torch.ones_like(parts)).gather(1, parts)
        is_part = (size <= rules.part_most * parts.shape[1]) & are_areas(parts, side).flatten(1)  # and no sliver of a rim
        wanted = (smooth > 0.5).flatten(1).gather(1, parts) & is_part
        taken = wanted.to(smooth.dtype).view_as(smooth)
        base = torch.lerp(base, other, taken + smooth - smooth.detach())
        given.append(taken)
    return base, torch.cat(given, 1)
