"""The three layouts of NVIDIA Dynamic Scene, which share a rig of cameras."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.cameras import inverse, project, transform
from pipeline.config import ImportDatasetConfig
from pipeline.datasets.exports import llff
from pipeline.datasets.imported_scene import ImportedScene, read_dataset
from pipeline.runtime.errors import StageError
from tests.dataset_miniatures import (
    CAMERAS,
    FOCAL,
    FRAMES,
    HEIGHT,
    WIDTH,
    loader_camera,
    shoot,
    write_nsff,
    write_nvidia,
    write_semantic_nvidia,
)
from tests.posed_miniatures import video_of

WRITERS = {"nvidia": write_nvidia, "nsff": write_nsff, "semantic_nvidia": write_semantic_nvidia}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("rigs")
    for layout, write in WRITERS.items():
        write(root / layout)
    return {layout: root / layout for layout in WRITERS}


def imported(folders: dict[str, Path], layout: str, **settings: object) -> ImportedScene:
    return read_dataset(layout, folders[layout], ImportDatasetConfig.model_validate(settings))


@pytest.mark.parametrize("layout", WRITERS)
def test_poses_are_those_of_the_cameras_and_pixels_are_half_a_pixel_beside_their_index(
    folders: dict[str, Path], layout: str, tmp_path: Path
) -> None:
    scene, cameras = imported(folders, layout), WRITERS[layout](tmp_path)
    np.testing.assert_allclose(scene.world_from_camera, cameras, atol=1e-6)
    local = transform(inverse(cameras[1]), np.array([0.3, -0.8, 0.2]))
    index = FOCAL * WIDTH * local[:2] / local[2] + np.array([WIDTH, HEIGHT]) / 2
    np.testing.assert_allclose(project(scene.lenses[1].camera, local), index + 0.5, atol=1e-6)
    shots = [shoot(loader_camera(), pose, t) for t, pose in enumerate(cameras)]
    np.testing.assert_array_equal(scene.images, [shot.image for shot in shots])


@pytest.mark.parametrize("layout", WRITERS)
def test_test_views_show_what_their_camera_sees_at_their_time(folders: dict[str, Path], layout: str) -> None:
    test = imported(folders, layout).test
    assert test is not None
    for row, time in enumerate(test.time):
        shown = shoot(loader_camera(), np.ascontiguousarray(test.world_from_camera[row]), int(time)).image
        assert np.abs(test.images[row].astype(int) - shown).mean() < 1


def test_images_without_a_reduced_folder_are_reduced_with_their_camera(folders: dict[str, Path]) -> None:
    half = imported(folders, "nsff", factor=2)
    assert half.size == (HEIGHT // 2, WIDTH // 2) and half.test is not None and half.test.size == half.size
    assert half.lenses[0].camera.fx == pytest.approx(FOCAL * WIDTH / 2)
    assert half.images[0, 0, 0] == pytest.approx(imported(folders, "nsff").images[0, :2, :2].mean((0, 1)), abs=1)


def test_import_export_import_is_the_identity(folders: dict[str, Path], tmp_path: Path) -> None:
    scene = imported(folders, "nvidia")
    assert scene.depth is not None and scene.masks is not None
    llff.write(tmp_path, replace(video_of(replace(scene, depth=1 / scene.depth)), dense=True))
    again = read_dataset("nvidia", tmp_path, ImportDatasetConfig(factor=1))
    np.testing.assert_array_equal(again.images, scene.images)
    np.testing.assert_array_equal(again.masks, scene.masks)
    np.testing.assert_allclose(again.depth, scene.depth, rtol=1e-5)
    np.testing.assert_allclose(again.world_from_camera, scene.world_from_camera, atol=1e-9)
    np.testing.assert_allclose(again.lenses[3].camera.values, scene.lenses[3].camera.values, atol=1e-9)
    close_and_far = np.load(tmp_path / "poses_bounds.npy")[:, 15:]
    np.testing.assert_allclose(close_and_far[2], np.percentile(1 / scene.depth[2], [5, 95]), rtol=1e-6)


def test_first_camera_is_judged_at_all_times_or_as_yoon_has_it(folders: dict[str, Path]) -> None:
    test, yoon = imported(folders, "nvidia").test, imported(folders, "nvidia", split="yoon").test
    assert test is not None and test.time.tolist() == list(range(FRAMES))
    assert yoon is not None and yoon.time.tolist() == list(range(1, FRAMES - 1))
    with pytest.raises(StageError, match="this layout has view0 and yoon"):
        imported(folders, "nvidia", split="all")


def test_all_cameras_but_the_videos_own_are_judged(folders: dict[str, Path]) -> None:
    scene = imported(folders, "nsff")
    assert scene.test is not None and len(scene.test.time) == FRAMES * (CAMERAS - 1)
    poses = scene.world_from_camera[scene.test.time]
    assert (np.abs(scene.test.world_from_camera - poses).max(axis=(1, 2)) > 0.01).all()
    assert set(np.unique(scene.test.object_ids)) == {0, 1} and scene.protocol == "nsff"


def test_motion_masks_and_disparity_are_given_at_the_size_of_the_images(folders: dict[str, Path]) -> None:
    scene = imported(folders, "nvidia")
    assert scene.masks is not None and scene.depth is not None and scene.depth.shape == scene.masks.shape
    assert scene.size == (HEIGHT, WIDTH) and set(np.unique(scene.masks)) == {0, 1}
    near = [float(np.median(scene.depth[scene.masks == mask])) for mask in (0, 1)]
    assert near[1] > near[0]


def test_labels_are_classes_by_colour_and_foreground_ones_are_objects(folders: dict[str, Path]) -> None:
    scene = imported(folders, "semantic_nvidia")
    assert scene.labels is not None and scene.masks is not None and scene.test is not None
    assert [name for name, _ in scene.classes] == ["background", "left box", "right box"]
    assert set(np.unique(scene.labels)) == {0, 1, 2} and scene.mask_names == {1: "left box"}
    np.testing.assert_array_equal(scene.masks, scene.labels == 1)
    assert len(scene.test.time) == FRAMES * CAMERAS and set(np.unique(scene.test.object_ids)) == {0, 1}


def test_person_of_balloon1_is_no_object(tmp_path: Path) -> None:
    write_semantic_nvidia(tmp_path / "Balloon1")
    for name in ("labelmap.txt", "foreground_object.txt"):
        path = tmp_path / "Balloon1" / name
        path.write_text(path.read_text().replace("right box", "person") + ("person\n" if "fore" in name else ""))
    scene = read_dataset("semantic_nvidia", tmp_path / "Balloon1", ImportDatasetConfig())
    assert scene.mask_names == {1: "left box"} and "person stand still" in scene.notes[-1]


@pytest.mark.parametrize(
    ("layout", "broken", "words"),
    [
        ("nvidia", "images_2/00003.png", r"images_2 holds 5 files of images .* expected 6"),
        ("nvidia", "poses_bounds.npy", r"poses_bounds.npy is missing"),
        ("nvidia", "gt/v000_t002.png", r"first camera at time 2 is missing"),
        ("nsff", "dense/mv_images/00001/cam03.png", r"mv_images lacks cam03 at time 1"),
        ("nsff", "dense/mv_masks/00001/cam03.png", r"mv_masks.*cam03.png is missing"),
        ("nsff", "dense/disp/00000.npy", r"disp holds 5 files of disparity maps"),
        ("semantic_nvidia", "labelmap.txt", r"labelmap.txt is missing"),
        ("semantic_nvidia", "SegmentationClass_train/00001.png", r"holds 5 files of label maps"),
        (
            "semantic_nvidia",
            "multiview_GT_semantic/00000001/cam01.png",
            r"cam01.png is missing or not a readable image",
        ),
    ],
)
def test_what_is_missing_is_named(folders: dict[str, Path], layout: str, broken: str, words: str) -> None:
    path = folders[layout] / broken
    kept = path.read_bytes()
    path.unlink()
    try:
        with pytest.raises(StageError, match=words):
            imported(folders, layout)
    finally:
        path.write_bytes(kept)


def test_rig_with_another_number_of_cameras_is_refused(folders: dict[str, Path]) -> None:
    scene = folders["nsff"]
    last = [scene / "dense" / name / f"{t:05d}" / "cam03.png" for name in ("mv_images",) for t in range(FRAMES)]
    kept = [path.read_bytes() for path in last]
    for path in last:
        path.unlink()
    with pytest.raises(StageError, match="frame 2 has another pose than frame 0"):
        imported(folders, "nsff")
    for path, content in zip(last, kept, strict=True):
        path.write_bytes(content)
