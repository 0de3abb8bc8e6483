"""Held-out views judged as other papers judge theirs, each number under the name of its protocol.

`osn`            masked by co-visibility and unmasked; besides the best of the scenes nearest to the true scales (OSN's
                 oracle choice) and of valid scenes that no truth chose (its best of n)
`dynnerf`        DynamicNeRF on NVIDIA Dynamic Scene: 8-bit PSNR and SSIM, no mask
`nsff`           NSFF: whole images, and moving pixels alone
`semantic_flow`  as `dynnerf`; its class scores are those of `pipeline/evaluation/semantics.py`
`dycheck`        co-visible pixels alone; its PCK-T is `pipeline/evaluation/keypoints.py`
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8

from pipeline.cameras import BACKGROUND_ID, IGNORE_ID
from pipeline.evaluation.image_metrics import masked_psnr_db, psnr_db, to_unit
from pipeline.evaluation.known_truth import NO_TRUTH, KnownTruth
from pipeline.evaluation.lpips import Lpips
from pipeline.evaluation.object_matching import in_true_ids
from pipeline.evaluation.protocol_metrics import (
    dycheck_ssim,
    nsff_ssim,
    nsff_ssim_map,
    osn_depth_errors,
    osn_miou,
    osn_panoptic_quality,
    osn_ssim,
    uint8_psnr_db,
    uint8_ssim,
)
from pipeline.evaluation.rendering import NO_LPIPS, STAGE, Target, held_out_target
from pipeline.formats.metrics_table import MEANINGS, OWN_PROTOCOL, Findings, Row
from pipeline.formats.renders_folder import Renders, RenderSet, read_set_depth, read_set_ids, read_set_images
from pipeline.truth.covisibility import Rule, dycheck_rule, osn_rule

Numbers = dict[str, float]
REASONS = {
    "lpips": NO_LPIPS,
    "depth": "truth has no depth of these views",
    "miou": "truth has no object ids of these views",
    "panoptic": "truth has no object ids of these views",
}
NO_COVISIBLE = "no pixel of these views is seen in enough frames of the video"
NO_DYNAMIC = "truth shows no moving object in these views"


@dataclass(frozen=True)
class Shown:
    """A rendered set of views, its ids those of truth where one matches, and what it should show."""

    images: UInt8[np.ndarray, "view height width rgb=3"]
    object_ids: UInt8[np.ndarray, "view height width"]
    depth: Float[np.ndarray, "view height width"]
    target: Target

    @property
    def true_ids(self) -> UInt8[np.ndarray, "view height width"]:
        """True object ids, of which unknown ones are to be ignored."""
        known = self.target.object_ids
        return np.full_like(self.object_ids, IGNORE_ID) if known is None else known


def osn_numbers(shown: Shown, lpips: Lpips | None) -> Numbers:
    """All of OSN's numbers, over whole views and over their co-visible pixels."""
    everywhere = np.ones(shown.object_ids.shape, bool)
    seen = shown.target.covisible if shown.target.covisible is not None else ~everywhere
    covisible = {f"{name}_covisible": value for name, value in osn_masked(shown, seen, lpips).items()}
    return osn_masked(shown, everywhere, lpips) | covisible


def osn_masked(shown: Shown, masks: Bool[np.ndarray, "view height width"], lpips: Lpips | None) -> Numbers:
    """OSN's numbers over the pixels of masks; views without such a pixel have no part."""
    views: list[Numbers] = []
    labels = []
    for index in np.flatnonzero(masks.any((1, 2))):
        image, target, mask = shown.images[index], shown.target.images[index], masks[index]
        unit = to_unit(image), to_unit(target), torch.from_numpy(mask)
        view = {"psnr_db": masked_psnr_db(*unit), "ssim": osn_ssim(image, target, mask)}
        if lpips:
            view["lpips"] = lpips.masked_distance(*unit)
        if shown.target.depth is not None:
            known = mask & np.isfinite(shown.target.depth[index]) & (shown.target.depth[index] > 0)
            if known.any():
                errors = osn_depth_errors(shown.depth[index], shown.target.depth[index], known)
                view |= dict(zip(("depth_mae", "depth_mse"), errors, strict=True))
        true_ids = shown.true_ids[index]
        if (judged := mask & (true_ids != IGNORE_ID)).any():
            labels.append((shown.object_ids[index][judged], true_ids[judged]))
            view["miou"] = osn_miou(*labels[-1])
        views.append(view)
    return means(views) | ({"panoptic_quality": osn_panoptic_quality(labels)} if labels else {})


def dynnerf_numbers(shown: Shown, lpips: Lpips | None) -> Numbers:
    """DynamicNeRF's numbers."""
    views = []
    for image, target in zip(shown.images, shown.target.images, strict=True):
        view = {"psnr_db": uint8_psnr_db(image, target), "ssim": uint8_ssim(image, target)}
        if lpips:
            view["lpips"] = lpips.layer_mean(to_unit(image), to_unit(target))
        views.append(view)
    return means(views)


def nsff_numbers(shown: Shown, lpips: Lpips | None) -> Numbers:
    """NSFF's numbers, of whole images and of the pixels at which truth shows a moving object."""
    views = []
    moving = (shown.true_ids != BACKGROUND_ID) & (shown.true_ids != IGNORE_ID)
    for image, target, mask in zip(shown.images, shown.target.images, moving, strict=True):
        unit = to_unit(image), to_unit(target)
        view = {"psnr_db": psnr_db(*unit), "ssim": nsff_ssim(image, target)}
        if lpips:
            view["lpips"] = lpips.layer_mean(*unit)
        if mask.any():
            view["psnr_db_dynamic"] = masked_psnr_db(*unit, torch.from_numpy(mask))
            view["ssim_dynamic"] = float(nsff_ssim_map(image, target)[mask].mean())
        if mask.any() and lpips:
            view["lpips_dynamic"] = float(lpips.map(*unit).numpy()[mask].mean())
        views.append(view)
    return means(views)


