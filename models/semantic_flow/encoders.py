"""Frozen features of the frames, encoded once, reduced and kept in half precision."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

if TYPE_CHECKING:  # its import takes 3 s, and only those with weights of a ResNet need it
    from torchvision.models.resnet import ResNet

LEVELS = 4
HALF = torch.float16
BASIS_SAMPLE = 20000
IMAGENET_MEAN, IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Basis:
    """How features are reduced: standardised, turned to their principal components, brought to unit deviation.

    Scenes with one basis have the same features, so that one semantic network can read them.
    """

    mean: Float[Tensor, "channel"]
    deviation: Float[Tensor, "channel"]
    directions: Float[Tensor, "channel kept"]
    scale: Float[Tensor, "kept"]


def pyramid_features(image: UInt8[Tensor, "height width rgb=3"]) -> Float[Tensor, "channel row column"]:
    """A feature pyramid that needs no weights: colour, contrast and oriented edges at four scales, at half the size."""
    size = (max(image.shape[0] // 2, 1), max(image.shape[1] // 2, 1))
    level = opponent(image.permute(2, 0, 1)[None].float() / 255)
    parts = []
    for _ in range(LEVELS):
        parts.append(F.interpolate(level_features(level), size=size, mode="bilinear", align_corners=False))
        level = F.avg_pool2d(blurred(level), 2, ceil_mode=True)
    return torch.cat(parts, dim=1)[0]


def resnet_features(
    network: "ResNet", image: UInt8[Tensor, "height width rgb=3"]
) -> Float[Tensor, "channel row column"]:
    """Stem and first three layers of a ResNet in evaluation mode, at a quarter of the size.

    As the paper's encoder of what is static: of ResNet-18 64 + 64 + 128 + 256 = 512 channels.
    """
    with torch.no_grad():
        level = standardised(image)
        level = network.maxpool(network.relu(network.bn1(network.conv1(level))))
        parts = [level]
        for layer in (network.layer1, network.layer2, network.layer3):
            level = layer(level)
            parts.append(F.interpolate(level, size=parts[0].shape[2:], mode="bilinear", align_corners=False))
        return torch.cat(parts, dim=1)[0]


def standardised(image: UInt8[Tensor, "height width rgb=3"]) -> Float[Tensor, "batch=1 rgb=3 height width"]:
    """An image as networks that were trained on ImageNet take it."""
    mean, deviation = (image.new_tensor(values, dtype=torch.float32) for values in (IMAGENET_MEAN, IMAGENET_DEVIATION))
    return ((image.float() / 255 - mean) / deviation).permute(2, 0, 1)[None]


def fitted_basis(maps: Sequence[Float[Tensor, "channel row column"]], channels: int) -> Basis:
    """The basis of the features of some frames; where there are few channels, all are kept as they are."""
    each = max(BASIS_SAMPLE // len(maps), 1)
    flat = [frame.flatten(1).T for frame in maps]
    sample = torch.cat([frame[:: max(len(frame) // each, 1)] for frame in flat])
    mean, deviation = sample.mean(0), sample.std(0).clamp(min=1e-6)
    sample = (sample - mean) / deviation
    if channels >= sample.shape[1]:
        return Basis(mean, deviation, torch.eye(sample.shape[1], device=sample.device), torch.ones_like(mean))
    _, _, directions = torch.linalg.svd(sample, full_matrices=False)
    turned = directions[:channels].T.contiguous()
    return Basis(mean, deviation, turned, (sample @ turned).std(0).clamp(min=1e-6))


def reduced(features: Float[Tensor, "channel row column"], basis: Basis) -> Tensor:
    """Features of one frame in a basis, (row column channel), in half precision."""
    standard = (features.permute(1, 2, 0) - basis.mean) / basis.deviation
    return (standard @ basis.directions / basis.scale).to(HALF)


def opponent(rgb: Float[Tensor, "batch rgb=3 height width"]) -> Float[Tensor, "batch rgb=3 height width"]:
    """Lightness, red against green, yellow against blue."""
    red, green, blue = rgb.unbind(1)
    return torch.stack([(red + green + blue) / 3, red - green, (red + green) / 2 - blue], dim=1)


def level_features(level: Float[Tensor, "batch rgb=3 height width"]) -> Float[Tensor, "batch channel height width"]:
    """Colour, edges in four orientations and their strength, and local contrast of one scale."""
    smooth = blurred(level)
    light = F.pad(smooth[:, :1], (1, 1, 1, 1), mode="replicate")
    across, down = (
        (light[..., 1:-1, 2:] - light[..., 1:-1, :-2]) / 2,
        (light[..., 2:, 1:-1] - light[..., :-2, 1:-1]) / 2,
    )
    edges = [across.abs(), down.abs(), (across + down).abs() * 0.7, (across - down).abs() * 0.7]
    contrast = blurred((level - smooth).abs()).mean(1, keepdim=True)
    return torch.cat([smooth, *[blurred(edge) for edge in edges], contrast], dim=1)


def blurred(images: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch channel height width"]:
    """A binomial blur of five pixels."""
    kernel = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0], device=images.device) / 16
    channels = images.shape[1]
    rows = kernel.view(1, 1, 1, 5).expand(channels, 1, 1, 5)
    padded = F.pad(images, (2, 2, 2, 2), mode="replicate")
    return F.conv2d(F.conv2d(padded, rows, groups=channels), rows.transpose(2, 3), groups=channels)
