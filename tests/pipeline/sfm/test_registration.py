"""Frames that tracks do not reach are registered where the object's points are found, and left alone where they are not."""

import numpy as np
import pytest
import torch

from pipeline.cameras import (
    Intrinsics,
    directions_at_unit_depth,
    inverse,
    pixel_centres,
    project,
    rigid,
    rotation_angle_deg,
    transform,
)
from pipeline.sfm.bundle_adjustment import rotation_exp
from pipeline.sfm.guided_matching import ObjectImages
from pipeline.sfm.motion_prior import World
from pipeline.sfm.registration import Growth, extended, joined, next_frame, silhouette_agreement
from pipeline.sfm.rigid_model import Observations, RigidModel, equal_errors

SIZE, FRAMES, KNOWN = 96, 14, 9
CAMERA = Intrinsics.centred(110.0, SIZE, SIZE)
STILL = World(np.tile(np.eye(4), (FRAMES, 1, 1)), 4.0)
RADIUS = 0.6


def ball_poses() -> np.ndarray:
    """camera_from_object of a ball that turns and drifts, unevenly in its last frames."""
    steps = np.linspace(-0.4, 0.4, FRAMES)
    steps[KNOWN:] += 0.01 * np.array([1, -1, 1, 1, -1])[: FRAMES - KNOWN]
    turn = rotation_exp(steps[:, None] * np.array([0.2, 1.0, 0.1]))
    return rigid(turn, np.stack([0.3 * steps, 0.1 * steps, 2.5 + 0.1 * steps], axis=1))


