"""DyCheck's and HyperNeRF's scenes: cameras, lists, co-visibility, depth; import, export, import is the identity."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.cameras import inverse, project, transform
from pipeline.config import ImportDatasetConfig
from pipeline.datasets.exports import dycheck
from pipeline.datasets.imported_scene import ImportedScene, read_dataset
from pipeline.datasets.nerfies_camera import read_camera
from pipeline.runtime.errors import StageError
from tests.posed_miniatures import (
    CAMERAS,
    HOLE,
    MISSING,
    TIMES,
    assert_same_tests,
    marked_points,
    nerfies_json,
    pose_of,
    shot_of,
    video_of,
    write_dycheck,
    write_hypernerf,
)

FULL = ImportDatasetConfig(factor=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dycheck") / "boxes"
    write_dycheck(folder)
    return folder


@pytest.fixture(scope="module")
def scene(folder: Path) -> ImportedScene:
    return read_dataset("dycheck", folder, FULL)


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hypernerf") / "boxes"
    write_hypernerf(folder)
    return folder


def test_images_are_what_the_imported_cameras_see(scene: ImportedScene) -> None:
    hole = np.ones(scene.images.shape[1:3], bool)
    hole[HOLE] = False
    for time, (image, pose, lens) in enumerate(zip(scene.images, scene.world_from_camera, scene.lenses, strict=True)):
        np.testing.assert_allclose(pose, pose_of(0, time), atol=1e-9)
        np.testing.assert_allclose(lens.camera.values, CAMERAS[0].values, atol=1e-9)
        np.testing.assert_array_equal(image[hole], shot_of(0, time).image[hole])
    assert scene.images[1][HOLE].min() > 0  # painted over, not black
    assert scene.holes is not None
    np.testing.assert_array_equal(scene.holes[1], ~hole)
    assert scene.holes.sum() == (~hole).sum()
    assert any("transparent" in doubt for doubt in scene.doubts)


@pytest.mark.parametrize("factor", [1, 2])
def test_a_point_projects_as_dycheck_has_it_at_every_factor(folder: Path, factor: int) -> None:
    found = read_dataset("dycheck", folder, ImportDatasetConfig(factor=factor))
    assert found.test is not None and found.test.intrinsics is not None
    said = json.loads((folder / "camera" / "1_00003.json").read_text())
    point = np.array([0.4, -0.9, 0.2])
    x, y, z = np.array(said["orientation"]) @ (point - said["position"])
    told = np.array([x, y * said["pixel_aspect_ratio"]]) * said["focal_length"] / z + said["principal_point"]
    row = found.test.names.index("1_00003")
    fx, fy, cx, cy = found.test.intrinsics[row]
    local = transform(inverse(found.test.world_from_camera[row]), point)
    np.testing.assert_allclose(local[:2] * [fx, fy] / local[2] + [cx, cy], told / factor, atol=1e-6)


def test_test_views_are_those_of_the_list_at_their_times(scene: ImportedScene) -> None:
    test = scene.test
    assert test is not None and test.covisible is not None and scene.split == "val" and scene.protocol == "dycheck"
    times = [*range(TIMES), *(time for time in range(TIMES) if time not in MISSING)]
    assert test.time.tolist() == times
    for row, (name, time) in enumerate(zip(test.names, times, strict=True)):
        shot = shot_of(int(name[0]), time)
        judged = shot.ids < 2
        if name == "1_00001":
            judged = judged.copy()
            judged[HOLE] = False  # transparent
        np.testing.assert_array_equal(test.covisible[row], judged)
        np.testing.assert_array_equal(test.images[row][judged], shot.image[judged])


def test_keypoints_are_at_pixel_centres(scene: ImportedScene) -> None:
    found = scene.train.keypoints
    assert found is not None and found.shape == (TIMES, 3, 3) and found[..., 2].sum() == 3 * TIMES - 3
    point = transform(inverse(pose_of(0, 4)), marked_points()[1])
    np.testing.assert_allclose(found[4, 1, :2], project(CAMERAS[0], point), atol=1e-9)


def test_keypoints_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    write_dycheck(tmp_path)
    file = tmp_path / "keypoint" / "2x" / "train" / "0_00003.json"
    file.write_text("[[1, 2, 1]]")
    with pytest.raises(StageError, match="frames have 1 to 3 keypoints"):
        read_dataset("dycheck", tmp_path, ImportDatasetConfig())
    file.write_text("[[1, 2]]")
    with pytest.raises(StageError, match=r"0_00003\.json has shape \(1, 2\)"):
        read_dataset("dycheck", tmp_path, ImportDatasetConfig())


def test_the_protocol_reads_at_half_size(folder: Path) -> None:
    found = read_dataset("dycheck", folder, ImportDatasetConfig())
    assert found.size == (18, 24) and found.depth is not None and found.depth.shape == (TIMES, 18, 24)
    with pytest.raises(StageError, match=r"factor is 4, but .* factor 1, 2"):
        read_dataset("dycheck", folder, ImportDatasetConfig(factor=4))


@pytest.mark.parametrize("unit", [1.0, 1e-3])
def test_depth_is_in_the_unit_of_the_poses_whichever_it_was_in(unit: float, tmp_path: Path) -> None:
    write_dycheck(tmp_path, unit)
    found = read_dataset("dycheck", tmp_path, FULL)
    assert found.depth is not None
    np.testing.assert_allclose(found.depth[4, 3:], shot_of(0, 4).depth[3:], rtol=1e-5)
    assert (found.depth[:, :3] == 0).all()
    assert any("thousandths" in doubt for doubt in found.doubts) == (unit != 1)


def test_import_export_import_is_the_identity(scene: ImportedScene, tmp_path: Path) -> None:
    dycheck.write(tmp_path / "again", video_of(scene))
    again = read_dataset("dycheck", tmp_path / "again", FULL)
    assert scene.depth is not None and again.depth is not None
    assert_same_tests(again, scene)
    np.testing.assert_array_equal(again.images, scene.images)
    np.testing.assert_allclose(again.world_from_camera, scene.world_from_camera, atol=1e-9)
    np.testing.assert_allclose(again.depth, scene.depth, rtol=1e-6)
    np.testing.assert_array_equal(again.times, scene.times)
    for ours, theirs in zip(again.lenses, scene.lenses, strict=True):
        np.testing.assert_allclose(ours.camera.values, theirs.camera.values, atol=1e-9)


def test_lists_of_a_rig_follow_the_rule_of_dycheck(rig: Path) -> None:
    def names(split: str) -> tuple[list[str], tuple[str, ...]]:
        found = read_dataset("hypernerf", rig, ImportDatasetConfig(split=split))
        assert found.test is not None and found.split == split
        return found.names, found.test.names

    left, right = ([f"{side}1_{t:06d}" for t in range(TIMES)] for side in ("left", "right"))
    turns = [(left, right)[t % 2][t] for t in range(TIMES)]
    others = [(right, left)[t % 2][t] for t in range(TIMES)]
    assert names("mono") == (left, tuple(right))
    assert names("intl")[0] == turns and sorted(names("intl")[1]) == sorted(others)
    assert names("common") == (left, tuple(sorted(set(right) - set(turns))))
    assert names("dataset") == (left, tuple(right))
    with pytest.raises(StageError, match=r"split is other, but .* mono, intl, common, dataset, tineuvox"):
        names("other")


def test_one_cameras_video_is_read_as_tineuvox_does(rig: Path, tmp_path: Path) -> None:
    write_hypernerf(tmp_path)
    left = [f"left1_{t:06d}" for t in range(TIMES)]
    (tmp_path / "dataset.json").write_text(json.dumps({"count": TIMES, "ids": left, "train_ids": left, "val_ids": []}))
    found = read_dataset("hypernerf", tmp_path, ImportDatasetConfig())
    assert found.test is not None and found.split == "tineuvox"
    assert (found.names, found.test.names) == ([left[0], left[4]], (left[2], left[6]))
    assert any("between the video's frames" in doubt for doubt in found.doubts)


def test_the_lens_is_that_of_nerfies(tmp_path: Path) -> None:
    k, p = (0.1, -0.05, 0.02), (0.003, -0.002)
    said = nerfies_json(1, 0) | {"radial_distortion": k, "tangential": p}
    (tmp_path / "camera.json").write_text(json.dumps(said))
    lens, _ = read_camera(tmp_path / "camera.json")
    directions = np.array([[0.3, -0.2, 1.0], [-0.4, 0.25, 1.0]])
    x, y = directions[:, 0], directions[:, 1]
    r = x * x + y * y
    grown = 1 + r * (k[0] + r * (k[1] + r * k[2]))
    bent_x = x * grown + 2 * p[0] * x * y + p[1] * (r + 2 * x * x)
    bent_y = y * grown + 2 * p[1] * x * y + p[0] * (r + 2 * y * y)
    camera = CAMERAS[1]
    places = np.stack([camera.fx * bent_x + camera.cx, camera.fy * bent_y + camera.cy], axis=1)
    np.testing.assert_allclose(lens.project(directions), places, atol=1e-9)


def test_distorted_images_are_imported_as_a_pinhole_sees_them(tmp_path: Path) -> None:
    write_dycheck(tmp_path)
    for path in (tmp_path / "camera").glob("*.json"):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"radial_distortion": [-0.25, 0.0, 0.0]}))
    found = read_dataset("dycheck", tmp_path, FULL)
    assert all(lens.model == "PINHOLE" for lens in found.lenses)
    lens, pose = read_camera(tmp_path / "camera" / "0_00004.json")
    local = np.array([0.2, -0.1, 1.0])
    place, seen = lens.project(local[None])[0], project(found.lenses[4].camera, local)
    before = cv2.getRectSubPix(shot_of(0, 4).image, (1, 1), tuple(np.float32(place - 0.5)))[0, 0]
    after = cv2.getRectSubPix(found.images[4], (1, 1), tuple(np.float32(seen - 0.5)))[0, 0]
    assert np.abs(before.astype(int) - after).max() < 25 and np.linalg.norm(place - seen) > 0.2
    assert pose.shape == (4, 4)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"skew": 2.0}, "has a skew of 2"),
        ({"orientation": [1, 2]}, "must be 3x3"),
        ({"focal_length": None}, "not a camera"),
    ],
)
def test_a_camera_that_cannot_be_used_is_named(change: dict, words: str, tmp_path: Path) -> None:
    (tmp_path / "camera.json").write_text(json.dumps(nerfies_json(0, 0) | change))
    with pytest.raises(StageError, match=words):
        read_camera(tmp_path / "camera.json")
