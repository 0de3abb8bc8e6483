"""nerfstudio's scenes: lists or fraction, masks, depth, missing images; import, export, import is the identity."""

import json
from pathlib import Path

import numpy as np
import pytest

from pipeline.config import ImportDatasetConfig
from pipeline.datasets.exports import nerfstudio
from pipeline.datasets.imported_scene import ImportedScene, read_dataset
from pipeline.runtime.errors import StageError
from tests.posed_miniatures import CAMERAS, FIRST, TIMES, assert_same_tests, shot_of, video_of, write_nerfstudio


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("nerfstudio") / "boxes"
    write_nerfstudio(folder)
    return folder


@pytest.fixture(scope="module")
def scene(folder: Path) -> ImportedScene:
    return read_dataset("nerfstudio", folder, ImportDatasetConfig())


def test_images_masks_and_depth_are_what_the_imported_cameras_see(scene: ImportedScene) -> None:
    assert scene.masks is not None and scene.depth is not None
    np.testing.assert_allclose(scene.world_from_camera, FIRST, atol=1e-9)
    for time in range(TIMES):
        shot = shot_of(0, time)
        np.testing.assert_allclose(scene.lenses[time].camera.values, CAMERAS[0].values, atol=1e-9)
        np.testing.assert_array_equal(scene.images[time], shot.image)
        np.testing.assert_array_equal(scene.masks[time], shot.ids > 0)
        np.testing.assert_allclose(scene.depth[time], shot.depth, atol=0.51e-3)


def test_test_views_are_those_of_the_list_that_are_there(scene: ImportedScene) -> None:
    test = scene.test
    assert test is not None and test.covisible is not None and test.intrinsics is not None and scene.split == "test"
    times = [time for time in range(TIMES) if time != 3]
    assert test.time.tolist() == times and any("1_003.png" in doubt for doubt in scene.doubts)
    for row, time in enumerate(times):
        np.testing.assert_array_equal(test.images[row], shot_of(1, time).image)
        np.testing.assert_array_equal(test.covisible[row], shot_of(1, time).ids == 0)
        np.testing.assert_allclose(test.intrinsics[row], CAMERAS[1].values, atol=1e-9)


def test_import_export_import_is_the_identity(scene: ImportedScene, tmp_path: Path) -> None:
    nerfstudio.write(tmp_path, video_of(scene))
    again = read_dataset("nerfstudio", tmp_path, ImportDatasetConfig())
    assert_same_tests(again, scene)
    assert scene.masks is not None and scene.depth is not None and again.masks is not None and again.depth is not None
    np.testing.assert_array_equal(again.images, scene.images)
    np.testing.assert_array_equal(again.masks, scene.masks)
    np.testing.assert_allclose(again.depth, scene.depth, atol=1e-6)
    np.testing.assert_allclose(again.world_from_camera, scene.world_from_camera, atol=1e-9)
    np.testing.assert_allclose(again.times, scene.times)
    np.testing.assert_allclose(again.lenses[3].camera.values, scene.lenses[3].camera.values, atol=1e-9)


def test_without_lists_nine_of_ten_train(folder: Path, tmp_path: Path) -> None:
    write_nerfstudio(tmp_path)
    data = json.loads((tmp_path / "transforms.json").read_text())
    for key in ("train_filenames", "test_filenames"):
        del data[key]
    (tmp_path / "transforms.json").write_text(json.dumps(data))
    found = read_dataset("nerfstudio", tmp_path, ImportDatasetConfig())
    there = sorted(entry["file_path"] for entry in data["frames"] if "1_003" not in entry["file_path"])
    train = np.linspace(0, 14, 14, dtype=int)
    assert found.test is not None and found.split == "fraction"
    assert sorted(found.names) == [there[index] for index in train]
    assert found.test.names == tuple(name for index, name in enumerate(there) if index not in train)


def test_a_list_that_is_not_there_is_named(folder: Path) -> None:
    with pytest.raises(StageError, match=r"split is val, but .* has test"):
        read_dataset("nerfstudio", folder, ImportDatasetConfig(split="val"))


def test_depth_of_arrays_is_in_units(folder: Path, tmp_path: Path) -> None:
    write_nerfstudio(tmp_path)
    data = json.loads((tmp_path / "transforms.json").read_text()) | {"applied_scale": 2.0}
    for entry in data["frames"]:
        entry["depth_file_path"] = "depth.npy"
    np.save(tmp_path / "depth.npy", np.full((36, 48), 1.5))
    (tmp_path / "transforms.json").write_text(json.dumps(data))
    found = read_dataset("nerfstudio", tmp_path, ImportDatasetConfig())
    assert found.depth is not None
    np.testing.assert_allclose(found.depth, 3.0)
