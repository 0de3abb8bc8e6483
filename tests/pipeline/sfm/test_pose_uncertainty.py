"""The standard deviation of poses is about as large as their errors, and a rival is a shape that the tracks do not rule out."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.sfm.bundle_adjustment import Adjustment, Freedom, adjust, gradients_of_groups
from pipeline.sfm.mapping import Candidate, mirrored
from pipeline.sfm.pose_uncertainty import (
    UNKNOWN,
    Rival,
    depth_difference,
    pose_difference,
    pose_std,
    strongest_rival,
    vuong_statistic,
)
from pipeline.sfm.rigid_model import Observations, RigidModel, triangulate
from tests.pipeline.tracked_body import CAMERA, orbit, pose_errors, room, solid, tracked, turning_poses


def test_the_advantage_is_the_mean_over_its_standard_error() -> None:
    assert vuong_statistic(np.array([1.0, 3.0])) == pytest.approx(4 / np.sqrt(2))
    assert vuong_statistic(np.array([-1.0, 1.0])) == 0.0


def test_gradients_of_groups_add_up_to_nothing_at_the_minimum() -> None:
    true, seen = tracked(turning_poses(), solid(60), noise=0.2)
    found = adjust(triangulate(true, seen), seen, Freedom(), iterations=100, tolerance=1e-13)
    gradients = gradients_of_groups(found.model, seen, np.arange(seen.track_count), seen.track_count)
    assert np.abs(gradients.sum(0)).max() < 1e-2 * np.abs(gradients).sum(0).max()


def test_a_small_far_object_has_its_mirror_image_as_a_rival() -> None:
    poses = turning_poses(turn=0.35, distance=40.0)
    true, seen = tracked(poses, solid(60), noise=0.3)
    shapes = [adjust(triangulate(start, seen), seen, Freedom()) for start in (true, mirrored(true))]
    rival = strongest_rival([Candidate(shape, shape.cost) for shape in shapes], seen)
    assert rival is not None and rival.rotation_deg > 3


def test_a_near_object_has_no_rival() -> None:
    true, seen = tracked(turning_poses(distance=3.0), solid(60), noise=0.1)
    shapes = [adjust(triangulate(start, seen), seen, Freedom()) for start in (true, mirrored(true))]
    assert strongest_rival([Candidate(shape, shape.cost) for shape in shapes], seen) is None


@pytest.mark.parametrize("noise", [0.1, 0.4])
def test_the_standard_deviation_is_of_the_size_of_the_error(noise: float) -> None:
    true, seen = tracked(turning_poses(16), solid(200), noise=noise, length=8)
    errors, deviations = [], []
    for seed in range(4):
        _, seen = tracked(turning_poses(16), solid(200, seed), noise=noise, length=8, seed=seed)
        part = adjust(replace(true, points=solid(200, seed)), seen, Freedom())
        deviations.append(pose_std(part, seen, part.model))
        depth = depth_difference(part.model, replace(true, points=solid(200, seed)))
        errors.append((*pose_errors(part.model, true.camera_from_object), depth))
    ratios = np.sqrt(np.mean(np.square(errors), axis=0) / np.mean(np.square(deviations), axis=0))
    assert ((ratios > 0.5) & (ratios < 1.2)).all()


def test_an_error_that_one_side_shares_is_more_than_noise() -> None:
    true, seen = tracked(turning_poses(), solid(120), noise=0.1)
    seen = replace(seen, covariance=36 * seen.covariance)  # so that nothing counts as an outlier
    side = (true.points[:, 0] > 0.4)[seen.track]
    # A steady drift would be another depth.
    shaken = replace(seen, xy=seen.xy + np.where(side, 0.6 * np.cos(2 * seen.frame), 0.0)[:, None] * [1.0, 0.0])
    models = [adjust(true, each, Freedom()) for each in (seen, shaken)]
    alone, shared = (pose_std(found, each, found.model)[0] for found, each in zip(models, (seen, shaken), strict=True))
    assert shared > 1.4 * alone


def test_an_uncertain_focal_length_and_a_rival_add_to_it() -> None:
    true, seen = tracked(orbit(9, 0.5, 2.5), room(60), noise=0.1)
    found = adjust(true, seen, Freedom())
    alone, focal = (pose_std(found, seen, found.model, focal_std) for focal_std in (0.0, 0.1))
    moved = np.array(pose_difference(found.model, at_focal(found, seen, 1.01).model))
    # Ten times the way to a focal length of one percent more; the path is measured by its root mean square, turns by their mean.
    np.testing.assert_allclose(np.sqrt(np.square(focal) - np.square(alone))[:2], 10 * moved, rtol=0.2)
    rival, depth = Rival(40.0, 30.0, true, chance=0.25), depth_difference(true, found.model)
    np.testing.assert_allclose(
        pose_std(found, seen, found.model, rival=rival), np.hypot(alone, [20.0, 15.0, depth / 2])
    )


def difference(one: RigidModel, other: RigidModel) -> tuple[float, float, float]:
    """Of orientations, paths and depths."""
    return (*pose_difference(one, other), depth_difference(one, other))


def test_depths_differ_by_what_frames_do_not_share() -> None:
    """The middle of the points is at depths 2, 2, 4 in place of 1, 1, 1: logarithms of the ratios 0.693, 0.693, 1.386."""
    points = np.array([[1.0, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0]])
    near, far = np.tile(np.eye(4), (2, 3, 1, 1))
    near[:, 2, 3], far[:, 2, 3] = 1.0, [2.0, 2.0, 4.0]
    one, other = (RigidModel(poses, points, CAMERA, "true") for poses in (near, far))
    assert depth_difference(one, other) == pytest.approx(100 * np.log(2) * 2**0.5 / 3)
    assert depth_difference(one, replace(one, camera_from_object=2 * near)) == pytest.approx(0)
    assert depth_difference(one, replace(one, camera_from_object=near * np.nan)) == 100


def at_focal(found: Adjustment, seen: Observations, factor: float) -> Adjustment:
    """A model adjusted at another focal length."""
    camera = found.model.camera
    moved = replace(camera, fx=factor * camera.fx, fy=factor * camera.fy)
    return adjust(replace(found.model, camera=moved), seen, Freedom(), iterations=100, tolerance=1e-10)


def test_a_rival_is_less_likely_the_worse_it_is_and_never_likelier_than_the_chosen_one() -> None:
    true, _ = tracked(turning_poses(), solid(4))
    other = replace(true, camera_from_object=turning_poses(turn=1.5))
    chances = [Rival.beside(true, other, statistic).chance for statistic in (-1.0, 0.0, 1.0, 2.0)]
    np.testing.assert_allclose(chances, [0.5, 0.5, 0.1587, 0.0228], atol=1e-4)  # one-sided tails of the normal


def test_two_frames_say_nothing() -> None:
    true, seen = tracked(turning_poses(2), solid(20))
    assert pose_std(adjust(true, seen, Freedom()), seen, true) == UNKNOWN


def test_poses_that_move_when_tracks_join_are_uncertain() -> None:
    true, seen = tracked(turning_poses(), solid(80), noise=0.05)
    found = adjust(true, seen, Freedom())
    other = replace(found.model, camera_from_object=turning_poses(turn=1.35))
    assert pose_std(found, seen, other)[0] > 2 * pose_difference(other, found.model)[0] - 1e-6


def test_half_the_square_of_what_two_ways_to_measure_differ_by_adds_to_it() -> None:
    true, seen = tracked(turning_poses(), solid(60), noise=0.05)
    found = adjust(true, seen, Freedom())
    alone = pose_std(found, seen, found.model)
    other = replace(found.model, camera_from_object=turning_poses(turn=1.25))
    both = pose_std(found, seen, found.model, by_tracks=other)
    np.testing.assert_allclose(both, np.hypot(alone, np.array(difference(other, found.model)) / 2**0.5))
