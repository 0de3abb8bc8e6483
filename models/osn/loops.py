"""Rendering of all objects' samples on CPU by the loops of `models.ops`, with the same results as the tensor code.

Gradients of the grids are not made here: each shard of a step leaves those of its samples in a list, and they are
added to the grids once, whichever core made them.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from models.ops import grid as grid_kernels
from models.ops.composite.cpu import merge_gradient, merge_samples
from models.ops.march.cpu import march_rays
from models.ops.march.reference import shell_edges
from models.osn import pose_kernels
from models.osn.field import VmField
from models.osn.interpolation import AXES
from models.osn.marching import LEAST_WEIGHT, ObjectRays, Steps, offsets
from models.osn.space import Space

MOMENTS = 4  # weight, depth, log depth and its square come before the channels


@dataclass(frozen=True)
class SampleGradients:
    """Gradients of one object's samples: of the density's logit, and of planes times lines."""

    index: int
    points: Float[np.ndarray, "xyz=3 sample"]
    by_logit: Float[np.ndarray, "sample"]
    by_product: Float[np.ndarray, "sample channel"]


@dataclass(frozen=True)
class Marched:
    """The samples of all objects, one object after another: object k's are those from base[k] to base[k + 1]."""

    base: Int[np.ndarray, "bound"]
    ray: Int[np.ndarray, "sample"]
    depth: Float[np.ndarray, "sample"]
    tau: Float[np.ndarray, "sample"]
    slope: Float[np.ndarray, "sample"]
    points: list[Float[np.ndarray, "xyz=3 _"]]
    spaces: list[Space]

    def of(self, index: int) -> slice:
        return slice(int(self.base[index]), int(self.base[index + 1]))


def march_all(
    spaces: list[Space], grids: list[Tensor], rays: ObjectRays, steps: list[Steps], density_scale: float
) -> Marched:
    """The samples that matter, of each object."""
    found = [
        march_one(space, grid, rays, k, steps[k], density_scale)
        for k, (space, grid) in enumerate(zip(spaces, grids, strict=True))
    ]
    ray, depth, tau, slope = (np.concatenate([arrays[i] for arrays in found]) for i in range(4))
    base = np.cumsum([0] + [len(arrays[0]) for arrays in found])
    return Marched(base, ray, depth, tau, slope, [arrays[4] for arrays in found], spaces)


def march_one(
    space: Space, logits: Float[Tensor, "x y z"], rays: ObjectRays, index: int, steps: Steps, density_scale: float
) -> tuple[np.ndarray, ...]:
    """What `march_rays` says of one object."""
    present = rays.present[index]
    tensors = rays.origins[index], rays.directions[index], present, offsets(present, steps.jitter), space.half_extent
    numbers = np.array([space.near, space.shell, space.unit, density_scale, LEAST_WEIGHT], np.float32)
    edges = shell_edges(steps.outer if space.shell else 0, torch.float32, present.device).numpy()
    arrays = (tensor.detach().contiguous().numpy() for tensor in tensors)
    reach, stretch = np.empty((0, 2), np.float32), np.empty(0, np.float32)
    if steps.reach is not None:
        reach = torch.stack([steps.reach.first, steps.reach.last], dim=1).numpy()
        stretch = steps.reach.stretch.contiguous().numpy()
    grid = logits.detach().numpy()
    return march_rays(*arrays, *numbers[:3], grid, steps.inner, edges, reach, stretch, *numbers[3:])


def products_at(field: VmField, points: Float[np.ndarray, "xyz=3 sample"]) -> Float[Tensor, "sample channels"]:
    """Colour planes times lines at points, side by side."""
    channels = field.colour_channels
    products = torch.empty(points.shape[1], 3 * channels)
    for i, (a, b, c) in enumerate(AXES):
        plane, line = field.colour_planes[i].detach().numpy(), field.colour_lines[i].detach().numpy()
        part = products.numpy()[:, i * channels : (i + 1) * channels]
        grid_kernels.gather_product(plane, line, points[a], points[b], points[c], field.resolution[b], part)
    return products


