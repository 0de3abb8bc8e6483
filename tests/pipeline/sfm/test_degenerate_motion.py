"""Where structure from motion has nothing to go on, poses follow from directions, from masks, or from nothing."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.cameras import directions_at_unit_depth, rotation_angle_deg
from pipeline.sfm.bundle_adjustment import Freedom, rotation_exp
from pipeline.sfm.degenerate_motion import (
    GRID,
    camera_is_static,
    chained_similarities,
    fronto_parallel_object,
    imagined_observations,
    mask_places,
    points_on_plane,
    rotating_camera,
    rotation_between,
    similarity_step,
    static_camera,
)
from pipeline.sfm.rigid_model import reprojection_errors_px
from tests.pipeline.tracked_body import CAMERA, FRAMES, orbit, room, tracked

TURN = rotation_exp(np.array([0.1, -0.2, 0.05]))


def directions(count: int) -> np.ndarray:
    rays = directions_at_unit_depth(CAMERA, np.random.default_rng(0).uniform(0, 190, (count, 2)))
    return rays / np.linalg.norm(rays, axis=1, keepdims=True)


def test_the_rotation_of_most_directions_is_found_against_the_others() -> None:
    before = directions(50)
    after = before @ TURN.T
    np.testing.assert_allclose(rotation_between(before, after), TURN, atol=1e-6)
    after[:12] = before[:12] @ rotation_exp(np.array([0.0, 0.4, 0.0])).T  # something else that moves
    assert rotation_angle_deg((rotation_between(before, after) @ TURN.T)[None])[0] < 0.1


def test_two_directions_give_no_rotation() -> None:
    np.testing.assert_array_equal(rotation_between(directions(2), directions(2) @ TURN.T), np.eye(3))


def test_a_camera_is_static_while_most_points_stay_within_their_errors() -> None:
    _, still = tracked(np.tile(np.eye(4), (FRAMES, 1, 1)), room(40), noise=0.1)
    assert camera_is_static(still)
    walking = replace(still, xy=still.xy + np.where(still.track < 12, still.frame, 0)[:, None])
    assert camera_is_static(walking)  # 30 % lie on something that moves
    assert not camera_is_static(replace(still, xy=still.xy + 0.2 * still.frame[:, None]))
    assert not camera_is_static(still.of_tracks(np.zeros(40, bool)))


def test_a_static_camera_shows_every_point_where_it_was_first_seen() -> None:
    _, seen = tracked(np.tile(np.eye(4), (FRAMES, 1, 1)), room(20))
    model = static_camera(seen, CAMERA)
    np.testing.assert_allclose(model.points[:, 2], 1.0)
    np.testing.assert_allclose(reprojection_errors_px(model, seen), 0, atol=1e-9)


def test_a_rotating_camera_keeps_its_place_and_turns_as_it_did() -> None:
    poses = orbit(turn=0.4, shift=0.0)
    _, seen = tracked(poses, room(60), length=8)
    found = rotating_camera(seen, CAMERA, Freedom()).model
    np.testing.assert_allclose(found.object_from_camera[:, :3, 3], 0, atol=1e-12)
    relative = found.camera_from_object[:, :3, :3] @ found.camera_from_object[0, :3, :3].T
    np.testing.assert_allclose(relative, poses[:, :3, :3] @ poses[0, :3, :3].T, atol=1e-4)


def test_imagined_observations_stand_still_on_pixel_centres() -> None:
    seen = imagined_observations(3, CAMERA)
    assert (seen.track_count, len(seen.track)) == (GRID**2, 3 * GRID**2)
    np.testing.assert_array_equal(seen.xy % 1, 0.5)
    np.testing.assert_array_equal(seen.xy.reshape(-1, 3, 2)[:, 0], seen.xy.reshape(-1, 3, 2)[:, 2])


def test_growth_and_turn_between_two_frames_are_found_against_outliers() -> None:
    before = np.random.default_rng(0).normal(size=(40, 2)) * 20
    cosine, sine = np.cos(0.1), np.sin(0.1)
    after = 1.2 * before @ np.array([[cosine, sine], [-sine, cosine]]) + [5.0, -3.0]
    growth, angle = similarity_step(before, after)
    assert growth == pytest.approx(np.log(1.2), abs=5e-3) and angle == pytest.approx(0.1, abs=5e-3)
    after[:3] += 40.0
    after[3:6] -= 40.0
    growth, angle = similarity_step(before, after)
    assert growth == pytest.approx(np.log(1.2), abs=0.05) and angle == pytest.approx(0.1, abs=0.05)


def square(left: int, top: int, side: int) -> np.ndarray:
    mask = np.zeros((CAMERA.height, CAMERA.width), bool)
    mask[top : top + side, left : left + side] = True
    return mask


def test_a_mask_has_its_centre_and_the_root_of_its_area() -> None:
    centres, sizes = mask_places(np.stack([square(10, 20, 8), np.zeros((CAMERA.height, CAMERA.width), bool)]))
    np.testing.assert_allclose(centres, [[14.0, 24.0], [128.0, 96.0]])
    assert sizes[0] == 8.0 and np.isnan(sizes[1])


def test_without_tracks_size_follows_the_mask_in_bounded_steps() -> None:
    _, seen = tracked(orbit(3), room(5))
    angle, factor = chained_similarities(seen.of_tracks(np.zeros(5, bool)), np.array([10.0, 12.0, 40.0]))
    np.testing.assert_allclose(factor, [1.0, 1.2, 1.2 * np.exp(0.3)])
    np.testing.assert_array_equal(angle, 0)


def test_an_object_twice_as_large_is_half_as_far_and_on_the_ray_of_its_centre() -> None:
    _, seen = tracked(orbit(3), room(5))
    masks = np.stack([square(100, 80, 20), square(118, 86, 20), square(118, 86, 24)])
    model, kept = fronto_parallel_object(seen.of_tracks(np.zeros(5, bool)), masks, CAMERA)
    depth = model.camera_from_object[:, 2, 3]
    np.testing.assert_allclose(depth / depth[2], [1.2, 1.2, 1.0])
    np.testing.assert_allclose(model.camera_from_object[1, :2, 3], 0, atol=1e-9)  # its centre is the principal point
    assert (model.method, kept.track_count) == ("fronto_parallel", 9)
    np.testing.assert_allclose(model.points[:, 2], 0, atol=1e-12)


def test_points_lie_where_their_rays_meet_the_plane() -> None:
    points = np.random.default_rng(1).uniform(-1, 1, (10, 3)) * [1, 1, 0]
    poses = orbit(turn=0.2)
    poses[:, 2, 3] += 4.0
    model, seen = tracked(poses, points)
    found = points_on_plane(replace(model, points=np.full_like(points, np.nan)), seen)
    np.testing.assert_allclose(found.points, points, atol=1e-9)
