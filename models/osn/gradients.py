"""Gradients of a step whose work is shared out among the cores.

The rays are split into a fixed number of shards, and the shards' gradients are added in order: the result depends
neither on how many cores there are nor on which was faster.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from models.ops.parallel import ParallelMap
from models.osn.field_tables import field_tables, set_gradients
from models.osn.loops import SampleGradients, product_gradients, volume_gradient
from models.osn.object_scene import DensityLogits, ObjectScene
from models.osn.training import StepLosses

ShardLosses = Callable[[int, Any, list[SampleGradients]], StepLosses]
SLABS = 4  # pieces of an object's dense grid


@dataclass(frozen=True)
class LossWeights:
    """What each part of the loss counts; colour counts 1."""

    depth: float
    objects: float
    distortion: float
    variation: float
    density: float = 0.0

    def total(self, losses: StepLosses) -> Float[Tensor, ""]:
        return (
            losses.colour
            + self.depth * losses.depth
            + self.objects * losses.objects
            + self.distortion * losses.distortion
        )


def accumulate_gradients(
    scene: ObjectScene, losses_of: ShardLosses, shards: int, weights: LossWeights, parallel_map: ParallelMap
) -> StepLosses:
    """Set every parameter's gradient; returns the losses, means over the shards."""
    if not scene.loops:
        return batched_gradients(scene, losses_of, shards, weights)
    grids = parallel_density_grids(scene, parallel_map)
    graphed = [parameter for name, parameter in scene.named_parameters() if not in_tables(name)]

    def shard(index: int) -> tuple[StepLosses, list[SampleGradients], Sequence[Tensor | None]]:
        buffer: list[SampleGradients] = []
        losses = losses_of(index, grids, buffer)
        total = weights.total(losses) / shards
        gradients = torch.autograd.grad(total, graphed, allow_unused=True) if total.requires_grad else ()
        return losses.map(torch.detach), buffer, gradients

    results = list(parallel_map(shard, range(shards)))
    scene.zero_grad(set_to_none=True)
    for parameter, gradient in zip(
        graphed, summed([gradients for *_, gradients in results if gradients]), strict=False
    ):
        parameter.grad = gradient
    by_grid = sample_gradients(scene, [buffer for _, buffer, _ in results], parallel_map)
    add_density_gradients(grids, by_grid, weights.density)
    shape_gradients(scene, by_grid, weights.variation, parallel_map)
    return means([losses for losses, *_ in results])


def batched_gradients(scene: ObjectScene, losses_of: ShardLosses, shards: int, weights: LossWeights) -> StepLosses:
    """The same by tensor code, for devices that share out their own work: all objects at once."""
    fields, tables = list(scene.fields), field_tables(list(scene.fields)).leaves()
    leaves = [tables.volumes, tables.planes, tables.lines]
    graphed = [parameter for name, parameter in scene.named_parameters() if not in_tables(name)]
    parts, found = [], []
    for index in range(shards):
        losses = losses_of(index, tables, [])
        total = weights.total(losses) / shards
        found.append(torch.autograd.grad(total, [*leaves, *graphed], allow_unused=True))
        parts.append(losses.map(torch.detach))
    sums = summed(found)
    scene.zero_grad(set_to_none=True)
    for parameter, gradient in zip(graphed, sums[len(leaves) :], strict=True):
        parameter.grad = gradient if gradient is None else laid_out_as(parameter, gradient)
    by_table = [torch.zeros_like(leaf) if one is None else one for leaf, one in zip(leaves, sums, strict=False)]
    set_gradients(fields, tables, by_table, weights.density, weights.variation)
    return means(parts)


def laid_out_as(parameter: Tensor, gradient: Tensor) -> Tensor:
    """A gradient in the memory order of its parameter, which Adam's kernel for GPUs asks for and autograd alone sees to."""
    return gradient if gradient.stride() == parameter.stride() else torch.empty_like(parameter).copy_(gradient)


