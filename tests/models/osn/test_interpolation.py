"""Gathers against numbers worked by hand, against torch's own sampling, and against finite differences."""

import torch
import torch.nn.functional as F

from models.osn.interpolation import Cells, interpolate_rows, interpolate_volume


def test_middle_of_a_line_is_the_mean_of_its_ends():
    table = torch.tensor([[1.0, 10.0], [3.0, 20.0], [7.0, 40.0]])
    points = torch.tensor([[0.25, 0.5, 1.0]])  # nodes at 0, 0.5, 1
    values = interpolate_rows(table, Cells.locate(points, (3,)))
    assert torch.allclose(values, torch.tensor([[2.0, 15.0], [3.0, 20.0], [7.0, 40.0]]))


def test_planes_agree_with_grid_sample():
    generator = torch.Generator().manual_seed(0)
    plane = torch.randn(5, 7, 4, generator=generator)
    points = torch.rand(2, 50, generator=generator)
    expected = F.grid_sample(plane.permute(2, 0, 1)[None], points.flip(0).T[None, None] * 2 - 1, align_corners=True)
    values = interpolate_rows(plane.flatten(0, 1), Cells.locate(points, (5, 7)))
    assert torch.allclose(values, expected[0, :, 0].T, atol=1e-5)


def test_volumes_agree_with_grid_sample():
    generator = torch.Generator().manual_seed(0)
    volume = torch.randn(4, 5, 6, generator=generator)
    points = torch.rand(3, 50, generator=generator)
    grid = points.flip(0).T[None, None, None] * 2 - 1
    expected = F.grid_sample(volume[None, None], grid, align_corners=True)[0, 0, 0, 0]
    assert torch.allclose(interpolate_volume(volume, points), expected, atol=1e-5)


def test_gradients_of_table_and_position_agree_with_grid_sample():
    generator = torch.Generator().manual_seed(0)
    plane = torch.randn(5, 7, 4, generator=generator).requires_grad_()
    points = torch.rand(2, 200, generator=generator).requires_grad_()
    wanted = torch.randn(200, 4, generator=generator)
    ours = interpolate_rows(plane.flatten(0, 1), Cells.locate(points, (5, 7)))
    theirs = F.grid_sample(plane.permute(2, 0, 1)[None], points.flip(0).T[None, None] * 2 - 1, align_corners=True)
    mine = torch.autograd.grad((ours * wanted).sum(), [plane, points])
    reference = torch.autograd.grad((theirs[0, :, 0].T * wanted).sum(), [plane, points])
    assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(mine, reference, strict=True))


def test_points_outside_take_the_value_at_the_face():
    table = torch.tensor([[1.0], [5.0]])
    values = interpolate_rows(table, Cells.locate(torch.tensor([[-3.0, 9.0]]), (2,)))
    assert values[:, 0].tolist() == [1.0, 5.0]
