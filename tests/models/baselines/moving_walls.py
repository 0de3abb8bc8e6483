"""A field whose answers are known: a blue wall behind z = 6, and before it a red one that moves at constant speed."""

import torch
from torch import Tensor

from models.baselines.field import RayPoints
from models.baselines.scene_flow_field import Motion, MovingPart, NsffSizes, Optics, Part, SceneFlowField

OPAQUE = 4000.0
BLUE, RED = (0.0, 0.0, 1.0), (1.0, 0.0, 0.0)


class StillWall(Part):
    """Blue and opaque behind z = 6; says that what is nearer moves."""

    def __init__(self, unit: float) -> None:
        super().__init__()
        self.unit = unit

    def optics(self, points: RayPoints) -> Optics:
        behind = (points.coordinates[..., 2] * self.unit > 6.0).float()
        return Optics(OPAQUE * behind, 1 - behind, None)

    def colour(self, points: RayPoints, chosen: Tensor, known: Tensor | None) -> Tensor:
        return torch.tensor([BLUE]).expand(len(chosen), 3)

    def resize(self, stage: int) -> None:
        raise NotImplementedError

    def penalty(self) -> Tensor:
        return torch.zeros(())

    def rates(self) -> dict[str, float]:
        return {}


class MovingWall(StillWall, MovingPart):
    """Red and opaque in x > 0, 4 < z < 5 of the middle one of three frames, and moved by its velocity from there."""

    def __init__(self, velocity: Tensor, unit: float) -> None:
        super().__init__(unit)
        self.velocity = velocity

    def optics(self, points: RayPoints) -> Optics:
        place = points.coordinates * self.unit - points.times[:, None, None] * self.velocity  # times are -1, 0 and 1
        inside = (place[..., 0] > 0) & (place[..., 2] > 4) & (place[..., 2] < 5)
        return Optics(OPAQUE * inside, None, None)

    def colour(self, points: RayPoints, chosen: Tensor, known: Tensor | None) -> Tensor:
        return torch.tensor([RED]).expand(len(chosen), 3)

    def motion(self, points: RayPoints, known: Tensor | None) -> Motion:
        both = torch.stack([self.velocity, -self.velocity]) / self.unit
        shape = points.coordinates.shape[:2]
        return Motion(both.expand(*shape, 2, 3), torch.zeros(*shape, 2))


def moving_walls(velocity: Tensor, unit: float) -> SceneFlowField:
    """The field of both."""
    return SceneFlowField(NsffSizes((4,), (4,), (2,)), StillWall(unit), MovingWall(velocity, unit))
