"""Footage of many kinds, simulated: how far cameras, masks and poses hold, and what fails without a word.

    python -m benchmarks.footage --workers 2
    python -m benchmarks.footage --kinds thrown "dash camera" --seeds 0 100

Kinds take turns over the seeds (benchmarks/footage_kinds.py). Every scene goes through the stages from extract_frames to
refine_masks. Truth judges, no stage sees it. Scenes and results stay in `--work`: a second call prints the same
table at once, and goes on where it was stopped; `--again` keeps the scenes and runs the stages anew. Develop on seeds
below 1000; those above are kept for checking.

Columns of the table, by kind:

    focal %    median error of the focal length; of a zoom the mean over its frames
    1s, 2s     share of the focal lengths whose error is within one and two stated sigmas
    cam deg, cam %   camera's rotation and path, medians; 1s, 2s of both together
    IoU        mean over true objects and frames; swap: id switches in a scene; found: true objects found, extra: others
    reg        objects registered in three frames and more, of those found
    silent     bad things called ok; alarms: good objects called weak, of the good ones
"""

import argparse
import contextlib
import json
import logging
import shutil
import tempfile
import time
import traceback
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import torch

from benchmarks.footage_kinds import KINDS, kind_of, scene_settings
from benchmarks.geometry import BAD_DEG, BAD_PERCENT, as_frames_show, source_rows
from pipeline.cameras import IGNORE_ID
from pipeline.config import (
    EstimateFlowConfig,
    ExtractFramesConfig,
    ReconstructObjectsConfig,
    RefineMasksConfig,
    SegmentObjectsConfig,
    TrackPointsConfig,
)
from pipeline.estimate_flow import estimate_flow
from pipeline.evaluation.geometry import true_object_from_camera
from pipeline.evaluation.object_matching import id_switches, in_true_ids, match_objects, object_ious, resized_ids
from pipeline.extract_frames import extract_frames
from pipeline.formats.frames_folder import read_frames_info
from pipeline.formats.geometry_file import Geometry, ObjectGeometry, read_geometry
from pipeline.formats.masks_file import read_masks, read_objects
from pipeline.geometry.similarity_alignment import rotation_error_deg, trajectory_error_percent
from pipeline.reconstruct_objects import reconstruct_objects
from pipeline.refine_masks import refine_masks
from pipeline.segment_objects import segment_objects
from pipeline.sfm.colmap import read_tracked_model
from pipeline.simulate_scene import simulate_scene
from pipeline.track_points import track_points
from pipeline.truth.truth_file import TruthViews, read_truth

BAD_FOCAL_PERCENT, BAD_IOU = 10.0, 0.5
LEAST_PATH = 1e-3  # of the depth: a camera that moves less has no path to compare
Values = dict[str, Any]


REFINED = "refined"  # what the second pass makes, as all later stages read it


def first_pass(folder: Path) -> None:
    """From the video to poses."""
    frames, info, flow, masks, objects, tracks = (
        folder / name for name in ("frames", "frames.json", "flow.h5", "masks.h5", "objects.json", "tracks.h5")
    )
    extract_frames(folder / "video.mp4", None, frames, info, ExtractFramesConfig())
    estimate_flow(frames, None, flow, EstimateFlowConfig())
    segment_objects(frames, info, flow, None, None, masks, objects, SegmentObjectsConfig())
    track_points(frames, flow, masks, tracks, TrackPointsConfig())
    made = (folder / "reconstruction", folder / "geometry.json")
    reconstruct_objects(frames, info, tracks, masks, objects, None, *made, ReconstructObjectsConfig())


def second_pass(folder: Path) -> None:
    """Masks once more, and poses of what they show."""
    made = folder / REFINED
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir()
    names = ("masks.h5", "objects.json", "reconstruction", "geometry.json")
    masks, objects, models, geometry = (folder / name for name in names)
    refined = {f"refined_{Path(name).stem}": made / name for name in names}
    inputs = folder / "frames", folder / "frames.json", folder / "flow.h5", masks, objects, models, geometry
    refine_masks(*inputs, **refined, config=RefineMasksConfig())


def judge(folder: Path) -> Values:
    """All numbers of a scene, and a sentence for each silent failure."""
    truth, info = read_truth(folder / "truth.h5"), read_frames_info(folder / "frames.json")
    rows = source_rows(info)
    made = folder / REFINED
    geometry, listed = read_geometry(made / "geometry.json"), read_objects(made / "objects.json")
    target, focals = as_frames_show(truth, info)
    ids = resized_ids(read_masks(made / "masks.h5"), *target.shape[1:])
    matching = match_objects(ids, target)
    focal = judge_focal(focals, geometry)
    masks = judge_masks(ids, target, matching, listed)
    poses = [
        judge_poses(made, entry, truth.train, rows, matching[entry.id])
        for entry in geometry.objects
        if entry.id in matching
    ]
    silent = [*focal.pop("silent"), *masks.pop("silent"), *(line for pose in poses for line in pose.pop("silent"))]
    return {"focal": focal, "masks": masks, "poses": poses, "silent": silent}


