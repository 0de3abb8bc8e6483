"""Classes of one model in the label maps of a scene."""

from pathlib import Path

import numpy as np

from pipeline.formats.frames_folder import write_image
from pipeline.formats.scene_file import read_scene
from pipeline.semantic_flow.shared_semantics import label_map_classes
from tests.pipeline.small_semantic_flow import small
from tests.synthetic import write_synthetic_scene


def test_label_maps_tell_the_classes_of_frames_that_a_task_kept_back(tmp_path: Path) -> None:
    scene = read_scene(write_synthetic_scene(tmp_path / "scene").scene)
    for index, ids in enumerate(scene.object_ids):
        write_image(tmp_path / f"labels/{index:03d}.png", np.where(ids == 2, 255, ids).astype(np.uint8))
    names, moves = ["class 0", "lamp", "class 1"], [False, True, True]
    found = label_map_classes(scene, tmp_path / "labels", small(task="tracking"), names, moves)
    column = np.array([0, 2, -1])
    np.testing.assert_array_equal(found, column[scene.object_ids])
