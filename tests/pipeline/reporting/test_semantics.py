"""What the report says of classes, in numbers that can be worked out by hand."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.evaluation.semantics import ClassTargets, semantic_results
from pipeline.formats.frames_folder import write_image
from pipeline.formats.renders_folder import Renders, planned_set
from pipeline.rendering.trained_method import Classes
from pipeline.reporting.semantics import HELD_OUT, LABELLED, overlap_figure, semantic_rows

CLASSES = Classes(["ground", "ball", "tree"], [False, True, False], {0: 0, 1: 1, 2: 2}, True, labelled_frames=[0])
CURVE = {"frames": [0, 4, 8], "miou": [1.0, 0.9, 0.7], "labelled": [True, False, False]}


def judged(folder: Path) -> tuple[pd.DataFrame, dict[str, list[object]]]:
    """Three frames of 10 pixels: the first right, of the others 1 and 2 pixels of ball told as ground, 2 of tree as ground.

    Confusions (true ground 5, ball 3, tree 2), frame by frame: all right; ball 1 and tree 2 lost; ball 2 and tree 2 lost.
    """
    truth = np.array([[0] * 5 + [1] * 3 + [2] * 2] * 3, np.uint8)
    told = truth.copy()
    told[1:, 8:], told[1, 5], told[2, 5:7] = 0, 0, 0
    entry = planned_set("observed", "observed", [1.0], 1.0, [0, 1, 2], fps=1.0)
    for index, ids in enumerate(told):
        write_image(folder / (entry.ids % index), ids.reshape(2, 5))
    listed = Renders(method="semantic_flow", valid_scales=1, object_ids=[0, 1, 2], sets=[entry])
    found = semantic_results(CLASSES, folder, listed, ClassTargets(truth.reshape(3, 2, 5).astype(int)))
    columns = ["stage", "method", "item", "metric", "value", "protocol"]
    return pd.DataFrame(found.findings.rows, columns=columns), found.notes["semantics"]


def text(*values: float) -> list[str]:
    return [f"{value:.3f}" for value in values]


def test_rows_hold_the_scores_of_the_pixels(tmp_path: Path) -> None:
    metrics, _ = judged(tmp_path)
    rows = {(row["views"], row["kind"]): row["values"] for row in semantic_rows(metrics, "semantic_flow")}
    times = "the video, at times whose labels were kept back"
    assert rows["the video, at times with labels", "all pixels together"] == text(1, 1, 1)
    # Together: of 10 ground pixels 10 are right and 7 more told so; of 6 ball pixels 3; of 4 tree pixels none.
    expected = text((10 / 17 + 3 / 6 + 0) / 3, 13 / 20, (1 + 3 / 6 + 0) / 3)
    assert rows[times, "all pixels together"] == expected
    each = (
        ((5 / 8 + 2 / 3 + 0) / 3, 7 / 10, (1 + 2 / 3 + 0) / 3),
        ((5 / 9 + 1 / 3 + 0) / 3, 6 / 10, (1 + 1 / 3 + 0) / 3),
    )
    assert rows[times, "mean over frames"] == text(*np.mean(each, axis=0))
    # Ground and tree are one background: 14 pixels, all right, and 3 more told so.
    expected = text((14 / 17 + 3 / 6) / 2, 17 / 20, (1 + 3 / 6) / 2)
    assert rows[times, "what moves against one background, all pixels together"] == expected
    assert len(rows) == 8 and semantic_rows(metrics, "osn") == []


def test_the_curve_holds_the_mean_iou_of_every_frame(tmp_path: Path) -> None:
    _, curve = judged(tmp_path)
    assert curve["frames"] == [0, 1, 2] and curve["labelled"] == [True, False, False]
    assert curve["miou"] == pytest.approx([1, (5 / 8 + 2 / 3) / 3, (5 / 9 + 1 / 3) / 3])


def marks(figure: str, colour: str) -> list[tuple[float, float]]:
    """Where the marks of a colour are, but for the legend's."""
    found = re.findall(rf'<use [^>]*x="([\d.]+)" y="([\d.]+)" style="fill: {colour}', figure)
    return [(float(x), float(y)) for x, y in found][:-1]


def test_frames_with_and_without_labels_are_marked_where_their_overlap_is() -> None:
    figure = overlap_figure(CURVE)
    ((x0, y0),) = marks(figure, LABELLED)
    (x4, y4), (x8, y8) = marks(figure, HELD_OUT)
    assert x8 - x4 == pytest.approx(x4 - x0)  # frames 0, 4 and 8
    assert (y8 - y0) / (y4 - y0) == pytest.approx(3)  # 0.3 and 0.1 below the first
    bottom = max(float(y) for y in re.findall(r'<use [^>]*y="([\d.]+)" style="fill: currentColor', figure))
    assert y0 + 10 * (y4 - y0) == pytest.approx(bottom)  # where the overlap is 0
    assert "labels kept back" in figure and "with labels" in figure


def test_nothing_is_drawn_where_there_is_nothing_to_judge_by() -> None:
    assert overlap_figure({}) == ""
    assert marks(overlap_figure({**CURVE, "labelled": [True] * 3}), HELD_OUT) == []
