"""Frozen features of the frames, encoded once, reduced and kept in half precision."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

LEVELS = 4
HALF = torch.float16


def embedded_features(images: UInt8[Tensor, "frame height width rgb=3"], channels: int) -> Tensor:
    """A feature pyramid that needs no weights: colour, contrast and oriented edges at four scales, reduced by PCA.

    Returns (frame, height / 2, width / 2, channels) in half precision.
    """
    size = (max(images.shape[1] // 2, 1), max(images.shape[2] // 2, 1))
    stacks = []
    for image in images:
        level = opponent(image.permute(2, 0, 1)[None].float() / 255)
        parts = []
        for _ in range(LEVELS):
            parts.append(F.interpolate(level_features(level), size=size, mode="bilinear", align_corners=False))
            level = F.avg_pool2d(blurred(level), 2, ceil_mode=True)
        stacks.append(torch.cat(parts, dim=1)[0])
    return reduced(torch.stack(stacks), channels)


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


def reduced(maps: Float[Tensor, "frame channel height width"], channels: int) -> Tensor:
    """Standardised maps on their principal components, last axis channels; kept as they are where there are few."""
    last = maps.permute(0, 2, 3, 1)
    flat = last.flatten(0, 2)
    mean, spread = flat.mean(0), flat.std(0).clamp(min=1e-6)
    if channels >= flat.shape[1]:
        return ((last - mean) / spread).to(HALF)
    sample = (flat[:: max(len(flat) // 20000, 1)] - mean) / spread
    _, _, directions = torch.linalg.svd(sample, full_matrices=False)
    basis = directions[:channels].T
    kept = ((last - mean) / spread) @ basis
    return (kept / kept.flatten(0, 2).std(0).clamp(min=1e-6)).to(HALF)
