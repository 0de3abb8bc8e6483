"""Rendered classes against what is known."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.evaluation.semantics import class_table, object_targets, protocol_class_findings, semantic_results
from pipeline.formats.frames_folder import write_image
from pipeline.formats.metrics_table import Findings
from pipeline.formats.renders_folder import Renders, planned_set
from pipeline.rendering.trained_method import Classes

CLASSES = Classes(["ground", "ball"], [False, True], {0: 0, 1: 1, 4: 1}, of_objects=True, labelled_frames=[0])


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
    found = semantic_results(CLASSES, tmp_path, rendered(tmp_path, told), object_targets(CLASSES, truth))
    value = {(row.item, row.metric): row.value for row in found.findings.rows}
    assert value["labelled_times", "miou"] == 1
    for item in ("held_out_times", "held_out_times_per_view", "held_out_times_foreground"):
        assert value[item, "miou"] == pytest.approx((4 / 8 + 8 / 12) / 2)
    assert value["held_out_times", "total_accuracy"] == pytest.approx(0.75)
    assert value["held_out_times", "average_accuracy"] == pytest.approx(0.75)
    assert found.notes["semantics"] == {
        "frames": [0, 1],
        "miou": [1.0, pytest.approx(7 / 12)],
        "labelled": [True, False],
    }


def test_held_out_views_are_also_scored_at_times_without_labels(tmp_path: Path) -> None:
    ids = np.zeros((2, 4, 4), np.uint8)
    ids[:, :2] = 1
    renders = rendered(tmp_path, ids)
    views = planned_set("held_out_000", "held_out", [1.0], 1.0, [0, 1], views=[5, 3], fps=10.0)
    told = ids.copy()
    told[1] = 0
    for index, one in enumerate(told):
        write_image(tmp_path / (views.ids % index), one)
    truth = np.full((6, 8, 8), 9, np.uint8)
    truth[[5, 3]] = ids.repeat(2, 1).repeat(2, 2)
    both = Renders(method="semantic_flow", valid_scales=1, object_ids=[0, 1], sets=[*renders.sets, views])
    targets = object_targets(CLASSES, ids, truth, {1: 1})
    found = semantic_results(CLASSES, tmp_path, both, targets).findings
    value = {(row.item, row.metric): row.value for row in found.rows}
    assert value["held_out_views", "total_accuracy"] == pytest.approx(0.75)
    assert value["held_out_views_and_times", "total_accuracy"] == pytest.approx(0.5)
    assert value["held_out_views_per_view", "miou"] == pytest.approx((1 + 0.25) / 2)
    papers = protocol_class_findings("semantic_flow", found)
    assert {(row.protocol, row.item) for row in papers.rows} == {
        ("semantic_flow", "held_out_views"),
        ("semantic_flow", "held_out_views_and_times"),
    }
    assert papers.rows[0].value == value["held_out_views_per_view_foreground", "miou"]
    assert len(protocol_class_findings("osn", Findings()).missing) == 3


def test_true_ids_are_classes_through_the_matching() -> None:
    table = class_table({0: 0, 1: 1, 2: 2}, {1: 7})
    assert table[[0, 7, 1, 2]].tolist() == [0, 1, -1, -1]


def test_classes_of_label_maps_are_judged_by_label_maps_only(tmp_path: Path) -> None:
    ids = np.zeros((2, 4, 4), np.uint8)
    found = semantic_results(CLASSES, tmp_path, rendered(tmp_path, ids), None).findings
    assert not found.rows
    assert {entry.metric for entry in found.missing} == {"miou", "total_accuracy", "average_accuracy"}
