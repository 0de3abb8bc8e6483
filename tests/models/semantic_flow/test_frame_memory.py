"""Colours that renders take from the frames."""

import torch

from models.rays import Rays
from models.semantic_flow.frame_memory import FrameMemory, remembered, repainted, repainted_rest
from models.semantic_flow.model import SemanticFlow
from tests.models.semantic_flow.tiny_model import FRAMES, HEIGHT, WIDTH, tiny_cameras, tiny_model

DEPTH, FRAME = 2.0, 2
XY = torch.tensor([[4.5, 5.5], [9.5, 3.5], [12.5, 8.5]])
GREY = torch.full((3, 3), 0.5)


def position_images() -> torch.Tensor:
    """Red tells the column, green the row, blue the frame."""
    frame, y, x = torch.meshgrid(torch.arange(FRAMES), torch.arange(HEIGHT), torch.arange(WIDTH), indexing="ij")
    return (10 * torch.stack([x, y, frame], dim=-1)).to(torch.uint8)


def memory(dynamic_frames: list[int]) -> FrameMemory:
    shown = torch.zeros(FRAMES, HEIGHT // 2, WIDTH // 2, 2)
    shown[..., 0] = DEPTH
    shown[dynamic_frames, ..., 1] = 1.0
    return FrameMemory(position_images(), shown)


def rays_from(origin: torch.Tensor, points: torch.Tensor) -> Rays:
    towards = points - origin
    return Rays(origin.expand(3, -1), towards / towards[:, 2:], torch.full((3,), FRAME))


def seen_points(depth: float = DEPTH) -> torch.Tensor:
    cameras, frames = tiny_cameras(), torch.full((3,), FRAME)
    return cameras.world_from_camera[FRAME, :3, 3] + depth * cameras.directions(XY, frames)


def standing_model() -> SemanticFlow:
    """Nothing moves in it."""
    model = tiny_model()
    with torch.no_grad():
        model.velocity.decode[-1].weight.zero_()
        model.velocity.decode[-1].bias.zero_()
    return model


def paint(kept: FrameMemory, points: torch.Tensor, origin: torch.Tensor) -> torch.Tensor:
    return repainted(kept, standing_model(), rays_from(origin, points), torch.arange(3), points, GREY)


def test_from_elsewhere_a_moving_point_has_the_colour_of_the_pixel_that_sees_it() -> None:
    aside = tiny_cameras().world_from_camera[FRAME, :3, 3] + torch.tensor([0.2, 0.1, 0.0])
    wanted = torch.cat([10 * (XY - 0.5), torch.full((3, 1), 10.0 * FRAME)], dim=1) / 255
    torch.testing.assert_close(paint(memory([FRAME]), seen_points(), aside), wanted, atol=1e-3, rtol=0)


def test_a_view_through_the_frames_own_camera_does_not_copy_it() -> None:
    own = tiny_cameras().world_from_camera[FRAME, :3, 3]
    torch.testing.assert_close(paint(memory([FRAME]), seen_points(), own), GREY)
    beside = paint(memory(list(range(FRAMES))), seen_points(), own)
    assert bool((beside[:, 2] * 255 / 10 - FRAME).abs().max() < 0.01)  # the mean of the frames before and after
    assert bool((beside - GREY).abs().max() > 0.1)


def test_what_the_frame_does_not_see_keeps_its_own_colour() -> None:
    aside = tiny_cameras().world_from_camera[FRAME, :3, 3] + torch.tensor([0.2, 0.1, 0.0])
    torch.testing.assert_close(paint(memory([FRAME]), seen_points(1.5 * DEPTH), aside), GREY, atol=1e-3, rtol=0)
    torch.testing.assert_close(paint(memory([]), seen_points(), aside), GREY)


def paint_rest(kept: FrameMemory, points: torch.Tensor, origin: torch.Tensor) -> torch.Tensor:
    """Two samples a ray on either side of the surface; the colour of the second."""
    apart = 0.1 * (points - origin)
    samples, weights = torch.stack([points - apart, points + apart], dim=1), torch.full((3, 2), 0.5)
    return repainted_rest(kept, standing_model(), rays_from(origin, points), weights, samples, torch.arange(3), GREY)


def test_a_resting_surface_has_the_colour_of_the_frames_that_look_at_it_most_alike() -> None:
    aside = tiny_cameras().world_from_camera[FRAME, :3, 3] + torch.tensor([0.02, 0.01, 0.0])
    painted = paint_rest(memory([]), seen_points(), aside)
    around = [abs(float(blue) * 255 / 10 - FRAME) for blue in painted[:, 2]]
    assert max(around) < 0.6  # frames on both sides, the nearest before all
    only = memory([])
    only.shown[[0, 1, 3, 4], ..., 0] = 0.0  # of the others the camera is not known
    wanted = torch.cat([10 * (XY - 0.5), torch.full((3, 1), 10.0 * FRAME)], dim=1) / 255
    torch.testing.assert_close(paint_rest(only, seen_points(), aside), wanted, atol=1e-3, rtol=0)


def test_a_resting_surface_keeps_its_colour_where_no_other_frame_shows_it() -> None:
    own = tiny_cameras().world_from_camera[FRAME, :3, 3]
    only = memory([])
    only.shown[[0, 1, 3, 4], ..., 0] = 0.0
    torch.testing.assert_close(paint_rest(only, seen_points(), own), GREY)  # a view never copies its own frame
    aside = own + torch.tensor([0.2, 0.1, 0.0])
    torch.testing.assert_close(paint_rest(memory(list(range(FRAMES))), seen_points(), aside), GREY)  # something moves
    torch.testing.assert_close(paint_rest(memory([]), seen_points(1.5 * DEPTH), aside), GREY, atol=1e-3, rtol=0)


def test_frames_without_a_camera_are_not_remembered() -> None:
    known = torch.tensor([True, False, True, True, True])
    kept = remembered(tiny_model(), position_images(), known, map)
    assert kept.shown.shape == (FRAMES, HEIGHT // 2, WIDTH // 2, 2)
    assert bool((kept.shown[1] == 0).all())
    assert bool((kept.shown[0, ..., 0] > 0).all())
