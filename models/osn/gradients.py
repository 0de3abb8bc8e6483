"""Gradients of a step whose work is shared out among the cores.

The rays are split into a fixed number of shards, and the shards' gradients are added in order: the result depends
neither on how many cores there are nor on which was faster.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from models.ops.parallel import ParallelMap
from models.osn.loops import SampleGradients, product_gradients, volume_gradient
from models.osn.object_scene import DensityLogits, ObjectScene
from models.osn.training import StepLosses

ShardLosses = Callable[[int, list[DensityLogits], list[SampleGradients]], StepLosses]
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
    grids = parallel_density_grids(scene, parallel_map)
    left_out = (".density_", ".colour_") if scene.loops else (".density_",)
    named = list(scene.named_parameters())
    graphed: list[Tensor] = [parameter for name, parameter in named if not any(part in name for part in left_out)]

    def shard(index: int) -> tuple[StepLosses, list[SampleGradients], Sequence[Tensor | None]]:
        leaves = grids if scene.loops else [grid.detach().requires_grad_() for grid in grids]
        buffer: list[SampleGradients] = []
        losses = losses_of(index, leaves, buffer)
        total = weights.total(losses) / shards
        wanted = graphed if scene.loops else graphed + leaves
        gradients = torch.autograd.grad(total, wanted, allow_unused=True) if total.requires_grad else ()
        return losses.map(torch.detach), buffer, gradients

    results = list(parallel_map(shard, range(shards)))
    sums = summed([gradients for *_, gradients in results if gradients])
    scene.zero_grad(set_to_none=True)
    for parameter, gradient in zip(graphed, sums, strict=False):
        parameter.grad = gradient
    by_grid: Sequence[DensityLogits | None] = sums[len(graphed) :]
    if scene.loops:
        by_grid = sample_gradients(scene, [buffer for _, buffer, _ in results], parallel_map)
    add_density_gradients(grids, by_grid, weights.density)
    shape_gradients(scene, by_grid, weights.variation, parallel_map)
    stacked = (torch.stack([getattr(losses, name) for losses, *_ in results]) for name in vars(results[0][0]))
    means = StepLosses(*(values.mean() for values in stacked))
    return replace(means, samples=means.samples * shards)


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


def add_density_gradients(grids: list[DensityLogits], by_grid: Sequence[DensityLogits | None], weight: float) -> None:
    """Of the mean density of each object's nodes, added in place: what no ray needs becomes empty."""
    for grid, gradient in zip(grids, by_grid, strict=False):
        if weight and gradient is not None:
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
