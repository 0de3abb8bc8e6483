"""Renders judged by the video's own frames and by truth's held-out views."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from models.ops.parallel import side_by_side
from pipeline.cameras import BACKGROUND_ID, IGNORE_ID
from pipeline.evaluation.image_metrics import (
    depth_mae,
    depth_mse,
    masked_psnr_db,
    masked_ssim,
    panoptic_quality,
    psnr_db,
    ssim,
    to_unit,
)
from pipeline.evaluation.lpips import Lpips
from pipeline.evaluation.object_matching import in_true_ids, object_ious, resized_ids
from pipeline.formats.metrics_table import Findings, Row
from pipeline.formats.renders_folder import Renders, RenderSet, read_set_depth, read_set_ids, read_set_images
from pipeline.formats.scene_file import Scene
from pipeline.truth.covisibility import Rule, covisible_views, dycheck_rule
from pipeline.truth.truth_file import Truth

STAGE = "render_views"
OBJECT_METRICS = ("miou", "panoptic_quality")
HELD_OUT_METRICS = ("psnr_db", "ssim", "depth_mae", "depth_mse", *OBJECT_METRICS)
NO_LPIPS = "LPIPS needs AlexNet's weights under weights/; `snakemake --cores 1 weights` downloads them"
LEAST_COVISIBLE = 0.01  # share of a view's pixels below which its co-visible numbers mean nothing


@dataclass(frozen=True)
class Target:
    """What a set of views should show, in the ids of the truth (or of the masks, where those are the target)."""

    images: UInt8[np.ndarray, "view height width rgb=3"]
    object_ids: UInt8[np.ndarray, "view height width"] | None = None
    depth: Float[np.ndarray, "view height width"] | None = None
    covisible: Bool[np.ndarray, "view height width"] | None = None


def observed_findings(folder: Path, renders: Renders, scene: Scene, lpips: Lpips | None) -> Findings:
    """Observed views against the frames, ids against the masks."""
    originals = np.array([entry["id"] for entry in scene.objects] + [IGNORE_ID] * 256, np.uint8)[:256]
    findings = Findings()
    for entry in renders.of_kind("observed"):
        target = Target(scene.images[entry.frames], originals[scene.object_ids[entry.frames]])
        findings += set_findings(folder, entry, target, renders.method, entry.name, lpips)
    return findings


def held_out_findings(
    folder: Path,
    renders: Renders,
    truth: Truth,
    rows: Int[np.ndarray, "frame"],
    matching: dict[int, int],
    lpips: Lpips | None,
) -> tuple[Findings, RenderSet | None]:
    """Held-out views against truth: every candidate, and the best one under the item `held_out`."""
    entries = renders.of_kind("held_out")
    if not entries:
        reason = "no held-out view was rendered: truth has none at a time that was extracted and reconstructed"
        return Findings.absent(STAGE, HELD_OUT_METRICS, reason, renders.method, "held_out"), None
    size = read_set_images(folder, entries[0]).shape[1:3]
    target = held_out_target(truth, entries[0].views, rows[rows >= 0], size)
    each = [set_findings(folder, entry, target, renders.method, "held_out", lpips, matching) for entry in entries]
    scores = [next(row.value for row in found.rows if row.metric == "psnr_db") for found in each]
    best = int(np.argmax(scores))
    candidates = [
        Row(STAGE, renders.method, entry.name, row.metric, row.value)
        for entry, found in zip(entries, each, strict=True)
        for row in found.rows
        if len(entries) > 1 and row.metric in ("psnr_db", "ssim")
    ]
    return each[best] + Findings.of(candidates), entries[best]


def held_out_target(
    truth: Truth,
    views: list[int],
    train_rows: Int[np.ndarray, "frame"],
    size: tuple[int, int],
    rule: Rule = dycheck_rule,
) -> Target:
    """Truth's test views at the size of the renders."""
    height, width = size
    seen, test = covisible_views(truth, views, train_rows, rule), truth.test
    return Target(
        resized_images(test.images[views], height, width),
        resized_ids(test.object_ids[views], height, width) if test.knows("object_ids") else None,
        resized_depths(test.depth[views], height, width) if test.knows("depth") else None,
        None if seen is None else resized_ids(seen.astype(np.uint8), height, width).astype(bool),
    )


def resized_depths(
    depth: Float[np.ndarray, "view old_height old_width"], height: int, width: int
) -> Float[np.ndarray, "view height width"]:
    """Depth at another size, each pixel from the nearest one."""
    return np.stack([cv2.resize(view, (width, height), interpolation=cv2.INTER_NEAREST_EXACT) for view in depth])


