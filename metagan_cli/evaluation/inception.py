"""The field's own figures, FID and KID, on torchvision's Inception net, where its weights are on this machine already."""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from metagan_cli.evaluation.metrics import evenly

WEIGHTS = "inception_v3_google-0cc3c7bd.pth"  # as torchvision names them
SIDE, FEATURES = 299, 2048
FID_IMAGES = FEATURES + 1  # fewer on a side leave a covariance without full rank: no FID
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of the images that the weights were trained on
_CHUNK = 32


def weights_path() -> Path:
    """Where torchvision keeps the weights, if it ever fetched them."""
    return Path(torch.hub.get_dir()) / "checkpoints" / WEIGHTS


def cached_inception() -> nn.Module | None:
    """The net up to its 2048 pooled features, or nothing where the weights are not on this machine. Never downloads."""
    if not weights_path().is_file():
        return None
    from torchvision.models import inception_v3

    net: nn.Module = inception_v3(weights=None, init_weights=False, transform_input=True)
    net.load_state_dict(torch.load(weights_path(), map_location="cpu", weights_only=True))
    net.fc = nn.Identity()
    net.eval()
    return net


@torch.no_grad()
def inception_features(net: nn.Module, images: Tensor) -> Tensor:
    """Features [N, 2048] of images [N, C, S, S] in [-1, 1], C 1 or 3."""
    mean, deviation = (torch.tensor(x)[:, None, None] for x in (MEAN, DEVIATION))
    parts = []
    for start in range(0, len(images), _CHUNK):
        x = (images[start : start + _CHUNK].float().expand(-1, 3, -1, -1) + 1) / 2
        x = F.interpolate(x, size=(SIDE, SIDE), mode="bilinear", antialias=True, align_corners=False)
        parts.append(net((x - mean) / deviation))
    return torch.cat(parts)


def inception_figures(real: Tensor, samples: Tensor) -> dict[str, float]:
    """KID and FID of samples' features [N, D] from real ones' [R, D], all tasks together, where there are images enough.

    KID: unbiased squared MMD with a cubic kernel (Bińkowski et al. 2018). FID: Fréchet distance of Gaussians (Heusel et
    al. 2017), biased by few images, so only from FID_IMAGES on either side.
    """
    count, figures = min(len(real), len(samples)), {}
    if count >= 2:
        from torchmetrics.image.kid import poly_mmd

        true, false = (x[evenly(len(x), count)].double() for x in (real, samples))
        figures["kid"] = float(poly_mmd(true, false))
    if count >= FID_IMAGES:
        from torchmetrics.image.fid import FrechetInceptionDistance

        fid = FrechetInceptionDistance(feature=_AsTheyAre(real.shape[1])).set_dtype(torch.float64)
        fid.update(real.double(), real=True)
        fid.update(samples.double(), real=False)
        figures["fid"] = float(fid.compute())
    return figures


class _AsTheyAre(nn.Identity):
    """The net that torchmetrics asks for, where the features are there already."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features
