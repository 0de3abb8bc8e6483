"""metrics.csv: one row a number, and what every number means."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from pipeline.runtime.atomic import whole
from pipeline.runtime.errors import StageError

COLUMNS = ("scene", "stage", "method", "protocol", "item", "metric", "value", "unit", "higher_is_better")
OWN_PROTOCOL = "monoverse"  # the formulas that MEANINGS states; others are those of a paper's released code


class Meaning(NamedTuple):
    """Unit, direction (None: neither way is better) and a sentence."""

    unit: str
    higher_is_better: bool | None
    sentence: str


MEANINGS: dict[str, Meaning] = {
    "epe_px": Meaning(
        "px", False, "mean distance between estimated and true flow, where the surface is seen in both frames"
    ),
    "outliers_1px_percent": Meaning("%", False, "share of pixels whose flow is off by more than 1 pixel"),
    "miou": Meaning(
        "", True, "overlap of object masks with the true ones, mean over frames; `all` is the mean over moving objects"
    ),
    "pck_t": Meaning(
        "",
        True,
        "share of marked points that, carried to another frame, are within 5 % of the longer side of their marks there",
    ),
    "id_switches": Meaning("", False, "how often a true object changes the estimated object that covers it"),
    "registered_frames": Meaning("frames", True, "frames in which the object's pose is known"),
    "rotation_error_deg": Meaning("deg", False, "mean angle between estimated and true orientation, after alignment"),
    "trajectory_error_percent": Meaning(
        "%", False, "error of the camera's path as seen from the object, after alignment, over the path's mean radius"
    ),
    "reprojection_error_px": Meaning("px", False, "mean distance between points and their reprojection"),
    "focal_error_percent": Meaning("%", False, "error of the focal length"),
    "verdict": Meaning("0-2", True, "verdict on the reconstruction: 0 failed, 1 weak, 2 ok"),
    "psnr_db": Meaning("dB", True, "likeness of images; 20 is rough, 25 good, 30 very good"),
    "ssim": Meaning("", True, "likeness of structure, at most 1"),
    "lpips": Meaning("", False, "perceptual distance (AlexNet)"),
    "unexplained_percent": Meaning(
        "%", False, "share of the video's own views that is shown with other colours and another structure"
    ),
    "psnr_db_covisible": Meaning("dB", True, "PSNR where the video saw the surface in enough frames"),
    "ssim_covisible": Meaning("", True, "SSIM where the video saw the surface in enough frames"),
    "lpips_covisible": Meaning("", False, "LPIPS where the video saw the surface in enough frames"),
    "depth_mae": Meaning("truth's units", False, "depth error, after shift and scale are aligned"),
    "depth_mse": Meaning("truth's units²", False, "squared depth error, after shift and scale are aligned"),
    "depth_mae_covisible": Meaning("truth's units", False, "depth error where the video saw the surface"),
    "depth_mse_covisible": Meaning("truth's units²", False, "squared depth error where the video saw the surface"),
    "miou_covisible": Meaning("", True, "overlap of object masks where the video saw the surface"),
    "panoptic_quality_covisible": Meaning("", True, "panoptic quality where the video saw the surface"),
    "psnr_db_dynamic": Meaning("dB", True, "PSNR over the pixels of moving objects"),
    "ssim_dynamic": Meaning("", True, "SSIM over the pixels of moving objects"),
    "lpips_dynamic": Meaning("", False, "LPIPS over the pixels of moving objects"),
    "candidates": Meaning("scenes", None, "rendered valid scenes of which each number is that of the best"),
    "psnr_db_std": Meaning("dB", None, "standard deviation of PSNR over scenes"),
    "ssim_std": Meaning("", None, "standard deviation of SSIM over scenes"),
    "lpips_std": Meaning("", None, "standard deviation of LPIPS over scenes"),
    "depth_mae_std": Meaning("truth's units", None, "standard deviation of the depth error over scenes"),
    "panoptic_quality": Meaning("", True, "segments found and how well they overlap, at most 1"),
    "same_view_psnr_db": Meaning(
        "dB", True, "lowest likeness of two valid scenes from an observed view: high, as all explain the video"
    ),
    "new_view_psnr_db": Meaning(
        "dB", None, "lowest likeness of two valid scenes from a new view: low where the video leaves much open"
    ),
    "valid_region_iou": Meaning("", True, "overlap of the predicted with the true region of valid scales"),
    "valid_region_precision": Meaning("", True, "share of the predicted region of valid scales that is truly valid"),
    "valid_region_recall": Meaning("", True, "share of the true region of valid scales that is predicted"),
    "valid_region_auc": Meaning("", True, "how often truly valid scales score above others: 0.5 is chance"),
    "certain_fraction": Meaning("", None, "share of the scales' range that is valid beyond doubt"),
    "hidden_limit": Meaning(
        "", False, "share of an object that may seem hidden where nothing is: its fields' accuracy"
    ),
    "valid_fraction": Meaning("", None, "share of the scales' range that the network calls valid"),
    "lowest_valid_scale": Meaning("", None, "smallest scale of the object among the sampled valid scenes"),
    "highest_valid_scale": Meaning("", None, "largest scale of the object among the sampled valid scenes"),
    "scale_error_percent": Meaning("%", False, "distance of the nearest sampled valid scale from the true one"),
    "suggested_scale_error_percent": Meaning("%", False, "distance of the suggested scale from the true one"),
    "total_accuracy": Meaning("", True, "share of pixels with the right class"),
    "average_accuracy": Meaning("", True, "share of pixels with the right class, mean over classes"),
    "splats_psnr_db": Meaning(
        "dB",
        True,
        "likeness of the splats to the field: of an object alone in views between those fitted, `all`: together",
    ),
    "seconds": Meaning("s", False, "wall time of the stage"),
    "peak_memory_mb": Meaning("MB", False, "largest memory of the stage"),
}


class Row(NamedTuple):
    """One number; `item` is an object id, a set of views, or `all`, `protocol` says by whose formula it was computed."""

    stage: str
    method: str
    item: str
    metric: str
    value: float
    protocol: str = OWN_PROTOCOL


class Missing(NamedTuple):
    """A number that could not be computed, and why."""

    stage: str
    method: str
    item: str
    metric: str
    reason: str
    protocol: str = OWN_PROTOCOL


@dataclass(frozen=True)
class Findings:
    """Numbers, and the numbers that are missing; those that are not finite count as missing."""

    rows: list[Row] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)

    def __add__(self, other: "Findings") -> "Findings":
        return Findings(self.rows + other.rows, self.missing + other.missing)

    def withheld(self, metrics: Collection[str], reason: str) -> "Findings":
        """The same with the numbers of some metrics missing for a reason."""
        missing = [Missing(*row[:4], reason, row.protocol) for row in self.rows if row.metric in metrics]
        return Findings([row for row in self.rows if row.metric not in metrics], self.missing + missing)

    @staticmethod
    def of(rows: Iterable[Row]) -> "Findings":
        """Findings from rows some of which may hold no number."""
        rows = list(rows)
        reason = "the computation gave no finite number"
        bad = [Missing(*row[:4], reason, row.protocol) for row in rows if not np.isfinite(row.value)]
        return Findings([row for row in rows if np.isfinite(row.value)], bad)

    @staticmethod
    def absent(
        stage: str,
        metrics: Iterable[str],
        reason: str,
        method: str = "",
        item: str = "all",
        protocol: str = OWN_PROTOCOL,
    ) -> "Findings":
        """Several numbers that are missing for one reason."""
        return Findings([], [Missing(stage, method, item, metric, reason, protocol) for metric in metrics])


def write_metrics(path: Path, scene: str, rows: Iterable[Row]) -> None:
    """Write the table."""
    table = pd.DataFrame(
        [{"scene": scene, **row._asdict(), **MEANINGS[row.metric]._asdict()} for row in rows],
        columns=list(COLUMNS),
    )
    with whole(path) as partial:
        table.to_csv(partial, index=False)


def own_numbers(table: pd.DataFrame) -> pd.DataFrame:
    """The numbers by our own formulas alone, of which there is one of each kind."""
    return table[table.protocol == OWN_PROTOCOL]


def read_metrics(path: Path) -> pd.DataFrame:
    """The table."""
    try:
        table = pd.read_csv(path, dtype={"item": str, "scene": str, "method": str, "unit": str}, keep_default_na=False)
        table["value"] = table["value"].astype(float)
    except (OSError, ValueError, KeyError) as error:
        raise StageError(f"{path} is not a table of metrics ({error}); delete it and run evaluate again") from error
    if missing := set(COLUMNS) - set(table.columns):
        raise StageError(f"{path} has no column {', '.join(sorted(missing))}; delete it and run evaluate again")
    return table
