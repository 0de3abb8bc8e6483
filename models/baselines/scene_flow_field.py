"""The field of NSFF and DynNeRF: what stands still, what moves, which of both shows, and where it was and will be.

NSFF (Li et al., CVPR 2021) and DynNeRF (Gao et al., ICCV 2021) differ in two heads. NSFF's static part says how much of a
place moves, and its dynamic part what is hidden in the neighbouring frames; DynNeRF's dynamic part says how much of a
place moves, and nothing says what is hidden. Two bodies give the same answers: grids (`models.baselines.scene_flow_grids`)
and the papers' networks (`models.baselines.scene_flow_networks`).
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from models.baselines.field import LearnedField, RayPoints

Body = Literal["grids", "reference"]
DENSITY_SHIFT = -1.0  # of softplus: at first all of space is thin fog
INITIAL_MOTION = 0.1  # at first hardly anything moves
FLOWS, HIDDEN = 6, 2  # numbers of the heads of motion: to the next and to the previous frame


@dataclass(frozen=True)
class SceneFlowSizes:
    """Sizes of both bodies; `grids` and `dynamic_grids` are nodes along each axis, coarse to fine."""

    grids: Sequence[int]
    dynamic_grids: Sequence[int]
    time_grids: Sequence[int]
    body: Body = "grids"
    flow_grid: int = 24
    density_channels: int = 8
    colour_channels: int = 16
    flow_channels: int = 8
    width: int = 64
    plane_smoothness: float = 1e-3
    grid_lr: float = 0.02
    network_lr: float = 0.001

    static_blends: ClassVar[bool]  # whether the static part says how much of a place moves
    knows_hidden: ClassVar[bool]  # whether the dynamic part says what neighbouring frames do not show


class NsffSizes(SceneFlowSizes):
    """NSFF's heads."""

    static_blends, knows_hidden = True, True


class DynnerfSizes(SceneFlowSizes):
    """DynNeRF's heads."""

    static_blends, knows_hidden = False, False


@dataclass(frozen=True)
class Optics:
    """Samples of one part: density, share of the place that moves (where this part says it), and what colour needs."""

    density: Float[Tensor, "ray sample"]
    blend: Float[Tensor, "ray sample"] | None
    known: Tensor | None


@dataclass(frozen=True)
class Motion:
    """Displacements to the next and to the previous frame in units of the region, and whether it is hidden there."""

    flow: Float[Tensor, "ray sample next_previous=2 xyz=3"]
    hidden: Float[Tensor, "ray sample next_previous=2"]


class Part(nn.Module, ABC):
    """The static or the dynamic part. A static part does not look at times."""

    @abstractmethod
    def optics(self, points: RayPoints) -> Optics:
        """Density and blending of every sample; density per unit of the region."""

    @abstractmethod
    def colour(
        self, points: RayPoints, chosen: Int64[Tensor, "chosen"], known: Tensor | None
    ) -> Float[Tensor, "chosen rgb=3"]:
        """Colours in [0, 1] of some samples, by their flat indices; `known` is what `optics` gave."""

    @abstractmethod
    def resize(self, stage: int) -> None:
        """Become the same function on the grids of a later stage."""

    @abstractmethod
    def penalty(self) -> Float[Tensor, ""]:
        """How rough the part's tables are; zero where it has none."""

    @abstractmethod
    def rates(self) -> Mapping[str, float]:
        """Learning rates by what the names of the part's parameters begin with."""


class MovingPart(Part, ABC):
    """The dynamic part."""

    @abstractmethod
    def motion(self, points: RayPoints, known: Tensor | None) -> Motion:
        """Where every sample was and will be."""


class SceneFlowField(LearnedField):
    """A static and a dynamic part."""

    def __init__(self, sizes: SceneFlowSizes, static: Part, dynamic: MovingPart) -> None:
        super().__init__()
        self.sizes, self.static, self.dynamic = sizes, static, dynamic

    def refined(self, stage: int) -> None:
        self.static.resize(stage)
        self.dynamic.resize(stage)

    def learn(self, *parts: Part) -> None:
        """From now on these parts learn, and no other: what nothing is asked of must not be smoothed away either."""
        for part in (self.static, self.dynamic):
            part.requires_grad_(part in parts)

    def penalty(self) -> Float[Tensor, ""]:
        """Mean squared differences of neighbouring nodes, of the parts that learn: grids need it, the papers' networks are
        smooth by themselves."""
        learning = [part for part in (self.static, self.dynamic) if next(part.parameters()).requires_grad]
        return self.sizes.plane_smoothness * torch.stack([part.penalty() for part in learning]).sum()

    def rates(self) -> Mapping[str, float]:
        parts = {"static": self.static.rates(), "dynamic": self.dynamic.rates()}
        return {f"{part}.{name}": rate for part, rates in parts.items() for name, rate in rates.items()}


def motion_of(heads: Float[Tensor, "point head"], rays: int, knows_hidden: bool) -> Motion:
    """Motion from its heads: flow by tanh, as NSFF has it, at most one unit a frame; hidden by a sigmoid."""
    by_ray = heads.view(rays, -1, heads.shape[1])
    flow = torch.tanh(by_ray[..., :FLOWS]).unflatten(-1, (2, 3))
    hidden = torch.sigmoid(by_ray[..., FLOWS:]) if knows_hidden else torch.zeros_like(flow[..., 0])
    return Motion(flow, hidden)
