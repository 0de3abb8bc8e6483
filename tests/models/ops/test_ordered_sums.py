"""Gradients with an order: those of `grid_sample`, whose places are read at, between and beyond the nodes."""

import pytest
import torch
from torch.nn.functional import grid_sample

from models.ops.operators import OPERATORS
from models.ops.ordered_sums import read_gradients
from tests.models.ops.operator_calls import calls, tensors


@pytest.mark.parametrize("sizes", [(5, 7), (6, 1), (4, 5, 6)], ids=str)
def test_gradients_are_those_of_grid_sample(sizes: tuple[int, ...]) -> None:
    seeded = torch.Generator().manual_seed(0)
    tables = torch.rand(3, 2, *sizes, generator=seeded, dtype=torch.float64, requires_grad=True)
    places = 2.4 * torch.rand(3, 200, len(sizes), generator=seeded, dtype=torch.float64) - 1.2
    places[:, :5], places[:, 5:9], places[:, 9] = 1, -1, 0
    grid = places.requires_grad_().view(3, 200, *[1] * (len(sizes) - 1), len(sizes))
    values = grid_sample(tables, grid, align_corners=True, padding_mode="border").flatten(2)
    wanted = torch.rand(values.shape, generator=seeded, dtype=torch.float64)
    expected = torch.autograd.grad((values * wanted).sum(), [tables, places])
    found = read_gradients(wanted, tables.detach(), places.detach(), True)
    for one, other in zip(expected, found, strict=True):
        assert torch.allclose(one, other, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", ["region_planes_backward", "region_volume_backward"])
def test_references_give_the_same_where_sums_have_an_order(name: str) -> None:
    for call, arguments in calls(0, torch.float64):
        if call.split(":")[0] == name:
            expected = tensors(OPERATORS[name].reference(*arguments))
            torch.use_deterministic_algorithms(True, warn_only=True)
            try:
                found = tensors(OPERATORS[name].reference(*arguments))
            finally:
                torch.use_deterministic_algorithms(False)
            for one, other in zip(expected, found, strict=True):
                assert torch.allclose(one, other, rtol=1e-10, atol=1e-12)
