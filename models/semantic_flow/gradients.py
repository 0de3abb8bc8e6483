"""Gradients of a step whose rays are shared out among the cores.

The rays are split into a fixed number of shards, and what the shards leave is added in order: the result depends
neither on how many cores there are nor on which was faster.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.ops.parallel import ParallelMap
from models.ops.space_planes import SpacePlanes
from models.ops.space_time_planes import SpaceTimePlanes
from models.ops.table_reads import (
    GradientBuffer,
    TableRead,
    add_plane_gradients,
    gathering,
    last_channels,
    volume_gradient,
    zeros_last_channels,
)
from models.semantic_flow import kernels
from models.semantic_flow.model import SemanticFlow
from models.semantic_flow.objectives import SmoothedGrid, smoothed_grids, smoothness
from models.semantic_flow.planes import DensityGrid

SLABS = 4  # pieces of the dense grid
Losses = dict[str, Float[Tensor, ""]]
ShardLosses = Callable[[int, Float[Tensor, "x y z"]], Losses]


@dataclass(frozen=True)
class ShardResult:
    """What one shard leaves: its losses, gradients of networks, reads of tables."""

    losses: Losses
    networks: Sequence[Tensor | None]
    reads: list[TableRead]


def accumulate_gradients(
    model: SemanticFlow,
    losses_of: ShardLosses,
    shards: int,
    smooth: float,
    parallel_map: ParallelMap,
    nodes: Float[Tensor, "x y z"] | None = None,
) -> Losses:
    """Set the gradient of every parameter that is learned, or add to it; returns the losses, means over the shards.

    `smooth` is the weight of the smoothness regulariser in this step; `nodes` are those of the static field's density
    where it is not learned.
    """
    if model.bounds.cameras.intrinsics.device.type != "cpu":
        return plain_gradients(model, losses_of, nodes) | smoothness_gradients(model, smooth)
    known = known_nodes(model, parallel_map) if nodes is None else nodes
    tables = {id(parameter) for owner in grid_modules(model) for parameter in owner.parameters()}
    networks = [
        parameter for parameter in model.parameters() if id(parameter) not in tables and parameter.requires_grad
    ]

    def shard(index: int) -> ShardResult:
        with gathering(GradientBuffer()) as buffer:
            losses = losses_of(index, known)
            total = torch.stack(list(losses.values())).sum() / shards
            found = torch.autograd.grad(total, [*networks, buffer.handle], allow_unused=True)
        return ShardResult({name: value.detach() for name, value in losses.items()}, found[:-1], buffer.reads)

    results = list(parallel_map(shard, range(shards)))
    for parameter, parts in zip(networks, zip(*(result.networks for result in results), strict=True), strict=True):
        add(parameter, [part for part in parts if part is not None])
    reads = [read for result in results for read in result.reads]
    penalty = table_gradients(model, reads, smooth, parallel_map) if model.reads_grids else torch.zeros(())
    return mean_losses([result.losses for result in results]) | {"smooth": penalty}


def plain_gradients(model: SemanticFlow, losses_of: ShardLosses, nodes: Float[Tensor, "x y z"] | None) -> Losses:
    """The same in one piece, for devices that share out their own work; without the smoothness regulariser."""
    losses = losses_of(0, model.static.nodes() if nodes is None else nodes)
    torch.stack(list(losses.values())).sum().backward()
    return {name: value.detach() for name, value in losses.items()}


def smoothness_gradients(model: SemanticFlow, weight: float) -> Losses:
    """The smoothness regulariser of a step, where it has one, and its gradients."""
    if not weight or not model.reads_grids:
        return {}
    penalty = weight * smoothness(model)
    penalty.backward()
    return {"smooth": penalty.detach()}


def grid_modules(model: SemanticFlow) -> list[nn.Module]:
    """All modules that hold tables."""
    return [module for module in model.modules() if isinstance(module, DensityGrid | SpacePlanes | SpaceTimePlanes)]


def add(parameter: Tensor, parts: Iterable[Tensor]) -> None:
    """Add to a parameter's gradient."""
    for part in parts:
        parameter.grad = part if parameter.grad is None else parameter.grad.add_(part)