def judge_focal(true: np.ndarray, geometry: Geometry) -> Values:
    """The focal length against that of every frame."""
    found = float(geometry.lens["params"][0]) if geometry.lens else geometry.intrinsics[0]
    std = geometry.focal_std_px * found / geometry.intrinsics[0] if geometry.focal_std_px else None
    error = float(np.mean(np.abs(found - true)))
    percent = 100 * error / float(true.mean())
    within = error / std if std else np.inf
    background = geometry.objects[0]
    known = geometry.intrinsics_source != "default" and background.verdict == "ok"
    bad = known and percent > BAD_FOCAL_PERCENT and within > 2
    silent = [f"focal length {found:.0f} ± {std or 0:.0f} px, true {true.mean():.0f}"] if bad else []
    return {"percent": percent, "sigmas": within, "source": geometry.intrinsics_source, "silent": silent}


def judge_masks(ids: np.ndarray, target: np.ndarray, matching: dict[int, int], listed: Values) -> Values:
    """IoU, switches and counts; an object missed or half missed is silent where nothing says so of it."""
    ious = object_ious(in_true_ids(ids, matching), target)
    moving = {k: iou for k, iou in ious.items() if k > 0}
    found = {true for true in matching.values() if true > 0 and moving.get(true, 0) > 0.1}
    extra = len({int(k) for k in np.unique(ids) if 0 < k < 255} - {k for k, true in matching.items() if true in found})
    confidence = {matching[row["id"]]: row["confidence"] for row in listed["objects"] if row["id"] in matching}
    # A warning about some pixels elsewhere excuses no object: that its own are ignored, or that nothing was found, does.
    ignored = {k: float((ids[target == k] == IGNORE_ID).mean()) for k in moving}
    none_found = any("no moving object" in warning for warning in listed["warnings"])
    doubted = {k for k in moving if none_found or ignored[k] > 0.5 or confidence.get(k, 1.0) < 0.5}
    silent = [f"object {k} has IoU {iou:.2f}" for k, iou in moving.items() if iou < BAD_IOU and k not in doubted]
    switches = sum(id_switches(ids, target).values())
    return {"ious": moving, "switches": switches, "found": len(found), "extra": extra, "silent": silent}


def judge_poses(folder: Path, entry: ObjectGeometry, views: TruthViews, rows: np.ndarray, true: int) -> Values:
    """An object's poses, beside the errors that are stated and the verdict."""
    model, _ = read_tracked_model(folder / "reconstruction" / str(entry.id), len(rows))
    known = model.registered
    target = true_object_from_camera(views, true)[rows].astype(np.float64)
    rotation = path = np.nan
    if known.sum() > 2:
        rotation = rotation_error_deg(model.object_from_camera[known], target[known])
        centres = target[known][:, :3, 3]
        if np.linalg.norm(centres - centres.mean(0), axis=1).mean() > LEAST_PATH * np.median(
            views.depth[views.depth > 0]
        ):
            path = trajectory_error_percent(model.object_from_camera[known], target[known])
    bad = known.sum() < 3 or rotation > BAD_DEG or path > BAD_PERCENT
    name = f"object {true}" if true else "camera"
    silent = (
        [f"{name} is {rotation:.1f} degrees and {path:.0f} % off, called ok"] if bad and entry.verdict == "ok" else []
    )
    sigmas = [
        error / entry.numbers[key] if entry.numbers.get(key) else np.inf
        for error, key in ((rotation, "rotation_std_deg"), (path, "trajectory_std_percent"))
        if np.isfinite(error) and key in entry.numbers
    ]
    return {
        "object": true,
        "registered": int(known.sum()),
        "frames": len(rows),
        "shown": int((views.object_ids[rows] == true).any((1, 2)).sum()),
        "rotation": rotation,
        "path": path,
        "sigmas": sigmas,
        "verdict": entry.verdict,
        "reason": entry.reason,
        "bad": bool(bad),
        "silent": silent,
    }


