"""Normalised device coordinates."""

import torch

from models.ops.space import Cameras
from models.semantic_flow.ndc import NdcRegion
from pipeline.cameras import look_at

POSE = torch.from_numpy(
    look_at(*(torch.tensor(v).numpy() for v in ([0.3, -0.2, -1.0], [0.1, 0.2, 3.0], [0.0, 1, 0.1])))
)
POSE = POSE.float()
REGION = NdcRegion(torch.zeros(3), torch.ones(3), 0.25, POSE, (0.8, 0.6), 0.5, 2.0)


def test_world_to_ndc_and_back_is_the_same_point() -> None:
    in_view = torch.rand(500, 3) * torch.tensor([6.0, 6.0, 9.0]) + torch.tensor([-3.0, -3.0, 0.6])
    points = in_view @ POSE[:3, :3].T + POSE[:3, 3]
    coordinates = REGION.coordinates(points)
    assert bool((coordinates.abs() <= 1).all())
    torch.testing.assert_close(REGION.points(coordinates), points, rtol=1e-3, atol=1e-3)


def test_pixels_of_the_view_keep_their_place_at_every_depth() -> None:
    cameras = Cameras(POSE[None], torch.tensor([50.0, 50.0, 40.0, 30.0]), 60, 80)
    xy = torch.rand(100, 2) * torch.tensor([80.0, 60.0])
    direction = cameras.directions(xy, torch.zeros(100, dtype=torch.int64))
    near, far = (REGION.ndc(POSE[:3, 3] + depth * direction) for depth in (0.7, 40.0))
    torch.testing.assert_close(near[:, :2], far[:, :2], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(near[:, 0], (xy[:, 0] - 40) / 40, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(near[:, 2], torch.full((100,), 1 - 1 / 0.7), rtol=1e-3, atol=1e-3)


def test_what_lies_before_the_near_plane_or_behind_the_view_lies_on_it() -> None:
    behind = POSE[:3, 3] - POSE[:3, 2]
    assert float(REGION.ndc(behind[None])[0, 2]) == -1
