"""Numbers of a reconstruction, and what they mean in words."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.sfm.pose_uncertainty import Rival
from pipeline.sfm.rigid_model import RigidModel
from pipeline.sfm.verdicts import doubts_about, fit_numbers, frame_points, frame_residuals_px, judge, median, planarity
from tests.pipeline.tracked_body import CAMERA, FRAMES, solid, tracked, turning_poses

SOUND = {
    "registered_frames": 30, "frames_with_tracks": 30, "points": 200, "inlier_ratio_percent": 99.0,
    "reprojection_error_px": 0.2, "normalised_residual": 0.6, "triangulation_angle_deg": 20.0, "planarity": 0.5,
    "rotation_std_deg": 0.5, "trajectory_std_percent": 2.0,
}  # fmt: skip


def test_a_sound_model_is_ok_and_every_doubt_is_in_words() -> None:
    assert judge(SOUND).verdict == "ok" and not list(doubts_about(SOUND))
    for name, value, word in (
        ("registered_frames", 10, "frames are registered"),
        ("points", 12, "without texture"),
        ("inlier_ratio_percent", 60.0, "not rigid"),
        ("reprojection_error_px", 1.0, "residuals"),
        ("normalised_residual", 2.1, "it bends"),
        ("triangulation_angle_deg", 1.0, "depth is uncertain"),
        ("planarity", 0.99, "planar"),
        ("rotation_std_deg", 4.0, "ambiguous"),
        ("trajectory_std_percent", 20.0, "ambiguous"),
    ):
        judgement = judge({**SOUND, name: value})
        assert judgement.verdict == "weak" and word in judgement.reason


def test_planarity_is_one_less_the_thickness_over_the_second_extent() -> None:
    grid = np.stack(np.meshgrid([-2, 0, 2.0], [-1, 0, 1.0], [-0.1, 0, 0.1]), axis=-1).reshape(-1, 3)
    assert planarity(RigidModel(np.zeros((1, 4, 4)), grid, CAMERA, "")) == pytest.approx(0.9)


def test_numbers_of_observations_that_are_all_off_alike() -> None:
    true, seen = tracked(turning_poses(), solid(40))  # the standard deviation is 0.05 px
    numbers = fit_numbers(true, replace(seen, xy=seen.xy + np.array([0.03, 0.04])))
    assert numbers["reprojection_error_px"] == pytest.approx(0.05)
    assert numbers["normalised_residual"] == pytest.approx(1.0)
    assert numbers["inlier_ratio_percent"] == 100
    assert (numbers["points"], numbers["observations"], numbers["registered_frames"]) == (40, 40 * FRAMES, FRAMES)


def test_the_inlier_ratio_is_the_share_of_observations_that_fit() -> None:
    true, seen = tracked(turning_poses(), solid(40))
    off = np.where((seen.track < 10)[:, None], seen.xy + 9.0, seen.xy)
    assert fit_numbers(true, replace(seen, xy=off))["inlier_ratio_percent"] == pytest.approx(75)


def test_a_rival_is_a_doubt_and_a_far_one_may_be_the_reversed_shape() -> None:
    model, _ = tracked(turning_poses(), solid(4))
    near, far = (judge(SOUND, Rival(degrees, 12.0, model)) for degrees in (5.0, 30.0))
    assert near.verdict == far.verdict == "weak"
    assert "5 degrees and 12 % of the path" in near.reason and "reversed" not in near.reason
    assert "depth may be reversed" in far.reason


def test_frames_have_their_own_residuals_and_points() -> None:
    true, seen = tracked(turning_poses(), solid(10))
    moved = replace(seen, xy=seen.xy + np.where(seen.frame == 2, 0.5, 0.0)[:, None] * [1.0, 0.0]).kept(seen.frame != 4)
    residuals = frame_residuals_px(true, moved)
    assert residuals[2] == 0.5 and residuals[3] == 0.0 and residuals[4] is None
    assert frame_points(true, moved) == [0 if frame == 4 else 10 for frame in range(FRAMES)]


def test_the_median_is_of_finite_values() -> None:
    assert median(np.array([np.nan, 1.0, 3.0, np.inf])) == 2.0 and median(np.array([np.nan])) == 0.0
