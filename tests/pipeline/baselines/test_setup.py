"""From the settings to models, rates and stages."""

import pytest
import torch

from models.baselines.model import SceneExtent
from models.ops.space import Region
from pipeline.baselines.setup import architecture, loss_weights, own_settings, rate_progress, set_rates, stage_at
from pipeline.config import DynnerfConfig, HexPlaneConfig, NsffConfig, TrainBaselineConfig
from pipeline.runtime.presets import with_preset


def paper(method: str) -> TrainBaselineConfig:
    return TrainBaselineConfig.model_validate(with_preset("paper", "train_baseline", {"method": method}))


@pytest.mark.parametrize("method, reached", [("hexplane", [3000, 6000, 9000]), ("tineuvox", [2000, 4000, 6000])])
def test_the_paper_preset_refines_its_grids_when_the_released_code_does(method: str, reached: list[int]) -> None:
    config = paper(method)
    assert [stage_at(config, step) for step in (0, reached[0] - 1, *reached)] == [0, 0, 1, 2, 3]
    assert own_settings(config).rays == 4096


EXTENT = SceneExtent(Region(torch.zeros(3), torch.tensor([4.0, 1.0, 2.0])), 1.0, 10.0, 30)


def test_planes_have_no_more_nodes_over_time_than_there_are_frames() -> None:
    assert architecture(paper("hexplane"), EXTENT).sizes["time_grids"] == [16, 30, 30, 30]


def test_voxels_know_the_sides_of_the_scenes_box() -> None:
    sizes = architecture(paper("tineuvox"), EXTENT).sizes
    assert (sizes["channels"], sizes["sides"]) == (6, [4.0, 1.0, 2.0])


def test_the_paper_preset_has_the_released_learning_rates_and_first_densities() -> None:
    hexplane, tineuvox = (own_settings(paper(method)).model_dump() for method in ("hexplane", "tineuvox"))
    assert (hexplane["grid_lr"], hexplane["network_lr"], hexplane["density_shift"]) == (0.02, 0.001, -10.0)
    rates = tuple(tineuvox[name] for name in ("grid_lr", "network_lr", "deformation_lr"))
    assert (*rates, tineuvox["alpha"]) == (0.08, 8e-4, 6e-4, 1e-3)


@pytest.mark.parametrize("method", ["hexplane", "tineuvox"])
def test_every_loss_and_depth_counts_only_where_it_is_asked_for(method: str) -> None:
    weights = loss_weights(TrainBaselineConfig.model_validate({"method": method}))
    told = loss_weights(TrainBaselineConfig.model_validate({"method": method, "depth_supervision": "sfm"}))
    assert weights.depth == 0 and told.depth == 0.1
    assert (weights.background, weights.point_colour) == ((0, 0) if method == "hexplane" else (1e-3, 1e-2))


def test_rates_fall_to_a_tenth() -> None:
    adam = torch.optim.Adam([{"params": [torch.zeros(1, requires_grad=True)], "lr": 0.02, "initial_lr": 0.02}])
    set_rates(adam, 0.1, 0.5)
    assert adam.param_groups[0]["lr"] == pytest.approx(0.02 * 0.1**0.5)


def test_rates_begin_anew_where_dynnerfs_static_part_has_learned() -> None:
    own = DynnerfConfig(steps=100, static_part=0.4)
    assert [rate_progress(own, step) for step in (0, 39, 40, 70)] == [0, pytest.approx(39 / 40), 0, 0.5]
    assert rate_progress(NsffConfig(steps=100), 70) == 0.7


def test_the_reference_body_has_no_grids_to_refine() -> None:
    grids, networks = ({"method": "nsff", "nsff": {"steps": 100, "body": body}} for body in ("grids", "reference"))
    assert [stage_at(TrainBaselineConfig.model_validate(grids), step) for step in (0, 99)] == [0, 2]
    assert [stage_at(TrainBaselineConfig.model_validate(networks), step) for step in (0, 99)] == [0, 0]


def test_grids_need_a_time_to_begin() -> None:
    with pytest.raises(ValueError, match="need 1 rising parts"):
        HexPlaneConfig(grids=[8, 16], time_grids=[2, 2], refine_at=[])
    with pytest.raises(ValueError, match="give as many"):
        HexPlaneConfig(grids=[8], time_grids=[2, 2], refine_at=[])
    with pytest.raises(ValueError, match="dynamic_grids 2"):
        NsffConfig(grids=[8], dynamic_grids=[8, 8], time_grids=[2], refine_at=[])
