"""Classes of pixels, and which frames' labels a task may see."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.config import TrainSemanticFlowConfig
from pipeline.formats.frame_files import KeptFrames
from pipeline.formats.frames_folder import frame_name
from pipeline.formats.lens import Lens, undistortion
from pipeline.formats.scene_file import Scene, read_scene
from pipeline.runtime.errors import StageError
from pipeline.semantic_flow.labels import held_out_frames, labelled_frames, read_labels, training_labels
from tests.synthetic import SyntheticScene, write_synthetic_scene


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> SyntheticScene:
    return write_synthetic_scene(tmp_path_factory.mktemp("labels"))


@pytest.fixture(scope="module")
def scene(written: SyntheticScene) -> Scene:
    return read_scene(written.scene)


def test_held_out_frames_of_twelve_are_those_of_the_paper() -> None:
    assert labelled_frames("tracking", 0.25, 12) == [0, 1, 2]
    assert labelled_frames("tracking", 0.75, 12) == list(range(9))
    assert labelled_frames("completion", 0.25, 12) == [0, 1, 11]
    assert labelled_frames("completion", 0.5, 12) == [0, 1, 2, 9, 10, 11]
    assert labelled_frames("completion", 0.75, 12) == [0, 1, 2, 3, 4, 8, 9, 10, 11]
    assert held_out_frames("completion", 0.25, 12) == list(range(2, 11))
    assert held_out_frames("full", 0.25, 12) == []


def test_a_task_never_sees_a_label_of_a_held_out_frame(scene: Scene) -> None:
    for task in ("completion", "tracking"):
        config = TrainSemanticFlowConfig(task=task, labelled_fraction=0.34)  # type: ignore[arg-type]
        labels = training_labels(scene, None, config)
        held_out = held_out_frames(task, 0.34, scene.frame_count)
        assert len(held_out) == 6
        assert (labels.ids[held_out] == -1).all()
        assert not labels.moving[held_out].any()
        assert (labels.ids[labels.labelled] >= 0).all()


def test_objects_may_share_a_class_and_unusable_pixels_are_unlabelled(scene: Scene) -> None:
    names = [entry["name"] for entry in scene.objects]
    ids = scene.object_ids.copy()
    ids[:, :4] = 255
    config = TrainSemanticFlowConfig(classes={names[1]: "box", "2": "box"})
    labels = read_labels(replace(scene, object_ids=ids), None, config)
    assert labels.names == [names[0], "box"]
    assert labels.moves == [False, True]
    assert (labels.ids[:, :4] == -1).all()
    assert set(np.unique(labels.ids[scene.object_ids == 2])) <= {-1, 1}


def test_a_class_may_be_said_to_stand_still(scene: Scene) -> None:
    still = scene.objects[1]["name"]
    labels = read_labels(scene, None, TrainSemanticFlowConfig(static_classes=[still]))
    assert labels.moves == [False, False, True]


def test_masks_keep_what_the_scene_could_not_use(written: SyntheticScene, scene: Scene) -> None:
    lost = replace(scene, object_ids=np.where(scene.object_ids == 2, 255, scene.object_ids).astype(np.uint8))
    labels = read_labels(lost, written.masks, TrainSemanticFlowConfig())
    np.testing.assert_array_equal(labels.ids, scene.object_ids)
    assert labels.names[2] == scene.objects[2]["name"]


def test_masks_of_frames_whose_lens_the_scene_undoes_are_undistorted(written: SyntheticScene, scene: Scene) -> None:
    height, width = scene.size
    lens = Lens("OPENCV_FISHEYE", (40.0, 40.0, width / 2, height / 2, 0.0, 0.0, 0.0, 0.0), width, height)
    straight = replace(scene, source=replace(scene.kept, frame_lens=lens.values))
    found = read_labels(straight, written.masks, TrainSemanticFlowConfig()).ids
    np.testing.assert_array_equal(found[2], undistortion(lens).apply(scene.object_ids[2], exact=True))
    assert (found != scene.object_ids).any()


def test_a_folder_of_coloured_maps_is_read_by_its_palette(scene: Scene, tmp_path: Path) -> None:
    colours = np.array([[0, 0, 0], [200, 10, 20], [30, 40, 250]], np.uint8)
    for index, ids in enumerate(scene.object_ids):
        cv2.imwrite(str(tmp_path / f"{index:03d}.png"), colours[ids][..., ::-1])
    with pytest.raises(StageError, match=r"labelmap\.txt"):
        read_labels(scene, tmp_path, TrainSemanticFlowConfig())
    (tmp_path / "labelmap.txt").write_text("# label:color\nroom:0,0,0::\ncar:200,10,20::\ndog:30,40,250::\n")
    labels = read_labels(scene, tmp_path, TrainSemanticFlowConfig())
    assert labels.names == ["room", "car", "dog"]
    np.testing.assert_array_equal(labels.ids, scene.object_ids)


def test_wrong_names_and_counts_are_refused(scene: Scene, tmp_path: Path) -> None:
    with pytest.raises(StageError, match="horse"):
        read_labels(scene, None, TrainSemanticFlowConfig(classes={"horse": "animal"}))
    with pytest.raises(StageError, match="are 0 for"):
        read_labels(scene, tmp_path, TrainSemanticFlowConfig())


def test_class_numbers_beyond_a_byte_are_refused_and_up_to_254_are_taken(scene: Scene, tmp_path: Path) -> None:
    for index, ids in enumerate(scene.object_ids):
        cv2.imwrite(str(tmp_path / f"{index:03d}.png"), np.where(ids == 2, 254, ids).astype(np.uint16))
    labels = read_labels(scene, tmp_path, TrainSemanticFlowConfig(classes={"class 254": "dog"}))
    assert len(labels.names) == 255 and labels.names[254] == "dog"
    np.testing.assert_array_equal(labels.ids == 254, scene.object_ids == 2)
    cv2.imwrite(str(tmp_path / "000.png"), np.full(scene.object_ids.shape[1:], 300, np.uint16))
    with pytest.raises(StageError, match="class 300"):
        read_labels(scene, tmp_path, TrainSemanticFlowConfig())


def test_unpadded_names_and_sizes_of_the_video_find_their_frames(scene: Scene, tmp_path: Path) -> None:
    """Text order would put 10 before 2, and most frames would get another frame's labels."""
    for index, ids in enumerate(scene.object_ids):
        large = np.repeat(np.repeat(ids, 2, axis=0), 2, axis=1)
        cv2.imwrite(str(tmp_path / f"{index + 1}.PNG"), large)
    (tmp_path / "._1.png").write_bytes(b"junk")
    labels = read_labels(scene, tmp_path, TrainSemanticFlowConfig())
    np.testing.assert_array_equal(labels.ids, scene.object_ids)


def test_label_maps_of_the_whole_video_are_thinned_as_its_frames_were(scene: Scene, tmp_path: Path) -> None:
    count = scene.frame_count
    kept = KeptFrames([frame_name(t) for t in range(count)], [2 * t for t in range(count)], 2 * count)
    for index in range(2 * count):
        cv2.imwrite(str(tmp_path / f"{index}.png"), scene.object_ids[index // 2])
    labels = read_labels(replace(scene, source=kept), tmp_path, TrainSemanticFlowConfig())
    np.testing.assert_array_equal(labels.ids, scene.object_ids)
