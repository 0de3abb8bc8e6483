"""An object is a rigid model where its tracks say so, else a flat picture, and every doubt is named."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from pipeline.sfm import object_reconstruction
from pipeline.sfm.guided_matching import ObjectImages
from pipeline.sfm.mapping import MappingOptions, candidate_models
from pipeline.sfm.motion_prior import World
from pipeline.sfm.object_reconstruction import in_more_frames, reconstruct_object
from pipeline.sfm.registration import Growth
from pipeline.sfm.rigid_model import Observations, RigidModel
from tests.pipeline.tracked_body import CAMERA, FRAMES, masks_around, pose_errors, solid, tracked, turning_poses

OPTIONS = MappingOptions(CAMERA, True, 0, 1200, 4000)


def test_a_turning_solid_is_found_and_called_ok() -> None:
    poses = turning_poses()
    _, seen = tracked(poses, solid(150), noise=0.1, length=8)
    found = reconstruct_object(seen, masks_around(seen), OPTIONS)
    rotation, trajectory = pose_errors(found.model, poses)
    assert found.judgement.verdict == "ok", found.judgement.reason
    assert rotation < 0.5 and trajectory < 2
    assert found.model.registered.all()


def test_the_same_tracks_give_the_same_poses_bit_for_bit() -> None:
    _, seen = tracked(turning_poses(), solid(100), noise=0.2, length=7)
    masks = masks_around(seen)
    first, second = (reconstruct_object(seen, masks, OPTIONS).model for _ in range(2))
    np.testing.assert_array_equal(first.camera_from_object, second.camera_from_object)
    np.testing.assert_array_equal(first.points, second.points)


def test_a_body_that_bends_is_called_not_rigid() -> None:
    points, random = solid(120), np.random.default_rng(0)
    _, seen = tracked(turning_poses(), points, noise=0.1)
    swing = 12 * np.sin(seen.frame / 2 + 6 * points[seen.track, 0]) * random.choice([-1, 1], len(points))[seen.track]
    bent = replace(seen, xy=seen.xy + np.stack([swing, 0.7 * np.roll(swing, 3)], axis=1))
    judgement = reconstruct_object(bent, masks_around(bent), OPTIONS).judgement
    assert judgement.verdict == "weak" and ("not rigid" in judgement.reason or "no rigid model" in judgement.reason)


def test_points_of_what_bends_are_not_looked_for_where_a_rigid_model_has_them() -> None:
    def image(frame: int) -> torch.Tensor:
        raise AssertionError(f"frame {frame} was looked at")

    _, rigid_tracks = tracked(turning_poses(), solid(120), noise=0.1)
    swing = 0.4 * np.sin(rigid_tracks.frame + 7.0 * rigid_tracks.track)
    bent = replace(rigid_tracks, xy=rigid_tracks.xy + np.stack([swing, np.roll(swing, 3)], axis=1))
    images = ObjectImages(image, image, 1, 5)
    judgement = reconstruct_object(bent, masks_around(bent), OPTIONS, images).judgement
    assert judgement.verdict == "weak" and "it bends" in judgement.reason
    with pytest.raises(AssertionError, match="was looked at"):
        reconstruct_object(rigid_tracks, masks_around(rigid_tracks), OPTIONS, images)


def test_a_flat_object_is_called_planar() -> None:
    _, seen = tracked(turning_poses(distance=3.5), solid(150) * [1, 1, 0.005], noise=0.1)
    judgement = reconstruct_object(seen, masks_around(seen), OPTIONS).judgement
    assert judgement.verdict == "weak" and "planar" in judgement.reason


def test_an_object_far_away_that_hardly_turns_is_not_ok() -> None:
    _, seen = tracked(turning_poses(turn=0.15, distance=40.0), 0.8 * solid(100), noise=0.2)
    judgement = reconstruct_object(seen, masks_around(seen), OPTIONS).judgement
    assert judgement.verdict == "weak"


def test_few_points_give_a_flat_picture_and_say_so() -> None:
    poses = turning_poses()
    _, seen = tracked(poses, solid(6))
    found = reconstruct_object(seen, masks_around(seen), OPTIONS)
    assert (found.judgement.verdict, found.model.method) == ("weak", "fronto_parallel")
    assert "only 6 points" in found.judgement.reason and "flat picture" in found.judgement.reason


def test_a_speck_is_failed_with_its_size() -> None:
    _, seen = tracked(turning_poses(), solid(20))
    speck = np.zeros((FRAMES, CAMERA.height, CAMERA.width), bool)
    speck[:, 10:13, 10:13] = True
    judgement = reconstruct_object(seen, speck, OPTIONS).judgement
    assert judgement.verdict == "failed" and "9 pixels" in judgement.reason


def test_frames_without_the_object_stay_without_a_pose() -> None:
    poses = turning_poses()
    _, seen = tracked(poses, solid(120), noise=0.05)
    hidden = seen.kept((seen.frame < 8) | (seen.frame > 9))
    found = reconstruct_object(hidden, masks_around(hidden), OPTIONS)
    assert np.flatnonzero(~found.model.registered).tolist() == [8, 9]
    assert pose_errors(found.model, poses)[0] < 0.5


def test_the_stretch_with_most_observations_carries_on_into_the_other() -> None:
    poses = turning_poses()
    _, seen = tracked(poses, solid(160), noise=0.05)
    early, late = seen.kept(seen.frame < 5), seen.kept(seen.frame >= 5)
    # Tracks end at a full occlusion and are others behind it.
    others = replace(late, track=late.track + seen.track_count)
    split = replace(
        seen,
        track_count=2 * seen.track_count,
        **{
            name: np.concatenate([getattr(early, name), getattr(others, name)])
            for name in ("track", "frame", "xy", "covariance")
        },
    )
    candidates, asked = candidate_models(split, OPTIONS), []

    def stop(model: RigidModel, tracks: Observations, *_: object) -> Growth:
        asked.append(np.flatnonzero(model.registered).tolist())
        return Growth(model, tracks, tracks)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(object_reconstruction, "extended", stop)
        images = ObjectImages(lambda _: torch.zeros(3, 4, 4), lambda _: torch.zeros(4, 4, dtype=torch.uint8), 1, 5)
        world = World(np.tile(np.eye(4), (FRAMES, 1, 1)), 10.0)
        same, _ = in_more_frames(candidates, split, np.ones(FRAMES, bool), OPTIONS, images, world)
    assert same is candidates and asked == [list(range(5, FRAMES))]
