"""Rays have directions of unit depth, by the tensors' function as by the arrays'."""

import numpy as np
import torch

from models.rays import Rays, directions_at_unit_depth, joined, points_along
from models.simulation.shading import View
from pipeline import cameras

CAMERA = cameras.Intrinsics(300.0, 280.0, 3.5, 2.0, 6, 4)


def test_the_principal_point_looks_straight_ahead_and_a_focal_length_aside_is_45_degrees() -> None:
    xy = torch.tensor([[3.5, 2.0], [303.5, 2.0], [3.5, -278.0]])
    found = directions_at_unit_depth(torch.tensor([300.0, 280.0, 3.5, 2.0]), xy)
    assert found.tolist() == [[0.0, 0.0, 1.0], [1.0, 0.0, 1.0], [0.0, -1.0, 1.0]]


def test_tensors_and_arrays_have_the_same_convention() -> None:
    xy = cameras.pixel_centres(4, 6)
    found = directions_at_unit_depth(torch.tensor(CAMERA.values), torch.tensor(xy))
    np.testing.assert_array_equal(found.numpy(), cameras.directions_at_unit_depth(CAMERA, xy))


def test_rays_of_the_simulator_have_the_same_convention() -> None:
    centred = cameras.Intrinsics.centred(300.0, 4, 6)
    origins, directions = View(torch.eye(4), 300.0, 4, 6).rays()
    expected = cameras.directions_at_unit_depth(centred, cameras.pixel_centres(4, 6)).reshape(-1, 3)
    np.testing.assert_allclose(directions.numpy(), expected, atol=1e-7)
    assert not origins.any()


def test_rays_are_indexed_as_one() -> None:
    rays = Rays(torch.zeros(3, 3), torch.eye(3), torch.arange(3))
    assert rays[1].frames.item() == 1 and rays[1].directions.tolist() == [0.0, 1.0, 0.0]


def test_rays_are_joined_as_one_and_have_points_at_depths() -> None:
    rays = Rays(torch.ones(3, 3), torch.eye(3), torch.arange(3))
    both = joined(rays[:1], rays[1:])
    assert both.frames.tolist() == [0, 1, 2] and torch.equal(both.directions, rays.directions)
    points = points_along(both, torch.tensor([[2.0], [3.0], [0.0]]))
    assert points[:, 0].tolist() == [[3.0, 1.0, 1.0], [1.0, 4.0, 1.0], [1.0, 1.0, 1.0]]
