"""What is exported is read back by COLMAP, by our own reader and by any JSON reader, with the same poses."""

import json
import logging
from pathlib import Path

import cv2
import numpy as np
import pycolmap
import pytest

from pipeline.cameras import inverse
from pipeline.export_geometry import export_geometry
from pipeline.formats.frames_folder import frame_name, read_frame, read_frames_info
from pipeline.formats.geometry_file import read_geometry, write_geometry
from pipeline.formats.lens import Lens, undistortion
from pipeline.formats.masks_file import read_masks, write_masks
from pipeline.runtime.errors import StageError
from pipeline.sfm.colmap import homogeneous, read_tracked_model
from pipeline.sfm.imported_poses import read_poses
from tests.synthetic import FRAMES, SyntheticScene, write_synthetic_scene


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> SyntheticScene:
    return write_synthetic_scene(tmp_path_factory.mktemp("scene"))


@pytest.fixture(scope="module")
def exported(scene: SyntheticScene, tmp_path_factory: pytest.TempPathFactory) -> Path:
    export = tmp_path_factory.mktemp("export") / "export"
    export_geometry(scene.frames, scene.masks, scene.reconstruction, scene.geometry, export)
    return export


@pytest.mark.parametrize("number", [0, 1, 2])
def test_colmap_reads_the_model_with_the_same_poses_and_points(
    scene: SyntheticScene, exported: Path, number: int
) -> None:
    ours, seen = read_tracked_model(scene.reconstruction / str(number), FRAMES)
    model = pycolmap.Reconstruction(exported / str(number) / "sparse" / "0")
    assert model.num_reg_images() == FRAMES and model.num_points3D() == seen.track_count
    for image in model.images.values():
        np.testing.assert_allclose(
            homogeneous(image.cam_from_world().matrix()), ours.camera_from_object[image.image_id - 1], atol=1e-6
        )
    points = np.array([model.point3D(key).xyz for key in sorted(model.point3D_ids())])
    np.testing.assert_allclose(points, ours.points, atol=1e-6)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_transforms_come_back_as_imported_poses(scene: SyntheticScene, exported: Path, number: int) -> None:
    ours, _ = read_tracked_model(scene.reconstruction / str(number), FRAMES)
    found = read_poses(exported / str(number) / "transforms.json", read_frames_info(scene.info))
    np.testing.assert_allclose(found.camera_from_world, ours.camera_from_object, atol=1e-6)
    assert found.camera is not None
    np.testing.assert_allclose(found.camera.values, ours.camera.values, atol=1e-6)


def test_transforms_have_the_fields_that_nerfstudio_documents(scene: SyntheticScene, exported: Path) -> None:
    data = json.loads((exported / "1" / "transforms.json").read_text())
    assert {"camera_model", "fl_x", "fl_y", "cx", "cy", "w", "h", "k1", "k2", "p1", "p2"} <= set(data)
    ours, _ = read_tracked_model(scene.reconstruction / "1", FRAMES)
    for index, frame in enumerate(data["frames"]):
        matrix = np.array(frame["transform_matrix"])
        camera_to_object = inverse(ours.camera_from_object[index])
        np.testing.assert_allclose(matrix[:3, 0], camera_to_object[:3, 0], atol=1e-6)
        np.testing.assert_allclose(matrix[:3, 2], -camera_to_object[:3, 2], atol=1e-6)  # the camera looks along -z
        image = read_frame(exported / "1" / frame["file_path"])
        np.testing.assert_array_equal(image, read_frame(scene.frames / frame_name(index)))
        assert (exported / "1" / frame["mask_path"]).is_file()
    assert (exported / "1" / data["ply_file_path"]).is_file()


def test_masks_are_white_on_the_object(scene: SyntheticScene, exported: Path) -> None:
    ids = read_masks(scene.masks)
    for number in range(3):
        mask = cv2.imread(str(exported / str(number) / "masks" / frame_name(4)), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(mask, np.where(ids[4] == number, 255, 0))


def test_points_have_the_colours_of_the_images(scene: SyntheticScene, exported: Path) -> None:
    model = pycolmap.Reconstruction(exported / "1" / "sparse" / "0")
    colours = np.array([point.color for point in model.points3D.values()], dtype=float)
    ids, images = read_masks(scene.masks), np.stack([read_frame(scene.frames / frame_name(t)) for t in range(FRAMES)])
    assert np.abs(colours.mean(0) - images[ids == 1].mean(0)).max() < 30
    assert colours.std() > 5
    header = (exported / "1" / "points.ply").read_bytes()[:300].decode("ascii", "ignore")
    assert f"element vertex {model.num_points3D()}" in header and "red" in header


def test_a_lens_of_the_frames_is_undone_in_images_and_masks_and_said(
    scene: SyntheticScene, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    height, width = read_frame(scene.frames / frame_name(0)).shape[:2]
    lens = Lens("SIMPLE_RADIAL", (60.8, width / 2, height / 2, -0.1), width, height)
    told = read_geometry(scene.geometry).model_copy(update={"lens": lens.values})
    write_geometry(tmp_path / "geometry.json", told)
    with caplog.at_level(logging.INFO):
        export_geometry(
            scene.frames, scene.masks, scene.reconstruction, tmp_path / "geometry.json", tmp_path / "export"
        )
    view = undistortion(lens)
    image = read_frame(tmp_path / "export" / "images" / frame_name(3))
    np.testing.assert_array_equal(image, view.apply(read_frame(scene.frames / frame_name(3))))
    mask = read_frame(tmp_path / "export" / "1" / "masks" / frame_name(3))[..., 0] > 0
    np.testing.assert_array_equal(mask, view.apply(read_masks(scene.masks)[3], exact=True) == 1)
    assert "SIMPLE_RADIAL (60.8, 32, 24, -0.1), is undone: images are of a PINHOLE camera" in caplog.text


def test_the_verdicts_travel_along(scene: SyntheticScene, exported: Path) -> None:
    assert (exported / "geometry.json").read_text() == scene.geometry.read_text()


def test_masks_of_another_length_are_refused(scene: SyntheticScene, tmp_path: Path) -> None:
    write_masks(tmp_path / "masks.h5", np.zeros((2, 48, 64), np.uint8), {})
    with pytest.raises(StageError, match="2 frames"):
        export_geometry(scene.frames, tmp_path / "masks.h5", scene.reconstruction, scene.geometry, tmp_path / "export")
    assert not (tmp_path / "export").exists()


def test_a_missing_model_is_named(scene: SyntheticScene, tmp_path: Path) -> None:
    with pytest.raises(StageError, match="not a COLMAP model"):
        export_geometry(scene.frames, scene.masks, tmp_path / "nowhere", scene.geometry, tmp_path / "export")
    assert not (tmp_path / "export").exists()
