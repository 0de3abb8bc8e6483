"""Whether the trainings of a benchmark were long enough: how the loss of colours fell, and how much it still falls at the end."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from pipeline.formats.training_history import read_history
from pipeline.reporting.embedding import figure_style, svg
from pipeline.reporting.facts import method_title
from pipeline.tabulation.runs import Run

COLOUR_LOSSES = ("colour_loss", "colour")  # what the methods' histories call it
LATE = 0.2  # of the training: this part is compared with as long a part before it
FEWEST = 3  # values in each of these parts


def colour_curve(history: pd.DataFrame) -> pd.Series:
    """Loss of colours by the part of the training that was done, in (0, 1]; empty where the history does not tell it."""
    name = next((name for name in COLOUR_LOSSES if name in history), None)
    values = pd.Series(dtype=float) if name is None else history[name].dropna().reset_index(drop=True)
    return values.set_axis((values.index + 1) / max(len(values), 1))


def still_falls(curve: pd.Series) -> float | None:
    """By which share the mean of the last fifth is below that of the fifth before it; none of a curve that is too short."""
    count = round(LATE * len(curve))
    if count < FEWEST:
        return None
    last, before = curve.iloc[-count:], curve.iloc[-2 * count : -count]
    return float(1 - last.mean() / before.mean())


def curves(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """By scene and depth supervision, of the first seed: a figure, and each method's name with what it still falls."""
    groups: dict[tuple[str, str], dict[str, pd.Series]] = {}
    first = min(run.seed for run in runs)
    for run in runs:
        if run.seed == first:
            curve = colour_curve(read_history(run.folder / "history.csv"))
            if not curve.empty:
                groups.setdefault((run.scene, run.depth_supervision), {})[method_title(run.method)] = curve
    return [
        {
            "scene": scene,
            "supervision": supervision,
            "figure": figure(by_method),
            "rows": [(name, percent(still_falls(curve))) for name, curve in by_method.items()],
        }
        for (scene, supervision), by_method in groups.items()
    ]


def percent(share: float | None) -> str:
    return "too few steps to tell" if share is None else f"{100 * share:.0f} %"


def figure(by_method: Mapping[str, pd.Series]) -> str:
    """A line for each method. Losses are weighed by the methods' own weights: only their shapes can be compared."""
    with figure_style("curves"):
        drawn = Figure(figsize=(7, 3.2))
        axes = drawn.add_subplot()
        for name, curve in by_method.items():
            axes.plot(100 * curve.index, curve.to_numpy(), linewidth=1.3, label=name)
        axes.set_yscale("log")
        axes.set_xlabel("part of the training, %")
        axes.set_ylabel("loss of colours")
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
        drawn.tight_layout()
        return svg(drawn)
