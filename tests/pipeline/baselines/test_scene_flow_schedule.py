"""What counts when in NSFF and DynNeRF."""

import pytest

from pipeline.baselines.moving_batches import RayPlan
from pipeline.baselines.scene_flow_schedule import phase_at, ray_plan, scene_flow_weights
from pipeline.config import DynnerfConfig, NsffConfig, TrainBaselineConfig
from pipeline.runtime.presets import with_preset


def test_flow_and_depth_count_a_tenth_every_thousand_steps_for_each_frame_as_released() -> None:
    paper = TrainBaselineConfig.model_validate(with_preset("paper", "train_baseline", {"method": "nsff"})).nsff
    assert (paper.steps, paper.rays, paper.moving_rays, paper.fine_samples) == (300_000, 1024, 512, 128)
    assert (paper.body, paper.network_lr, paper.refinements) == ("reference", 5e-4, [])
    for step, frames, decays in ((29_999, 30, 0), (30_000, 30, 1), (60_000, 30, 2), (25_000, 12, 1), (249_000, 900, 0)):
        phase = phase_at(paper, step, frames)
        assert phase.data == pytest.approx(0.1**decays), (step, frames)
        assert (phase.first, phase.everywhere, phase.two_away) == (decays == 0, decays == 0, decays >= 2)
        assert not phase.static_alone and not phase.static_frozen
        assert ray_plan(paper, phase, 7) == RayPlan(1024, 512 if decays == 0 else 0, 0, 7)
    assert phase_at(NsffConfig(steps=100, decay=0.5), 50, 30).data == pytest.approx(0.1)


def test_dynnerfs_static_part_learns_alone_then_half_of_the_rays_move() -> None:
    own = DynnerfConfig(steps=1000, static_part=0.4, rays=101, decay=0)
    alone, joint, later = (phase_at(own, step, 30) for step in (399, 400, 461))
    assert (alone.static_alone, alone.static_frozen, alone.data) == (True, False, 1.0)
    assert not joint.static_alone and joint.static_frozen and joint.first
    assert later.data == pytest.approx(0.1) and later.everywhere  # a tenth of 600 steps later
    assert ray_plan(own, alone, 0) == RayPlan(0, 0, 101, 0)
    assert ray_plan(own, joint, 0) == RayPlan(0, 50, 51, 0)


@pytest.mark.parametrize("kind, depth, map_depth", [("none", 0, 0), ("maps", 0, 0.04), ("sfm", 0.1, 0)])
def test_losses_have_the_released_weights(kind: str, depth: float, map_depth: float) -> None:
    config = TrainBaselineConfig.model_validate({"depth_supervision": kind})
    nsff, dynnerf = (scene_flow_weights(config, own) for own in (config.nsff, config.dynnerf))
    for weights in (nsff, dynnerf):
        assert (weights.depth, weights.map_depth) == (depth, map_depth)
        assert (weights.dynamic, weights.flow, weights.cycle, weights.smooth) == (1, 0.02, 1, 0.1)
    assert (nsff.full, nsff.still, nsff.hidden, nsff.mask, nsff.order, nsff.sparse) == (1, 0.1, 0.1, 0, 0, 0)
    assert (dynnerf.full, dynnerf.still, dynnerf.hidden) == (3, 0.01, 0)
    assert (dynnerf.mask, dynnerf.order, dynnerf.sparse) == (0.1, 0.1, 1e-3)
