"""What is remembered of where something was."""

import math

import torch

from models.baselines.opacity_cache import CELLS, RATE, UNKNOWN, OpacityCache


def test_a_cell_moves_towards_the_mean_of_what_was_found_in_it() -> None:
    cache, cell = OpacityCache(4), torch.tensor([7, 7, 9])
    cache.remember(cell, torch.tensor([0.0, 2.0, 1.0]), 0.5)
    mean = (0 + (1 - math.exp(-1.0))) / 2
    assert math.isclose(cache.opacity[7].item(), UNKNOWN + RATE * (mean - UNKNOWN), rel_tol=1e-5)
    assert cache.opacity[8] == UNKNOWN and cache.sums.abs().sum() == 0 and cache.counts.sum() == 0


def test_its_density_gives_its_opacity_over_a_cell() -> None:
    cache = OpacityCache(2)
    density = cache.density(torch.tensor([[3]]), 0.25)
    torch.testing.assert_close(1 - torch.exp(-density * 0.25), torch.tensor([[UNKNOWN]]))


def test_cells_lie_in_space_and_time() -> None:
    cache = OpacityCache(2)
    corner = torch.tensor([[[-1.0, -1.0, -1.0], [1.0, 1.0, 1.0], [-1.0, -1.0, -0.94]]])
    last = CELLS**3 - 1
    assert cache.cells(corner, torch.tensor([-1.0])).tolist() == [[0, last, 1]]
    assert cache.cells(corner, torch.tensor([1.0])).tolist() == [[last + 1, 2 * last + 1, last + 2]]