def resized_images(
    images: UInt8[np.ndarray, "view old_height old_width rgb=3"], height: int, width: int
) -> UInt8[np.ndarray, "view height width rgb=3"]:
    """Images at another size, averaged over areas."""
    if images.shape[1:3] == (height, width):
        return images
    return np.stack([cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA) for image in images])


def set_findings(
    folder: Path,
    entry: RenderSet,
    target: Target,
    method: str,
    item: str,
    lpips: Lpips | None,
    matching: dict[int, int] | None = None,
) -> Findings:
    """All numbers of one set of views, and those that are missing."""
    values = set_values(folder, entry, target, lpips, matching)
    findings = Findings.of([Row(STAGE, method, item, metric, value) for metric, value in values.items()])
    if matching is not None:
        findings += unjudged(target, method, item)
    if lpips is None:
        findings += Findings.absent(STAGE, ["lpips"], NO_LPIPS, method, item)
    if target.covisible is not None and "psnr_db_covisible" not in values:
        names = ["psnr_db_covisible", "ssim_covisible"]
        reason = "hardly a pixel of any held-out view is seen in enough frames of the video"
        findings += Findings.absent(STAGE, names, reason, method, item)
    return findings


def unjudged(target: Target, method: str, item: str) -> Findings:
    """What truth does not know of held-out views."""
    findings = Findings()
    for known, metrics, what in (
        (target.object_ids, ("miou", "panoptic_quality"), "object ids"),
        (target.depth, ("depth_mae", "depth_mse"), "depth"),
        (
            target.covisible,
            ("psnr_db_covisible", "ssim_covisible"),
            "co-visibility, nor the geometry that it follows from,",
        ),
    ):
        if known is None:
            reason = f"truth has no {what} of its held-out views"
            findings += Findings.absent(STAGE, metrics, reason, method, item)
    return findings


def set_values(
    folder: Path, entry: RenderSet, target: Target, lpips: Lpips | None, matching: dict[int, int] | None = None
) -> dict[str, float]:
    """All numbers of one set of views, by metric."""
    values = image_values(read_set_images(folder, entry), target, lpips)
    if target.object_ids is not None:
        ids = read_set_ids(folder, entry)
        values |= label_values(in_true_ids(ids, matching) if matching else ids, target.object_ids)
    if target.depth is not None:
        depth = read_set_depth(folder, entry)
        for metric, error in (("depth_mae", depth_mae), ("depth_mse", depth_mse)):
            values[metric] = float(np.mean([error(*pair) for pair in zip(depth, target.depth, strict=True)]))
    return values


def image_values(
    images: UInt8[np.ndarray, "view height width rgb=3"], target: Target, lpips: Lpips | None
) -> dict[str, float]:
    """Likeness of images, mean over views, judged side by side; co-visible variants over views with co-visible pixels."""

    def judged(index: int) -> dict[str, float]:
        pair = to_unit(images[index]), to_unit(target.images[index])
        view = {"psnr_db": psnr_db(*pair), "ssim": ssim(*pair)}
        if lpips:
            view["lpips"] = lpips.distance(*pair)
        if target.covisible is not None and target.covisible[index].mean() >= LEAST_COVISIBLE:
            view |= covisible_values(*pair, target.covisible[index], lpips)
        return view

    with side_by_side(torch.device("cpu")) as ordered_map:
        views = list(ordered_map(judged, range(len(images))))
    names = {name: None for view in views for name in view}
    return {name: float(np.mean([view[name] for view in views if name in view])) for name in names}


def covisible_values(
    image: Float[Tensor, "height width rgb=3"],
    target: Float[Tensor, "height width rgb=3"],
    seen: Bool[np.ndarray, "height width"],
    lpips: Lpips | None,
) -> dict[str, float]:
    """Likeness of one image over its co-visible pixels."""
    mask = torch.from_numpy(seen)
    values = {
        "psnr_db_covisible": masked_psnr_db(image, target, mask),
        "ssim_covisible": masked_ssim(image, target, mask),
    }
    if lpips:
        values["lpips_covisible"] = lpips.masked_distance(image, target, mask)
    return values


def label_values(
    ids: UInt8[np.ndarray, "view height width"], target: UInt8[np.ndarray, "view height width"]
) -> dict[str, float]:
    """Likeness of object ids over all classes that occur, the background among them; ignored pixels do not count."""
    ignored = target == IGNORE_ID
    ious = object_ious(np.where(ignored, IGNORE_ID, ids).astype(np.uint8), target)
    quality = panoptic_quality(
        np.where(ignored, BACKGROUND_ID, ids).astype(np.uint8),
        np.where(ignored, BACKGROUND_ID, target).astype(np.uint8),
    )
    return {"miou": float(np.mean(list(ious.values()))), "panoptic_quality": quality}
