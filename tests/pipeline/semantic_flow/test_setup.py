"""From a scene and the settings to regions, grids and models."""

import numpy as np
import pytest
import torch

from models.ops.space import Region
from models.semantic_flow.ndc import NdcRegion
from pipeline.scene.region import box
from pipeline.semantic_flow.setup import grid_resolution, model_sizes, optimiser, ray_budget, second_bounds
from tests.models.semantic_flow.tiny_model import tiny_model
from tests.pipeline.small_semantic_flow import small


def test_a_box_holds_its_points_with_a_margin_and_is_never_flat() -> None:
    corners = np.array([[x, y, 1.0] for x in (0.0, 4.0) for y in (-1.0, 1.0)])
    region = box(corners, (0.0, 100.0), 0.3)
    torch.testing.assert_close(region.centre, torch.tensor([2.0, 0.0, 1.0]))
    torch.testing.assert_close(region.half_extent, torch.tensor([2.2, 1.1, 0.22]))  # a tenth of the longest


def test_a_grid_has_about_so_many_cubic_cells() -> None:
    region = Region(torch.zeros(3), torch.tensor([4.0, 2.0, 1.0]))
    assert grid_resolution(region, 64000.0) == (80, 40, 20)
    assert grid_resolution(region, 500.0) == (16, 8, 8)


def test_stage_1_begins_with_half_as_many_cells_along_each_axis() -> None:
    bounds, config = tiny_model().bounds, small(static_resolution=64, static_cells=64000.0)
    coarse, fine = (model_sizes(config, 3, bounds, coarser) for coarser in (2, 1))
    assert fine.static_resolution == (40, 40, 40) and coarse.static_resolution == (20, 20, 20)
    assert (coarse.static_feature_resolution, fine.static_feature_resolution) == (32, 64)
    assert fine.velocity_channels == max(config.dynamic_channels // 2, 1)


def test_what_moves_gets_a_region_of_its_own_where_enough_of_it_is_known() -> None:
    first = tiny_model().bounds
    few = second_bounds(first, np.zeros((19, 3)))
    assert few.dynamic_region is few.static_region
    moving = np.random.default_rng(0).uniform(-0.2, 0.2, (500, 3))
    many = second_bounds(first, moving)
    assert float(many.dynamic_region.half_extent.max()) < 0.25 and many.static_region.half_extent.max() == 1.5
    assert not isinstance(many.dynamic_region, NdcRegion)


@pytest.mark.parametrize("with_head", [True, False])
def test_every_parameter_has_one_rate_and_the_head_only_where_it_is_not_shared(with_head: bool) -> None:
    model, config = tiny_model(), small()
    grids, networks = (group["params"] for group in optimiser(model, config, with_head).param_groups)
    held = {id(parameter) for parameter in (*grids, *networks)}
    assert len(held) == len(grids) + len(networks)
    for name, parameter in model.named_parameters():
        assert (id(parameter) in held) == (with_head or not name.startswith("head.")), name
    assert any(parameter is model.velocity.planes.time for parameter in grids)
    assert any(parameter is model.dynamic.decode[0].weight for parameter in networks)


def test_the_ray_budget_is_shared_out_among_the_shards() -> None:
    budget = ray_budget(small(semantic_rays=96, warped_rays=3, consistency_frames=2), 4)
    assert (budget.semantic_rays, budget.warped_rays, budget.hops) == (24, 1, 2)
