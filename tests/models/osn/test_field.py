"""One object's field: its factors, their gradients, and the same field on a finer grid."""

import torch

from models.osn.field import VmField, density_at, variation_gradient
from models.osn.interpolation import AXES, Cells, interpolate_rows


def test_density_nodes_interpolate_to_planes_times_lines():
    field = VmField((5, 6, 7), 3, 2, 4, -1.0, torch.Generator().manual_seed(0))
    points = torch.rand(3, 30, generator=torch.Generator().manual_seed(1))
    cells = Cells.locate(points, field.resolution)
    expected = torch.full((30,), -1.0)
    for (a, b, c), plane, line in zip(AXES, field.density_planes, field.density_lines, strict=True):
        product = interpolate_rows(plane.flatten(1).T, cells.axes(a, b)) * interpolate_rows(line.T, cells.axes(c))
        expected = expected + product.sum(1)
    assert torch.allclose(density_at(field.density_logits(), points), torch.nn.functional.softplus(expected), atol=1e-5)


def test_gradients_of_factors_agree_with_the_graph_of_all_nodes():
    field = VmField((5, 6, 7), 3, 2, 4, -1.0, torch.Generator().manual_seed(0))
    wanted = torch.randn(5, 6, 7, generator=torch.Generator().manual_seed(1))
    factors = [*field.density_planes, *field.density_lines]
    expected = torch.autograd.grad((field.density_logits() * wanted).sum(), factors)
    found = [field.factor_gradients(wanted, number) for number in range(3)]
    ours = [plane for plane, _ in found] + [line for _, line in found]
    assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(ours, expected, strict=True))
    assert [gradient.stride() for gradient in ours] == [factor.stride() for factor in factors]


def test_upsampling_keeps_the_field():
    field = VmField((5, 5, 5), 3, 2, 4, -1.0, torch.Generator().manual_seed(0))
    finer = field.upsampled((9, 9, 9), torch.Generator().manual_seed(1))  # every other node is an old node
    nodes = torch.stack(torch.meshgrid(*[torch.linspace(0, 1, 5)] * 3, indexing="ij")).reshape(3, -1)
    assert torch.allclose(field.density_logits(), finer.density_logits()[::2, ::2, ::2], atol=1e-5)
    assert torch.allclose(field.colour_features(nodes), finer.colour_features(nodes), atol=1e-5)


def test_written_gradient_of_total_variation_is_the_gradient():
    plane = torch.randn(2, 4, 5, generator=torch.Generator().manual_seed(0)).requires_grad_()
    total = plane.diff(dim=1).square().mean() + plane.diff(dim=2).square().mean()
    (expected,) = torch.autograd.grad(total, plane)
    assert torch.allclose(variation_gradient(plane.detach(), (1, 2)), expected, atol=1e-6)
