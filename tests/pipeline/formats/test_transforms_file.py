"""transforms.json in nerfstudio's, OSN's and NeRF's words; axes are turned here and nowhere else."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.cameras import Intrinsics, look_at
from pipeline.formats.lens import Lens
from pipeline.formats.transforms_file import NamedPoses, lens_of_entry, read_transforms, the_lens, write_transforms
from pipeline.runtime.errors import StageError

CAMERA = Intrinsics(300.0, 310.0, 160.0, 118.0, 320, 240)
POSES = np.stack([look_at(np.array([x, 0.0, -3.0]), np.zeros(3), np.array([0.0, 1.0, 0.0])) for x in (0.0, 1.0)])


def test_cameras_survive_the_file(tmp_path: Path) -> None:
    path = tmp_path / "transforms.json"
    write_transforms(path, NamedPoses(["a.png", "b.png"], POSES, None), CAMERA, ["m/a.png", "m/b.png"], "points.ply")
    again = read_transforms(path)
    np.testing.assert_allclose(again.world_from_camera, POSES, atol=1e-12)
    assert (again.names, again.lens) == (["a.png", "b.png"], Lens.pinhole(CAMERA))
    content = json.loads(path.read_text())
    assert content["ply_file_path"] == "points.ply" and content["frames"][1]["mask_path"] == "m/b.png"


def test_a_camera_in_the_file_looks_along_minus_z_with_y_up(tmp_path: Path) -> None:
    write_transforms(tmp_path / "t.json", NamedPoses(["a"], POSES[:1], None), CAMERA, ["m"])
    matrix = np.array(json.loads((tmp_path / "t.json").read_text())["frames"][0]["transform_matrix"])
    np.testing.assert_allclose(-matrix[:3, 2], POSES[0, :3, 2], atol=1e-12)
    np.testing.assert_allclose(-matrix[:3, 1], POSES[0, :3, 1], atol=1e-12)
    np.testing.assert_allclose(matrix[:3, [0, 3]], POSES[0][:3, [0, 3]], atol=1e-12)


def lens(**entry: Any) -> Lens | None:
    """The lens of an entry of a file that nobody needs to find."""
    return lens_of_entry(entry, None, Path("t.json"))


def test_focal_lengths_are_known_by_three_names() -> None:
    size = {"w": 320, "h": 240}
    assert lens(**size, fl_x=300.0, fl_y=310.0, cx=160.0, cy=118.0) == Lens.pinhole(CAMERA)
    assert lens(img_w=320, img_h=240, focal=300.0) == Lens.pinhole(Intrinsics.centred(300.0, 240, 320))
    by_angle = lens(**size, camera_angle_x=np.pi / 2)
    assert by_angle is not None and by_angle.camera.fx == pytest.approx(160.0)
    assert lens(fl_x=300.0) is None and lens(**size) is None
    of_the_frames = lens_of_entry({"camera_angle_x": np.pi / 2}, (240, 320), Path("t.json"))
    assert of_the_frames is not None and of_the_frames.camera.fx == pytest.approx(160.0)


def test_poses_keep_the_names_of_their_images(tmp_path: Path) -> None:
    frames = [{"file_path": name, "transform_matrix": (x * np.eye(4)).tolist()} for name, x in (("b", 2.0), ("a", 1.0))]
    (tmp_path / "t.json").write_text(json.dumps({"frames": frames}))
    found = read_transforms(tmp_path / "t.json")
    assert found.names == ["b", "a"] and found.world_from_camera[:, 0, 0].tolist() == [2.0, 1.0] and found.lens is None


@pytest.mark.parametrize(
    ("said", "model", "last"),
    [
        ({}, "PINHOLE", [160.0, 120.0]),
        ({"k1": None, "k3": None}, "PINHOLE", [160.0, 120.0]),
        ({"k1": 0.1, "p2": 0.01}, "OPENCV", [0.1, 0.0, 0.0, 0.01]),
        ({"k1": 0.1, "k3": 0.02}, "FULL_OPENCV", [0.1, 0.0, 0.0, 0.0, 0.02, 0.0, 0.0, 0.0]),
        ({"camera_model": "OPENCV_FISHEYE"}, "OPENCV_FISHEYE", [0.0, 0.0, 0.0, 0.0]),
    ],
)
def test_a_lens_is_known_by_its_model_and_coefficients(
    tmp_path: Path, said: dict[str, Any], model: str, last: list[float]
) -> None:
    frame = {"file_path": "a", "transform_matrix": np.eye(4).tolist()}
    content = {"w": 320, "h": 240, "fl_x": 300.0, **said, "frames": [frame]}
    (tmp_path / "t.json").write_text(json.dumps(content))
    found = read_transforms(tmp_path / "t.json").lens
    assert found is not None and found.model == model and list(found.params[-len(last) :]) == last


def test_panoramas_are_refused(tmp_path: Path) -> None:
    frame = {"file_path": "a", "transform_matrix": np.eye(4).tolist()}
    content = {"camera_model": "EQUIRECTANGULAR", "fl_x": 1, "w": 320, "h": 160, "frames": [frame]}
    (tmp_path / "t.json").write_text(json.dumps(content))
    with pytest.raises(StageError, match="no pinhole view"):
        read_transforms(tmp_path / "t.json")


def test_one_video_has_one_focal_length() -> None:
    """A camera calibrated for each image jitters: the median is taken, and it is said; a zoom is refused."""
    lenses = [Lens.pinhole(Intrinsics.centred(focal, 240, 320)) for focal in (300.0, 310.0, 330.0, 400.0)]
    assert the_lens(Path("t.json"), [lenses[0], None]) == (lenses[0], ())
    chosen, notes = the_lens(Path("t.json"), lenses[:3])
    assert chosen == lenses[1] and "300.0 to 330.0 px; the median lens, of 310.0 px" in notes[0]
    bent = [Lens("SIMPLE_RADIAL", (300.0, 160.0, 120.0, k), 320, 240) for k in (-0.02, 0.001, 0.03)]
    assert the_lens(Path("t.json"), [*bent])[0] == bent[1]
    with pytest.raises(StageError, match=r"changes from 300\.0 to 400\.0 px"):
        the_lens(Path("t.json"), lenses)


def test_other_json_says_what_is_needed(tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text(json.dumps({"frames": [{"file_path": "a"}]}))
    with pytest.raises(StageError, match="needs `frames`, each with `file_path` and a 4x4 `transform_matrix`"):
        read_transforms(tmp_path / "t.json")
    (tmp_path / "t.json").write_text(json.dumps({"frames": [{"file_path": "a", "transform_matrix": [[1, 2], [3, 4]]}]}))
    with pytest.raises(StageError, match="must be 4x4"):
        read_transforms(tmp_path / "t.json")


def test_an_image_that_comes_twice_has_one_pose(tmp_path: Path) -> None:
    frames = [{"file_path": f"{n}.png", "transform_matrix": np.eye(4).tolist()} for n in (0, 1, 1)]
    (tmp_path / "t.json").write_text(json.dumps({"frames": frames}))
    assert read_transforms(tmp_path / "t.json").names == ["0.png", "1.png"]
    frames[2]["transform_matrix"] = np.diag([1.0, -1, -1, 1]).tolist()
    (tmp_path / "t.json").write_text(json.dumps({"frames": frames}))
    with pytest.raises(StageError, match=r"two poses of 1\.png \(frames 1 and 2 of the file\)"):
        read_transforms(tmp_path / "t.json")


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"fl_x": 0.87}, "in pixels"),
        ({"fl_x": -140.0}, "above 0"),
        ({"camera_angle_x": 60.0}, "in radians"),
        ({"camera_angle_x": 40.0}, r"40 degrees are 0\.6981"),
        ({"fl_x": float("nan")}, "must be numbers"),
        ({"fl_x": 140.0, "cx": 900.0}, "far outside"),
        ({"fl_x": 140.0, "cx": 0.5, "cy": 0.5}, "not a share of the size"),
        ({"fl_x": 140.0, "cx": 0.0, "cy": 0.0}, "counted from the middle"),
        ({"fl_x": 140.0, "w": 0}, "0x120"),
    ],
)
def test_numbers_that_no_camera_has_are_refused(tmp_path: Path, said: dict[str, float], words: str) -> None:
    frames = [{"file_path": "0.png", "transform_matrix": np.eye(4).tolist()}]
    (tmp_path / "t.json").write_text(json.dumps({"w": 160, "h": 120, **said, "frames": frames}))
    with pytest.raises(StageError, match=words):
        read_transforms(tmp_path / "t.json")
