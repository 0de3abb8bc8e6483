"""Poses come in from COLMAP, nerfstudio and OSN alike, and what does not fit is refused with a way out."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.cameras import Intrinsics, inverse
from pipeline.formats.source_view import SourceShape
from pipeline.formats.transforms_file import NamedPoses, read_transforms, write_transforms
from pipeline.runtime.errors import StageError
from pipeline.sfm.colmap import write_model
from pipeline.sfm.imported_poses import lens_of_poses, read_poses
from tests.pipeline.tracked_body import CAMERA, orbit, room, tracked

FRAMES = 6
POSES = orbit(FRAMES, turn=0.6)
WORLD_FROM_CAMERA = inverse(POSES)
NAMES = [f"images/{index:06d}.png" for index in range(FRAMES)]


def info(frames: int = FRAMES, step: int = 1, total: int | None = None, factor: float = 1.0) -> dict[str, Any]:
    rows = [{"file": f"{index:06d}.png", "source_index": index * step} for index in range(frames)]
    size = {"height": round(192 * factor), "width": round(256 * factor)}
    return {"frames": rows, **size, "source": {"frames": total or frames * step}}


def opengl(matrices: np.ndarray) -> np.ndarray:
    """nerfstudio's axes, written out: y and z of the camera turned round."""
    turned = matrices.copy()
    turned[:, :, 1:3] *= -1
    return turned


def transforms(folder: Path, **changes: Any) -> Path:
    frames = [
        {"file_path": name, "transform_matrix": m.tolist()}
        for name, m in zip(NAMES, opengl(WORLD_FROM_CAMERA), strict=True)
    ]
    content = {"fl_x": 250.0, "fl_y": 250.0, "cx": 128.0, "cy": 96.0, "w": 256, "h": 192, "frames": frames, **changes}
    (folder / "transforms.json").write_text(json.dumps({k: v for k, v in content.items() if v is not None}))
    return folder / "transforms.json"


def test_nerfstudio_cameras_look_the_other_way(tmp_path: Path) -> None:
    found = read_poses(transforms(tmp_path), info())
    np.testing.assert_allclose(found.camera_from_world, POSES, atol=1e-12)
    assert found.camera == CAMERA


def test_a_folder_with_the_file_is_as_good(tmp_path: Path) -> None:
    transforms(tmp_path)
    np.testing.assert_allclose(read_poses(tmp_path, info()).camera_from_world, POSES, atol=1e-12)


def test_osn_writes_its_focal_length_by_another_name(tmp_path: Path) -> None:
    none = dict.fromkeys(("fl_x", "fl_y", "cx", "cy", "w", "h"))
    path = transforms(tmp_path, **none, focal=250.0, img_w=256, img_h=192)
    path.rename(tmp_path / "transforms_train.json")
    found = read_poses(tmp_path, info())
    assert found.camera == CAMERA
    np.testing.assert_allclose(found.camera_from_world, POSES, atol=1e-12)


def test_a_field_of_view_becomes_a_focal_length(tmp_path: Path) -> None:
    path = transforms(tmp_path, fl_x=None, fl_y=None, camera_angle_x=2 * np.arctan(128 / 250.0))
    camera = read_poses(path, info()).camera
    assert camera is not None and camera.fx == pytest.approx(250.0)


def test_osn_arrays_leave_out_the_frames_that_were_not_seen(tmp_path: Path) -> None:
    matrices = opengl(WORLD_FROM_CAMERA)
    matrices[2] = np.eye(4)
    np.save(tmp_path / "pose0.npy", matrices)
    np.save(tmp_path / "vis0.npy", np.array([1, 1, 0, 1, 1, 1]))
    found = read_poses(tmp_path, info())
    assert found.camera is None and np.isnan(found.camera_from_world[2]).all()
    np.testing.assert_allclose(np.delete(found.camera_from_world, 2, 0), np.delete(POSES, 2, 0), atol=1e-12)


