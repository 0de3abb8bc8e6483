"""The grid body of NSFF and DynNeRF."""

import pytest
import torch

from models.baselines.field import RayPoints
from models.baselines.scene_flow_field import DynnerfSizes, NsffSizes, SceneFlowSizes
from models.baselines.scene_flow_model import scene_flow_field

SIZES = {"density_channels": 2, "colour_channels": 2, "flow_channels": 2, "width": 8, "flow_grid": 5}


@pytest.mark.parametrize("sizes", [NsffSizes, DynnerfSizes])
def test_finer_grids_begin_as_the_same_function(sizes: type[SceneFlowSizes]) -> None:
    field = scene_flow_field(sizes((5, 9), (4, 7), (3, 5), **SIZES), 0, torch.Generator().manual_seed(0))
    places = torch.tensor([[[-1.0, 1.0, 1.0], [1.0, -1.0, -1.0], [1.0, 1.0, -1.0]]])  # corners, nodes of all grids
    points = RayPoints(places, torch.tensor([1.0]), torch.tensor([[0.0, 0.0, 1.0]]))

    def answers() -> list[torch.Tensor]:
        static, dynamic, chosen = field.static.optics(points), field.dynamic.optics(points), torch.arange(3)
        blend = dynamic.blend if static.blend is None else static.blend
        assert blend is not None and (static.blend is None) != (dynamic.blend is None)
        colours = [part.colour(points, chosen, None) for part in (field.static, field.dynamic)]
        return [static.density, dynamic.density, blend, *colours, field.dynamic.motion(points, None).flow]

    before = answers()
    field.refined(1)
    assert field.static.get_parameter("shape.planes").shape[-1] == 9
    for first, second in zip(before, answers(), strict=True):
        torch.testing.assert_close(second, first)


def test_at_first_there_is_thin_fog_of_which_little_moves_slowly() -> None:
    field = scene_flow_field(NsffSizes((5,), (5,), (3,), **SIZES), 0, torch.Generator().manual_seed(0))
    points = RayPoints(torch.rand(4, 6, 3) * 2 - 1, torch.zeros(4), torch.ones(4, 3))
    optics, motion = field.static.optics(points), field.dynamic.motion(points, None)
    assert optics.blend is not None and optics.blend.min() > 0.02 and optics.blend.max() < 0.4
    assert optics.density.min() > 0.1 and optics.density.max() < 0.7
    assert motion.flow.abs().max() < 0.1
    assert field.penalty() > 0
