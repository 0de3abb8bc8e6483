"""Rendered classes against what is known."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.evaluation_semantics import class_table, semantic_findings
from pipeline.frames_folder import write_image
from pipeline.renders_folder import Renders, planned_set

FACTS = {
    "classes_are_objects": True,
    "class_of": {0: 0, 1: 1, 4: 1},
    "class_moves": [False, True],
    "labelled_frames": [0],
}


def rendered(folder: Path, ids: np.ndarray) -> Renders:
    entry = planned_set("observed", "observed", [1.0], 1.0, list(range(len(ids))), fps=10.0)
    for index, one in enumerate(ids):
        write_image(folder / (entry.ids % index), one)
    return Renders(method="semantic_flow", valid_scales=1, object_ids=[0, 1], sets=[entry])


def test_times_with_and_without_labels_are_scored_apart(tmp_path: Path) -> None:
    truth = np.zeros((2, 4, 4), np.uint8)
    truth[:, :2], truth[1, 0] = 1, 4
    told = np.zeros_like(truth)
    told[0, :2], told[1, :1] = 1, 1
    found = semantic_findings(FACTS, tmp_path, rendered(tmp_path, told), truth, None, None)
    value = {(row.item, row.metric): row.value for row in found.rows}
    assert value["labelled_times", "miou"] == 1
    assert value["held_out_times", "miou"] == pytest.approx((4 / 8 + 8 / 12) / 2)
    assert value["held_out_times", "total_accuracy"] == pytest.approx(0.75)
    assert value["held_out_times", "average_accuracy"] == pytest.approx(0.75)


def test_true_ids_are_classes_through_the_matching() -> None:
    table = class_table({0: 0, 1: 1, 2: 2}, {1: 7})
    assert table[[0, 7, 1, 2]].tolist() == [0, 1, -1, -1]


def test_classes_of_label_maps_are_not_judged_by_masks(tmp_path: Path) -> None:
    ids = np.zeros((2, 4, 4), np.uint8)
    facts = {**FACTS, "classes_are_objects": False}
    found = semantic_findings(facts, tmp_path, rendered(tmp_path, ids), ids, None, None)
    assert not found.rows
    assert {entry.metric for entry in found.missing} == {"miou", "total_accuracy", "average_accuracy"}
