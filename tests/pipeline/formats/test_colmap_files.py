"""COLMAP's files are whole, or an error says so: after writing, and before COLMAP reads them."""

from pathlib import Path

import numpy as np
import pycolmap
import pytest

from pipeline.formats.colmap_files import broken_file, parameter_count, save_model, save_points
from pipeline.runtime.errors import StageError
from pipeline.sfm.colmap import read_model
from tests.full_disk import files_up_to

FRAMES, POINTS = 3, 4
# 8 bytes of a count, then: id, model, size and 4 parameters; id, pose, camera, "0.png\0", a count and the points.
SIZES = {
    "cameras.bin": 8 + (4 + 4 + 16 + 4 * 8),
    "images.bin": 8 + FRAMES * (4 + 56 + 4 + 6 + 8 + POINTS * 24),
    "points3D.bin": 8 + POINTS * (8 + 24 + 3 + 8 + 8 + FRAMES * 8),
}


@pytest.fixture
def model() -> pycolmap.Reconstruction:
    rng, made = np.random.default_rng(0), pycolmap.Reconstruction()
    made.add_camera_with_trivial_rig(
        pycolmap.Camera(model="PINHOLE", width=9, height=7, params=[5, 5, 4, 3], camera_id=1)
    )
    for n in range(FRAMES):
        made.add_image_with_trivial_frame(
            pycolmap.Image(f"{n}.png", rng.random((POINTS, 2)), 1, n + 1), pycolmap.Rigid3d()
        )
    for k in range(POINTS):
        track = pycolmap.Track([pycolmap.TrackElement(n + 1, k) for n in range(FRAMES)])
        made.add_point3D(rng.random(3), track, np.zeros(3, np.uint8))
    return made


def test_a_whole_model_has_the_sizes_that_its_counts_say(tmp_path: Path, model: pycolmap.Reconstruction) -> None:
    save_model(tmp_path / "1", model)
    assert {name: (tmp_path / "1" / name).stat().st_size for name in SIZES} == SIZES
    assert broken_file(tmp_path / "1") is None and read_model(tmp_path / "1").num_points3D() == POINTS


def test_a_cut_is_seen_before_colmap_reads(tmp_path: Path, model: pycolmap.Reconstruction) -> None:
    save_model(tmp_path, model)
    for path in sorted(tmp_path.iterdir()):
        whole = path.read_bytes()
        for size in range(0, len(whole), 7):
            path.write_bytes(whole[:size])
            assert broken_file(tmp_path) == path
        path.write_bytes(whole + b"\0")
        assert broken_file(tmp_path) == path
        path.write_bytes(b"\xff" * len(whole))  # counts for which no machine has memory
        with pytest.raises(StageError, match=f"{path.name} is cut or damaged"):
            read_model(tmp_path)
        path.write_bytes(whole)


@pytest.mark.parametrize("limit", [0, 40, 200, 300])
def test_a_full_disk_ends_in_what_the_disk_says(tmp_path: Path, model: pycolmap.Reconstruction, limit: int) -> None:
    with pytest.raises(OSError, match="too large"), files_up_to(limit):
        save_model(tmp_path / "1", model)
    assert not (tmp_path / "1" / "space").exists()


def test_points_on_a_full_disk_end_in_what_the_disk_says(tmp_path: Path, model: pycolmap.Reconstruction) -> None:
    save_points(tmp_path / "whole.ply", model)
    size = (tmp_path / "whole.ply").stat().st_size
    for limit in (0, 20, size - 1):
        with pytest.raises(OSError, match="too large"), files_up_to(limit):
            save_points(tmp_path / "cut.ply", model)


def test_every_camera_model_has_its_parameters() -> None:
    assert [parameter_count(kind) for kind in range(5)] == [3, 4, 4, 5, 8]  # SIMPLE_PINHOLE to OPENCV