class SampleSums(torch.autograd.Function):
    """Sums over the samples of each object on each ray: moments of depth, colour, features."""

    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx,
        fields: list[VmField],
        marched: Marched,
        scales: Float[Tensor, "ray object"] | None,
        buffer: list[SampleGradients] | None,
        size: tuple[int, int],
        logits: list[Tensor],
        origins: Float[Tensor, "object ray xyz=3"],
        directions: Float[Tensor, "object ray xyz=3"],
        *mixes: Float[Tensor, "..."],  # each field's basis, then each field's tint
    ) -> Float[Tensor, "ray object sums"]:
        bases, tints = mixes[: len(mixes) // 2], mixes[len(mixes) // 2 :]
        products = [products_at(fields[k], marched.points[k]) for k in range(len(bases))]
        width = bases[0].shape[1] if bases else 0
        parts = [torch.addmm(tint, product, basis) for product, basis, tint in zip(products, bases, tints, strict=True)]
        channels = torch.cat(parts) if parts else torch.empty(len(marched.ray), 0)
        channels[:, :3].sigmoid_()
        sums, alone = torch.zeros(*size, MOMENTS + width), scales is None
        factors = np.ones(size, np.float32) if scales is None else scales.contiguous().numpy()
        met = merge_samples(
            marched.ray, marched.base, marched.depth, marched.tau, channels.numpy(), factors, alone, sums.numpy()
        )
        ctx.kept = marched, buffer, products, bases, channels, factors, alone, met  # type: ignore[attr-defined]
        ctx.places = fields, logits, origins, directions  # type: ignore[attr-defined]
        return sums

    @staticmethod
    def backward(
        ctx: torch.autograd.function.FunctionCtx, *gradients: Float[Tensor, "ray object sums"]
    ) -> tuple[Tensor | None, ...]:
        marched, buffer, products, bases, channels, factors, alone, met = ctx.kept  # type: ignore[attr-defined]
        assert buffer is not None, "gradients of samples need a list to go to"
        wanted = gradients[0].contiguous().numpy()
        by_logit, by_channel = merge_gradient(
            marched.ray, marched.depth, marched.slope, channels.numpy(), factors, alone, *met, wanted
        )
        by_basis, by_tint = [], []
        for k, (product, basis) in enumerate(zip(products, bases, strict=True)):
            mine = torch.from_numpy(by_channel[marched.of(k)])
            by_basis.append(product.T @ mine)
            by_tint.append(mine.sum(0))
            by_product = (mine @ basis.detach().T).numpy()
            buffer.append(SampleGradients(k, marched.points[k], by_logit[marched.of(k)], by_product))
        by_rays: tuple[Tensor | None, Tensor | None] = (None, None)
        if ctx.needs_input_grad[6]:  # type: ignore[attr-defined]
            by_rays = ray_gradients(marched, buffer[-len(bases) :], *ctx.places)  # type: ignore[attr-defined]
        return None, None, None, None, None, None, *by_rays, *by_basis, *by_tint


def ray_gradients(
    marched: Marched,
    samples: list[SampleGradients],
    fields: list[VmField],
    logits: list[Tensor],
    origins: Float[Tensor, "object ray xyz=3"],
    directions: Float[Tensor, "object ray xyz=3"],
) -> tuple[Float[Tensor, "object ray xyz=3"], Float[Tensor, "object ray xyz=3"]]:
    """Gradients of the rays, from those of their samples; depths along the ray stay as they are."""
    by_origin, by_direction = torch.zeros_like(origins), torch.zeros_like(directions)
    for part in samples:
        k, field, space = part.index, fields[part.index], marched.spaces[part.index]
        by_point = np.zeros_like(part.points)
        pose_kernels.volume_slope(logits[k].detach().numpy(), part.points, part.by_logit, by_point)
        for i, (a, b, c) in enumerate(AXES):
            plane, line = field.colour_planes[i].detach().numpy(), field.colour_lines[i].detach().numpy()
            wanted = part.by_product[:, i * field.colour_channels : (i + 1) * field.colour_channels]
            where = part.points[a], part.points[b], part.points[c], field.resolution[b]
            grid_kernels.product_slope(plane, line, *where, wanted, by_point[a], by_point[b], by_point[c])
        rays = (tensor[k].detach().contiguous().numpy() for tensor in (origins, directions))
        into = by_origin[k].numpy(), by_direction[k].numpy()
        mine = marched.ray[marched.of(k)], marched.depth[marched.of(k)]
        half = space.half_extent.numpy()
        pose_kernels.ray_slope(*mine, by_point, *rays, half, np.float32(space.shell), *into)
    return by_origin, by_direction


def volume_gradient(resolution: tuple[int, ...], samples: list[SampleGradients]) -> Float[Tensor, "x y z"]:
    """Gradient of the density's logits at all nodes of one object."""
    total = torch.zeros(resolution)
    for part in samples:
        grid_kernels.scatter_volume(part.by_logit, part.points, total.numpy())
    return total


def product_gradients(
    field: VmField, number: int, samples: list[SampleGradients]
) -> tuple[Float[Tensor, "row channel"], Float[Tensor, "node channel"]]:
    """Gradients of one colour plane and its line."""
    plane, line = field.colour_planes[number].detach(), field.colour_lines[number].detach()
    by_plane, by_line = torch.zeros_like(plane), torch.zeros_like(line)
    a, b, c = AXES[number]
    channels = slice(number * field.colour_channels, (number + 1) * field.colour_channels)
    for part in samples:
        where = part.points[a], part.points[b], part.points[c], field.resolution[b]
        into = by_plane.numpy(), by_line.numpy()
        grid_kernels.scatter_product(plane.numpy(), line.numpy(), *where, part.by_product[:, channels], *into)
    return by_plane, by_line
