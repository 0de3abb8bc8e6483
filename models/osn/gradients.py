"""Gradients of a step whose rays are shared out among the cores.

The rays are split into a fixed number of shards, and the shards' gradients are added in order: the result depends
neither on how many cores there are nor on which was faster.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from models.osn.field import DensityGrid
from models.osn.object_scene import ObjectScene
from models.osn.training import StepLosses
from models.osn.workers import Spread

ShardLosses = Callable[[int, list[DensityGrid]], StepLosses]


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
    grids = scene.density_grids()
    leaves = [replace(grid, logits=grid.logits.detach().requires_grad_()) for grid in grids]
    wanted: list[Tensor] = [leaf.logits for leaf in leaves]
    sampled: list[Tensor] = [parameter for name, parameter in scene.named_parameters() if ".density_" not in name]

    def shard(index: int) -> tuple[StepLosses, Sequence[Tensor | None]]:
        losses = losses_of(index, leaves)
        total = weights.total(losses) / shards
        gradients = torch.autograd.grad(total, wanted + sampled, allow_unused=True) if total.requires_grad else ()
        return losses.map(torch.detach), gradients

    results = list(spread(shard, range(shards)))
    sums = summed([gradients for _, gradients in results if gradients])
    scene.zero_grad(set_to_none=True)
    for parameter, gradient in zip(sampled, sums[len(wanted) :], strict=False):
        parameter.grad = gradient
    pairs = [(grid.logits, gradient) for grid, gradient in zip(grids, sums, strict=False) if gradient is not None]
    shape_gradients(scene, pairs, weights.variation, spread)
    stacked = (torch.stack([getattr(losses, name) for losses, _ in results]) for name in vars(results[0][0]))
    means = StepLosses(*(values.mean() for values in stacked))
    return replace(means, samples=means.samples * shards)


def shape_gradients(
    scene: ObjectScene, grids: Sequence[tuple[Tensor, Tensor]], variation: float, spread: Spread
) -> None:
    """From the dense grids to their factors, and the total variation of all factors."""

    def density(pair: tuple[Tensor, Tensor]) -> None:
        torch.autograd.backward(*pair)

    def smoothness(field: torch.nn.Module) -> None:
        for plane, gradient in field.variation_gradients():  # type: ignore[operator]
            step = gradient * (variation / len(scene.fields))
            plane.grad = step if plane.grad is None else plane.grad + step

    list(spread(density, grids))
    if variation:
        list(spread(smoothness, scene.fields))


def summed(parts: Sequence[Sequence[Tensor | None]]) -> list[Tensor | None]:
    """Sums of the gradients of all shards, in their order."""
    sums: list[Tensor | None] = list(parts[0]) if parts else []
    for gradients in parts[1:]:
        for i, gradient in enumerate(gradients):
            known = sums[i]
            if gradient is not None:
                sums[i] = gradient if known is None else known.add_(gradient)
    return sums
