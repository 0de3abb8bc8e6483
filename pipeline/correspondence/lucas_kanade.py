"""Lucas-Kanade: image patches found again in later images by affine registration against the image of their birth.

Comparing with the birth, not with the last frame, is what keeps a track from drifting. The registration is inverse
compositional (Baker & Matthews, 2004) with gain and offset of brightness, robust weights, and all patches at once.
"""

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, fields

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Integer, UInt8
from torch import Tensor
from torch.nn.functional import grid_sample

from pipeline.cameras import IGNORE_ID

ITERATIONS = 12
PART = 256  # patches that one core takes at a time
CONVERGED_PX = 0.01
PLACE_SIGMA = 10.0  # pixels
LOOSE = 0.2  # sigma of a shape of which only the last frame's is known
GAIN_SIGMA, SLOPE_SIGMA, OFFSET_SIGMA = 0.3, 0.03, 10.0  # of brightness, per pixel, grey levels
TYPICAL_NOISE = 9.0  # grey levels squared
CORRELATED_VALUES = 6.0  # values of compressed video that count as one: blocks and channels err together
ROBUST_LEVELS = 12.0  # grey levels at which a residual counts half


@dataclass(frozen=True)
class Patches:
    """Templates cut out around seeds; samples lie at `patch_offsets`, and all channels share their weights."""

    values: Float[Tensor, "track channel sample"]
    gradients: Float[Tensor, "track channel sample xy=2"]
    weights: Float[Tensor, "track sample"]
    object_ids: Integer[Tensor, "track"]

    def __getitem__(self, index: Tensor) -> "Patches":
        return Patches(self.values[index], self.gradients[index], self.weights[index], self.object_ids[index])

    @classmethod
    def all_of(cls, parts: "Sequence[Patches]") -> "Patches":
        """Many parts as one."""
        return cls(*(torch.cat([getattr(part, field.name) for part in parts]) for field in fields(cls)))


@dataclass(frozen=True)
class Registration:
    """Where patches were found: image_from_patch is x -> affine x + xy; correlation is the weighted NCC; covariance of xy."""

    xy: Float[Tensor, "track xy=2"]
    affine: Float[Tensor, "track 2 2"]
    correlation: Float[Tensor, "track"]
    covariance: Float[Tensor, "track 2 2"]

    @property
    def sigma_px(self) -> Float[Tensor, "track"]:
        """Standard deviation of the place, whatever the direction."""
        return torch.diagonal(self.covariance, dim1=1, dim2=2).mean(1).sqrt()


def smooth_image(image: UInt8[np.ndarray, "height width rgb=3"]) -> Float32[np.ndarray, "height width rgb=3"]:
    """Colours, slightly smoothed so that gradients see the image and not its compression."""
    return cv2.GaussianBlur(image.astype(np.float32), (0, 0), 0.7)


def inside_masks(ids: UInt8[np.ndarray, "height width"], margin_px: int) -> UInt8[np.ndarray, "height width"]:
    """Ids of pixels that lie at least `margin_px` from another object; 255 elsewhere."""
    window = np.ones((2 * margin_px + 1, 2 * margin_px + 1), np.uint8)
    alone = cv2.erode(ids, window) == cv2.dilate(ids, window)
    return np.where(alone, ids, np.uint8(IGNORE_ID))


def patch_offsets(radius: int) -> Float[Tensor, "sample xy=2"]:
    """Pixels of a square patch relative to its centre."""
    steps = torch.arange(-radius, radius + 1, dtype=torch.float32)
    y, x = torch.meshgrid(steps, steps, indexing="ij")
    return torch.stack([x, y], dim=-1).reshape(-1, 2)


def sample_image(
    image: Float[Tensor, "channel height width"], xy: Float[Tensor, "*batch xy=2"], mode: str = "bicubic"
) -> Float[Tensor, "channel *batch"]:
    """Values of an image at points; outside it, those of its border."""
    height, width = image.shape[1:]
    grid = 2 * xy / torch.tensor([width, height], dtype=xy.dtype) - 1
    flat = grid.reshape(1, 1, -1, 2)
    values = grid_sample(image[None], flat, mode=mode, padding_mode="border", align_corners=False)
    return values[0, :, 0].reshape(image.shape[0], *xy.shape[:-1])


