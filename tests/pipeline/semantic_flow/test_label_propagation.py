"""Label propagation along the flow."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.config import TrainSemanticFlowConfig
from pipeline.evaluation.semantic_metrics import confusion, semantic_scores
from pipeline.formats.scene_file import Scene, SceneFlow, read_scene
from pipeline.semantic_flow.label_propagation import propagated_colours, with_propagated_labels
from pipeline.semantic_flow.labels import training_labels
from tests.synthetic import write_synthetic_scene


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return read_scene(write_synthetic_scene(tmp_path_factory.mktemp("carried")).scene)


@pytest.mark.parametrize("task", ["completion", "tracking"])
def test_propagated_labels_are_right_wherever_there_is_one(scene: Scene, task: str) -> None:
    seen = training_labels(scene, None, TrainSemanticFlowConfig(task=task, labelled_fraction=0.34))  # type: ignore[arg-type]
    propagated = with_propagated_labels(scene, SceneFlow.of(scene), seen, 9)
    hidden = ~seen.labelled
    known = propagated.ids[hidden] >= 0
    assert known.mean() > 0.8
    assert semantic_scores(confusion(propagated.ids[hidden][known], scene.object_ids[hidden][known], 3)).miou > 0.85
    np.testing.assert_array_equal(propagated.ids[seen.labelled], seen.ids[seen.labelled])
    np.testing.assert_array_equal(propagated.labelled, seen.labelled)


def test_labels_are_propagated_no_farther_than_allowed_and_no_held_out_mask_matters(scene: Scene) -> None:
    config = TrainSemanticFlowConfig(task="tracking", labelled_fraction=0.34)
    propagated = with_propagated_labels(scene, SceneFlow.of(scene), training_labels(scene, None, config), 2)
    assert (propagated.ids[3:5] >= 0).any()
    assert (propagated.ids[5:] == -1).all()
    other = scene.object_ids.copy()
    other[3:] = 0
    changed = replace(scene, object_ids=other)
    same = with_propagated_labels(changed, SceneFlow.of(changed), training_labels(changed, None, config), 2)
    np.testing.assert_array_equal(same.ids, propagated.ids)


@pytest.mark.parametrize("task", ["completion", "tracking"])
def test_colours_are_propagated_with_the_labels_and_look_like_the_frames_they_come_to(scene: Scene, task: str) -> None:
    seen = training_labels(scene, None, TrainSemanticFlowConfig(task=task, labelled_fraction=0.34))  # type: ignore[arg-type]
    colours = propagated_colours(scene, SceneFlow.of(scene), seen, 9)
    propagated = with_propagated_labels(scene, SceneFlow.of(scene), seen, 9).ids >= 0
    hidden = np.flatnonzero(~seen.labelled)
    wrong = np.abs(colours.astype(float) - scene.images).mean(-1)[hidden][propagated[hidden]]
    other = np.abs(colours[hidden[::-1]].astype(float) - scene.images[hidden]).mean(-1)[propagated[hidden]]
    assert np.median(wrong) < 12 and np.median(wrong) < 0.5 * np.median(other)
    assert (colours[seen.labelled] == 0).all()


def test_without_reach_nothing_is_propagated(scene: Scene) -> None:
    seen = training_labels(scene, None, TrainSemanticFlowConfig(task="tracking"))
    assert with_propagated_labels(scene, SceneFlow.of(scene), seen, 0) is seen
