"""What training asks of every field, and what a radiance field answers: density at points in space and time, and colours."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn


@dataclass(frozen=True)
class RayPoints:
    """Samples along rays in grid coordinates in [-1, 1], the time of each ray in [-1, 1] and its view, a unit vector."""

    coordinates: Float[Tensor, "ray sample xyz=3"]
    times: Float[Tensor, "ray"]
    views: Float[Tensor, "ray xyz=3"]

    @property
    def flat(self) -> Float[Tensor, "point xyz=3"]:
        return self.coordinates.flatten(0, 1)

    @property
    def flat_times(self) -> Float[Tensor, "point"]:
        """The time of every sample."""
        return self.times[:, None].expand(self.coordinates.shape[:2]).flatten()


class LearnedField(nn.Module, ABC):
    """What training asks of every baseline's field, whatever it answers along rays."""

    @abstractmethod
    def refined(self, stage: int) -> None:
        """Become the same function on the grids of a later stage of coarse to fine."""

    @abstractmethod
    def penalty(self) -> Float[Tensor, ""]:
        """The field's own regulariser, weighed; zero where it has none."""

    @abstractmethod
    def rates(self) -> Mapping[str, float]:
        """Learning rates by what parameters' names begin with."""


class BaselineField(LearnedField, ABC):
    """A radiance field of space and time. Densities are per unit of the scene's region."""

    @abstractmethod
    def density(self, points: RayPoints) -> tuple[Float[Tensor, "ray sample"], Tensor | None]:
        """Density of every sample, and what the field already knows of each for its colour (a row a sample), if anything."""

    @abstractmethod
    def colour(
        self, points: RayPoints, chosen: Int64[Tensor, "chosen"], known: Tensor | None
    ) -> Float[Tensor, "chosen rgb=3"]:
        """Colours in [0, 1] of some samples, by their flat indices; `known` is what `density` gave."""


def total_variation(planes: Float[Tensor, "plane channel row column"], row_weight: float = 1.0) -> Float[Tensor, ""]:
    """Mean squared differences of neighbouring nodes, along rows and along columns, twice their sum (TensoRF's regulariser)."""
    down, right = planes.diff(dim=2), planes.diff(dim=3)
    return 2 * (row_weight * down.square().mean() + right.square().mean())


def seeded_linear(fan_in: int, fan_out: int, generator: torch.Generator, bias: bool = True) -> nn.Linear:
    """A linear layer initialised from a generator."""
    layer = nn.Linear(fan_in, fan_out, bias=bias, device=generator.device)
    nn.init.kaiming_uniform_(layer.weight, a=5**0.5, generator=generator)
    if bias:
        nn.init.zeros_(layer.bias)
    return layer
