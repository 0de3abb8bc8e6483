"""Rays through a field whose answers are known."""

from collections.abc import Mapping

import torch
from torch import Tensor

from models.baselines.field import BaselineField, RayPoints
from models.baselines.model import RadianceBaseline, SampleBudget, SceneExtent, blending_weights
from models.ops.space import Region
from models.rays import Rays


class Wall(BaselineField):
    """Red and opaque behind z = 4."""

    def density(self, points: RayPoints) -> tuple[Tensor, None]:
        return 400.0 * (points.coordinates[..., 2] > 0.4), None

    def colour(self, points: RayPoints, chosen: Tensor, known: None) -> Tensor:
        return torch.tensor([[0.8, 0.1, 0.0]]).expand(len(chosen), 3)

    def refined(self, stage: int) -> None:
        raise NotImplementedError

    def penalty(self) -> Tensor:
        return torch.zeros(())

    def rates(self) -> Mapping[str, float]:
        return {}


def model() -> RadianceBaseline:
    extent = SceneExtent(Region(torch.zeros(3), torch.full((3,), 10.0), 0.0), 1.0, 8.0, 3)
    return RadianceBaseline(Wall(), extent, SampleBudget(48, 16))


def rays(count: int) -> Rays:
    return Rays(torch.zeros(count, 3), torch.tensor([[0.0, 0.0, 1.0]]).expand(count, 3), torch.ones(count).long())


def test_weights_by_hand() -> None:
    weights, beyond = blending_weights(-torch.log(torch.tensor([[0.5, 0.8, 0.9]])))
    torch.testing.assert_close(weights, torch.tensor([[0.5, 0.5 * 0.2, 0.5 * 0.8]]))  # a wall behind the last
    torch.testing.assert_close(beyond, torch.tensor([0.5 * 0.8]))


def test_what_training_remembers_brings_samples_to_the_surface() -> None:
    baseline, generator = model(), torch.Generator().manual_seed(0)
    before = baseline.pieces(rays(1), None)
    for _ in range(10):
        _, samples = baseline.look(rays(64), generator)
        baseline.remember([samples])
    after = baseline.pieces(rays(1), None)
    near = [int(((pieces.depth - 4.0).abs() < 0.5).sum()) for pieces in (before, after)]
    assert near[1] >= 3 * near[0] and near[1] >= 8, near
    seen, _ = baseline.look(rays(4), None)
    torch.testing.assert_close(seen.colour, torch.tensor([[0.8, 0.1, 0.0]]).expand(4, 3), rtol=0, atol=1e-3)
    assert (seen.depth - 4.0).abs().max() < 0.15
