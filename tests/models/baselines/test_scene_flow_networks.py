"""The reference body of NSFF and DynNeRF has the papers' sizes."""

import pytest
import torch

from models.baselines.field import RayPoints
from models.baselines.scene_flow_field import DynnerfSizes, NsffSizes, SceneFlowSizes
from models.baselines.scene_flow_model import scene_flow_field
from models.baselines.scene_flow_networks import DynamicNetwork, StaticNetwork


def parameters(inputs: int, heads: int) -> int:
    """Eight layers of 256, the sixth with the input again, a layer without ReLU, one of 128 with the view, and heads."""
    first, again = (inputs + 1) * 256, (inputs + 256 + 1) * 256
    view = 3 * (1 + 2 * 4)
    colour = 257 * 256 + (256 + view + 1) * 128 + 129 * 3
    return first + 6 * 257 * 256 + again + colour + 257 * heads


@pytest.mark.parametrize("sizes, static_heads, dynamic_heads", [(NsffSizes, 2, 9), (DynnerfSizes, 1, 8)])
def test_the_papers_sizes_have_the_papers_numbers_of_parameters(
    sizes: type[SceneFlowSizes], static_heads: int, dynamic_heads: int
) -> None:
    field = scene_flow_field(sizes((4,), (4,), (2,), body="reference"), 0, torch.Generator().manual_seed(0))
    assert isinstance(field.static, StaticNetwork) and isinstance(field.dynamic, DynamicNetwork)
    counts = [sum(parameter.numel() for parameter in part.parameters()) for part in (field.static, field.dynamic)]
    # density; blending by NSFF's static and DynNeRF's dynamic part; six of flow, two of what is hidden (NSFF)
    assert counts == [parameters(63, static_heads), parameters(84, dynamic_heads)]
    assert counts == ([596_101, 608_652] if sizes is NsffSizes else [595_844, 608_395])
    known = {name for part in field.rates() for name, _ in field.named_parameters() if name.startswith(f"{part}.")}
    assert known == {name for name, _ in field.named_parameters()}  # every parameter has its rate


def test_places_times_and_views_matter_where_they_should() -> None:
    field = scene_flow_field(NsffSizes((4,), (4,), (2,), body="reference"), 0, torch.Generator().manual_seed(0))
    places = torch.tensor([[[0.1, 0.2, 0.3], [0.4, -0.2, 0.0]]])

    def points(time: float, x: float) -> RayPoints:
        return RayPoints(places, torch.tensor([time]), torch.tensor([[x, 0.0, 1.0]]))

    chosen = torch.tensor([0, 1])
    first, later = field.dynamic.optics(points(0.0, 0.0)), field.dynamic.optics(points(0.5, 0.0))
    assert (first.density - later.density).abs().max() > 0
    assert first.blend is None and field.static.optics(points(0.0, 0.0)).blend is not None
    front, side = (field.dynamic.colour(points(0.0, x), chosen, first.known) for x in (0.0, 1.0))
    assert (front - side).abs().max() > 0
    motion = field.dynamic.motion(points(0.0, 0.0), first.known)
    assert motion.flow.shape == (1, 2, 2, 3) and motion.hidden.shape == (1, 2, 2)
