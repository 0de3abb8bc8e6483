"""One page that holds finished runs against each other: scenes, methods and settings.

Reads   results/NAME of each run: metrics.csv, evaluation.json, frames/, frames.json, records/, METHOD/renders/
Writes  compare.html   one table for each protocol, pictures side by side, what differs in settings, times

Runs can be compared where they saw the same frames and were judged by the same truth on as many views; only there a number
is the best.
"""

import logging
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.cli import run_stage
from pipeline.formats.metrics_table import MEANINGS, OWN_PROTOCOL
from pipeline.reporting.comparison import Column, Entrant, table_html
from pipeline.reporting.embedding import image_uri
from pipeline.reporting.facts import STAGE_TITLES, method_title
from pipeline.reporting.finished_runs import FinishedRun, Image, middle_frame, middle_views, read_runs
from pipeline.reporting.page import render_page
from pipeline.reporting.pictures import fitted
from pipeline.runtime.atomic import whole
from pipeline.runtime.errors import StageError
from pipeline.runtime.status_words import span

log = logging.getLogger(__name__)
PICTURE_WIDTH = 360
JUDGED = ("render_views", "train_osn", "train_semantic_flow", "export_splats")
BEFORE = ("estimate_flow", "segment_objects", "reconstruct_objects")
ITEMS = {"held_out": "held-out", "observed": "observed", "all": "", "0": "background"}
FIRST = ("psnr_db", "ssim", "lpips", "psnr_db_covisible", "ssim_covisible", "lpips_covisible")
WORDS = {
    "psnr": "PSNR",
    "ssim": "SSIM",
    "lpips": "LPIPS",
    "miou": "IoU",
    "epe": "end-point error",
    "iou": "IoU",
    "auc": "AUC",
}
WORDS |= dict.fromkeys(("db", "px", "percent", "deg"), "")  # the unit stands beside
WORDS |= {"mae": "error", "mse": "squared error"}
LEFT_OUT = ("seconds", "peak_memory_mb", "candidates")
DIGITS = {"dB": 1, "%": 1, "": 3}


def compare_runs(runs: list[Path], compare: Path) -> None:
    found, missing = readable_runs(runs)
    if not found:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in missing) or "none was named"
        raise StageError(f"there is no finished run to compare ({reasons}); run `snakemake --cores all` first")
    listed = in_groups(found)
    titles = group_titles(listed)
    page = {
        "count": len(listed),
        "missing": missing,
        "tables": [protocol_table(listed, titles, protocol) for protocol in protocols(listed)],
        "pictures": [picture_row(runs_of(listed, footage), title) for footage, title in titles.items()],
        "settings": [settings_table(runs_of(listed, footage), title) for footage, title in titles.items()],
        "times": times_table(listed, titles),
    }
    with whole(compare) as partial:
        partial.write_text(render_page("compare.html", page))
    log.info("%s: %d runs, %d missing", compare.name, len(listed), len(missing))


def readable_runs(folders: list[Path]) -> tuple[list[FinishedRun], list[tuple[str, str]]]:
    """The runs of these folders, and those that are not finished or cannot be read, each with the reason."""
    runs, missing = [], []
    for folder in folders:
        try:
            runs += read_runs(folder)
        except (StageError, OSError) as error:
            missing.append((folder.name, str(error)))
            log.warning("%s is left out: %s", folder, error)
    return runs, missing


def in_groups(runs: list[FinishedRun]) -> list[FinishedRun]:
    """Runs on the same footage beside each other, in the order in which a footage comes first."""
    order = list(dict.fromkeys(run.footage for run in runs))
    return sorted(runs, key=lambda run: order.index(run.footage))


def runs_of(runs: list[FinishedRun], footage: str) -> list[FinishedRun]:
    return [run for run in runs if run.footage == footage]


def group_titles(runs: list[FinishedRun]) -> dict[str, str]:
    """A title for each footage: the scenes that show it, and its size."""
    titles = {}
    for run in runs:
        scenes = dict.fromkeys(other.scene for other in runs_of(runs, run.footage))
        same = " show the same frames" if len(scenes) > 1 else ""
        titles[run.footage] = f"{', '.join(scenes)}{same}: {run.size} pixels"
    return titles


def protocols(runs: list[FinishedRun]) -> list[str]:
    """Ours first, then the papers' in the order in which they appear."""
    named = dict.fromkeys(protocol for run in runs for protocol in run.metrics.protocol)
    return sorted(named, key=lambda protocol: protocol != OWN_PROTOCOL)


