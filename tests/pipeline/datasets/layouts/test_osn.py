import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.cameras import inverse, project, transform
from pipeline.config import ImportDatasetConfig
from pipeline.datasets.exports import osn
from pipeline.datasets.imported_scene import ImportedScene, read_dataset
from pipeline.runtime.errors import StageError
from tests.dataset_miniatures import (
    FOCAL,
    FRAMES,
    GL,
    HEIGHT,
    WIDTH,
    loader_camera,
    shoot,
    world_from_objects,
    write_multimotion,
    write_osn,
)
from tests.posed_miniatures import assert_same_tests, video_of

TRUTHS = (0.8, 1.25)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("osn") / "boxes"
    write_osn(folder, truths=TRUTHS)
    return folder


@pytest.fixture(scope="module")
def scene(folder: Path) -> ImportedScene:
    return read_dataset("osn", folder, ImportDatasetConfig())


def test_cameras_composed_from_the_json_are_those_of_truth(folder: Path, scene: ImportedScene) -> None:
    """Camera of object k: obj_pose[k]^-1 @ c2w, in OpenGL axes."""
    data = json.loads((folder / "transforms_train.json").read_text())
    for t, frame in enumerate(data["frames"]):
        for k in (1, 2):
            told = np.linalg.inv(frame["object_poses"][k]) @ np.array(frame["transform_matrix"]) @ GL
            ours = inverse(scene.train.world_from_object[t, k - 1]) @ scene.train.world_from_camera[t]
            np.testing.assert_allclose(ours, told, atol=1e-6)
            true = inverse(world_from_objects(t)[k - 1]) @ scene.train.world_from_camera[t]
            np.testing.assert_allclose(ours, true, atol=1e-6)


def test_a_corner_is_half_a_pixel_beside_the_index_that_the_loader_gives_it(scene: ImportedScene) -> None:
    corner = transform(world_from_objects(2)[0], np.array([0.6, 0.5, -0.45]))
    local = transform(inverse(scene.world_from_camera[2]), corner)
    focal = FOCAL * WIDTH
    index = np.array([local[0] / local[2] * focal + WIDTH / 2, local[1] / local[2] * focal + HEIGHT / 2])
    np.testing.assert_allclose(project(scene.lenses[2].camera, local), index + 0.5, atol=1e-9)


def test_images_lose_their_transparency_and_keep_their_colours(scene: ImportedScene) -> None:
    shots = [shoot(loader_camera(), scene.world_from_camera[t], t) for t in range(FRAMES)]
    assert scene.images.shape == (FRAMES, HEIGHT, WIDTH, 3)
    for image, shot in zip(scene.images, shots, strict=True):
        assert np.abs(image.astype(int) - shot.image).max() <= 1


def test_estimated_masks_are_given_and_exact_ones_only_judge(
    scene: ImportedScene, folder: Path, tmp_path: Path
) -> None:
    assert (
        scene.masks is not None
        and scene.train.knows("object_ids", "depth")
        and scene.parts == {"masks", "poses", "truth"}
    )
    assert any("OSN itself trains" in note for note in scene.notes)


def test_test_views_are_the_first_camera_at_the_other_times(scene: ImportedScene) -> None:
    test = scene.test
    assert test is not None and test.time.tolist() == [1, 2, 3, 4, 5] and test.covisible is not None
    for row, time in enumerate(test.time):
        np.testing.assert_allclose(test.world_from_camera[row], scene.world_from_camera[0], atol=1e-9)
        shot = shoot(loader_camera(), scene.world_from_camera[0], int(time))
        np.testing.assert_array_equal(test.object_ids[row], shot.ids)
        np.testing.assert_array_equal(test.covisible[row], shot.ids < 2)


def test_scales_of_other_truths_are_told_by_their_objects_distances(scene: ImportedScene) -> None:
    assert scene.scenes is not None
    np.testing.assert_allclose(scene.scenes.scales, [[1, 1, scale] for scale in TRUTHS], atol=1e-9)
    assert scene.scenes.rows.tolist() == list(range(FRAMES - 1))


