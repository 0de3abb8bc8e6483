"""Where the samples of one object lie, and what they weigh alone."""

import math

import torch

from models.ops.contract_points import boxes_of
from models.ops.march.reference import solo_weights
from models.osn.field_tables import FieldTables, table_layout
from models.osn.marching import LEAST_WEIGHT, ObjectRays, Reach, Samples, Steps, march
from models.osn.space import Space

FOG = torch.full((4, 4, 4), -3.0)  # softplus(-3) = 0.0486
DENSITY = math.log1p(math.exp(-3.0))


def one_ray(present: bool = True) -> ObjectRays:
    """Along z, from three units before the middle."""
    return ObjectRays(torch.tensor([[[0.0, 0.0, -3.0]]]), torch.tensor([[[0.0, 0.0, 1.0]]]), torch.tensor([[present]]))


def marched(steps: Steps, rays: ObjectRays, shell: float = 0.0) -> Samples:
    layout, space = table_layout(((4, 4, 4),), 1, torch.device("cpu")), Space(torch.ones(3), 1e-3, shell)
    tables = FieldTables(FOG[None], torch.zeros(48, 1), torch.zeros(12, 1), layout)
    reach = steps.reach and torch.stack([steps.reach.first, steps.reach.last, steps.reach.stretch], dim=-1)[None]
    return march(tables, boxes_of(torch.zeros(1, 3), torch.ones(1, 3), [shell]), [space], rays, [steps], reach, 1.0)


def test_weights_of_three_samples_by_hand() -> None:
    half, quarter = math.log(2), math.log(4)
    weights = solo_weights(torch.tensor([[half, quarter, half]]))
    torch.testing.assert_close(weights, torch.tensor([[0.5, 0.5 * 0.75, 0.5 * 0.25 * 0.5]]))


def test_samples_lie_in_the_middle_of_even_bins_of_the_box() -> None:
    found = marched(Steps(4, 0, None), one_ray())
    torch.testing.assert_close(found.depth, torch.tensor([2.25, 2.75, 3.25, 3.75]))
    torch.testing.assert_close(found.optical_length, torch.full((4,), 0.5))
    assert found.ray.tolist() == found.object.tolist() == [0] * 4


def test_samples_of_the_released_code_are_even_in_depth_between_its_bounds_whatever_the_box() -> None:
    reach = Reach(torch.tensor([1.0]), torch.tensor([5.0]), torch.tensor([2.0]))
    found = marched(Steps(16, 0, None, reach), one_ray())
    inside = [1.125 + 0.25 * index for index in range(16) if 2 <= 1.125 + 0.25 * index <= 4]
    torch.testing.assert_close(found.depth, torch.tensor(inside))
    torch.testing.assert_close(found.optical_length, torch.full((8,), 2 * 0.25))  # stretched by the scale


def test_jitter_moves_samples_within_their_bins() -> None:
    found = marched(Steps(4, 0, torch.Generator().manual_seed(0)), one_ray())
    offset = (found.depth - 2) / 0.5 - torch.arange(4)
    assert 0 < offset[0] < 1 and float(offset[0]) != 0.5
    torch.testing.assert_close(offset, offset[:1].expand(4))  # one a ray, so that bins stay even


def test_what_weighs_less_than_the_least_is_dropped() -> None:
    thin = 16 * DENSITY * 2 / 16
    assert thin / 16 > LEAST_WEIGHT
    assert len(marched(Steps(16, 0, None), one_ray()).ray) == 16
    assert len(marched(Steps(64, 0, None), one_ray()).ray) == 0  # each weighs 0.0486 * 2 / 64 = 0.0015
    assert len(marched(Steps(16, 0, None), one_ray(present=False)).ray) == 0