def in_tables(name: str) -> bool:
    """Whether a parameter is one of the planes and lines, whose gradients are made without a graph."""
    return ".density_" in name or ".colour_" in name


def means(parts: Sequence[StepLosses]) -> StepLosses:
    """Means over the shards, but the sum of their samples."""
    stacked = (torch.stack([getattr(losses, name) for losses in parts]) for name in vars(parts[0]))
    result = StepLosses(*(values.mean() for values in stacked)) if len(parts) > 1 else parts[0]
    return replace(result, samples=result.samples * len(parts))


def sample_gradients(
    scene: ObjectScene, buffers: list[list[SampleGradients]], parallel_map: ParallelMap
) -> list[DensityLogits]:
    """Add up what the shards' samples say of the grids: sets the colours' gradients, returns the densities'."""
    by_grid: list[DensityLogits] = [torch.empty(0, 0, 0)] * len(scene.fields)

    def table(piece: tuple[int, int]) -> None:
        index, number = piece
        field = scene.fields[index]
        samples = [part for buffer in buffers for part in buffer if part.index == index]
        if number == 3:
            by_grid[index] = volume_gradient(field.resolution, samples)
        else:
            plane, line = product_gradients(field, number, samples)
            field.colour_planes[number].grad, field.colour_lines[number].grad = plane, line

    list(parallel_map(table, [(index, number) for index in range(len(by_grid)) for number in range(4)]))
    return by_grid


def add_density_gradients(grids: list[DensityLogits], by_grid: Sequence[DensityLogits], weight: float) -> None:
    """Of the mean density of each object's nodes, added in place: what no ray needs becomes empty."""
    for grid, gradient in zip(grids, by_grid, strict=False):
        if weight:
            gradient.add_(torch.sigmoid(grid), alpha=weight / grid.numel())


def parallel_density_grids(scene: ObjectScene, parallel_map: ParallelMap) -> list[DensityLogits]:
    """Every object's density at its nodes, without a graph."""
    grids = [torch.empty(field.resolution, device=scene.object_from_camera.device) for field in scene.fields]

    def slab(piece: tuple[int, int]) -> None:
        index, number = piece
        rows = len(grids[index])
        start, stop = number * rows // SLABS, (number + 1) * rows // SLABS
        with torch.no_grad():
            grids[index][start:stop] = scene.fields[index].density_slab(start, stop)

    list(parallel_map(slab, [(index, number) for index in range(len(grids)) for number in range(SLABS)]))
    return grids


def shape_gradients(
    scene: ObjectScene, by_grid: Sequence[DensityLogits | None], variation: float, parallel_map: ParallelMap
) -> None:
    """From the dense grids to their factors, and the total variation of all factors."""

    def density(piece: tuple[int, int]) -> None:
        index, number = piece
        field, gradient = scene.fields[index], by_grid[index]
        if gradient is not None:
            plane, line = field.factor_gradients(gradient, number)
            field.density_planes[number].grad, field.density_lines[number].grad = plane, line

    def smoothness(piece: tuple[int, int]) -> None:
        field = scene.fields[piece[0]]
        for plane, gradient in field.variation_gradients(piece[1]):
            step = gradient.mul_(variation / len(scene.fields))
            plane.grad = step if plane.grad is None else plane.grad.add_(step)

    pieces = [(index, number) for index in range(len(scene.fields)) for number in range(3)]
    list(parallel_map(density, pieces))
    if variation:
        list(parallel_map(smoothness, pieces))


def summed(parts: Sequence[Sequence[Tensor | None]]) -> list[Tensor | None]:
    """Sums of the gradients of all shards, in their order."""
    sums: list[Tensor | None] = list(parts[0]) if parts else []
    for gradients in parts[1:]:
        for i, gradient in enumerate(gradients):
            known = sums[i]
            if gradient is not None:
                sums[i] = gradient if known is None else known.add_(gradient)
    return sums