def test_a_colmap_model_in_its_usual_folder_is_found(tmp_path: Path) -> None:
    model, seen = tracked(POSES, room(30))
    write_model(tmp_path / "sparse" / "0", model, seen)
    found = read_poses(tmp_path, info())
    np.testing.assert_allclose(found.camera_from_world, POSES, atol=1e-9)
    assert found.camera == CAMERA


def test_written_transforms_are_read_back_the_same(tmp_path: Path) -> None:
    poses = NamedPoses(NAMES, WORLD_FROM_CAMERA, None)
    write_transforms(tmp_path / "t.json", poses, CAMERA, [name.replace("images", "masks") for name in NAMES])
    again = read_transforms(tmp_path / "t.json")
    np.testing.assert_array_equal(again.world_from_camera, WORLD_FROM_CAMERA)
    assert again.names == NAMES and again.lens is not None and again.lens.camera == CAMERA and not again.lens.distorted


def test_intrinsics_follow_the_size_of_the_frames(tmp_path: Path) -> None:
    camera = read_poses(transforms(tmp_path), info(factor=0.5)).camera
    assert camera == Intrinsics.centred(125.0, 96, 128)


def test_frames_without_a_pose_have_none(tmp_path: Path) -> None:
    path = transforms(tmp_path)
    data = json.loads(path.read_text())
    data["frames"][3]["transform_matrix"] = None
    path.write_text(json.dumps({**data, "frames": data["frames"][1:]}))
    found = read_poses(path, info())
    assert np.isnan(found.camera_from_world[[0, 3], 0, 0]).all() and found.known == 4
    np.testing.assert_allclose(found.camera_from_world[[1, 2, 4, 5]], POSES[[1, 2, 4, 5]], atol=1e-12)


def test_a_distorted_lens_needs_undistorted_frames(tmp_path: Path) -> None:
    path = transforms(tmp_path, k1=-0.2)
    with pytest.raises(StageError, match=r"OPENCV lens that moves image points by up to \d+ px.*extract them again"):
        read_poses(path, info())
    pinhole = [240.0, 240.0, 128.0, 96.0]
    found = read_poses(path, {**info(), "camera": pinhole})
    assert found.camera is not None and found.camera.values.tolist() == pinhole
    lens = lens_of_poses(path, SourceShape((384, 512), (384, 512)))
    assert lens is not None and lens.params[:5] == (500.0, 500.0, 256.0, 192.0, -0.2)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"frames": None}, "frames"),
        ({"w": 192, "h": 192}, "another shape"),
        ({"frames": [{"file_path": "a.png", "transform_matrix": [[1, 0], [0, 1]]}]}, "4x4"),
        (
            {"frames": [{"file_path": n, "transform_matrix": np.diag([2.0, 2, 2, 1]).tolist()} for n in NAMES]},
            "no rotation",
        ),
        (
            {"frames": [{"file_path": n, "transform_matrix": np.diag([1.0, -1, 1, 1]).tolist()} for n in NAMES]},
            "left-handed",
        ),
        ({"frames": [{"file_path": "x.png", "transform_matrix": np.eye(4).tolist()}]}, "name them after the frames"),
        ({"frames": [{"file_path": NAMES[0], "transform_matrix": np.eye(4).tolist()}]}, "1 of the 6 frames"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    path = transforms(tmp_path, **changes)
    with pytest.raises(StageError, match=words) as caught:
        read_poses(path, info())
    assert "transforms.json" in str(caught.value)


def test_a_changing_focal_length_is_refused(tmp_path: Path) -> None:
    path = transforms(tmp_path)
    data = json.loads(path.read_text())
    data["frames"][3]["fl_x"] = 320.0
    path.write_text(json.dumps(data))
    with pytest.raises(StageError, match="focal length changes"):
        read_poses(path, info())


def test_an_empty_folder_lists_what_could_be_there(tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"COLMAP model.*transforms\.json.*pose0\.npy"):
        read_poses(tmp_path, info())


def test_a_file_that_is_no_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "transforms.json").write_text("{")
    with pytest.raises(StageError, match="not readable JSON"):
        read_poses(tmp_path, info())