def protocol_table(runs: list[FinishedRun], titles: dict[str, str], protocol: str) -> dict[str, Any]:
    """The numbers of one protocol: a row a run, the numbers of the method first, then those of the stages before."""
    tables = [compared_numbers(run.metrics, protocol) for run in runs]
    keys = dict.fromkeys(key for table in tables for key in table)
    columns = [number_column(*key) for key in sorted(keys, key=column_order)]
    entrants = [
        Entrant(
            (run.scene, method_title(run.method), run.judged_on),
            {number_column(*key).key: value for key, value in table.items()},
            titles[run.footage],
            comparable=run.judged_on,
        )
        for run, table in zip(runs, tables, strict=True)
        if table
    ]
    title = "Numbers" if protocol == OWN_PROTOCOL else f"Numbers by the protocol {protocol}"
    return {"title": title, "html": table_html(["scene", "method", "judged on"], columns, entrants)}


def compared_numbers(metrics: pd.DataFrame, protocol: str) -> dict[tuple[str, str, str], float]:
    """Numbers that say how good a run is, by stage, item and kind."""
    rows = metrics[(metrics.protocol == protocol) & metrics.stage.isin(JUDGED + BEFORE) & metrics["item"].isin(ITEMS)]
    return {
        (row["stage"], row["item"], row["metric"]): float(row["value"])
        for row in rows.to_dict("records")
        if row["metric"] not in LEFT_OUT and MEANINGS[row["metric"]].higher_is_better is not None
    }


def column_order(key: tuple[str, str, str]) -> tuple[int, int, int]:
    """Where a number stands in the table."""
    stage, item, metric = key
    rank = (*FIRST, *(name for name in MEANINGS if name not in FIRST)).index(metric)
    return (JUDGED + BEFORE).index(stage), list(ITEMS).index(item), rank


def number_column(stage: str, item: str, metric: str) -> Column:
    """The column of one kind of number."""
    meaning = MEANINGS[metric]
    words = [WORDS.get(word, word) for word in metric.split("_")]
    name = " ".join(word for word in words if word)
    where = ITEMS[item] if stage == "render_views" else " ".join([STAGE_TITLES[stage], ITEMS[item]]).strip()
    title = f"{where} {name}"
    return Column(
        f"{stage} {item} {metric}", title, meaning.higher_is_better, DIGITS.get(meaning.unit, 2), meaning.unit
    )


def picture_row(runs: list[FinishedRun], title: str) -> dict[str, Any]:
    """The same frame as it was filmed and as each run renders it; below, a view that was held out."""
    return {
        "title": title,
        "frame": embedded(middle_frame(runs[0])),
        "runs": [
            {
                "name": f"{run.scene}, {method_title(run.method)}",
                **{kind: embedded(image) if image is not None else None for kind, image in middle_views(run).items()},
            }
            for run in runs
        ],
    }


def embedded(image: Image) -> str:
    return image_uri(fitted(image, min(PICTURE_WIDTH, image.shape[1])))


def settings_table(runs: list[FinishedRun], title: str) -> dict[str, Any]:
    """The settings in which runs of one footage differ; a run without the setting has no stage that asks for it."""
    told = [run.settings for run in runs]
    keys = sorted({key for settings in told for key in settings})
    differing = [key for key in keys if len({settings[key] for settings in told if key in settings}) > 1]
    return {
        "title": title,
        "runs": [run.name for run in runs],
        "rows": [(key, [settings.get(key, "") for settings in told]) for key in differing],
    }


def times_table(runs: list[FinishedRun], titles: dict[str, str]) -> dict[str, Any]:
    """What each stage of each run took, as its record says."""
    stages = list(dict.fromkeys(base_stage(stage, run) for run in runs for stage in run.seconds))
    rows = []
    for run in runs:
        taken = {base_stage(stage, run): seconds for stage, seconds in run.seconds.items()}
        told = [span(taken[stage]) if stage in taken else "" for stage in stages]
        rows.append({"name": run.name, "group": titles[run.footage], "values": [*told, span(sum(taken.values()))]})
    return {"stages": [*(STAGE_TITLES.get(stage, stage) for stage in stages), "in all"], "rows": rows}


def base_stage(record: str, run: FinishedRun) -> str:
    """A stage without the name of its method: trainings of all methods stand in one column."""
    return "training" if record.startswith("train_") else record.removesuffix(f"_{run.method}")


if __name__ == "__main__":
    run_stage(compare_runs)
