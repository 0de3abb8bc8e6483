"""The standard deviation of poses is about as large as their errors, and a rival is a shape that the tracks do not rule out."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.geometry.similarity_alignment import rotation_error_deg
from pipeline.sfm.bundle_adjustment import Freedom, adjust, gradients_of_groups
from pipeline.sfm.mapping import Candidate, mirrored
from pipeline.sfm.pose_uncertainty import (
    UNKNOWN,
    gauge_directions,
    inverse_outside_gauge,
    pose_difference,
    pose_std,
    strongest_rival,
    twist_from_centre,
    vuong_statistic,
)
from pipeline.sfm.rigid_model import triangulate
from tests.pipeline.tracked_body import solid, tracked, turning_poses


def test_the_advantage_is_the_mean_over_its_standard_error() -> None:
    assert vuong_statistic(np.array([1.0, 3.0])) == pytest.approx(4 / np.sqrt(2))
    assert vuong_statistic(np.array([-1.0, 1.0])) == 0.0


@pytest.mark.parametrize("noise", [0.1, 0.4])
def test_the_standard_deviation_is_of_the_size_of_the_error(noise: float) -> None:
    true, seen = tracked(turning_poses(16), solid(200), noise=noise, length=8)
    errors, deviations = [], []
    for seed in range(4):
        _, seen = tracked(turning_poses(16), solid(200, seed), noise=noise, length=8, seed=seed)
        start = replace(true, points=solid(200, seed))
        part = adjust(start, seen, Freedom())
        deviations.append(pose_std(part, seen, part.model)[0])
        errors.append(rotation_error_deg(part.model.object_from_camera, true.object_from_camera))
    ratio = np.sqrt(np.mean(np.square(errors)) / np.mean(np.square(deviations)))
    assert 0.3 < ratio < 1.2


def test_poses_that_move_when_tracks_join_are_uncertain() -> None:
    true, seen = tracked(turning_poses(), solid(80), noise=0.05)
    found = adjust(true, seen, Freedom())
    other = replace(found.model, camera_from_object=turning_poses(turn=1.35))
    assert pose_std(found, seen, other)[0] > 2 * pose_difference(other, found.model)[0] - 1e-6


def test_two_frames_say_nothing() -> None:
    true, seen = tracked(turning_poses(2), solid(20))
    assert pose_std(adjust(true, seen, Freedom()), seen, true) == UNKNOWN


def test_gradients_of_groups_add_up_to_nothing_at_the_minimum() -> None:
    true, seen = tracked(turning_poses(), solid(60), noise=0.2)
    found = adjust(triangulate(true, seen), seen, Freedom(), iterations=100, tolerance=1e-13)
    gradients = gradients_of_groups(found.model, seen, np.arange(seen.track_count), seen.track_count)
    assert np.abs(gradients.sum(0)).max() < 1e-2 * np.abs(gradients).sum(0).max()


def test_similarities_change_no_image() -> None:
    true, seen = tracked(turning_poses(), solid(60))
    found = adjust(true, seen, Freedom())
    frames = np.arange(seen.frame_count)
    gauge = twist_from_centre(found.model, frames, 1.0) @ gauge_directions(found.model, frames, 1.0)
    information = found.information[:-2, :-2]
    assert np.abs(information @ gauge).max() < 1e-5 * np.abs(information).max()


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


def test_the_covariance_is_the_inverse_outside_the_gauge_and_nothing_inside() -> None:
    turned = np.linalg.qr(np.random.default_rng(0).normal(size=(4, 4)))[0]
    information = turned @ np.diag([1.0, 4.0, 5.0, 0.5]) @ turned.T
    found = inverse_outside_gauge(information, turned[:, :1])
    np.testing.assert_allclose(found, turned @ np.diag([0.0, 0.25, 0.2, 2.0]) @ turned.T, atol=1e-9)
