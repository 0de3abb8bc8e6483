"""Candidate models are ranked by held-out tracks, frames are registered to points, outliers leave."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.sfm.bundle_adjustment import Adjustment
from pipeline.sfm.mapping import (
    Candidate,
    MappingOptions,
    candidate_models,
    inliers,
    mirrored,
    refined_points,
    register_missing,
    resection,
    sampled_tracks,
    scored,
    subsampled,
    without_outliers,
)
from pipeline.sfm.rigid_model import reprojection_errors_px
from tests.pipeline.tracked_body import CAMERA, FRAMES, pose_errors, solid, tracked, turning_poses

OPTIONS = MappingOptions(CAMERA, True, 0, 1200, 4000)


def test_shapes_grown_from_some_of_the_tracks_have_the_points_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.sfm.mapping.MAPPING_OBSERVATIONS", 60 * FRAMES)
    for mapper in ("map_globally", "map_incrementally"):
        monkeypatch.setattr(f"pipeline.sfm.mapping.{mapper}", lambda *_: [])
    poses = turning_poses()
    _, seen = tracked(poses, solid(150), noise=0.1, length=8)
    found = candidate_models(seen, OPTIONS)
    assert {len(candidate.adjusted.model.points) for candidate in found} == {120}
    assert pose_errors(found[0].adjusted.model, poses)[0] < 1


def test_the_mirror_image_of_a_far_object_looks_alike_and_mirrors_back() -> None:
    true, seen = tracked(turning_poses(turn=0.4, distance=60.0), solid(40))
    other = mirrored(true)
    assert np.median(reprojection_errors_px(other, seen)) < 0.1
    turned = true.camera_from_object @ np.linalg.inv(true.camera_from_object[0])
    twice = mirrored(other).camera_from_object
    np.testing.assert_allclose((twice @ np.linalg.inv(twice[0]))[:, :3, :3], turned[:, :3, :3], atol=1e-9)


def candidate(registered: int, cost: float) -> Candidate:
    model, _ = tracked(turning_poses(), solid(5))
    poses = np.where(np.arange(FRAMES)[:, None, None] < registered, model.camera_from_object, np.nan)
    return Candidate(Adjustment(replace(model, camera_from_object=poses), 0.0, np.eye(6 * FRAMES + 1)), cost)


def test_more_frames_count_before_the_cost() -> None:
    ranked = sorted(
        (candidate(12, 2.0), candidate(6, 0.1), candidate(12, 1.0)), key=lambda one: one.merit, reverse=True
    )
    assert [(one.merit[0], one.held_out_cost) for one in ranked] == [(12, 1.0), (12, 2.0), (6, 0.1)]


def test_held_out_tracks_prefer_the_true_poses() -> None:
    true, seen = tracked(turning_poses(), solid(40), noise=0.1)
    wrong = replace(true, camera_from_object=turning_poses(turn=1.3))
    costs = [scored(Adjustment(model, 0.0, np.eye(6 * FRAMES + 1)), seen).held_out_cost for model in (true, wrong)]
    assert costs[0] < 0.5 * costs[1]


def test_long_tracks_are_drawn_first_of_all_and_always_the_same() -> None:
    _, seen = tracked(turning_poses(), solid(200))
    short = seen.kept((seen.track < 100) | (seen.frame < 1))  # 100 tracks of 12 observations, 100 of one
    chosen = sampled_tracks(short, 50, seed=3)
    assert chosen.sum() == 50 and chosen[:100].sum() > 40
    np.testing.assert_array_equal(chosen, sampled_tracks(short, 50, seed=3))
    assert subsampled(short, 50, 3).track_count == 50 and subsampled(short, 500, 3) is short


def test_a_camera_is_found_from_the_points_that_it_sees() -> None:
    true, seen = tracked(turning_poses(), solid(30))
    own = seen.kept(seen.frame == 5)
    pose = resection(true.points[own.track], own.xy, CAMERA, seed=0)
    np.testing.assert_allclose(pose, true.camera_from_object[5], atol=1e-5)
    elsewhere = np.random.default_rng(0).uniform(0, 190, own.xy.shape)
    assert np.isnan(resection(true.points[own.track], elsewhere, CAMERA, seed=0)).all()


def test_missing_frames_are_registered_and_the_others_stay() -> None:
    true, seen = tracked(turning_poses(), solid(30))
    hole = replace(
        true, camera_from_object=np.where(np.arange(FRAMES)[:, None, None] == 4, np.nan, true.camera_from_object)
    )
    found = register_missing(hole, seen, seed=0)
    np.testing.assert_allclose(found.camera_from_object[4], true.camera_from_object[4], atol=1e-5)
    np.testing.assert_array_equal(found.camera_from_object[5], true.camera_from_object[5])
    few = seen.kept((seen.frame != 4) | (seen.track < 7))
    assert not register_missing(hole, few, seed=0).registered[4]


def test_points_of_other_tracks_leave_the_poses_alone() -> None:
    true, seen = tracked(turning_poses(), solid(20))
    placed = refined_points(replace(true, points=np.zeros((3, 3))), seen)
    np.testing.assert_array_equal(placed.camera_from_object, true.camera_from_object)
    np.testing.assert_allclose(placed.points, true.points, atol=1e-6)


def test_an_inlier_is_near_in_pixels_and_in_its_own_standard_deviations() -> None:
    true, seen = tracked(turning_poses(), solid(4))  # the standard deviation is 0.05 px: 5 of them are 0.25 px
    off = np.array([0.2, 0.3, 1.9, 2.1])[seen.track]
    moved = replace(seen, xy=seen.xy + off[:, None] * [1.0, 0.0])
    assert inliers(true, moved).reshape(4, -1).all(1).tolist() == [True, False, False, False]
    coarse = replace(moved, covariance=100 * seen.covariance)  # 0.5 px: 5 of them are 2.5 px, which 2 px cut off
    assert inliers(true, coarse).reshape(4, -1).all(1).tolist() == [True, True, True, False]


def test_points_leave_that_most_of_their_observations_contradict() -> None:
    true, seen = tracked(turning_poses(), solid(3))
    wrong = (seen.track == 1) & (seen.frame % 2 == 0) | (seen.track == 2) & (seen.frame < 3)
    moved = replace(seen, xy=np.where(wrong[:, None], seen.xy + 9.0, seen.xy))
    assert without_outliers(true, moved).has_point.tolist() == [True, False, True]
