"""Tables of all objects at once against each object's own field: density, gradients of factors, total variation."""

import pytest
import torch
from torch import Tensor

from models.osn.field import VmField, variation_gradient
from models.osn.field_tables import field_tables, layout_of, set_gradients

RESOLUTIONS = ((5, 6, 7), (9, 4, 8), (4, 7, 5))


@pytest.fixture
def fields() -> list[VmField]:
    generator = torch.Generator().manual_seed(0)
    return [VmField(size, 3, 2, 4, -1.0, generator) for size in RESOLUTIONS]


def normal(like: Tensor) -> Tensor:
    return torch.randn(like.shape, generator=torch.Generator().manual_seed(1))


def test_volumes_hold_each_objects_density_and_rows_its_colours_factors(fields: list[VmField]) -> None:
    tables = field_tables(fields)
    for k, (field, (x, y, z)) in enumerate(zip(fields, RESOLUTIONS, strict=True)):
        torch.testing.assert_close(tables.volumes[k, :x, :y, :z], field.density_logits())
        rows = tables.layout.table[k, 2, 0]
        assert torch.equal(tables.planes[rows : rows + y * z], field.colour_planes[2])
        nodes = tables.layout.table[k, 1, 5]
        assert torch.equal(tables.lines[nodes : nodes + y], field.colour_lines[1])


def graph_gradients(fields: list[VmField], by_volume: Tensor, mean_density: float) -> list[list[Tensor]]:
    """What autograd says of the factors of density, each object by itself."""
    found = []
    for k, field in enumerate(fields):
        x, y, z = field.resolution
        logits = field.density_logits()
        total = (logits * by_volume[k, :x, :y, :z]).sum() + mean_density * torch.nn.functional.softplus(logits).mean()
        found.append(list(torch.autograd.grad(total, [*field.density_planes, *field.density_lines])))
    return found


def test_gradients_of_volumes_reach_the_factors_with_the_mean_density(fields: list[VmField]) -> None:
    tables = field_tables(fields)
    by_volume = normal(tables.volumes)
    padding = layout_of(fields).node_share == 0
    by_volume[padding] = 0
    nothing = torch.zeros_like(tables.planes), torch.zeros_like(tables.lines)
    set_gradients(fields, tables, [by_volume, *nothing], density=0.3, variation=0.0)
    for field, expected in zip(fields, graph_gradients(fields, by_volume, 0.3), strict=True):
        factors = [*field.density_planes, *field.density_lines]
        for factor, gradient in zip(factors, expected, strict=True):
            assert factor.grad is not None and factor.grad.stride() == factor.stride()
            torch.testing.assert_close(factor.grad, gradient, atol=1e-5, rtol=1e-4)


def test_total_variation_is_each_planes_own(fields: list[VmField]) -> None:
    tables = field_tables(fields)
    zeros = [torch.zeros_like(tensor) for tensor in (tables.volumes, tables.planes, tables.lines)]
    zeros[1] += 0.5
    set_gradients(fields, tables, zeros, density=0.0, variation=6.0)
    for field in fields:
        for (a, b), own, colour in zip(
            ((0, 1), (0, 2), (1, 2)), field.density_planes, field.colour_planes, strict=True
        ):
            torch.testing.assert_close(own.grad, 2 * variation_gradient(own.detach(), (1, 2)), atol=1e-6, rtol=1e-4)
            image = colour.detach().unflatten(0, (field.resolution[a], field.resolution[b]))
            expected = 0.5 + 2 * variation_gradient(image, (0, 1)).flatten(0, 1)
            torch.testing.assert_close(colour.grad, expected, atol=1e-6, rtol=1e-4)