def dycheck_numbers(shown: Shown, lpips: Lpips | None) -> Numbers:
    """DyCheck's mPSNR, mSSIM and mLPIPS."""
    views = []
    seen = shown.target.covisible if shown.target.covisible is not None else np.zeros(shown.object_ids.shape, bool)
    for index in np.flatnonzero(seen.any((1, 2))):
        image, target, mask = shown.images[index], shown.target.images[index], seen[index]
        unit = to_unit(image), to_unit(target), torch.from_numpy(mask)
        view = {"psnr_db_covisible": masked_psnr_db(*unit), "ssim_covisible": dycheck_ssim(image, target, mask)}
        if lpips:
            view["lpips_covisible"] = lpips.masked_distance(*unit)
        views.append(view)
    return means(views)


def means(views: list[Numbers]) -> Numbers:
    """Each number's mean over the views that have it."""
    names = {name: None for view in views for name in view}
    return {name: float(np.mean([view[name] for view in views if name in view])) for name in names}


class Protocol(NamedTuple):
    """How a paper judges: its numbers, what they are called, and when a surface counts as seen by the video."""

    numbers: Callable[[Shown, Lpips | None], Numbers]
    metrics: tuple[str, ...]
    rule: Rule = dycheck_rule


IMAGE = ("psnr_db", "ssim", "lpips")
OSN = (*IMAGE, "depth_mae", "depth_mse", "miou", "panoptic_quality")
COVISIBLE = tuple(f"{name}_covisible" for name in IMAGE)
PROTOCOLS = {
    "osn": Protocol(osn_numbers, (*OSN, *(f"{name}_covisible" for name in OSN)), osn_rule),
    "dynnerf": Protocol(dynnerf_numbers, IMAGE),
    "nsff": Protocol(nsff_numbers, (*IMAGE, *(f"{name}_dynamic" for name in IMAGE))),
    "semantic_flow": Protocol(dynnerf_numbers, IMAGE),
    "dycheck": Protocol(dycheck_numbers, COVISIBLE),
}


def asked_protocols(asked: Sequence[str], known: KnownTruth | None) -> list[str]:
    """The protocols to judge by beside our own: that of truth first, then those of the settings."""
    own = [known.truth.protocol] if known else []
    return [name for name in dict.fromkeys([*own, *asked]) if name not in ("", OWN_PROTOCOL)]


def protocol_findings(
    name: str, folder: Path, renders: Renders, known: KnownTruth | None, best: RenderSet | None, lpips: Lpips | None
) -> Findings:
    """One paper's numbers of the held-out views, and what is missing of them."""
    if name not in PROTOCOLS:
        reason = f"truth names the protocol {name}, whose formulas are not known; known are {', '.join(PROTOCOLS)}"
        return Findings.absent(STAGE, IMAGE, reason, renders.method, "held_out", name)
    if known is None or best is None:
        reason = NO_TRUTH if known is None else "no held-out view was rendered"
        return Findings.absent(STAGE, PROTOCOLS[name].metrics, reason, renders.method, "held_out", name)
    rows = known.alignment.rows
    size = read_set_images(folder, best).shape[1:3]
    target = held_out_target(known.truth, best.views, rows[rows >= 0], size, PROTOCOLS[name].rule)
    findings = Findings()
    for item, entries in compared_sets(name, renders, best).items():
        each = [PROTOCOLS[name].numbers(rendered(folder, entry, target, known), lpips) for entry in entries]
        findings += item_findings(name, renders.method, item, each, target, lpips)
    return findings


def compared_sets(name: str, renders: Renders, best: RenderSet) -> dict[str, list[RenderSet]]:
    """Item -> the sets of which each number's best is taken; OSN names both of its choices where many scenes are valid."""
    oracle, samples = renders.of_kind("held_out"), renders.of_kind("sample")
    if name != "osn" or not samples:
        return {"held_out": [best]}
    return {"held_out": [best], "held_out_oracle": oracle, "held_out_best_of_samples": samples}


def rendered(folder: Path, entry: RenderSet, target: Target, known: KnownTruth) -> Shown:
    """A set of views from its files."""
    ids = in_true_ids(read_set_ids(folder, entry), known.matching)
    return Shown(read_set_images(folder, entry), ids, read_set_depth(folder, entry), target)


def item_findings(
    name: str, method: str, item: str, each: list[Numbers], target: Target, lpips: Lpips | None
) -> Findings:
    """The best of several sets, number by number, and how many sets these were."""
    values = {
        metric: (max if MEANINGS[metric].higher_is_better else min)(numbers[metric] for numbers in each)
        for metric in each[0]
    }
    if item != "held_out":
        values["candidates"] = float(len(each))
    findings = Findings.of([Row(STAGE, method, item, metric, value, name) for metric, value in values.items()])
    for metric in PROTOCOLS[name].metrics:
        if metric not in values:
            findings += Findings.absent(STAGE, [metric], why_absent(metric, target, lpips), method, item, name)
    return findings


def why_absent(metric: str, target: Target, lpips: Lpips | None) -> str:
    """Why a number could not be computed."""
    if metric.startswith("lpips") and lpips is None:
        return NO_LPIPS
    if metric.endswith("_covisible") and (target.covisible is None or not target.covisible.any()):
        return NO_COVISIBLE
    if metric.endswith("_dynamic"):
        return NO_DYNAMIC
    return REASONS[metric.split("_")[0]]