def test_real_scenes_have_a_focal_length_and_test_cameras_of_their_own(folder: Path, tmp_path: Path) -> None:
    real = as_real(folder, tmp_path)
    scene = read_dataset("multimotion", real, ImportDatasetConfig())
    assert scene.split == "real" and scene.test is not None and not scene.test.knows("depth", "world_from_object")
    assert scene.test.intrinsics is not None and scene.test.intrinsics[0, 0] == pytest.approx(40.0)
    assert scene.lenses[0].camera.fx == pytest.approx(FOCAL * WIDTH)
    np.testing.assert_allclose(scene.test.world_from_camera[0][:3, 3], [0.1, 0.2, 0.3])


def as_real(folder: Path, to: Path) -> Path:
    """The same images as a real scene: `focal`, no object poses, another camera and focal length for the test views."""
    for name in ("images_train", "images_test", "segm_sam"):
        (to / name).symlink_to(folder / name)
    for split, focal in (("train", FOCAL * WIDTH), ("test", 40.0)):
        data = json.loads((folder / f"transforms_{split}.json").read_text())
        for frame in data["frames"]:
            del frame["object_poses"]
            frame["time"] = frame["time_step"] / (FRAMES - 1)
            if split == "test":
                frame["transform_matrix"] = np.block(
                    [[np.eye(3), np.array([[0.1], [0.2], [0.3]])], [0, 0, 0, 1]]
                ).tolist()
        data = {key: value for key, value in data.items() if key != "camera_angle_x"} | {"focal": focal}
        (to / f"transforms_{split}.json").write_text(json.dumps(data))
    return to


def test_import_export_import_is_the_identity(tmp_path: Path) -> None:
    write_multimotion(tmp_path / "stereo")
    scene = read_dataset("multimotion", tmp_path / "stereo", ImportDatasetConfig())
    assert scene.test is not None and scene.masks is not None
    judged = np.zeros((FRAMES, HEIGHT, WIDTH), bool)
    judged[:, 3:9, 5:] = True
    scene = replace(scene, test=replace(scene.test, covisible=judged))
    osn.write(tmp_path / "again", video_of(scene))
    again = read_dataset("multimotion", tmp_path / "again", ImportDatasetConfig())
    np.testing.assert_array_equal(again.images, scene.images)
    np.testing.assert_array_equal(again.masks, scene.masks)
    np.testing.assert_array_equal(again.times, scene.times)
    np.testing.assert_allclose(again.world_from_camera, scene.world_from_camera, atol=1e-9)
    np.testing.assert_allclose(again.lenses[3].camera.values, scene.lenses[3].camera.values, atol=1e-9)
    assert_same_tests(again, scene)


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (lambda folder: (folder / "images_train" / "0003.png").unlink(), r"images_train holds 5 files .* expected 6"),
        (lambda folder: (folder / "transforms_train.json").unlink(), r"transforms_train.json is missing"),
        (lambda folder: (folder / "segm_sam" / "0000.npy").unlink(), r"segm_sam holds 5 files .* expected 6"),
        (lambda folder: np.save(folder / "depth_test" / "0000.npy", np.zeros((3, 4))), r"depth_test.*shape \(3, 4\)"),
        (
            lambda folder: rewrite(folder, "transforms_test.json", time_step=9),
            r"time_step goes from .* to 9, .* 6 frames",
        ),
        (lambda folder: (folder / "transforms_train.json").write_text("{}"), r"lacks frames"),
    ],
)
def test_what_is_missing_or_contradicts_is_named(folder: Path, tmp_path: Path, broken, words: str) -> None:
    copied = tmp_path / "boxes"
    write_osn(copied)
    broken(copied)
    with pytest.raises(StageError, match=words):
        read_dataset("osn", copied, ImportDatasetConfig())


def rewrite(folder: Path, name: str, **values: object) -> None:
    """The last frame of a transforms file changed."""
    data = json.loads((folder / name).read_text())
    data["frames"][-1].update(values)
    (folder / name).write_text(json.dumps(data))
