"""Tokens: the right pixel of the right frame, hidden where it is hidden."""

import torch

from models.ops.seen_features.reference import sample_maps
from models.ops.space import Cameras
from models.semantic_flow.flow_features import FrameMaps, flow_tokens

HEIGHT, WIDTH, FRAMES = 12, 16, 5


def still_cameras() -> Cameras:
    return Cameras(torch.eye(4).expand(FRAMES, 4, 4), torch.tensor([20.0, 20.0, 8.0, 6.0]), HEIGHT, WIDTH)


def coordinate_maps(scale: int = 1) -> torch.Tensor:
    """Maps whose features are the pixel's own position, at any resolution."""
    y, x = torch.meshgrid(torch.arange(HEIGHT // scale), torch.arange(WIDTH // scale), indexing="ij")
    return (torch.stack([x, y], dim=-1) + 0.5).mul(scale).expand(FRAMES, -1, -1, 2).half()


def points_at(xy: torch.Tensor, depth: float, cameras: Cameras) -> torch.Tensor:
    return depth * cameras.directions(xy, torch.zeros(len(xy), dtype=torch.long))


def test_with_no_flow_and_a_still_camera_the_next_frame_gives_the_same_pixel() -> None:
    cameras = still_cameras()
    xy = torch.rand(40, 2) * torch.tensor([WIDTH - 2.0, HEIGHT - 2.0]) + 1
    path = points_at(xy, 3.0, cameras).expand(3, -1, -1)
    for scale in (1, 2):
        maps = FrameMaps(coordinate_maps(scale), torch.full((FRAMES, HEIGHT, WIDTH), float("inf")))
        tokens = flow_tokens(maps, cameras, path, torch.full((40,), 2), 1.0)
        inner = ((xy > scale) & (xy < torch.tensor([WIDTH, HEIGHT]) - scale)).all(-1)
        for token in range(3):
            torch.testing.assert_close(tokens.features[inner, token], xy[inner], atol=1e-3, rtol=0)
        assert tokens.visible.all()
        assert tokens.displacement[..., :3].abs().max() == 0


def test_tokens_beyond_the_clip_outside_the_image_and_behind_something_are_hidden() -> None:
    cameras = still_cameras()
    depth = torch.full((FRAMES, HEIGHT, WIDTH), float("inf"))
    depth[3] = 1.0
    maps = FrameMaps(coordinate_maps(), depth)
    middle = points_at(torch.tensor([[8.0, 6.0]] * 3), 3.0, cameras)
    path = torch.stack([middle, middle, middle])
    path[2, 1] = torch.tensor([100.0, 0, 1])
    tokens = flow_tokens(maps, cameras, path, torch.tensor([0, 1, 2]), 1.0)
    assert tokens.visible.tolist() == [[False, True, True], [True, True, False], [True, True, False]]


def test_sampling_agrees_with_a_loop_over_pixels() -> None:
    cameras = still_cameras()
    maps = torch.randn(FRAMES, HEIGHT, WIDTH, 3)
    xy = torch.tensor([[[3.25, 4.75]]])
    sampled = sample_maps(maps, cameras, xy, torch.tensor([[2]]))[0, 0]
    expected = torch.zeros(3)
    for row, column, weight in ((4, 2, 0.75 * 0.25), (4, 3, 0.75 * 0.75), (5, 2, 0.25 * 0.25), (5, 3, 0.25 * 0.75)):
        expected += weight * maps[2, row, column]
    torch.testing.assert_close(sampled, expected)
