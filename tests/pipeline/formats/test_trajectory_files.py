"""Trajectories of other tools that name no images: which form a file has is seen, and what is no pose is named."""

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pipeline.cameras import inverse, rigid
from pipeline.formats.trajectory_files import read_trajectory
from pipeline.runtime.errors import StageError

POSES = rigid(
    Rotation.from_euler("xyz", np.linspace(0, 0.6, 15).reshape(5, 3)).as_matrix(), np.arange(15.0).reshape(5, 3)
)
TUM = [[n / 10, *pose[:3, 3], *Rotation.from_matrix(pose[:3, :3]).as_quat().tolist()] for n, pose in enumerate(POSES)]


def lines(rows: list[list[float]], between: str = " ") -> str:
    return "\n".join(between.join(map(repr, map(float, row))) for row in rows)


@pytest.mark.parametrize(
    "text",
    [
        lines(TUM),
        lines(TUM[::-1]),
        lines(TUM, ","),
        "time,tx,ty,tz,qx,qy,qz,qw\n" + lines(TUM, ", "),
        "# a comment\n\n" + lines(TUM),
        "# timestamp tx ty tz qw qx qy qz\n" + lines([[*row[:4], row[7], *row[4:7]] for row in TUM]),
        lines([pose[:3].ravel().tolist() for pose in POSES]),
    ],
    ids=["TUM", "out of order", "commas", "names", "comment", "w named first", "KITTI"],
)
def test_lines_of_numbers_are_poses(tmp_path: Path, text: str) -> None:
    (tmp_path / "t.txt").write_text(text)
    found = read_trajectory(tmp_path / "t.txt")
    assert found is not None and found.in_order
    np.testing.assert_allclose(found.world_from_camera, POSES, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("t.txt", lines([[*row[:4], 0, 0, 0, 0] for row in TUM]), "at the time 0 is 0, which is no rotation"),
        ("t.txt", lines([[0.5, *row[1:]] for row in TUM]), "two poses of the time 0.5"),
        ("t.txt", lines([row[:5] for row in TUM]), "5 lines of 5 numbers; it needs"),
        ("t.txt", "", "0 lines"),
        ("images.txt", "1 1 0 0 0 0 0 0 1 a.png", "part of a COLMAP model; give its folder"),
    ],
)
def test_what_is_no_trajectory_is_named(tmp_path: Path, name: str, text: str, words: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(StageError, match=words):
        read_trajectory(tmp_path / name)


def test_rows_of_bounds_without_numbers_have_no_pose(tmp_path: Path) -> None:
    rows = np.concatenate([POSES[:, :3, [1, 0, 2, 3]], np.tile([[[60.0], [80], [70]]], (5, 1, 1))], axis=2).reshape(
        5, 15
    )
    rows = np.concatenate([rows, np.tile([1.0, 9.0], (5, 1))], axis=1)
    rows[2] = np.nan
    np.save(tmp_path / "poses_bounds.npy", rows)
    found = read_trajectory(tmp_path / "poses_bounds.npy")
    assert found is not None and found.lens is not None and found.lens.camera.fx == 70
    assert np.isfinite(found.world_from_camera).all(axis=(1, 2)).tolist() == [True, True, False, True, True]
    rows[:, 14] = 0
    np.save(tmp_path / "poses_bounds.npy", rows)
    with pytest.raises(StageError, match="focal lengths of 0 and 0"):
        read_trajectory(tmp_path / "poses_bounds.npy")


@pytest.mark.parametrize(
    ("key", "matrices"), [("c2w", POSES), ("w2c", inverse(POSES)), ("camera_from_world", inverse(POSES))]
)
def test_arrays_are_poses_of_the_kind_that_their_name_says(tmp_path: Path, key: str, matrices: np.ndarray) -> None:
    np.savez(tmp_path / "poses.npz", **{key: matrices[:, :3]})
    found = read_trajectory(tmp_path / "poses.npz")
    assert found is not None
    np.testing.assert_allclose(found.world_from_camera, POSES, atol=1e-12)
