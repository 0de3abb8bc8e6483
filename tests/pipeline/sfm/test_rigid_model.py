"""Observations keep their order and numbers, points lie where their rays meet."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.cameras import Intrinsics, rigid
from pipeline.formats.tracks_file import Tracks
from pipeline.sfm.rigid_model import (
    FAR_IN_MEDIANS,
    Observations,
    RigidModel,
    equal_errors,
    object_observations,
    reprojection_errors_px,
    triangulate,
    triangulation_angles_deg,
    usable,
)
from tests.pipeline.tracked_body import solid, tracked, turning_poses

CAMERA = Intrinsics.centred(100.0, 80, 120)


def two_views(points: np.ndarray) -> tuple[RigidModel, Observations]:
    """Cameras at x = 0 and x = 1 that look along z."""
    poses = rigid(np.tile(np.eye(3), (2, 1, 1)), np.array([[0.0, 0.0, 0.0], [-1.0, 0.0, 0.0]]))
    track, frame = np.repeat(np.arange(len(points)), 2), np.tile([0, 1], len(points))
    place = points[track] + poses[frame, :3, 3]
    xy = 100 * place[:, :2] / place[:, 2:] + [60.0, 40.0]
    seen = Observations(track, frame, xy, equal_errors(np.ones(len(track))), len(points), 2)
    return RigidModel(poses, points, CAMERA, "true"), seen


def test_a_point_lies_where_its_rays_meet() -> None:
    model, seen = two_views(np.array([[0.5, 0.2, 2.0], [-1.0, 0.3, 5.0]]))
    found = triangulate(replace(model, points=np.zeros((2, 3))), seen)
    np.testing.assert_allclose(found.points, model.points, atol=1e-6)


def test_a_point_seen_once_is_not_placed() -> None:
    model, seen = two_views(np.array([[0.5, 0.2, 2.0], [-1.0, 0.3, 5.0]]))
    found = triangulate(model, seen.kept((seen.track == 0) | (seen.frame == 0)))
    assert found.has_point.tolist() == [True, False]


def test_a_point_of_diverging_rays_is_sent_far_before_the_camera() -> None:
    model, seen = two_views(np.array([[0.5, 0.2, 2.0], [0.5, 0.0, 4.0]]))
    diverging = replace(
        seen, xy=seen.xy + np.where((seen.track == 1) & (seen.frame == 1), 60.0, 0.0)[:, None] * [1.0, 0.0]
    )
    found = triangulate(model, diverging)
    assert np.linalg.norm(found.points[1]) == pytest.approx(FAR_IN_MEDIANS * 2.0, rel=0.01)
    assert found.points[1, 2] > 0


def test_errors_are_distances_in_the_image_and_infinite_behind_the_camera() -> None:
    model, seen = two_views(np.array([[0.5, 0.2, 2.0], [0.5, 0.0, 4.0]]))
    moved = replace(seen, xy=seen.xy + np.array([3.0, 4.0]))
    np.testing.assert_allclose(reprojection_errors_px(model, moved), 5.0)
    behind = replace(model, points=model.points * [1.0, 1.0, -1.0])
    assert np.isinf(reprojection_errors_px(behind, seen)).all()
    lost = replace(
        model, camera_from_object=np.where(np.array([True, False])[:, None, None], model.camera_from_object, np.nan)
    )
    assert usable(lost, seen).tolist() == [True, False, True, False]
    assert np.isnan(reprojection_errors_px(lost, seen)[1::2]).all()


def test_the_angle_is_between_the_rays_that_see_the_point() -> None:
    model, seen = two_views(np.array([[0.5, 0.0, 0.5], [0.5, 0.0, 0.5 / np.tan(np.radians(15))]]))
    np.testing.assert_allclose(triangulation_angles_deg(model, seen), [90.0, 30.0])


def test_some_tracks_are_numbered_anew_and_some_observations_are_not() -> None:
    _, seen = tracked(turning_poses(), solid(4), length=5)
    part = seen.of_tracks(np.array([False, True, False, True]))
    assert part.track_count == 2 and part.track.tolist() == [0] * 5 + [1] * 5
    np.testing.assert_array_equal(part.xy[:5], seen.xy[5:10])
    assert np.unique(seen.kept(seen.track == 3).track).tolist() == [3]
    assert seen.lengths.tolist() == [5, 5, 5, 5] and seen.per_frame.sum() == 20


def test_whitened_errors_have_unit_covariance() -> None:
    covariance = np.array([[[4.0, 1.0], [1.0, 2.0]]])
    seen = Observations(np.array([0]), np.array([0]), np.zeros((1, 2)), covariance, 1, 1)
    white = seen.whitening[0]
    np.testing.assert_allclose(white @ covariance[0] @ white.T, np.eye(2), atol=1e-12)
    assert seen.sigma_px[0] == pytest.approx(np.sqrt(3.0))
    np.testing.assert_array_equal(equal_errors(np.array([2.0]))[0], 4 * np.eye(2))


def test_an_object_takes_its_own_tracks() -> None:
    tracks = Tracks(
        object_ids=np.array([0, 2, 0], np.uint8),
        observation_track=np.array([0, 1, 1, 2, 2]),
        observation_frame=np.array([0, 0, 1, 1, 2]),
        observation_xy=np.arange(10, dtype=np.float32).reshape(5, 2),
        observation_covariance=np.tile(np.array([4, 1, 2], np.float32), (5, 1)),
    )
    seen = object_observations(tracks, 0, 3)
    assert (seen.track.tolist(), seen.frame.tolist(), seen.track_count) == ([0, 1, 1], [0, 1, 2], 2)
    np.testing.assert_array_equal(seen.xy, [[0, 1], [6, 7], [8, 9]])
    np.testing.assert_array_equal(seen.covariance[0], [[4, 1], [1, 2]])
