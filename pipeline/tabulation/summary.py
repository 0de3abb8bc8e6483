"""Means and spreads over seeds, and which of them is best beyond doubt."""

import numpy as np
import pandas as pd

from pipeline.formats.metrics_table import MEANINGS

COLUMN = ["scene", "protocol", "item", "metric"]  # what is compared with one another
ROW = ["method", "depth_supervision"]
OVER_SCENES = "_std"  # ends the names of standard deviations over the true scenes of one video


def summary(numbers: pd.DataFrame) -> pd.DataFrame:
    """A row for each scene, metric, method and supervision: mean, spread (standard deviation over seeds), seeds, best.

    The spread of a single seed is not known. Best is marked only where the lead over the second is larger than the
    larger of both spreads; so of single seeds none is best. Where a number is itself a mean over the true scenes of a
    video, `over_scenes` is the standard deviation over them (OSN's Table 2), mean over the seeds.
    """
    deviates = numbers.metric.str.endswith(OVER_SCENES)
    groups = numbers[~deviates].groupby([*COLUMN, *ROW], sort=False)["value"]
    table = pd.DataFrame({"mean": groups.mean(), "spread": groups.std(ddof=1), "seeds": groups.size()}).reset_index()
    over = numbers[deviates].assign(metric=lambda rows: rows.metric.str.removesuffix(OVER_SCENES))
    means = over.groupby([*COLUMN, *ROW])["value"].mean().rename("over_scenes")
    table = table.merge(means, how="left", left_on=[*COLUMN, *ROW], right_index=True)
    table["best"] = False
    for (_, _, _, metric), found in table.groupby(COLUMN, sort=False):
        best = best_of(found["mean"].to_numpy(), found["spread"].to_numpy(), MEANINGS[metric].higher_is_better)
        if best is not None:
            table.loc[found.index[best], "best"] = True
    return table


def best_of(means: np.ndarray, spreads: np.ndarray, higher: bool | None) -> int | None:
    """The place of the best mean, if its lead is beyond the spread; None where there is none."""
    if higher is None or len(means) < 2:
        return None
    order = np.argsort(-means if higher else means, kind="stable")
    first, second = order[:2]
    doubt = max(spreads[first], spreads[second])
    return int(first) if abs(means[first] - means[second]) > doubt else None  # never where a spread is not known


def pivoted(table: pd.DataFrame, column: tuple[str, str, str]) -> pd.DataFrame:
    """One number's means as text: a row a method and supervision, a column a scene; best in **bold**."""
    protocol, item, metric = column
    chosen = table[(table.protocol == protocol) & (table["item"] == item) & (table.metric == metric)].copy()
    digits = {"psnr": 2, "seconds": 0, "peak": 0}.get(metric.split("_")[0], 3)
    chosen["text"] = [
        number_text(row.mean, row.spread, row.best, digits, row.over_scenes) for row in chosen.itertuples()
    ]
    scenes = list(dict.fromkeys(chosen.scene))
    return chosen.pivot_table(index=ROW, columns="scene", values="text", aggfunc="first", sort=False)[scenes].fillna("")


def number_text(mean: float, spread: float, best: bool, digits: int, over_scenes: float) -> str:
    """`24.10 ± 0.20 (scenes ± 1.30)`, within stars where it is best; without what is not known."""
    text = f"{mean:.{digits}f}" + ("" if np.isnan(spread) else f" ± {spread:.{digits}f}")
    text += "" if np.isnan(over_scenes) else f" (scenes ± {over_scenes:.{digits}f})"
    return f"**{text}**" if best else text


def columns_of(table: pd.DataFrame) -> list[tuple[str, str, str]]:
    """Protocol, item and metric of every column, in order of appearance."""
    return list(dict.fromkeys(zip(table.protocol, table["item"], table.metric, strict=True)))
