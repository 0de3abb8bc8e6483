"""D-NeRF's scenes: the camera is Blender's, images lie on white; import, export, import is the identity."""

import json
from pathlib import Path

import numpy as np
import pytest

from pipeline.config import ImportDatasetConfig
from pipeline.datasets.exports import dnerf
from pipeline.datasets.imported_scene import ImportedScene, read_dataset
from pipeline.runtime.errors import StageError
from tests.posed_miniatures import FIRST, HEIGHT, STANDING, TIMES, WIDTH, shoot, video_of, write_dnerf


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dnerf") / "boxes"
    write_dnerf(folder)
    return folder


@pytest.fixture(scope="module")
def scene(folder: Path) -> ImportedScene:
    return read_dataset("dnerf", folder, ImportDatasetConfig())


def test_images_are_what_the_imported_cameras_see_on_white(scene: ImportedScene) -> None:
    assert (
        scene.test is not None and scene.test.intrinsics is not None and scene.test.time.tolist() == list(range(TIMES))
    )
    np.testing.assert_allclose(scene.world_from_camera, FIRST, atol=1e-9)
    np.testing.assert_allclose(scene.times, np.linspace(0, 1, TIMES))
    for time in range(TIMES):
        camera = scene.lenses[time].camera
        np.testing.assert_allclose(camera.values, [46, 46, WIDTH / 2, HEIGHT / 2], atol=1e-9)
        shot = shoot(camera, FIRST[time], time)
        np.testing.assert_array_equal(scene.images[time], np.where(shot.ids[..., None] > 0, shot.image, 255))
        held_out = shoot(camera, STANDING[0], time)
        np.testing.assert_array_equal(
            scene.test.images[time], np.where(held_out.ids[..., None] > 0, held_out.image, 255)
        )


def test_import_export_import_is_the_identity(scene: ImportedScene, tmp_path: Path) -> None:
    dnerf.write(tmp_path, video_of(scene))
    again = read_dataset("dnerf", tmp_path, ImportDatasetConfig())
    applied = json.loads((tmp_path / "dataparser_transforms.json").read_text())
    poses = again.world_from_camera.copy()
    poses[:, :3, 3] = poses[:, :3, 3] / applied["scale"] - np.array(applied["transform"])[:, 3]
    np.testing.assert_allclose(poses, scene.world_from_camera, atol=1e-9)
    np.testing.assert_array_equal(again.images, scene.images)
    np.testing.assert_allclose(again.times, scene.times)
    assert again.test is not None and scene.test is not None
    np.testing.assert_array_equal(again.test.images, scene.test.images)
    np.testing.assert_array_equal(again.test.time, scene.test.time)
    np.testing.assert_allclose(again.lenses[0].camera.values, scene.lenses[0].camera.values, atol=1e-9)


def test_half_size_halves_the_focal_length(folder: Path) -> None:
    found = read_dataset("dnerf", folder, ImportDatasetConfig(factor=2))
    assert found.size == (HEIGHT // 2, WIDTH // 2) and found.lenses[0].camera.fx == pytest.approx(23)


def test_test_views_between_frames_are_named(folder: Path, tmp_path: Path) -> None:
    write_dnerf(tmp_path)
    data = json.loads((tmp_path / "transforms_test.json").read_text())
    data["frames"][2]["time"] += 0.02
    (tmp_path / "transforms_test.json").write_text(json.dumps(data))
    found = read_dataset("dnerf", tmp_path, ImportDatasetConfig())
    assert found.test is not None and found.test.time.tolist() == list(range(TIMES))
    assert any("1 of 8 test views" in doubt for doubt in found.doubts)


def test_a_missing_image_is_named(tmp_path: Path) -> None:
    write_dnerf(tmp_path)
    (tmp_path / "train" / "r_003.png").unlink()
    with pytest.raises(StageError, match=r"r_003\.png is missing"):
        read_dataset("dnerf", tmp_path, ImportDatasetConfig())
