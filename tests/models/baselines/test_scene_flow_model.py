"""Both parts of NSFF and DynNeRF, blended and alone."""

import torch
from torch import Tensor

from models.baselines.field import RayPoints
from models.baselines.model import SampleBudget, SceneExtent
from models.baselines.scene_flow_model import SceneFlowBaseline, alone, blended
from models.ops.space import Region
from models.rays import Rays
from tests.models.baselines.moving_walls import moving_walls


def model(velocity: Tensor) -> SceneFlowBaseline:
    extent = SceneExtent(Region(torch.zeros(3), torch.full((3,), 10.0), 0.0), 1.0, 8.0, 3)
    return SceneFlowBaseline(moving_walls(velocity, 10.0), extent, SampleBudget(48, 64))


def rays(x: list[float], frame: int = 1) -> Rays:
    directions = torch.tensor([[value, 0.0, 1.0] for value in x])
    return Rays(torch.zeros_like(directions), directions, torch.full((len(x),), frame))


def test_blending_by_hand() -> None:
    static, dynamic = torch.tensor([[0.5, 0.8]]), torch.tensor([[0.4, 1.0]])
    share = torch.tensor([[0.25, 0.5]])
    of_static, of_dynamic, beyond = blended(static, dynamic, share)
    left = (1 - 0.5 * 0.75) * (1 - 0.4 * 0.25)
    torch.testing.assert_close(of_static, torch.tensor([[0.5 * 0.75, left * 0.8 * 0.5]]))
    torch.testing.assert_close(of_dynamic, torch.tensor([[0.4 * 0.25, left * 1.0 * 0.5]]))
    torch.testing.assert_close(beyond, torch.tensor([left]))
    torch.testing.assert_close(alone(dynamic), torch.tensor([[0.4, 0.6]]))


def test_the_picture_shows_what_moves_where_it_is_and_the_wall_beside_it() -> None:
    baseline = model(torch.tensor([1.0, 0.0, 0.0]))
    generator = torch.Generator().manual_seed(0)
    for _ in range(8):
        baseline.remember([baseline.look(rays([-0.1, 0.1] * 32), generator)[1]])
    seen, _ = baseline.look(rays([-0.1, 0.1]), None)  # what moves fills x > 0 of the moving wall at 4, before that at 6
    torch.testing.assert_close(seen.colour, torch.tensor([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]), rtol=0, atol=0.02)
    torch.testing.assert_close(seen.depth, torch.tensor([6.0, 4.0]), rtol=0.04, atol=0)


def test_what_moves_is_carried_to_where_it_is_in_the_next_frame() -> None:
    """At constant speed the dynamic part of a neighbouring frame looks, where it was carried, as it does now."""
    velocity = torch.tensor([0.5, 0.0, -0.2])
    baseline, ray = model(velocity), rays([0.1, 0.3])
    traced = baseline.trace(ray, None)
    motion = baseline.motion(traced.points, traced.dynamic)
    torch.testing.assert_close(motion.flow[0, 0], torch.stack([velocity, -velocity]), rtol=1e-4, atol=1e-5)
    for side, by in ((0, 1), (1, -1)):
        warped = baseline.warped(ray, traced.pieces, traced.places + motion.flow[:, :, side], by)
        torch.testing.assert_close(warped.weights, alone(traced.dynamic_alpha), rtol=0, atol=1e-3)
        still = baseline.warped(ray, traced.pieces, traced.places, by)
        assert (still.weights - alone(traced.dynamic_alpha)).abs().max() > 0.5
        onward = baseline.motion(warped.points, warped.optics)
        torch.testing.assert_close(onward.flow[:, :, 1 - side], -motion.flow[:, :, side])


def test_a_place_that_is_no_number_is_read_without_harm() -> None:
    baseline, ray = model(torch.zeros(3)), rays([0.1])
    traced = baseline.trace(ray, None)
    warped = baseline.warped(ray, traced.pieces, traced.places * torch.nan, 1)
    assert isinstance(warped.points, RayPoints) and bool(torch.isfinite(warped.weights).all())
