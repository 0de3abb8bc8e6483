"""Image patches found again in later images by affine registration against the image in which they were born.

Comparing with the birth, not with the last frame, is what keeps a track from drifting. The registration is inverse
compositional (Baker & Matthews, 2004) with gain and offset of brightness, robust weights, and all patches at once.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Integer
from torch import Tensor
from torch.nn.functional import grid_sample

ITERATIONS = 8
CONVERGED_PX = 0.005
AFFINE_PRIOR = 4.0  # grey levels: how strongly a patch without texture keeps its last shape
ROBUST_LEVELS = 12.0  # grey levels at which a residual counts half


@dataclass(frozen=True)
class Patches:
    """Templates cut out around seeds; samples lie at `patch_offsets`."""

    values: Float[Tensor, "track sample"]
    gradients: Float[Tensor, "track sample xy=2"]
    weights: Float[Tensor, "track sample"]
    object_ids: Integer[Tensor, "track"]

    def __getitem__(self, index: Tensor) -> "Patches":
        return Patches(self.values[index], self.gradients[index], self.weights[index], self.object_ids[index])

    def joined(self, other: "Patches") -> "Patches":
        return Patches(
            torch.cat([self.values, other.values]),
            torch.cat([self.gradients, other.gradients]),
            torch.cat([self.weights, other.weights]),
            torch.cat([self.object_ids, other.object_ids]),
        )


@dataclass(frozen=True)
class Registration:
    """Where patches were found: image_from_patch is x -> affine x + xy; correlation is the weighted NCC."""

    xy: Float[Tensor, "track xy=2"]
    affine: Float[Tensor, "track 2 2"]
    correlation: Float[Tensor, "track"]
    sigma_px: Float[Tensor, "track"]


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
    image: Float[Tensor, "height width"],
    ids: Integer[Tensor, "height width"],
    xy: Float[Tensor, "track xy=2"],
    radius: int,
) -> Patches:
    """Templates around points; samples on another object than the centre's get no weight."""
    offsets = patch_offsets(radius)
    at = xy[:, None] + offsets
    gradient = torch.stack(torch.gradient(image, dim=(1, 0)))
    object_ids = ids_at(ids, xy)
    bell = torch.exp(-(offsets**2).sum(-1) / (2 * (0.6 * radius) ** 2))
    weights = bell * (ids_at(ids, at) == object_ids[:, None])
    return Patches(sample_image(image[None], at)[0], sample_image(gradient, at).permute(1, 2, 0), weights, object_ids)


def register_patches(
    patches: Patches,
    image: Float[Tensor, "height width"],
    ids: Integer[Tensor, "height width"],
    xy: Float[Tensor, "track xy=2"],
    affine: Float[Tensor, "track 2 2"],
) -> Registration:
    """Find patches in an image from a first guess of their place and shape."""
    radius = int(patches.values.shape[1] ** 0.5) // 2
    offsets = patch_offsets(radius)
    jacobian = patch_jacobian(patches, offsets)
    prior = affine_prior(offsets)
    xy, affine = xy.clone(), affine.clone()
    moving = torch.arange(len(xy))
    for _ in range(ITERATIONS):
        own = jacobian[moving]
        residual, weights = compare(patches[moving], image, ids, xy[moving], affine[moving], offsets)
        weighted = own * weights[..., None]
        normal, right = weighted.mT @ own, weighted.mT @ residual[..., None]
        step = torch.linalg.solve(normal + prior, right)[..., 0]
        xy[moving], affine[moving] = compose_inverse(xy[moving], affine[moving], step)
        moving = moving[step[:, 4:6].norm(dim=-1) > CONVERGED_PX]
        if not len(moving):
            break
    residual, weights = compare(patches, image, ids, xy, affine, offsets)
    return Registration(xy, affine, *quality(patches, jacobian, prior, residual, weights))


def patch_jacobian(
    patches: Patches, offsets: Float[Tensor, "sample xy=2"]
) -> Float[Tensor, "track sample parameter=8"]:
    """Change of a template with its affine shape (4), its place (2), gain and offset of brightness."""
    gx, gy = patches.gradients[..., 0], patches.gradients[..., 1]
    x, y = offsets[:, 0], offsets[:, 1]
    mean = (patches.weights * patches.values).sum(1) / patches.weights.sum(1)
    centred = patches.values - mean[:, None]
    return torch.stack([gx * x, gx * y, gy * x, gy * y, gx, gy, centred, torch.ones_like(gx)], dim=-1)