def mean_losses(parts: list[Losses]) -> Losses:
    """Means over the shards; a loss that a shard does not have counts as zero there."""
    names = dict.fromkeys(name for part in parts for name in part)
    return {name: torch.stack([part[name] for part in parts if name in part]).sum() / len(parts) for name in names}


def known_nodes(model: SemanticFlow, parallel_map: ParallelMap) -> Float[Tensor, "x y z"]:
    """The nodes of the static field's density, made on all cores; of a body without grids there are none."""
    return parallel_nodes(model.static.grid, parallel_map) if model.reads_grids else model.static.nodes()


def parallel_nodes(grid: DensityGrid, parallel_map: ParallelMap) -> Float[Tensor, "x y z"]:
    """The density at all nodes, without a graph."""
    nodes = torch.empty(grid.resolution)

    def slab(number: int) -> None:
        rows = slice(number * len(nodes) // SLABS, (number + 1) * len(nodes) // SLABS)
        with torch.no_grad():
            nodes[rows] = grid.nodes(rows)

    list(parallel_map(slab, range(SLABS)))
    return nodes


def table_gradients(
    model: SemanticFlow, reads: list[TableRead], smooth: float, parallel_map: ParallelMap
) -> Float[Tensor, ""]:
    """Add what was read, and the smoothness regulariser, to the gradients of all tables; returns the regulariser."""
    first: list[Callable[[], None]] = []
    grid = model.static.grid
    volumes: list[Tensor] = []
    if learned(grid):
        first.append(lambda: volumes.append(volume_gradient(torch.empty(grid.resolution), of(reads, grid))))
    for owner in grid_modules(model):
        if not isinstance(owner, DensityGrid) and (mine := of(reads, owner)):
            first += plane_work(owner, mine)
    run(first, parallel_map)
    run([partial(factor_work, grid, volume, number) for volume in volumes for number in range(3)], parallel_map)
    if not smooth:
        return torch.zeros(())
    pairs = [(owner, weight) for owner, weight in smoothed_grids(model) if learned(owner)]
    parts = list(parallel_map(lambda pair: smoothness_work(pair[0], smooth * pair[1]), pairs))
    return torch.stack(parts).sum()


def learned(owner: nn.Module) -> bool:
    return all(parameter.requires_grad for parameter in owner.parameters())


def of(reads: list[TableRead], owner: nn.Module) -> list[TableRead]:
    return [read for read in reads if read.owner is owner]


def run(work: list[Callable[[], None]], parallel_map: ParallelMap) -> None:
    list(parallel_map(lambda piece: piece(), work))


def plane_work(owner: nn.Module, reads: list[TableRead]) -> list[Callable[[], None]]:
    """One piece for each plane of a module."""
    tables = tuple(owner.parameters())
    for table in tables:
        if table.grad is None:
            table.grad = zeros_last_channels(table)
    results = [table.grad for table in tables if table.grad is not None]
    return [partial(add_plane_gradients, p, tables, results, reads) for p in range(3)]


def factor_work(grid: DensityGrid, by_node: Float[Tensor, "x y z"], number: int) -> None:
    """From the dense grid to one of its planes and its line."""
    by_plane, by_line = grid.factor_gradients(by_node, number)
    add(grid.planes[number], [by_plane])
    add(grid.lines[number], [by_line])


def smoothness_work(owner: SmoothedGrid, weight: float) -> Float[Tensor, ""]:
    """Add the gradients of one module's smoothness regulariser; returns it, weighted."""
    total = 0.0
    for table in owner.smoothed_tables():
        if table.grad is None:
            table.grad = torch.zeros_like(table)
        planes, into = (four(tensor) for tensor in (table, table.grad))
        total += kernels.add_smoothness(last_channels(planes), np.float32(weight), last_channels(into))
    return torch.tensor(total)


def four(table: Tensor) -> Float[Tensor, "plane channel row column"]:
    """A table with an axis of channels."""
    return table if table.ndim == 4 else table[:, None]
