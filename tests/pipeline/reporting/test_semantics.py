"""What the report says of classes."""

import pandas as pd

from pipeline.reporting.semantics import overlap_figure, semantic_rows


def test_scores_become_rows_by_views_and_kind() -> None:
    rows = [
        ("train_semantic_flow", "semantic_flow", item, metric, value)
        for item in ("held_out_times", "held_out_times_per_view_foreground", "labelled_times")
        for metric, value in (("miou", 0.5), ("total_accuracy", 0.75), ("average_accuracy", 0.6251))
    ]
    metrics = pd.DataFrame(rows, columns=["stage", "method", "item", "metric", "value"])
    shown = semantic_rows(metrics, "semantic_flow")
    assert [row["views"] for row in shown] == [
        "the video, at times with labels",
        *["the video, at times whose labels were kept back"] * 2,
    ]
    assert shown[2]["kind"].endswith("mean over frames")
    assert shown[0]["values"] == ["0.500", "0.750", "0.625"]
    assert semantic_rows(metrics, "osn") == []


def test_the_overlap_of_frames_is_drawn_apart_for_frames_with_and_without_labels() -> None:
    curve = {"frames": [0, 4, 8], "miou": [1.0, 0.9, 0.8], "labelled": [True, False, False]}
    figure = overlap_figure(curve)
    assert "labels kept back" in figure and "with labels" in figure
    assert overlap_figure({}) == ""
