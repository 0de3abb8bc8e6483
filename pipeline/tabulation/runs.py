"""The runs of a benchmark: which scene, method, depth supervision and seed each has, by its folder, and its numbers."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pipeline.formats.metrics_table import OWN_PROTOCOL, read_metrics
from pipeline.runtime.errors import StageError

JUDGED_VIEWS = {
    "held_out": "",
    "scenes": " over the true scenes",
}  # items of the metrics, and what a table says of them
COST = ("seconds", "peak_memory_mb")
KEYS = ["scene", "method", "depth_supervision", "seed", "protocol", "item", "metric"]


@dataclass(frozen=True)
class Run:
    """One training of a benchmark, in the folder .../SCENE/SUPERVISION_SEED/METHOD."""

    folder: Path

    @property
    def scene(self) -> str:
        return self.folder.parents[1].name

    @property
    def method(self) -> str:
        return self.folder.name

    @property
    def depth_supervision(self) -> str:
        return self.folder.parent.name.rpartition("_")[0]

    @property
    def seed(self) -> int:
        try:
            return int(self.folder.parent.name.rpartition("_")[2])
        except ValueError as error:
            raise StageError(
                f"{self.folder} is not the folder of a run, SCENE/SUPERVISION_SEED/METHOD; take those that the graph makes"
            ) from error


def numbers(runs: list[Run]) -> pd.DataFrame:
    """Every number of held-out views that the runs were judged by, and what their training cost: a row each, by KEYS."""
    rows = []
    for run in runs:
        table = read_metrics(run.folder / "metrics.csv")
        own = table[table.method == run.method]
        judged = own[(own.stage == "render_views") & own["item"].isin(JUDGED_VIEWS) & ~own.metric.isin(COST)]
        cost = own[own.stage.str.startswith("train_") & own.metric.isin(COST)]
        if judged.empty:
            raise StageError(
                f"{run.folder}/metrics.csv has no number of held-out views; a benchmark needs scenes whose truth has some"
            )
        for row in pd.concat([judged, cost]).itertuples():
            key = (run.scene, run.method, run.depth_supervision, run.seed, row.protocol, row.item, row.metric)
            rows.append((*key, row.value))
    return pd.DataFrame(rows, columns=[*KEYS, "value"])


def title_of(protocol: str, item: str, metric: str) -> str:
    """What a column is called."""
    by = "" if protocol == OWN_PROTOCOL else f" by {protocol}'s formula"
    return f"{metric}{JUDGED_VIEWS.get(item, '')}{by}"