def run_scene(seed: int, work: Path, again: bool) -> Values:
    """One scene's numbers: simulated, run and judged unless that has been done; a stage that fails is a number, too."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    folder = work / f"{seed}_{kind_of(seed).replace(' ', '_')}"
    folder.mkdir(parents=True, exist_ok=True)
    result = folder / "result.json"
    if result.exists() and not again:
        return json.loads(result.read_text())
    if not (folder / "truth.h5").exists():
        simulate_scene(folder / "video.mp4", folder / "truth.h5", scene_settings(seed))
    start = time.monotonic()
    scene: Values = {"seed": seed, "kind": kind_of(seed)}
    with (folder / "log.txt").open("w") as log, contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
        try:
            first_pass(folder)
            second_pass(folder)
            scene |= judge(folder)
        except Exception as error:
            traceback.print_exc()
            scene["failed"] = str(error)
    scene["seconds"] = time.monotonic() - start
    result.write_text(json.dumps(scene))
    return scene


def row_of(name: str, scenes: list[Values]) -> Values:
    """One line of the table."""
    good = [scene for scene in scenes if "failed" not in scene]
    poses = [pose for scene in good for pose in scene["poses"]]
    cameras, objects = ([p for p in poses if (p["object"] > 0) == moving] for moving in (False, True))
    focal = np.array([scene["focal"]["sigmas"] for scene in good if scene["focal"]["source"] == "self_calibrated"])
    stated = np.array([sigma for p in cameras for sigma in p["sigmas"]])
    own = np.array([sigma for p in objects for sigma in p["sigmas"]])
    ious = [iou for scene in good for iou in scene["masks"]["ious"].values()]
    sound = [p for p in objects if not p["bad"]]
    return {
        "kind": name,
        "scenes": len(scenes),
        "failed": len(scenes) - len(good),
        "focal %": median([scene["focal"]["percent"] for scene in good]),
        "1s, 2s": coverage(focal),
        "cam deg": median([p["rotation"] for p in cameras]),
        "cam %": median([p["path"] for p in cameras]),
        "cam 1s, 2s": coverage(stated),
        "IoU": f"{np.mean(ious):.2f}" if ious else "",
        "swap": sum(scene["masks"]["switches"] for scene in good),
        "found": f"{sum(scene['masks']['found'] for scene in good)}/{len(ious)}",
        "extra": sum(scene["masks"]["extra"] for scene in good),
        "reg": f"{sum(p['registered'] > 2 for p in objects)}/{len(objects)}",
        "obj deg": median([p["rotation"] for p in objects]),
        "obj %": median([p["path"] for p in objects]),
        "obj 1s, 2s": coverage(own),
        "alarms": f"{sum(p['verdict'] != 'ok' for p in sound)}/{len(sound)}",
        "silent": sum(len(scene["silent"]) for scene in good),
        "s": median([scene["seconds"] for scene in scenes]),
    }


def median(values: Iterable[float]) -> str:
    finite = [value for value in values if value is not None and np.isfinite(value)]
    return f"{np.median(finite):.2f}" if finite else ""


def coverage(sigmas: np.ndarray) -> str:
    """Shares within one and two sigmas, percent."""
    return f"{100 * np.mean(sigmas <= 1):.0f} {100 * np.mean(sigmas <= 2):.0f}" if len(sigmas) else ""


def table(scenes: list[Values]) -> str:
    """A row for each kind, and one for all."""
    scenes = sorted(scenes, key=lambda scene: scene["seed"])
    kinds = [kind for kind in KINDS if any(scene["kind"] == kind for scene in scenes)]
    rows = [row_of(kind, [scene for scene in scenes if scene["kind"] == kind]) for kind in kinds]
    lines = [pd.DataFrame([*rows, row_of("all", scenes)]).to_string(index=False), ""]
    for scene in scenes:
        for line in [f"FAILED: {scene['failed']}"] if "failed" in scene else scene["silent"]:
            lines.append(f"{scene['seed']:>4} {scene['kind']}: {line}")
    return "\n".join(lines)


def run(options: argparse.Namespace, work: Path) -> None:
    """Print a line for each scene as it is done, then the table."""
    seeds = [seed for seed in range(*options.seeds) if kind_of(seed) in options.kinds]
    scenes: list[Values] = []
    with ProcessPoolExecutor(options.workers, mp_context=get_context("spawn")) as pool:
        for done in as_completed([pool.submit(run_scene, seed, work, options.again) for seed in seeds]):
            scenes.append(scene := done.result())
            print(
                f"{len(scenes)}/{len(seeds)} seed {scene['seed']} {scene['kind']}: {scene['seconds']:.0f} s", flush=True
            )
    print(table(scenes))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--seeds", type=int, nargs=2, default=(0, 40), metavar=("FROM", "TO"))
    parser.add_argument("--workers", type=int, default=2, help="scenes at once, one core each")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "footage", help="scenes and results")
    parser.add_argument("--again", action="store_true", help="run the stages anew on scenes that are there")
    logging.disable(logging.WARNING)
    options = parser.parse_args()
    run(options, options.work)


if __name__ == "__main__":
    main()
