"""All numbers of a scene, from files alone: flow, masks, geometry, renders, scales, time and memory.

Reads   scene.h5, frames.json, flow.h5, masks.h5, geometry.json, checkpoints, renders and splats of the methods, records;
        truth.h5, the label maps of Semantic Flow and AlexNet's weights (for LPIPS) if there are any
Writes  metrics.csv       one row a number
        evaluation.json   numbers that are missing and why, which object is which true one, the maps of valid scales
"""

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from pipeline.cli import run_stage
from pipeline.config import EvaluateConfig
from pipeline.evaluation.cost import cost_findings
from pipeline.evaluation.geometry import geometry_findings
from pipeline.evaluation.keypoints import PROTOCOL as KEYPOINT_PROTOCOL
from pipeline.evaluation.keypoints import keypoint_findings
from pipeline.evaluation.known_truth import NO_TRUTH, KnownTruth, known_in_frames, known_truth, truth_notes
from pipeline.evaluation.lpips import Lpips, load_lpips
from pipeline.evaluation.perception import perception_findings
from pipeline.evaluation.protocols import asked_protocols, protocol_findings
from pipeline.evaluation.rendering import HELD_OUT_METRICS, OBJECT_METRICS, held_out_findings, observed_findings
from pipeline.evaluation.results import Results, notes_by_kind
from pipeline.evaluation.scales import scale_results
from pipeline.evaluation.scenes import comparison_findings, valid_scenes_findings
from pipeline.evaluation.semantics import PROTOCOL as SEMANTIC_PROTOCOL
from pipeline.evaluation.semantics import class_targets, protocol_class_findings, semantic_results
from pipeline.evaluation.splats import splats_findings
from pipeline.evaluation.unexplained_pixels import unexplained_results
from pipeline.formats.flow_file import read_flow_pairs
from pipeline.formats.frame_files import KeptFrames
from pipeline.formats.frames_folder import read_frames_info
from pipeline.formats.geometry_file import read_geometry
from pipeline.formats.lens import straight_ids
from pipeline.formats.masks_file import read_masks
from pipeline.formats.metrics_table import Findings, write_metrics
from pipeline.formats.renders_folder import read_renders
from pipeline.formats.scene_file import FLOW_FIELDS, Scene, read_scene
from pipeline.formats.splats_folder import read_likeness
from pipeline.rendering.trained_method import TrainedMethod, load_method
from pipeline.runtime.atomic import whole
from pipeline.runtime.device import stage_device
from pipeline.truth.shown_truth import shown_truth
from pipeline.truth.truth_file import read_truth

log = logging.getLogger(__name__)


def evaluate(
    scene: Path,
    info: Path,
    flow: Path,
    masks: Path,
    geometry: Path,
    checkpoints: list[Path],
    renders: list[Path],
    splats: list[Path],
    records: list[Path],
    truth: Path | None,
    labels: Path | None,
    weights: Path | None,
    metrics: Path,
    notes: Path,
    config: EvaluateConfig,
) -> None:
    packed, object_ids = read_scene(scene, without=FLOW_FIELDS), read_masks(masks)
    known, in_frames = known_in_scene_and_frames(packed, read_frames_info(info), object_ids, truth)
    shown_ids = straight_ids(packed.kept.frame_undistortion, object_ids)
    lpips = load_lpips(weights) if config.lpips else None
    protocols = asked_protocols(config.protocols, known)
    results = [render_results(folder, packed, known, lpips, protocols) for folder in renders]
    results += [unexplained_results(folder, read_renders(folder), packed) for folder in renders]
    findings = cost_findings(records)
    for checkpoint, folder in zip(checkpoints, renders, strict=True):
        method = load_method(checkpoint, packed, stage_device())
        results.append(scale_results(method, checkpoint.parent.name, known))
        results.append(class_results(method, folder, shown_ids, labels, known))
        if KEYPOINT_PROTOCOL in protocols:
            findings += keypoint_findings(method, results[-1].method, known)
        if SEMANTIC_PROTOCOL in protocols:
            findings += protocol_class_findings(results[-1].method, results[-1].findings)
    findings += perception_findings(read_flow_pairs(flow), object_ids, in_frames)
    findings += geometry_findings(packed, read_geometry(geometry), known)
    findings = sum((one.findings for one in results), findings)
    findings = sum((splats_findings(folder.parent.name, read_likeness(folder)) for folder in splats), findings)
    write_metrics(metrics, metrics.resolve().parent.name, findings.rows)
    write_notes(notes, findings, truth_notes(packed, known), results)
    log.info("%d numbers, %d missing", len(findings.rows), len(findings.missing))


def known_in_scene_and_frames(
    scene: Scene, info: dict[str, Any], object_ids: UInt8[np.ndarray, "frame height width"], truth: Path | None
) -> tuple[KnownTruth | None, KnownTruth | None]:
    """Truth in the picture of the scene, and in that of the frames, of which flow and masks are; mostly one and the same."""
    if truth is None:
        return None, None
    true = read_truth(truth)
    view = scene.kept.frame_undistortion
    known = known_truth(scene, info, straight_ids(view, object_ids), shown_truth(true, scene.kept.view))
    if view is None:
        return known, known
    return known, known_in_frames(known, object_ids, shown_truth(true, KeptFrames.of_info(info).view))


def render_results(
    folder: Path, scene: Scene, known: KnownTruth | None, lpips: Lpips | None, protocols: list[str]
) -> Results:
    """Renders of one method against the frames and against truth; notes which candidate is best."""
    listed, best = read_renders(folder), None
    findings = observed_findings(folder, listed, scene, lpips) + valid_scenes_findings(folder, listed)
    if known is None:
        findings += Findings.absent("render_views", HELD_OUT_METRICS, NO_TRUTH, listed.method, "held_out")
    else:
        found, best = held_out_findings(folder, listed, known.truth, known.alignment.rows, known.matching, lpips)
        findings += found + comparison_findings(folder, listed, known.truth, lpips)
    for name in protocols:
        findings += protocol_findings(name, folder, listed, known, best, lpips)
    if not listed.knows_objects:
        findings = findings.withheld(OBJECT_METRICS, "this method does not tell objects apart")
    return Results(listed.method, findings, {"best_held_out": best.name} if best else {})


def class_results(
    method: TrainedMethod,
    folder: Path,
    object_ids: UInt8[np.ndarray, "frame height width"],
    labels: Path | None,
    known: KnownTruth | None,
) -> Results:
    """How well a method that has classes tells them, in what was rendered; nothing of one that has none."""
    listed = read_renders(folder)
    if method.classes is None:
        return Results(listed.method)
    targets = class_targets(method, method.classes, object_ids, labels, known)
    return semantic_results(method.classes, folder, listed, targets)


def write_notes(path: Path, findings: Findings, truth: dict[str, Any] | None, results: list[Results]) -> None:
    """Write evaluation.json."""
    notes = {"missing": [row._asdict() for row in findings.missing], "truth": truth, **notes_by_kind(results)}
    with whole(path) as partial:
        partial.write_text(json.dumps(notes, indent=1))


if __name__ == "__main__":
    run_stage(evaluate)
