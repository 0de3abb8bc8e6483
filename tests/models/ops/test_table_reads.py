"""Loops over grids: the same values and gradients as the tensor code."""

import torch

from models.ops.region_planes import region_planes
from models.ops.region_volume import region_volume
from models.ops.space import Region
from models.ops.space_planes import SpacePlanes
from models.ops.space_time_planes import SpaceTimePlanes
from models.semantic_flow.planes import DensityGrid

REGION = Region(torch.tensor([0.1, 0.0, -0.2]), torch.tensor([0.7, 0.6, 0.8]), 0.4)


def coordinates() -> torch.Tensor:
    """Points inside and a little outside."""
    return 1.1 * (2 * torch.rand(80, 3, generator=torch.Generator().manual_seed(1)) - 1)


def assert_alike(told: torch.Tensor, wanted: torch.Tensor, inputs: list[torch.Tensor]) -> None:
    torch.testing.assert_close(told, wanted, rtol=1e-4, atol=1e-5)
    weights = torch.randn(told.shape, generator=torch.Generator().manual_seed(2))
    mine, theirs = (torch.autograd.grad((values * weights).sum(), inputs) for values in (told, wanted))
    for gradient, reference in zip(mine, theirs, strict=True):
        torch.testing.assert_close(gradient, reference, rtol=1e-3, atol=1e-4)


def test_planes_in_space_and_time_read_by_loops_are_those_read_by_tensors() -> None:
    generator = torch.Generator().manual_seed(0)
    planes = SpaceTimePlanes(4, 7, 5, generator)
    with torch.no_grad():
        planes.time.add_(torch.randn(planes.time.shape, generator=generator))
    points, time = coordinates().requires_grad_(), 2 * torch.rand(80, generator=generator) - 1
    inputs = [points, planes.space, planes.time]
    assert_alike(planes(points, time), planes.in_tensors(points, time), inputs)


def test_planes_in_a_region_are_read_alike_at_points_of_the_world() -> None:
    generator = torch.Generator().manual_seed(0)
    planes, points = SpaceTimePlanes(4, 7, 5, generator), coordinates().requires_grad_()
    times = torch.randint(5, (80,), generator=generator).float()
    by_operator = region_planes(planes.space, planes.time, points, times, REGION.box, 2 / 4, -1.0)
    assert_alike(planes.in_region(REGION, points, times, 5), by_operator, [points, planes.space, planes.time])


def test_planes_in_space_read_by_loops_are_those_read_by_tensors() -> None:
    planes = SpacePlanes(4, 7, torch.Generator().manual_seed(0))
    inputs = [planes.planes, planes.lines]
    assert_alike(planes(coordinates()), planes.in_tensors(coordinates()), inputs)
    by_operator = region_planes(*inputs, coordinates(), torch.zeros(0), REGION.box, 0.0, 0.0)
    assert_alike(planes.in_region(REGION, coordinates()), by_operator, inputs)


def test_densities_read_by_loops_are_those_read_by_tensors() -> None:
    grid = DensityGrid((6, 5, 7), 3, -1.0, torch.Generator().manual_seed(0))
    factors = [*grid.planes, *grid.lines]
    read = grid.density(grid.nodes(), REGION, coordinates())
    assert_alike(read, region_volume(grid.nodes(), coordinates(), REGION.box), factors)


def test_gradients_of_factors_follow_from_those_of_the_nodes() -> None:
    grid = DensityGrid((6, 5, 7), 3, -1.0, torch.Generator().manual_seed(0))
    nodes = grid.nodes()
    by_node = torch.randn(nodes.shape, generator=torch.Generator().manual_seed(3))
    wanted = torch.autograd.grad((nodes * by_node).sum(), [*grid.planes, *grid.lines])
    for number in range(3):
        plane, line = grid.factor_gradients(by_node, number)
        torch.testing.assert_close(plane, wanted[number], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(line, wanted[3 + number], rtol=1e-4, atol=1e-5)


def test_rows_of_nodes_made_apart_are_those_made_together() -> None:
    grid = DensityGrid((6, 5, 7), 3, -1.0, torch.Generator().manual_seed(0))
    torch.testing.assert_close(torch.cat([grid.nodes(slice(0, 2)), grid.nodes(slice(2, 6))]), grid.nodes())