def ball_image(pose: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What a camera sees of a ball with waves all over it, and which pixels show it."""
    rays = directions_at_unit_depth(CAMERA, pixel_centres(SIZE, SIZE))
    back = inverse(pose)
    towards, origin = rays @ back[:3, :3].T, back[:3, 3]
    a, b, c = (towards**2).sum(-1), towards @ origin, origin @ origin - RADIUS**2
    inside = b**2 - a * c > 0
    hit = origin + towards * ((-b - np.sqrt(np.maximum(b**2 - a * c, 0))) / a)[..., None]
    x, y, z = np.moveaxis(13 * hit, -1, 0)
    waves = [120 + 60 * np.sin(x + k) * np.cos(0.8 * y - k) + 40 * np.sin(0.7 * z - 1.1 * y + k) for k in range(3)]
    return np.where(inside, np.stack(waves), 90.0).astype(np.float32), inside


def ball_images(shown: dict[int, int] | None = None, garbage: tuple[int, ...] = ()) -> tuple[ObjectImages, np.ndarray]:
    """The ball in all frames, with masks; of some frames only so many of its columns are seen, or noise in its place."""
    random, images, masks = np.random.default_rng(3), [], []
    for frame, pose in enumerate(ball_poses()):
        image, inside = ball_image(pose)
        ids = inside.astype(np.uint8)
        if frame in garbage:
            image = np.where(inside, random.uniform(0, 255, image.shape), image).astype(np.float32)
        if shown and frame in shown:
            ids[:, int(np.flatnonzero(inside.any(axis=0))[shown[frame]]) :] = 2
        images.append(torch.from_numpy(image))
        masks.append(torch.from_numpy(ids))
    return ObjectImages(lambda f: images[f], lambda f: masks[f], 1, 4), np.stack([m.numpy() == 1 for m in masks])


def known_part() -> tuple[RigidModel, Observations]:
    """The exact model of the first frames, with the tracks of points that face the camera in these."""
    random = np.random.default_rng(4)
    points = random.standard_normal((800, 3))
    points *= RADIUS / np.linalg.norm(points, axis=1, keepdims=True)
    poses = ball_poses()
    centres = inverse(poses)[:, :3, 3]
    faces = np.array(
        [((centre - points) * points).sum(1) > 0.45 * RADIUS * np.linalg.norm(centre) for centre in centres]
    )
    points = points[faces[:KNOWN].all(axis=0)]
    frame, track = np.divmod(np.arange(KNOWN * len(points)), len(points))
    order = np.lexsort((frame, track))
    track, frame = track[order], frame[order]
    xy = project(CAMERA, transform(poses[frame], points[track]))
    seen = Observations(track, frame, xy, equal_errors(np.full(len(track), 0.1)), len(points), FRAMES)
    poses[KNOWN:] = np.nan
    return RigidModel(poses, points, CAMERA, "true"), seen


def turn_errors_deg(model: RigidModel, frames: list[int]) -> np.ndarray:
    truth = ball_poses()[frames]
    return rotation_angle_deg(model.camera_from_object[frames, :3, :3] @ np.swapaxes(truth[:, :3, :3], 1, 2))


@pytest.mark.parametrize("shown", [None, {10: 26, 11: 22, 12: 26}])
def test_frames_without_tracks_are_registered_even_where_the_object_is_half_hidden(
    shown: dict[int, int] | None,
) -> None:
    images, masks = ball_images(shown)
    grown = extended(*known_part(), images, STILL, masks.any(axis=(1, 2)))
    assert grown.model.registered.all()
    assert turn_errors_deg(grown.model, list(range(KNOWN, FRAMES))).max() < 0.8
    assert (grown.seen.per_frame[KNOWN:] >= 8).all()


def test_five_points_confirm_a_pose_that_the_motion_on_both_sides_tells() -> None:
    images, masks = ball_images({10: 6})
    grown = extended(*known_part(), images, STILL, masks.any(axis=(1, 2)))
    assert grown.model.registered.all() and 4 <= grown.seen.per_frame[10] < 8
    assert turn_errors_deg(grown.model, [10]).max() < 1.0


@pytest.mark.parametrize(("off_px", "registered"), [(0.0, True), (30.0, False)])
def test_tracks_of_known_points_register_a_frame_whatever_its_patches_look_like(
    off_px: float, registered: bool
) -> None:
    model, seen = known_part()
    images, masks = ball_images(garbage=(9, 10, 11, 12, 13))
    xy = project(CAMERA, transform(ball_poses()[9], model.points))
    xy += off_px * np.random.default_rng(1).uniform(-1, 1, xy.shape)
    added = (np.arange(len(xy)), np.full(len(xy), 9), xy, equal_errors(np.full(len(xy), 0.1)))
    grown = extended(model, joined(seen, added), images, STILL, masks.any(axis=(1, 2)))
    assert grown.model.registered[9] == registered and not grown.model.registered[10:].any()
    assert not registered or turn_errors_deg(grown.model, [9]).max() < 0.3


def test_garbage_in_the_mask_gives_no_pose() -> None:
    images, masks = ball_images(garbage=(10, 11, 12, 13))
    grown = extended(*known_part(), images, STILL, masks.any(axis=(1, 2)))
    assert grown.model.registered[:10].all() and not grown.model.registered[10:].any()


def test_frames_that_show_nothing_are_not_tried() -> None:
    model, seen = known_part()
    images, _ = ball_images()
    grown = extended(model, seen, images, STILL, model.registered)
    assert isinstance(grown, Growth) and grown.model is model and grown.seen is seen


def test_the_next_frame_is_beside_a_known_one_and_not_tried_twice_from_there() -> None:
    model, _ = known_part()
    visible, given_up = np.ones(FRAMES, bool), np.full(FRAMES, np.inf)
    assert next_frame(model, visible, given_up) == KNOWN
    given_up[KNOWN] = 1
    assert next_frame(model, visible, given_up) == KNOWN + 1
    given_up[:] = 1
    assert next_frame(model, visible, given_up) is None


def test_a_hull_lies_best_on_its_object_and_may_be_hidden_but_not_on_background() -> None:
    ids = np.zeros((40, 40), np.uint8)
    ids[10:20, 10:20], ids[10:20, 20:30] = 1, 2
    hull = np.array([[9.0, 9], [20, 9], [20, 20], [9, 20]])
    at_home, behind, beside = silhouette_agreement(hull, np.array([[0.0, 0], [5, 0], [-5, 0]]), ids, 1)
    assert at_home > behind > beside
