"""Where image points of a distorting lens lie in the pinhole image: both in units of the focal length, from the middle."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

NEWTON_STEPS = 12
WIDEST = 1.45  # radians off the axis: beyond, a direction can hardly have z = 1


@dataclass(frozen=True)
class Straight:
    """A lens that is a pinhole."""

    def straightened(self, points: Float[Tensor, "point xy=2"]) -> Float[Tensor, "point xy=2"]:
        return points


@dataclass(frozen=True)
class RadialLens:
    """distorted = straight (1 + k1 r^2): COLMAP's SIMPLE_RADIAL; a barrel where k1 < 0."""

    k1: float

    def straightened(self, points: Float[Tensor, "point xy=2"]) -> Float[Tensor, "point xy=2"]:
        wanted = points.norm(dim=-1).double()
        radius = wanted.clone()
        for _ in range(NEWTON_STEPS):
            error = radius * (1 + self.k1 * radius**2) - wanted
            radius = radius - error / (1 + 3 * self.k1 * radius**2).clamp(min=0.05)
        return points * (radius / wanted.clamp(min=1e-9)).to(points.dtype)[:, None]


@dataclass(frozen=True)
class FisheyeLens:
    """distorted radius = angle off the axis (equidistant): COLMAP's OPENCV_FISHEYE with all k = 0."""

    def straightened(self, points: Float[Tensor, "point xy=2"]) -> Float[Tensor, "point xy=2"]:
        angle = points.norm(dim=-1).clamp(1e-6, WIDEST)
        return points * (torch.tan(angle) / angle)[:, None]


LensRays = Straight | RadialLens | FisheyeLens
PINHOLE = Straight()
