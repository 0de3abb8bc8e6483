"""Semantic Flow's velocity field, and trajectories: one field integrated forwards and backwards in time."""

from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.ops.networks import perceptron
from models.ops.space import Region
from models.ops.space_time_planes import SpaceTimePlanes
from models.semantic_flow.fields import HIDDEN

Integrator = Literal["euler", "midpoint", "rk4"]
Velocity = Callable[[Tensor, Tensor], Tensor]
INITIAL_SPEED = 0.1


class VelocityField(nn.Module):
    """World velocity, in units a frame, of whatever is at a point at a time."""

    def __init__(self, region: Region, channels: int, resolution: int, frames: int, generator: torch.Generator) -> None:
        super().__init__()
        self.region, self.frames = region, frames
        self.planes = SpaceTimePlanes(channels, resolution, frames, generator)
        self.decode = perceptron([self.planes.channels, HIDDEN, 3], generator)
        last = self.decode[-1]
        assert isinstance(last, nn.Linear)
        with torch.no_grad():
            last.weight.mul_(INITIAL_SPEED)

    def forward(
        self, points: Float[Tensor, "point xyz=3"], times: Float[Tensor, "point"]
    ) -> Float[Tensor, "point xyz=3"]:
        """Velocity at world points and frame times."""
        return self.decode(self.planes.in_region(self.region, points, times, self.frames)) * self.region.unit


def step(
    velocity: Velocity, points: Float[Tensor, "point xyz=3"], times: Float[Tensor, "point"], by: Tensor, how: Integrator
) -> Float[Tensor, "point xyz=3"]:
    """Points after `by` frames (negative: backwards), in one step of an integrator; the released code has Euler."""
    span = by[:, None]
    first = velocity(points, times)
    if how == "euler":
        return points + span * first
    second = velocity(points + span / 2 * first, times + by / 2)
    if how == "midpoint":
        return points + span * second
    third = velocity(points + span / 2 * second, times + by / 2)
    fourth = velocity(points + span * third, times + by)
    return points + span / 6 * (first + 2 * second + 2 * third + fourth)


def advance(
    velocity: Velocity,
    points: Float[Tensor, "point xyz=3"],
    times: Float[Tensor, "point"],
    by: Float[Tensor, "point"],
    how: Integrator,
    substeps: int,
) -> Float[Tensor, "point xyz=3"]:
    """Where points are `by` frames later; each point may go its own way in time."""
    points = step(velocity, points, times, by if substeps == 1 else by / substeps, how)
    for index in range(1, substeps):
        points = step(velocity, points, times + by * (index / substeps), by / substeps, how)
    return points


def trajectory(
    velocity: Velocity,
    points: Float[Tensor, "point xyz=3"],
    times: Float[Tensor, "point"],
    reach: int,
    how: Integrator,
    substeps: int,
) -> Float[Tensor, "offset point xyz=3"]:
    """Positions at -reach ... 0 ... +reach frames; both directions go through the field as one batch."""
    both, both_times = torch.cat([points, points]), torch.cat([times, times])
    by = torch.cat([-torch.ones_like(times), torch.ones_like(times)])
    backward: list[Tensor] = []
    forward: list[Tensor] = []
    for _ in range(reach):
        both = advance(velocity, both, both_times, by, how, substeps)
        both_times = both_times + by
        earlier, later = both.chunk(2)
        backward.insert(0, earlier)
        forward.append(later)
    return torch.stack([*backward, points, *forward])
