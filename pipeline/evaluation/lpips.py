"""LPIPS with AlexNet, where its weights have been put under weights/; nothing is downloaded."""

from copy import copy
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from pipeline.runtime.errors import StageError
from pipeline.runtime.weights import Weight

WEIGHTS = (
    Weight(
        file="alexnet-owt-7be5be79.pth",
        model="alexnet",
        address="https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
        sha256="7be5be79",
        size_mb=244.4,
        licence="BSD-3-Clause",
        origin="torchvision (the backbone of LPIPS)",
    ),
)
ALEXNET_FILE = WEIGHTS[0].file


@dataclass(frozen=True)
class Lpips:
    """Learned perceptual distance; the linear layers come with torchmetrics, the features from AlexNet's weights."""

    network: torch.nn.Module
    averaging: torch.nn.Module  # the same, but each layer's distances are averaged before they are summed

    def map(
        self, image: Float[Tensor, "height width rgb=3"], target: Float[Tensor, "height width rgb=3"]
    ) -> Float[Tensor, "height width"]:
        """Distance at every pixel."""
        with torch.no_grad():
            pair = (image.movedim(-1, 0)[None], target.movedim(-1, 0)[None])
            return self.network(*pair, normalize=True)[0, 0]

    def layer_mean(
        self, image: Float[Tensor, "height width rgb=3"], target: Float[Tensor, "height width rgb=3"]
    ) -> float:
        """Distance as the LPIPS package gives it by default: the sum of each layer's mean."""
        with torch.no_grad():
            pair = (image.movedim(-1, 0)[None], target.movedim(-1, 0)[None])
            return float(self.averaging(*pair, normalize=True))

    def distance(
        self, image: Float[Tensor, "height width rgb=3"], target: Float[Tensor, "height width rgb=3"]
    ) -> float:
        """Mean distance."""
        return float(self.map(image, target).mean())

    def masked_distance(
        self,
        image: Float[Tensor, "height width rgb=3"],
        target: Float[Tensor, "height width rgb=3"],
        mask: Bool[Tensor, "height width"],
    ) -> float:
        """Mean distance over the mask, of images blackened outside it (DyCheck's mLPIPS)."""
        weight = mask[..., None].to(image.dtype)
        return float(self.map(image * weight, target * weight)[mask].mean())


def load_lpips(weights: Path | None) -> Lpips | None:
    """LPIPS, if AlexNet's weights lie in the folder."""
    path = weights / ALEXNET_FILE if weights else None
    if path is None or not path.exists():
        return None
    # Imported here: it takes 6 s, and few have the weights.
    from torchmetrics.functional.image.lpips import _NoTrainLpips

    network = _NoTrainLpips(net="alex", spatial=True, pnet_rand=True)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        load_alexnet(network.net, state)
    except Exception as error:
        raise StageError(f"{path} is not torchvision's AlexNet ({error}); delete it or download it again") from error
    return with_averages(network.eval())


def with_averages(network: torch.nn.Module) -> Lpips:
    """Both ways to sum up one network; they share its weights."""
    averaging = copy(network)
    averaging.spatial = False  # type: ignore[assignment]  # a plain attribute of this module
    return Lpips(network, averaging)


def load_alexnet(network: torch.nn.Module, state: dict[str, Tensor]) -> None:
    """Copy torchvision's AlexNet features into the slices that LPIPS cuts it into; the layer numbers are the same."""
    renamed = {}
    for name in network.state_dict():
        _, layer, kind = name.split(".")
        renamed[name] = state[f"features.{layer}.{kind}"]
    network.load_state_dict(renamed)
