"""Grids of planes."""

import torch

from models.ops.region_volume import region_volume
from models.ops.space import Region
from models.ops.space_planes import SpacePlanes
from models.semantic_flow.planes import DensityGrid

CUBE = Region(torch.zeros(3), torch.ones(3), 0.0)  # in which coordinates are places


def test_density_nodes_are_sums_of_planes_times_lines() -> None:
    grid = DensityGrid((3, 4, 5), 2, -1.0, torch.Generator().manual_seed(0))
    nodes = grid.nodes()
    (xy, xz, yz), (z, y, x) = grid.planes, grid.lines
    i, j, k = 2, 1, 3
    by_hand = sum(xy[c, i, j] * z[c, k] + xz[c, i, k] * y[c, j] + yz[c, j, k] * x[c, i] for c in range(2)) - 1.0
    torch.testing.assert_close(nodes[i, j, k], by_hand)


def test_reading_at_a_node_gives_its_value() -> None:
    nodes = torch.randn(3, 4, 5)
    point = torch.tensor([[2 / 2 * 2 - 1, 1 / 3 * 2 - 1, 3 / 4 * 2 - 1]])
    torch.testing.assert_close(region_volume(nodes, point, CUBE.box), nodes[2, 1, 3][None])


def test_a_finer_grid_that_takes_a_coarser_one_is_the_same_function() -> None:
    generator = torch.Generator().manual_seed(0)
    coarse, fine = DensityGrid((4, 4, 4), 2, -1.0, generator), DensityGrid((7, 7, 7), 2, -1.0, generator)
    fine.take(coarse)
    torch.testing.assert_close(fine.nodes()[::2, ::2, ::2], coarse.nodes())
    planes, finer = SpacePlanes(3, 4, generator), SpacePlanes(3, 7, generator)
    finer.take(planes)
    corners = torch.tensor([[-1.0, 1, -1], [1, 1, 1], [-1 / 3, 1 / 3, 1]])
    torch.testing.assert_close(finer(corners), planes(corners))
