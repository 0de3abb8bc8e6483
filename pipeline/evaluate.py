"""All numbers of a scene, from files alone: flow, masks, geometry, renders, scales, time and memory.

Reads   scene.h5, frames.json, flow.h5, masks.h5, geometry.json, checkpoints and renders of the methods, records;
        truth.h5, the label maps of Semantic Flow and AlexNet's weights (for LPIPS) if there are any
Writes  metrics.csv       one row a number
        evaluation.json   numbers that are missing and why, which object is which true one, the maps of valid scales
"""

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from pipeline.cameras import IGNORE_ID
from pipeline.cli import run_stage
from pipeline.config import EvaluateConfig
from pipeline.evaluation.geometry import POSE_METRICS, pose_findings, verdict_findings
from pipeline.evaluation.lpips import Lpips, load_lpips
from pipeline.evaluation.object_matching import match_objects, resized_ids
from pipeline.evaluation.perception import FLOW_METRICS, MASK_METRICS, flow_findings, mask_findings
from pipeline.evaluation.rendering import (
    HELD_OUT_METRICS,
    held_out_findings,
    observed_findings,
)
from pipeline.evaluation.scales import METRICS as SCALE_METRICS
from pipeline.evaluation.scales import (
    Validity,
    bounds_findings,
    limit_remarks,
    region_findings,
    scale_findings,
    true_region,
    validity_slices,
)
from pipeline.evaluation.scenes import comparison_findings, valid_scenes_findings
from pipeline.evaluation.semantics import ClassTargets, Semantics, label_targets, object_targets, semantic_results
from pipeline.formats.flow_file import read_flow_pairs
from pipeline.formats.frames_folder import read_frames_info, read_json
from pipeline.formats.geometry_file import Geometry, read_geometry
from pipeline.formats.masks_file import read_masks
from pipeline.formats.metrics_table import Findings, Row, write_metrics
from pipeline.formats.renders_folder import read_renders
from pipeline.formats.scene_file import Scene, read_scene
from pipeline.rendering.trained_method import load_method
from pipeline.runtime.atomic import whole
from pipeline.runtime.device import stage_device
from pipeline.truth.alignment import TruthAlignment, align_to_truth, nearest_scales
from pipeline.truth.truth_file import Truth, read_truth

log = logging.getLogger(__name__)
NO_TRUTH = "there is no truth to judge by"


def evaluate(
    scene: Path,
    info: Path,
    flow: Path,
    masks: Path,
    geometry: Path,
    checkpoints: list[Path],
    renders: list[Path],
    records: list[Path],
    truth: Path | None,
    labels: Path | None,
    weights: Path | None,
    metrics: Path,
    notes: Path,
    config: EvaluateConfig,
) -> None:
    packed, frames = read_scene(scene), read_frames_info(info)
    object_ids = read_masks(masks)
    known = known_truth(packed, frames, object_ids, read_truth(truth)) if truth else None
    findings = record_findings(records)
    findings += perception_findings(flow, object_ids, known)
    findings += geometry_findings(packed, read_geometry(geometry), known)
    lpips = load_lpips(weights) if config.lpips else None
    remarks: dict[str, Any] = {
        "semantics": {},
        "truth": truth_remarks(packed, known),
        "best_held_out": {},
        "validity": {},
        "limits": {},
    }
    for folder in renders:
        findings += render_findings(folder, packed, known, lpips, remarks["best_held_out"])
    for checkpoint in checkpoints:
        findings += method_findings(checkpoint, packed, known, remarks)
        told = class_findings(
            checkpoint, renders, lambda facts: class_targets(facts, packed, labels, object_ids, known)
        )
        findings += told.findings
        remarks["semantics"][checkpoint.parent.name] = told.curve
    write_metrics(metrics, metrics.resolve().parent.name, findings.rows)
    with whole(notes) as partial:
        partial.write_text(json.dumps({"missing": [row._asdict() for row in findings.missing], **remarks}, indent=1))
    log.info("%d numbers, %d missing", len(findings.rows), len(findings.missing))


@dataclass(frozen=True)
class KnownTruth:
    """Truth, and how the scene relates to it: frames and world, and estimated id -> true id."""

    truth: Truth
    alignment: TruthAlignment
    matching: dict[int, int]
    frame_ids: UInt8[np.ndarray, "frame height width"]


def class_findings(
    checkpoint: Path, renders: list[Path], targets: Callable[[dict[str, Any]], ClassTargets | None]
) -> Semantics:
    """How well a method that has classes tells them; nothing of one that has none."""
    facts = getattr(load_method(checkpoint, stage_device()), "facts", None)
    folders = [folder for folder in renders if folder.resolve().parent == checkpoint.resolve().parent]
    if facts is None or not folders:
        return Semantics(Findings(), {})
    return semantic_results(facts, folders[0], read_renders(folders[0]), targets(facts))


def class_targets(
    facts: dict[str, Any],
    scene: Scene,
    labels: Path | None,
    object_ids: UInt8[np.ndarray, "frame height width"],
    known: KnownTruth | None,
) -> ClassTargets | None:
    """What classes are judged by: label maps where the classes are theirs, else truth, else the masks."""
    if not facts["classes_are_objects"]:
        return label_targets(facts, scene, labels) if labels else None
    if known is None:
        return object_targets(facts, object_ids)
    return object_targets(facts, known.frame_ids, known.truth.test.object_ids, known.matching)