def affine_prior(offsets: Float[Tensor, "sample xy=2"]) -> Float[Tensor, "parameter=8 parameter=8"]:
    """A weak pull of the shape towards the last one, and a ridge that keeps the system solvable."""
    shape = AFFINE_PRIOR**2 * float((offsets**2).sum() / 2)
    return torch.diag(torch.tensor([shape] * 4 + [1.0, 1.0, 1.0, 1e-3]))


def compare(
    patches: Patches,
    image: Float[Tensor, "height width"],
    ids: Integer[Tensor, "height width"],
    xy: Float[Tensor, "track xy=2"],
    affine: Float[Tensor, "track 2 2"],
    offsets: Float[Tensor, "sample xy=2"],
) -> tuple[Float[Tensor, "track sample"], Float[Tensor, "track sample"]]:
    """Brightness differences to the templates after fitting gain and offset, and the samples' weights."""
    at = xy[:, None] + torch.einsum("tij,sj->tsi", affine, offsets)
    seen = sample_image(image[None], at)[0]
    weights = patches.weights * (ids_at(ids, at) == patches.object_ids[:, None])
    total = weights.sum(1, keepdim=True).clamp_min(1e-6)
    template = patches.values - (weights * patches.values).sum(1, keepdim=True) / total
    centred = seen - (weights * seen).sum(1, keepdim=True) / total
    power = (weights * template**2).sum(1, keepdim=True) + total
    gain = ((weights * template * centred).sum(1, keepdim=True) + total) / power
    residual = centred - gain * template
    return residual, weights / (1 + (residual / ROBUST_LEVELS) ** 2)


def compose_inverse(
    xy: Float[Tensor, "track xy=2"], affine: Float[Tensor, "track 2 2"], step: Float[Tensor, "track parameter=8"]
) -> tuple[Float[Tensor, "track xy=2"], Float[Tensor, "track 2 2"]]:
    """Undo the template's warp `step` before the present warp."""
    shape = step[:, :4].reshape(-1, 2, 2).clamp(-0.3, 0.3) + torch.eye(2)
    place = step[:, 4:6].clamp(-2.0, 2.0)
    composed = affine @ torch.linalg.inv(shape)
    return xy - torch.einsum("tij,tj->ti", composed, place), composed


def quality(
    patches: Patches,
    jacobian: Float[Tensor, "track sample parameter=8"],
    prior: Float[Tensor, "parameter=8 parameter=8"],
    residual: Float[Tensor, "track sample"],
    weights: Float[Tensor, "track sample"],
) -> tuple[Float[Tensor, "track"], Float[Tensor, "track"]]:
    """Correlation with the template, and the standard deviation of the place in pixels."""
    total = weights.sum(1).clamp_min(1e-6)
    mean = (weights * patches.values).sum(1) / total
    power = (weights * (patches.values - mean[:, None]) ** 2).sum(1) / total
    noise = (weights * residual**2).sum(1) / total
    correlation = (power / (power + noise + 1e-6)).sqrt()
    covered = weights.sum(1) / patches.weights.sum(1)
    normal = (jacobian * weights[..., None]).mT @ jacobian + prior
    place = torch.linalg.inv(normal)[:, 4:6, 4:6]
    # Residuals of compressed video are correlated over blocks: each counts as one quarter of an independent one.
    variance = 4 * (noise + 1.0) * torch.diagonal(place, dim1=1, dim2=2).mean(1)
    return torch.where(covered > 0.5, correlation, torch.zeros_like(correlation)), variance.clamp_min(0).sqrt()


def shape_is_plausible(affine: Float[Tensor, "track 2 2"], largest_change: float) -> Bool[Tensor, "track"]:
    """Patches neither mirrored nor stretched beyond what their template can stand for."""
    singular = torch.linalg.svdvals(affine)
    return (torch.linalg.det(affine) > 0) & (singular[:, 0] < largest_change) & (singular[:, 1] > 1 / largest_change)
