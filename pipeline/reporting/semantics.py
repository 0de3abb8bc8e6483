"""What the report says of classes: scores by times and views, and the overlap of every rendered frame."""

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from pipeline.evaluation.results import training_stage
from pipeline.evaluation.semantics import METRICS
from pipeline.reporting.embedding import figure_style, svg

LABELLED, HELD_OUT = "#58b98a", "#e8702a"
ITEMS = {
    "labelled_times": "the video, at times with labels",
    "held_out_times": "the video, at times whose labels were kept back",
    "held_out_views": "held-out views",
    "held_out_views_and_times": "held-out views, at times whose labels were kept back",
}
KINDS = {
    "": "all pixels together",
    "_per_view": "mean over frames",
    "_foreground": "what moves against one background, all pixels together",
    "_per_view_foreground": "what moves against one background, mean over frames",
}


def semantic_rows(metrics: pd.DataFrame, method: str) -> list[dict[str, Any]]:
    """One row for each set of views and way of averaging: mIoU, total and class-average accuracy."""
    own = metrics[(metrics.stage == training_stage(method)) & (metrics.method == method)]
    value = {(row["item"], row["metric"]): float(row["value"]) for row in own.to_dict("records")}
    return [
        {"views": views, "kind": kind, "values": [f"{value[item + suffix, metric]:.3f}" for metric in METRICS]}
        for item, views in ITEMS.items()
        for suffix, kind in KINDS.items()
        if (item + suffix, METRICS[0]) in value
    ]


def overlap_figure(curve: dict[str, list[Any]]) -> str:
    """Mean IoU of the rendered frames over time; empty where there is nothing to judge by."""
    if not curve:
        return ""
    with figure_style("overlap"):
        figure = Figure(figsize=(9, 2.4))
        axes = figure.subplots()
        axes.plot(curve["frames"], curve["miou"], color="#8a93a0", linewidth=1)
        for labelled, colour, name in ((True, LABELLED, "with labels"), (False, HELD_OUT, "labels kept back")):
            chosen = [index for index, known in enumerate(curve["labelled"]) if known == labelled]
            if chosen:
                points = ([curve[key][index] for index in chosen] for key in ("frames", "miou"))
                axes.plot(*points, "o", color=colour, markersize=5, label=name)
        axes.set(xlabel="frame", title="mean IoU of classes in the training camera", ylim=(0, 1.03))
        axes.legend(loc="lower left")
        figure.tight_layout()
        return svg(figure)