def ids_at(ids: Integer[Tensor, "height width"], xy: Float[Tensor, "*batch xy=2"]) -> Integer[Tensor, "*batch"]:
    """Object id of the pixel that holds each point; 255 outside the image."""
    height, width = ids.shape
    x, y = xy[..., 0].floor().long(), xy[..., 1].floor().long()
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    found = ids[y.clamp(0, height - 1), x.clamp(0, width - 1)]
    return torch.where(inside, found, torch.full_like(found, 255))


def cut_patches(
    image: Float[Tensor, "channel height width"],
    ids: Integer[Tensor, "height width"],
    xy: Float[Tensor, "track xy=2"],
    radius: int,
) -> Patches:
    """Templates around points; samples on another object than the centre's get no weight."""
    offsets = patch_offsets(radius)
    at = xy[:, None] + offsets
    gradient = torch.stack([sample_image(part, at) for part in torch.gradient(image, dim=(2, 1))], dim=-1)
    object_ids = ids_at(ids, xy)
    bell = torch.exp(-(offsets**2).sum(-1) / (2 * (0.6 * radius) ** 2))
    weights = bell * (ids_at(ids, at) == object_ids[:, None])
    return Patches(sample_image(image, at).transpose(0, 1), gradient.transpose(0, 1), weights, object_ids)


def register_patches(
    patches: Patches,
    image: Float[Tensor, "channel height width"],
    ids: Integer[Tensor, "height width"],
    xy: Float[Tensor, "track xy=2"],
    affine: Float[Tensor, "track 2 2"],
    shape_sigma: float = LOOSE,
) -> Registration:
    """Find patches in an image from a first guess of their place and shape, which is known to within `shape_sigma`."""
    radius = int(patches.weights.shape[1] ** 0.5) // 2
    offsets = patch_offsets(radius)
    jacobian, prior = patch_jacobian(patches, offsets), parameter_prior(patches, shape_sigma)
    change = torch.zeros(len(xy), len(prior))
    xy, affine = xy.clone(), affine.clone()
    moving = torch.arange(len(xy))
    for _ in range(ITERATIONS):
        own, before = jacobian[moving], change[moving]
        lit = own[..., 6:] @ before[:, 6:, None]
        residual, weights = compare(patches[moving], image, ids, xy[moving], affine[moving], lit[..., 0], offsets)
        weighted = own * weights.flatten(1)[..., None]
        right = (weighted.mT @ residual.flatten(1)[..., None])[..., 0] - prior * before
        step = torch.linalg.solve(weighted.mT @ own + torch.diag(prior), right)
        xy[moving], affine[moving] = compose_inverse(xy[moving], affine[moving], step)
        change[moving] = before + step
        shift = step[:, 4:6].norm(dim=-1) + radius * step[:, :4].norm(dim=-1) / 2
        moving = moving[shift > CONVERGED_PX]
        if not len(moving):
            break
    lit = jacobian[..., 6:] @ change[:, 6:, None]
    residual, weights = compare(patches, image, ids, xy, affine, lit[..., 0], offsets)
    return Registration(xy, affine, *quality(patches, jacobian, prior, residual, weights, affine))


def register_in_parts(
    pool: Executor,
    patches: Patches,
    image: Float[Tensor, "channel height width"],
    ids: Integer[Tensor, "height width"],
    xy: Float[Tensor, "track xy=2"],
    affine: Float[Tensor, "track 2 2"],
    shape_sigma: float = LOOSE,
) -> Registration:
    """The same, a part on every free core; the size of parts is fixed, so that cores do not change the result."""
    parts = torch.arange(len(xy)).split(PART)
    found = list(
        pool.map(lambda part: register_patches(patches[part], image, ids, xy[part], affine[part], shape_sigma), parts)
    )
    return Registration(*(torch.cat([getattr(one, field.name) for one in found]) for field in fields(Registration)))


def patch_jacobian(patches: Patches, offsets: Float[Tensor, "sample xy=2"]) -> Float[Tensor, "track value parameter"]:
    """Change of a template's values (all channels) with its shape (4), its place (2), and the light on it.

    Light is gain and its slope (3), as on a surface that turns under a lamp, and an offset per channel.
    """
    gx, gy, values = patches.gradients[..., 0], patches.gradients[..., 1], patches.values
    x, y = offsets[:, 0], offsets[:, 1]
    columns = torch.stack([gx * x, gx * y, gy * x, gy * y, gx, gy, values, values * x, values * y], dim=-1)
    channels = gx.shape[1]
    brightness = torch.eye(channels)[None, :, None].expand(*gx.shape, channels)
    return torch.cat([columns, brightness], dim=-1).flatten(1, 2)


