"""Tracks stay on their points and on their objects, and say how sure they are."""

import logging
from pathlib import Path

import numpy as np
import pytest

from pipeline.config import TrackPointsConfig
from pipeline.formats.flow_file import FlowPair, write_flow
from pipeline.formats.frames_folder import frame_name, write_image
from pipeline.formats.masks_file import write_masks
from pipeline.formats.tracks_file import Tracks, read_tracks
from pipeline.runtime.errors import StageError
from pipeline.track_points import track_points
from pipeline.truth.correspondences import reproject, surface_points
from tests.synthetic import SyntheticScene, synthetic_truth, write_synthetic_scene

CONFIG = TrackPointsConfig(patch_radius_px=3, mask_margin_px=1, spacing_px=4)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> SyntheticScene:
    return write_synthetic_scene(tmp_path_factory.mktemp("tracks"))


@pytest.fixture(scope="module")
def tracks(scene: SyntheticScene, tmp_path_factory: pytest.TempPathFactory) -> Tracks:
    path = tmp_path_factory.mktemp("found") / "tracks.h5"
    track_points(scene.frames, scene.flow, scene.masks, path, CONFIG)
    return read_tracks(path)


def test_tracks_follow_the_true_points(tracks: Tracks) -> None:
    truth = synthetic_truth()
    first = np.flatnonzero(np.diff(tracks.observation_track, prepend=-1))
    born = tracks.observation_frame[first]
    clouds = [surface_points(truth, truth.train, frame) for frame in range(len(truth.train.images))]
    columns, rows = tracks.observation_xy[first].astype(int).T
    points = np.stack([clouds[f][r, c] for f, r, c in zip(born, rows, columns, strict=True)])
    for object_id in range(3):
        errors = []
        for frame in range(len(clouds)):
            here = tracks.observation_frame == frame
            here &= (tracks.object_ids == object_id)[tracks.observation_track]
            own = tracks.observation_track[here]
            landed = reproject(truth, points[own], tracks.object_ids[own], frame).xy
            errors.append(np.linalg.norm(tracks.observation_xy[here] - landed, axis=1))
        assert np.median(np.concatenate(errors)) < 0.3
        assert (tracks.object_ids == object_id).sum() > 15


def test_tracks_never_leave_their_object(tracks: Tracks) -> None:
    truth = synthetic_truth()
    columns, rows = np.floor(tracks.observation_xy).astype(int).T
    seen = truth.train.object_ids[tracks.observation_frame, rows, columns]
    np.testing.assert_array_equal(seen, tracks.object_ids[tracks.observation_track])


def test_every_observation_has_an_uncertainty(tracks: Tracks) -> None:
    assert np.isfinite(tracks.covariance).all()
    assert (np.linalg.eigvalsh(tracks.covariance) > 0).all()
    assert (np.trace(tracks.covariance, axis1=1, axis2=2) / 2 < CONFIG.max_sigma_px**2).all()


def test_two_runs_give_the_same_file(scene: SyntheticScene, tracks: Tracks, tmp_path: Path) -> None:
    track_points(scene.frames, scene.flow, scene.masks, tmp_path / "again.h5", CONFIG)
    again = read_tracks(tmp_path / "again.h5")
    np.testing.assert_array_equal(tracks.observation_xy, again.observation_xy)
    np.testing.assert_array_equal(tracks.observation_covariance, again.observation_covariance)


def test_masks_of_another_length_are_refused(scene: SyntheticScene, tmp_path: Path) -> None:
    write_masks(tmp_path / "masks.h5", np.zeros((4, 48, 64), np.uint8), {})
    with pytest.raises(StageError, match=r"4 frames.*segment_objects"):
        track_points(scene.frames, scene.flow, tmp_path / "masks.h5", tmp_path / "tracks.h5", CONFIG)


def test_a_grey_video_warns_that_nothing_can_be_followed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for index in range(4):
        write_image(tmp_path / "frames" / frame_name(index), np.full((48, 64, 3), 120, np.uint8))
    still = np.zeros((48, 64, 2), np.float32)
    sure = np.ones((48, 64), bool)
    write_flow(tmp_path / "flow.h5", (FlowPair(still, still, sure, sure) for _ in range(3)), 3, (48, 64), {})
    write_masks(tmp_path / "masks.h5", np.zeros((4, 48, 64), np.uint8), {})
    with caplog.at_level(logging.WARNING):
        track_points(tmp_path / "frames", tmp_path / "flow.h5", tmp_path / "masks.h5", tmp_path / "tracks.h5", CONFIG)
    assert "no point could be followed" in caplog.text
    assert len(read_tracks(tmp_path / "tracks.h5").object_ids) == 0
