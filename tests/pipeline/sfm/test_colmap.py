"""COLMAP's files and mappers in our conventions."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.cameras import Intrinsics, rotation_angle_deg
from pipeline.runtime.errors import StageError
from pipeline.sfm.colmap import (
    colmap_camera,
    intrinsics_of,
    map_globally,
    map_incrementally,
    read_model,
    read_tracked_model,
    verified_pairs,
    write_model,
)
from tests.full_disk import files_up_to
from tests.pipeline.tracked_body import CAMERA, FRAMES, pose_errors, solid, tracked, turning_poses


def test_a_model_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    true, seen = tracked(turning_poses(), solid(30), length=6)
    gap = replace(
        true, camera_from_object=np.where(np.arange(FRAMES)[:, None, None] == 3, np.nan, true.camera_from_object)
    )
    write_model(tmp_path / "1", gap, seen)
    model, observed = read_tracked_model(tmp_path / "1", FRAMES)
    np.testing.assert_allclose(model.camera_from_object, gap.camera_from_object, atol=1e-12)
    np.testing.assert_allclose(model.points, true.points, atol=1e-12)
    np.testing.assert_allclose(observed.xy, seen.xy[seen.frame != 3], atol=1e-9)


def test_intrinsics_survive_and_a_free_camera_has_one_focal_length() -> None:
    camera = Intrinsics(300.0, 280.0, 130.0, 90.0, 256, 192)
    assert intrinsics_of(colmap_camera(camera, True)) == camera
    assert intrinsics_of(colmap_camera(camera, False)) == Intrinsics(300.0, 300.0, 130.0, 90.0, 256, 192)


def test_a_point_projects_in_colmap_where_it_does_here() -> None:
    true, seen = tracked(turning_poses(), solid(3))
    place = (true.camera_from_object[2, :3, :3] @ true.points[1]) + true.camera_from_object[2, :3, 3]
    ours = seen.xy[(seen.frame == 2) & (seen.track == 1)][0]
    np.testing.assert_allclose(colmap_camera(CAMERA, True).img_from_cam(place), ours, atol=1e-9)


def test_verified_pairs_have_the_relative_rotation_of_their_frames() -> None:
    true, seen = tracked(turning_poses(), solid(60))
    pairs = verified_pairs(seen, CAMERA, seed=0)
    assert {pair.second - pair.first for pair in pairs} == {1, 2, 3, 4, 6, 8, 11}
    wide = next(pair for pair in pairs if (pair.first, pair.second) == (0, 8))
    relative = wide.geometry.cam2_from_cam1.matrix()[:, :3]
    wanted = true.camera_from_object[8, :3, :3] @ true.camera_from_object[0, :3, :3].T
    assert rotation_angle_deg((relative @ wanted.T)[None])[0] < 0.5
    assert not verified_pairs(seen.kept(seen.track < 11), CAMERA, seed=0)


@pytest.mark.parametrize("mapper", [map_globally, map_incrementally])
def test_mappers_find_the_poses(mapper) -> None:  # type: ignore[no-untyped-def]
    poses = turning_poses()
    _, seen = tracked(poses, solid(60), noise=0.05)
    (model,) = mapper(seen, CAMERA, verified_pairs(seen, CAMERA, 0), True, 0)
    assert model.registered.all() and not model.has_point.any()
    assert pose_errors(model, poses)[0] < 0.5


def test_a_folder_without_a_model_says_what_is_needed(tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"is not a COLMAP model .* needs cameras, images and points3D"):
        read_model(tmp_path)


def test_a_full_disk_of_temporary_files_is_no_mapper_that_gave_up() -> None:
    _, seen = tracked(turning_poses(), solid(40), length=6)
    with pytest.raises(OSError, match="too large"), files_up_to(20_000):
        map_incrementally(seen, CAMERA, [], True, 0)
