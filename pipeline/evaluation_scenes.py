"""Many scenes explain a video: how well a method shows each true one, how its valid scenes spread, and the baselines.

A baseline is the same trained scene at one fixed scale an object, as a method without a scale network would have it.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Int

from pipeline.evaluation_rendering import STAGE, Target, held_out_target, resized_depths, resized_images, set_values
from pipeline.metrics import psnr_db, to_unit
from pipeline.metrics_table import Findings, Row
from pipeline.object_matching import resized_ids
from pipeline.perceptual import Lpips
from pipeline.renders_folder import Renders, read_set_images
from pipeline.truth_file import TrueScenes, Truth

JUDGED = ("psnr_db", "ssim", "lpips", "depth_mae")
Values = dict[str, float]


def comparison_findings(
    folder: Path,
    renders: Renders,
    truth: Truth,
    rows: Int[np.ndarray, "frame"],
    matching: dict[int, int],
    lpips: Lpips | None,
) -> Findings:
    """Fixed scales against the filmed scene, mean and spread over valid scenes, and the same over all true scenes."""
    fixed, samples = renders.of_kind("fixed"), renders.of_kind("sample")
    if not fixed + samples:
        return Findings()
    size = read_set_images(folder, (fixed + samples)[0]).shape[1:3]
    target = held_out_target(truth, (fixed + samples)[0].views, rows[rows >= 0], size)
    findings = [
        row
        for entry in fixed
        for row in spread_rows([set_values(folder, entry, target, lpips, matching)], renders.method, entry.name)
    ]
    findings += spread_rows(
        [set_values(folder, entry, target, lpips, matching) for entry in samples], renders.method, "samples"
    )
    if truth.scenes:
        findings += scene_rows(folder, renders, truth.scenes, size, matching, lpips)
    return Findings.of(findings)


def scene_rows(
    folder: Path,
    renders: Renders,
    scenes: TrueScenes,
    size: tuple[int, int],
    matching: dict[int, int],
    lpips: Lpips | None,
) -> list[Row]:
    """Mean and spread over the true scenes: of the best candidate for each, and of every fixed scale."""
    best: list[Values] = []
    fixed: dict[str, list[Values]] = {entry.name: [] for entry in renders.of_kind("fixed")}
    for number in range(len(scenes.scales)):
        candidates = [entry for entry in renders.of_kind("scene") if entry.scene_row == number]
        target = scene_target(scenes, number, candidates[0].views, size)
        each = [set_values(folder, entry, target, lpips, matching) for entry in candidates]
        best.append(max(each, key=lambda values: values["psnr_db"]))
        for entry in renders.of_kind("fixed"):
            fixed[entry.name].append(set_values(folder, entry, target, lpips, matching))
    rows = spread_rows(best, renders.method, "scenes")
    return rows + [row for name, each in fixed.items() for row in spread_rows(each, renders.method, f"scenes_{name}")]


def scene_target(scenes: TrueScenes, number: int, views: list[int], size: tuple[int, int]) -> Target:
    """What some test views should show of one of the true scenes."""
    chosen = [scenes.rows.tolist().index(view) for view in views]
    return Target(
        resized_images(scenes.images[number, chosen], *size),
        resized_ids(scenes.object_ids[number, chosen], *size),
        resized_depths(scenes.depth[number, chosen], *size),
    )


def spread_rows(each: list[Values], method: str, item: str) -> list[Row]:
    """Means of several sets' numbers, and their standard deviations where there are several."""
    rows = []
    for metric in JUDGED:
        values = [numbers[metric] for numbers in each if metric in numbers]
        if values:
            rows.append(Row(STAGE, method, item, metric, float(np.mean(values))))
        if len(values) > 1:
            rows.append(Row(STAGE, method, item, f"{metric}_spread", float(np.std(values))))
    return rows


def valid_scenes_findings(folder: Path, renders: Renders) -> Findings:
    """How alike the different valid scenes look from the observed view, and from the new one."""
    entries = renders.of_kind("scales")
    names = ("same_view_psnr_db", "new_view_psnr_db")
    if len(entries) < 2:
        return Findings.absent(STAGE, names, "there is only one valid scene to show", renders.method)
    pictures = [to_unit(read_set_images(folder, entry)) for entry in entries]
    rows = [
        Row(
            STAGE,
            renders.method,
            "all",
            name,
            min(psnr_db(a[view], b[view]) for i, a in enumerate(pictures) for b in pictures[:i]),
        )
        for view, name in enumerate(names)
    ]
    return Findings.of(rows)
