"""Gradients of a step whose work is shared out among the cores.

The rays are split into a fixed number of shards, and the shards' gradients are added in order: the result depends
neither on how many cores there are nor on which was faster.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from models.osn.object_scene import DensityLogits, ObjectScene
from models.osn.training import StepLosses
from models.osn.workers import Spread

ShardLosses = Callable[[int, list[DensityLogits]], StepLosses]
SLABS = 4  # pieces of an object's dense grid


@dataclass(frozen=True)
class LossWeights:
    """What each part of the loss counts; colour counts 1."""

    depth: float
    objects: float
    spread: float
    variation: float

    def total(self, losses: StepLosses) -> Float[Tensor, ""]:
        return losses.colour + self.depth * losses.depth + self.objects * losses.objects + self.spread * losses.spread


def accumulate_gradients(
    scene: ObjectScene, losses_of: ShardLosses, shards: int, weights: LossWeights, spread: Spread
) -> StepLosses:
    """Set every parameter's gradient; returns the losses, means over the shards."""
    grids = spread_density_grids(scene, spread)
    sampled: list[Tensor] = [parameter for name, parameter in scene.named_parameters() if ".density_" not in name]

    def shard(index: int) -> tuple[StepLosses, Sequence[Tensor | None]]:
        leaves = [grid.detach().requires_grad_() for grid in grids]
        losses = losses_of(index, leaves)
        total = weights.total(losses) / shards
        gradients = torch.autograd.grad(total, leaves + sampled, allow_unused=True) if total.requires_grad else ()
        return losses.map(torch.detach), gradients

    results = list(spread(shard, range(shards)))
    sums = summed([gradients for _, gradients in results if gradients], spread)
    scene.zero_grad(set_to_none=True)
    for parameter, gradient in zip(sampled, sums[len(grids) :], strict=False):
        parameter.grad = gradient
    shape_gradients(scene, sums[: len(grids)], weights.variation, spread)
    stacked = (torch.stack([getattr(losses, name) for losses, _ in results]) for name in vars(results[0][0]))
    means = StepLosses(*(values.mean() for values in stacked))
    return replace(means, samples=means.samples * shards)


def spread_density_grids(scene: ObjectScene, spread: Spread) -> list[DensityLogits]:
    """Every object's density at its nodes, without a graph."""
    grids = [torch.empty(field.resolution, device=scene.object_from_camera.device) for field in scene.fields]

    def slab(piece: tuple[int, int]) -> None:
        index, number = piece
        rows = len(grids[index])
        start, stop = number * rows // SLABS, (number + 1) * rows // SLABS
        with torch.no_grad():
            grids[index][start:stop] = scene.fields[index].density_slab(start, stop)

    list(spread(slab, [(index, number) for index in range(len(grids)) for number in range(SLABS)]))
    return grids


def shape_gradients(
    scene: ObjectScene, by_grid: Sequence[DensityLogits | None], variation: float, spread: Spread
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
    list(spread(density, pieces))
    if variation:
        list(spread(smoothness, pieces))


def summed(parts: Sequence[Sequence[Tensor | None]], spread: Spread) -> list[Tensor | None]:
    """Sums of the gradients of all shards, in their order."""

    def total(gradients: Sequence[Tensor | None]) -> Tensor | None:
        known = [gradient for gradient in gradients if gradient is not None]
        for gradient in known[1:]:
            known[0].add_(gradient)
        return known[0] if known else None

    return list(spread(total, zip(*parts, strict=True)))
