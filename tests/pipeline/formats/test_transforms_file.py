"""transforms.json in nerfstudio's, OSN's and NeRF's words; axes are turned here and nowhere else."""

import json
from pathlib import Path

import numpy as np
import pytest

from pipeline.cameras import Intrinsics, look_at
from pipeline.formats.transforms_file import (
    NamedPoses,
    read_transforms,
    the_camera,
    transforms_camera,
    write_transforms,
)
from pipeline.runtime.errors import StageError

CAMERA = Intrinsics(300.0, 310.0, 160.0, 118.0, 320, 240)
POSES = np.stack([look_at(np.array([x, 0.0, -3.0]), np.zeros(3), np.array([0.0, 1.0, 0.0])) for x in (0.0, 1.0)])


def test_cameras_survive_the_file(tmp_path: Path) -> None:
    path = tmp_path / "transforms.json"
    write_transforms(
        path, NamedPoses(["a.png", "b.png"], POSES, None, False), CAMERA, ["m/a.png", "m/b.png"], "points.ply"
    )
    again = read_transforms(path)
    np.testing.assert_allclose(again.world_from_camera, POSES, atol=1e-12)
    assert (again.names, again.camera, again.distorted) == (["a.png", "b.png"], CAMERA, False)
    content = json.loads(path.read_text())
    assert content["ply_file_path"] == "points.ply" and content["frames"][1]["mask_path"] == "m/b.png"


def test_a_camera_in_the_file_looks_along_minus_z_with_y_up(tmp_path: Path) -> None:
    write_transforms(tmp_path / "t.json", NamedPoses(["a"], POSES[:1], None, False), CAMERA, ["m"])
    matrix = np.array(json.loads((tmp_path / "t.json").read_text())["frames"][0]["transform_matrix"])
    np.testing.assert_allclose(-matrix[:3, 2], POSES[0, :3, 2], atol=1e-12)
    np.testing.assert_allclose(-matrix[:3, 1], POSES[0, :3, 1], atol=1e-12)
    np.testing.assert_allclose(matrix[:3, [0, 3]], POSES[0][:3, [0, 3]], atol=1e-12)


def test_focal_lengths_are_known_by_three_names() -> None:
    size = {"w": 320, "h": 240}
    assert transforms_camera({**size, "fl_x": 300.0, "fl_y": 310.0, "cx": 160.0, "cy": 118.0}) == CAMERA
    assert transforms_camera({"img_w": 320, "img_h": 240, "focal": 300.0}) == Intrinsics.centred(300.0, 240, 320)
    by_angle = transforms_camera({**size, "camera_angle_x": np.pi / 2})
    assert by_angle is not None and by_angle.fx == pytest.approx(160.0)
    assert transforms_camera({"fl_x": 300.0}) is None and transforms_camera(size) is None


def test_frames_are_read_by_name_whatever_their_order(tmp_path: Path) -> None:
    frames = [{"file_path": name, "transform_matrix": (x * np.eye(4)).tolist()} for name, x in (("b", 2.0), ("a", 1.0))]
    (tmp_path / "t.json").write_text(json.dumps({"frames": frames}))
    found = read_transforms(tmp_path / "t.json")
    assert found.names == ["a", "b"] and found.world_from_camera[0, 0, 0] == 1.0 and found.camera is None


def test_a_distortion_is_noticed(tmp_path: Path) -> None:
    frame = {"file_path": "a", "transform_matrix": np.eye(4).tolist()}
    for k1, distorted in ((0.0, False), (0.1, True)):
        (tmp_path / "t.json").write_text(json.dumps({"frames": [frame], "k1": k1}))
        assert read_transforms(tmp_path / "t.json").distorted is distorted


def test_one_video_has_one_focal_length() -> None:
    near, far = Intrinsics.centred(300.0, 240, 320), Intrinsics.centred(310.0, 240, 320)
    assert the_camera(Path("t.json"), {near, None}) == near
    with pytest.raises(StageError, match=r"changes from 300\.0 to 310\.0 px"):
        the_camera(Path("t.json"), {near, far})


def test_other_json_says_what_is_needed(tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text(json.dumps({"frames": [{"file_path": "a"}]}))
    with pytest.raises(StageError, match="needs `frames`, each with `file_path` and a 4x4 `transform_matrix`"):
        read_transforms(tmp_path / "t.json")
    (tmp_path / "t.json").write_text(json.dumps({"frames": [{"file_path": "a", "transform_matrix": [[1, 2], [3, 4]]}]}))
    with pytest.raises(StageError, match="must be 4x4"):
        read_transforms(tmp_path / "t.json")
