"""Labels carried along the flow."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.config import TrainSemanticFlowConfig
from pipeline.evaluation.semantic_metrics import confusion, semantic_scores
from pipeline.formats.scene_file import Scene, read_scene
from pipeline.semantic_flow.label_propagation import carried_colours, with_carried_labels
from pipeline.semantic_flow.labels import training_labels
from tests.synthetic import write_synthetic_scene


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return read_scene(write_synthetic_scene(tmp_path_factory.mktemp("carried")).scene)


@pytest.mark.parametrize("task", ["completion", "tracking"])
def test_carried_labels_are_right_wherever_there_is_one(scene: Scene, task: str) -> None:
    seen = training_labels(scene, None, TrainSemanticFlowConfig(task=task, labelled_fraction=0.34))  # type: ignore[arg-type]
    carried = with_carried_labels(scene, seen, 9)
    hidden = ~seen.labelled
    known = carried.ids[hidden] >= 0
    assert known.mean() > 0.8
    assert semantic_scores(confusion(carried.ids[hidden][known], scene.object_ids[hidden][known], 3)).miou > 0.85
    np.testing.assert_array_equal(carried.ids[seen.labelled], seen.ids[seen.labelled])
    np.testing.assert_array_equal(carried.labelled, seen.labelled)


def test_labels_are_carried_no_farther_than_allowed_and_no_held_out_mask_matters(scene: Scene) -> None:
    config = TrainSemanticFlowConfig(task="tracking", labelled_fraction=0.34)
    carried = with_carried_labels(scene, training_labels(scene, None, config), 2)
    assert (carried.ids[3:5] >= 0).any()
    assert (carried.ids[5:] == -1).all()
    other = scene.object_ids.copy()
    other[3:] = 0
    changed = replace(scene, object_ids=other)
    same = with_carried_labels(changed, training_labels(changed, None, config), 2)
    np.testing.assert_array_equal(same.ids, carried.ids)


@pytest.mark.parametrize("task", ["completion", "tracking"])
def test_colours_are_carried_with_the_labels_and_look_like_the_frames_they_come_to(scene: Scene, task: str) -> None:
    seen = training_labels(scene, None, TrainSemanticFlowConfig(task=task, labelled_fraction=0.34))  # type: ignore[arg-type]
    colours = carried_colours(scene, seen, 9)
    carried = with_carried_labels(scene, seen, 9).ids >= 0
    hidden = np.flatnonzero(~seen.labelled)
    wrong = np.abs(colours.astype(float) - scene.images).mean(-1)[hidden][carried[hidden]]
    other = np.abs(colours[hidden[::-1]].astype(float) - scene.images[hidden]).mean(-1)[carried[hidden]]
    assert np.median(wrong) < 12 and np.median(wrong) < 0.5 * np.median(other)
    assert (colours[seen.labelled] == 0).all()


def test_without_reach_nothing_is_carried(scene: Scene) -> None:
    seen = training_labels(scene, None, TrainSemanticFlowConfig(task="tracking"))
    assert with_carried_labels(scene, seen, 0) is seen
