"""Cameras and regions: there and back again."""

import math

import torch

from models.ops.space import Cameras, Region


def cameras() -> Cameras:
    turn = torch.eye(4)
    cosine, sine = math.cos(0.3), math.sin(0.3)
    turn[:3, :3] = torch.tensor([[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]])
    turn[:3, 3] = torch.tensor([0.5, -0.2, 0.1])
    return Cameras(torch.stack([torch.eye(4), turn]), torch.tensor([50.0, 55.0, 32.0, 24.0]), 48, 64)


def test_a_pixel_unprojected_and_projected_is_the_same_pixel() -> None:
    views = cameras()
    xy = torch.rand(20, 2) * torch.tensor([64.0, 48.0])
    frames = torch.arange(20) % 2
    depth = 1 + torch.rand(20)
    points = views.world_from_camera[frames, :3, 3] + depth[:, None] * views.directions(xy, frames)
    again, depth_again = views.project(points, frames)
    torch.testing.assert_close(again, xy, atol=1e-3, rtol=0)
    torch.testing.assert_close(depth_again, depth, atol=1e-5, rtol=0)


def test_points_behind_the_camera_are_not_inside() -> None:
    views = cameras()
    xy, depth = views.project(torch.tensor([[0.0, 0, -1], [0.0, 0, 1]]), torch.zeros(2, dtype=torch.long))
    assert views.inside(xy, depth).tolist() == [False, True]


def test_region_coordinates_turn_back_into_points_inside_and_far_outside() -> None:
    region = Region(torch.tensor([1.0, 0, -1]), torch.tensor([2.0, 1, 0.5]), 0.5)
    points = torch.randn(200, 3, dtype=torch.float64).float() * 5
    coordinates = region.coordinates(points)
    assert coordinates.abs().max() <= 1
    torch.testing.assert_close(region.points(coordinates), points, atol=2e-3, rtol=1e-3)


def test_the_box_takes_its_share_of_the_grid() -> None:
    region = Region(torch.zeros(3), torch.ones(3), 0.25)
    corner = region.coordinates(torch.ones(1, 3))
    torch.testing.assert_close(corner, torch.full((1, 3), 1 / 1.25))