def known_truth(
    scene: Scene, info: dict[str, Any], object_ids: UInt8[np.ndarray, "frame height width"], truth: Truth
) -> KnownTruth:
    """Relate truth to what was estimated; its ids are brought to the size of the masks, unknown frames ignored."""
    alignment = align_to_truth(scene, info, truth)
    height, width = object_ids.shape[1:]
    true_ids = resized_ids(truth.train.object_ids, height, width)
    frame_ids = np.where((alignment.rows >= 0)[:, None, None], true_ids[alignment.rows.clip(0)], IGNORE_ID)
    frame_ids = frame_ids.astype(np.uint8)
    return KnownTruth(truth, alignment, match_objects(object_ids, frame_ids), frame_ids)


def truth_remarks(scene: Scene, known: KnownTruth | None) -> dict[str, Any] | None:
    """What the report says of truth: which object is which, and the true scales in the scene's units."""
    if known is None:
        return None
    scales = zip(scene_ids(scene), known.alignment.true_scales.tolist(), strict=True)
    return {
        "matching": {str(estimated): true for estimated, true in known.matching.items()},
        "true_scales": {str(identity): scale if np.isfinite(scale) else None for identity, scale in scales},
        "frames": int((known.alignment.rows >= 0).sum()),
    }


def scene_ids(scene: Scene) -> list[int]:
    """The original id of each of the scene's objects."""
    return [int(entry["id"]) for entry in scene.objects]


def record_findings(records: list[Path]) -> Findings:
    """Time and memory of every stage that ran; a record is named after its stage, then its method."""
    rows = []
    for path in records:
        record = read_json(path)
        method = path.stem.removeprefix(record["stage"]).lstrip("_") or record["stage"].partition("train_")[2]
        for metric in ("seconds", "peak_memory_mb"):
            rows.append(Row(record["stage"], method, "all", metric, float(record[metric])))
    return Findings.of(rows)


def perception_findings(
    flow: Path, object_ids: UInt8[np.ndarray, "frame height width"], known: KnownTruth | None
) -> Findings:
    """Flow and masks against truth."""
    if known is None:
        absent = Findings.absent("estimate_flow", FLOW_METRICS, NO_TRUTH)
        return absent + Findings.absent("segment_objects", MASK_METRICS, NO_TRUTH)
    found = flow_findings(read_flow_pairs(flow), known.truth, known.alignment.rows)
    return found + mask_findings(object_ids, known.frame_ids, known.matching)


def geometry_findings(scene: Scene, geometry: Geometry, known: KnownTruth | None) -> Findings:
    """Verdicts, and poses against truth."""
    if known is None:
        return verdict_findings(geometry) + Findings.absent("reconstruct_objects", POSE_METRICS, NO_TRUTH)
    poses = pose_findings(scene, known.truth, known.alignment.rows, known.matching, geometry)
    return verdict_findings(geometry) + poses


def render_findings(
    folder: Path, scene: Scene, known: KnownTruth | None, lpips: Lpips | None, best_held_out: dict[str, str]
) -> Findings:
    """Renders of one method against the frames and against truth; notes which candidate is best."""
    listed = read_renders(folder)
    findings = observed_findings(folder, listed, scene, lpips) + valid_scenes_findings(folder, listed)
    if known is None:
        return findings + Findings.absent("render_views", HELD_OUT_METRICS, NO_TRUTH, listed.method, "held_out")
    found, best = held_out_findings(folder, listed, known.truth, known.alignment.rows, known.matching, lpips)
    if best:
        best_held_out[listed.method] = best.name
    return findings + found + comparison_findings(folder, listed, known.truth, lpips)


def method_findings(checkpoint: Path, scene: Scene, known: KnownTruth | None, remarks: dict[str, Any]) -> Findings:
    """Scales of one method against truth; keeps its maps of valid scales, and what limits them, for the report."""
    method, name = load_method(checkpoint, stage_device()), checkpoint.parent.name
    score = getattr(method, "validity", None)
    if score is None or scene.object_count < 2:
        return Findings()
    validity = as_validity(score, method.scales.device)
    ids, scales = scene_ids(scene), method.scales.cpu().numpy()
    region = NO_TRUTH if known is None else true_region(known.truth, known.alignment.true_scales, ids, known.matching)
    remarks["validity"][name] = validity_slices(validity, region, scene.scale_range, scales[0], ids)
    remarks["limits"][name] = limit_remarks(method, scene, ids)
    findings = region_findings(validity, region, scene.scale_range, name) + bounds_findings(scales, ids, name)
    if known is None:
        return findings + Findings.absent("train_osn", SCALE_METRICS[1:], NO_TRUTH, name)
    nearest = nearest_scales(scales, known.alignment.true_scales, 1)[0]
    return findings + scale_findings(scales, known.alignment.true_scales, ids, nearest, name)


def as_validity(score: Callable[[Tensor], Tensor], device: torch.device) -> Validity:
    """The network's score as a function of arrays."""

    def validity(scales: Float[np.ndarray, "sample object"]) -> Float[np.ndarray, "sample"]:
        with torch.no_grad():
            return score(torch.from_numpy(scales).float().to(device)).cpu().numpy()

    return validity


if __name__ == "__main__":
    run_stage(evaluate)
