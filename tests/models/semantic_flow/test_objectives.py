"""What training asks for: where flow must lead, and which rays are looked at."""

import torch

from models.semantic_flow.model import SemanticFlow
from models.semantic_flow.objectives import (
    bounded,
    expected_flow_endpoints,
    first_labelled,
    resting_flow_endpoints,
    smoothed_grids,
    smoothness,
)
from tests.models.semantic_flow.tiny_model import tiny_batch, tiny_model

STEP_PX = 20.0 * 0.15  # cameras move 0.15 a frame, the focal length is 20 pixels: at depth 1


def still_model() -> SemanticFlow:
    """Nothing moves: the velocity is zero everywhere."""
    model = tiny_model()
    with torch.no_grad():
        for parameter in model.velocity.decode[-1].parameters():
            parameter.zero_()
    return model


def test_the_flow_of_a_still_scene_is_the_parallax_of_its_samples() -> None:
    model, batch = still_model(), tiny_batch(40)
    traced = model.trace(model.static.nodes(), batch.rays, None)
    endpoint, moved, speed = expected_flow_endpoints(model, traced, batch)
    weights = traced.weights.both / traced.weights.both.sum(1, keepdim=True)
    parallax = -STEP_PX * batch.neighbour * (weights / traced.intervals.depth).sum(1)
    torch.testing.assert_close((endpoint - batch.xy)[:, 1], torch.zeros(40), atol=2e-2, rtol=0)
    torch.testing.assert_close((endpoint - batch.xy)[:, 0], parallax, atol=5e-2, rtol=0)
    assert moved.abs().max() == 0 and speed == 0


def test_without_moving_things_the_flow_is_that_of_the_static_samples() -> None:
    model, batch = tiny_model(), tiny_batch(40)
    traced = model.trace(model.static.nodes(), batch.rays, None, moving=False)
    assert torch.equal(resting_flow_endpoints(model, traced, batch), expected_flow_endpoints(model, traced, batch)[0])


def test_known_points_are_moved_by_the_velocity_in_the_direction_of_their_neighbour() -> None:
    model, batch = still_model(), tiny_batch(40)
    with torch.no_grad():
        model.velocity.decode[-1].bias.copy_(torch.tensor([0.1, 0.0, -0.2]) / model.velocity.region.unit)
    traced = model.trace(model.static.nodes(), batch.rays, None)
    _, moved, speed = expected_flow_endpoints(model, traced, batch)
    expected = batch.neighbour[:, None] * torch.tensor([0.1, 0.0, -0.2]) * batch.motion_known[:, None]
    torch.testing.assert_close(moved, expected, atol=1e-5, rtol=0)
    assert speed > 0


def test_only_the_first_labelled_rays_are_decoded() -> None:
    assert first_labelled(torch.tensor([-1, 0, 2, -1, 1, 1]), 2).tolist() == [False, True, True, False, False, False]


def test_projections_stay_within_reach_of_the_image() -> None:
    assert bounded(torch.tensor([[-1e9, 5.0], [1e9, 40.0]]), 16).tolist() == [[-16.0, 5.0], [32.0, 32.0]]


def test_smoothness_of_one_step_by_hand_and_none_of_even_grids() -> None:
    model = tiny_model()
    with torch.no_grad():
        for grid, _ in smoothed_grids(model):
            for table in grid.smoothed_tables():
                table.fill_(0.7)
        assert smoothness(model) == 0
        model.velocity.planes.time.zero_()
        model.velocity.planes.time[:, :, 2:] = 1.0  # one step between five frames
    torch.testing.assert_close(smoothness(model), torch.tensor(1 / 4))
