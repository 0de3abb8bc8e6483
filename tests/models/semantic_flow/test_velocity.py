"""Trajectories against flows whose answer is known."""

import math

import torch
from torch import Tensor

from models.ops.space import Region
from models.semantic_flow.velocity import VelocityField, advance, trajectory


def constant(points: Tensor, times: Tensor) -> Tensor:
    return torch.tensor([0.1, -0.2, 0.3]).expand_as(points)


def turning(points: Tensor, times: Tensor) -> Tensor:
    """Half a radian a frame about z."""
    return 0.5 * torch.stack([-points[:, 1], points[:, 0], torch.zeros_like(times)], dim=1)


def test_a_constant_velocity_gives_a_straight_line_exactly() -> None:
    points, times = torch.randn(5, 3), torch.arange(5.0)
    path = trajectory(constant, points, times, 2, "euler", 3)
    for offset in range(-2, 3):
        torch.testing.assert_close(path[offset + 2], points + offset * torch.tensor([0.1, -0.2, 0.3]))


def test_going_back_in_time_undoes_going_forward() -> None:
    points, times, one = torch.randn(50, 3), torch.zeros(50), torch.ones(50)
    there = advance(turning, points, times, one, "rk4", 4)
    back = advance(turning, there, times + 1, -one, "rk4", 4)
    torch.testing.assert_close(back, points, atol=1e-5, rtol=0)


def test_a_rotation_is_followed_and_finer_integrators_follow_it_better() -> None:
    points = torch.tensor([[1.0, 0, 0]])
    exact = torch.tensor([[math.cos(0.5), math.sin(0.5), 0]])
    errors = [
        float((advance(turning, points, torch.zeros(1), torch.ones(1), how, 1) - exact).norm())
        for how in ("euler", "midpoint", "rk4")
    ]
    assert errors[0] > 4 * errors[1] > 40 * errors[2]


def test_both_directions_depend_on_the_same_field_with_opposite_signs() -> None:
    """One Euler step goes from x to x + v and to x - v: whatever moves the one endpoint moves the other the other way."""
    generator = torch.Generator().manual_seed(0)
    field = VelocityField(Region(torch.zeros(3), torch.ones(3)), 4, 8, 5, generator)
    points, times = torch.randn(10, 3, generator=generator), torch.full((10,), 2.0)
    path = trajectory(field, points, times, 1, "euler", 1)
    velocity = field(points, times)
    assert float(velocity.detach().abs().max()) > 1e-3
    torch.testing.assert_close(path[2] - path[1], velocity, atol=1e-6, rtol=1e-4)
    torch.testing.assert_close(path[1] - path[0], velocity, atol=1e-6, rtol=1e-4)
    for parameter in (field.planes.space, field.planes.time, *field.decode.parameters()):
        before, after = (torch.autograd.grad(path[end].sum(), parameter, retain_graph=True)[0] for end in (0, 2))
        assert float(after.abs().sum()) > 0
        torch.testing.assert_close(before, -after)
