"""Many scenes explain a video: how well a method shows each true one, how its valid scenes spread, and the baselines.

A baseline is the same trained scene at one fixed scale an object, as a method without a scale network would have it.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from pipeline.evaluation.image_metrics import depth_mae, psnr_db, ssim, to_unit
from pipeline.evaluation.lpips import Lpips
from pipeline.evaluation.rendering import STAGE, resized_depths, resized_images
from pipeline.formats.metrics_table import Findings, Row
from pipeline.formats.renders_folder import Renders, RenderSet, read_set_depth, read_set_images
from pipeline.truth.truth_file import TrueScenes, Truth

JUDGED = ("psnr_db", "ssim", "lpips", "depth_mae")
Values = dict[str, float]


@dataclass(frozen=True)
class Views:
    """Images and depth of some views, rendered or true."""

    images: UInt8[np.ndarray, "view height width rgb=3"]
    depth: Float[np.ndarray, "view height width"]


def comparison_findings(folder: Path, renders: Renders, truth: Truth, lpips: Lpips | None) -> Findings:
    """Fixed scales against the filmed scene, mean and spread over valid scenes, and the same over all true scenes."""
    fixed, samples = renders.of_kind("fixed"), renders.of_kind("sample")
    if not (judged := [*fixed, *samples, *renders.of_kind("scene")]):
        return Findings()
    size = read_set_images(folder, judged[0]).shape[1:3]
    target = held_out_target(truth, judged[0].views, size)
    findings = [
        row
        for entry in fixed
        for row in spread_rows([likeness(shown(folder, entry), target, lpips)], renders.method, entry.name)
    ]
    each = [likeness(shown(folder, entry), target, lpips) for entry in samples]
    findings += spread_rows(each, renders.method, "samples")
    if truth.scenes:
        findings += scene_rows(folder, renders, truth.scenes, size, lpips)
    return Findings.of(findings)


def shown(folder: Path, entry: RenderSet) -> Views:
    """What was rendered."""
    return Views(read_set_images(folder, entry), read_set_depth(folder, entry))


def held_out_target(truth: Truth, views: list[int], size: tuple[int, int]) -> Views:
    """Truth's test views of the filmed scene."""
    return Views(resized_images(truth.test.images[views], *size), resized_depths(truth.test.depth[views], *size))


def likeness(rendered: Views, target: Views, lpips: Lpips | None) -> Values:
    """Numbers of one set of views, mean over the views."""
    each: list[Values] = []
    for image, depth, wanted, wanted_depth in zip(
        rendered.images, rendered.depth, target.images, target.depth, strict=True
    ):
        pair = to_unit(image), to_unit(wanted)
        each.append({"psnr_db": psnr_db(*pair), "ssim": ssim(*pair)})
        if np.isfinite(wanted_depth).any():
            each[-1]["depth_mae"] = depth_mae(depth, wanted_depth)
        if lpips:
            each[-1]["lpips"] = lpips.distance(*pair)
    judged = {metric: None for values in each for metric in values}
    return {metric: float(np.mean([values[metric] for values in each if metric in values])) for metric in judged}


def scene_rows(
    folder: Path, renders: Renders, scenes: TrueScenes, size: tuple[int, int], lpips: Lpips | None
) -> list[Row]:
    """Mean and spread over the true scenes: of the best candidate for each, and of every fixed scale."""
    fixed = {entry.name: shown(folder, entry) for entry in renders.of_kind("fixed")}
    best: list[Values] = []
    each: dict[str, list[Values]] = {name: [] for name in fixed}
    for number in range(len(scenes.scales)):
        candidates = [entry for entry in renders.of_kind("scene") if entry.scene_row == number]
        target = scene_target(scenes, number, candidates[0].views, size)
        judged = [likeness(shown(folder, entry), target, lpips) for entry in candidates]
        best.append(max(judged, key=lambda values: values["psnr_db"]))
        for name, views in fixed.items():
            each[name].append(likeness(views, target, lpips))
    rows = spread_rows(best, renders.method, "scenes")
    return rows + [row for name, own in each.items() for row in spread_rows(own, renders.method, f"scenes_{name}")]


def scene_target(scenes: TrueScenes, number: int, views: list[int], size: tuple[int, int]) -> Views:
    """What some test views should show of one of the true scenes."""
    chosen = [scenes.rows.tolist().index(view) for view in views]
    return Views(
        resized_images(scenes.images[number, chosen], *size), resized_depths(scenes.depth[number, chosen], *size)
    )


def spread_rows(each: list[Values], method: str, item: str) -> list[Row]:
    """Means of several sets' numbers, and their standard deviations where there are several."""
    rows = []
    for metric in JUDGED:
        values = [numbers[metric] for numbers in each if metric in numbers]
        if values:
            rows.append(Row(STAGE, method, item, metric, float(np.mean(values))))
        if len(values) > 1:
            rows.append(Row(STAGE, method, item, f"{metric}_std", float(np.std(values))))
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