def centred(
    values: Float[Tensor, "track channel sample"], weights: Float[Tensor, "track sample"]
) -> Float[Tensor, "track channel sample"]:
    """Values without the weighted mean of their channel."""
    total = weights.sum(1)[:, None, None].clamp_min(1e-6)
    return values - (weights[:, None] * values).sum(2, keepdim=True) / total


def parameter_prior(patches: Patches, shape_sigma: float) -> Float[Tensor, "parameter"]:
    """Information known beforehand: the shape to within its sigma, the place hardly, light nearly as at birth."""
    light = [GAIN_SIGMA, SLOPE_SIGMA, SLOPE_SIGMA] + [OFFSET_SIGMA] * patches.values.shape[1]
    sigmas = torch.tensor([shape_sigma] * 4 + [PLACE_SIGMA] * 2 + light)
    return CORRELATED_VALUES * TYPICAL_NOISE / sigmas**2


def compare(
    patches: Patches,
    image: Float[Tensor, "channel height width"],
    ids: Integer[Tensor, "height width"],
    xy: Float[Tensor, "track xy=2"],
    affine: Float[Tensor, "track 2 2"],
    lit: Float[Tensor, "track value"],
    offsets: Float[Tensor, "sample xy=2"],
) -> tuple[Float[Tensor, "track channel sample"], Float[Tensor, "track channel sample"]]:
    """Differences to the templates under their present light, and the values' weights."""
    at = xy[:, None] + torch.einsum("tij,sj->tsi", affine, offsets)
    seen = sample_image(image, at).transpose(0, 1)
    weights = patches.weights * (ids_at(ids, at) == patches.object_ids[:, None])
    residual = seen - patches.values - lit.reshape(seen.shape)
    # A change of light that is not fitted yet makes no outliers.
    return residual, weights[:, None] / (1 + (centred(residual, weights) / ROBUST_LEVELS) ** 2)


def compose_inverse(
    xy: Float[Tensor, "track xy=2"], affine: Float[Tensor, "track 2 2"], step: Float[Tensor, "track parameter"]
) -> tuple[Float[Tensor, "track xy=2"], Float[Tensor, "track 2 2"]]:
    """Undo the template's warp `step` before the present warp."""
    shape = step[:, :4].reshape(-1, 2, 2).clamp(-0.3, 0.3) + torch.eye(2)
    place = step[:, 4:6].clamp(-2.0, 2.0)
    composed = affine @ torch.linalg.inv(shape)
    return xy - torch.einsum("tij,tj->ti", composed, place), composed


def quality(
    patches: Patches,
    jacobian: Float[Tensor, "track value parameter"],
    prior: Float[Tensor, "parameter"],
    residual: Float[Tensor, "track channel sample"],
    weights: Float[Tensor, "track channel sample"],
    affine: Float[Tensor, "track 2 2"],
) -> tuple[Float[Tensor, "track"], Float[Tensor, "track 2 2"]]:
    """Correlation with the template, and the covariance of the place in pixels squared."""
    shared = weights.mean(1)
    total = weights.sum((1, 2)).clamp_min(1e-6)
    power = (weights * centred(patches.values, shared) ** 2).sum((1, 2)) / total
    noise = (weights * residual**2).sum((1, 2)) / total
    correlation = (power / (power + noise + 1e-6)).sqrt()
    seen_share = shared.sum(1) / patches.weights.sum(1)
    normal = (jacobian * weights.flatten(1)[..., None]).mT @ jacobian + torch.diag(prior)
    # The place in the image moves as the affine map of the place in the patch.
    place = affine @ torch.linalg.inv(normal)[:, 4:6, 4:6] @ affine.mT
    covariance = (CORRELATED_VALUES * (noise + 1.0))[:, None, None] * (place + place.mT) / 2
    return torch.where(seen_share > 0.5, correlation, torch.zeros_like(correlation)), covariance


def shape_is_plausible(affine: Float[Tensor, "track 2 2"], largest_change: float) -> Bool[Tensor, "track"]:
    """Patches neither mirrored nor stretched beyond what their template can stand for."""
    singular = torch.linalg.svdvals(affine)
    return (torch.linalg.det(affine) > 0) & (singular[:, 0] < largest_change) & (singular[:, 1] > 1 / largest_change)
