"""Verdicts, and cameras and object poses judged by truth."""

import numpy as np
from jaxtyping import Float, Int

from pipeline.cameras import inverse
from pipeline.evaluation.known_truth import NO_TRUTH, KnownTruth
from pipeline.formats.geometry_file import Geometry
from pipeline.formats.metrics_table import Findings, Row
from pipeline.formats.scene_file import Scene
from pipeline.geometry.similarity_alignment import rotation_error_deg, trajectory_error_percent
from pipeline.truth.truth_file import Truth, TruthViews

STAGE = "reconstruct_objects"
POSE_METRICS = ("rotation_error_deg", "trajectory_error_percent")
VERDICT_VALUES = {"failed": 0.0, "weak": 1.0, "ok": 2.0}
NO_OBJECT_POSES = "truth has no poses of objects"
LEAST_FRAMES = 3
LEAST_PATH = 1e-3  # of the distance to the object: below it there is no path to compare


def geometry_findings(scene: Scene, geometry: Geometry, known: KnownTruth | None) -> Findings:
    """Verdicts, and poses against truth."""
    if known is None:
        return verdict_findings(geometry) + Findings.absent(STAGE, POSE_METRICS, NO_TRUTH)
    poses = pose_findings(scene, known.truth, known.alignment.rows, known.matching, geometry)
    return verdict_findings(geometry) + poses


def verdict_findings(geometry: Geometry) -> Findings:
    """What the reconstruction says of itself."""
    rows = []
    for entry in geometry.objects:
        rows.append(Row(STAGE, "", str(entry.id), "verdict", VERDICT_VALUES[entry.verdict]))
        for metric in ("registered_frames", "reprojection_error_px"):
            if metric in entry.numbers:
                rows.append(Row(STAGE, "", str(entry.id), metric, entry.numbers[metric]))
    return Findings.of(rows)


def pose_findings(
    scene: Scene, truth: Truth, rows: Int[np.ndarray, "frame"], matching: dict[int, int], geometry: Geometry
) -> Findings:
    """Poses of every object that truth knows; an object that cannot be judged is missing with its reason."""
    findings = focal_findings(scene, truth)
    index_of = {entry["id"]: index for index, entry in enumerate(scene.objects)}
    for entry in geometry.objects:
        if entry.id not in index_of:
            findings += Findings.absent(STAGE, POSE_METRICS, f"not reconstructed: {entry.reason}", item=str(entry.id))
        elif entry.id > 0 and not truth.train.knows("world_from_object"):
            findings += Findings.absent(STAGE, POSE_METRICS, NO_OBJECT_POSES, item=str(entry.id))
        elif entry.id not in matching:
            findings += Findings.absent(STAGE, POSE_METRICS, "no true object matches it", item=str(entry.id))
        else:
            findings += object_findings(scene, truth.train, rows, index_of[entry.id], entry.id, matching[entry.id])
    return findings


def object_findings(
    scene: Scene, views: TruthViews, rows: Int[np.ndarray, "frame"], index: int, estimated: int, true: int
) -> Findings:
    """Pose errors of one object over the frames that both know."""
    frames = np.flatnonzero((rows >= 0) & scene.visible[index])
    if len(frames) < LEAST_FRAMES:
        reason = f"its pose is known in {len(frames)} frames of truth, a comparison needs {LEAST_FRAMES}"
        return Findings.absent(STAGE, POSE_METRICS, reason, item=str(estimated))
    source = scene.object_from_camera[index, frames].astype(np.float64)
    target = true_object_from_camera(views, true)[rows[frames]]
    found = [Row(STAGE, "", str(estimated), "rotation_error_deg", rotation_error_deg(source, target))]
    centres = target[:, :3, 3]
    radius = np.linalg.norm(centres - centres.mean(0), axis=1).mean()
    if radius < LEAST_PATH * np.median(views.depth):
        reason = "the camera does not move as seen from it, so there is no path to compare"
        return Findings.of(found) + Findings.absent(STAGE, POSE_METRICS[1:], reason, item=str(estimated))
    found.append(Row(STAGE, "", str(estimated), "trajectory_error_percent", trajectory_error_percent(source, target)))
    return Findings.of(found)


def true_object_from_camera(views: TruthViews, true: int) -> Float[np.ndarray, "frame 4 4"]:
    """The camera's true pose in a true object's frame."""
    world_from_camera = views.world_from_camera.astype(np.float64)
    return world_from_camera if true == 0 else inverse(views.world_from_object[:, true - 1]) @ world_from_camera


def focal_findings(scene: Scene, truth: Truth) -> Findings:
    """The focal length, at the size of the frames."""
    true = truth.camera(truth.train, 0).fx * scene.camera.width / truth.size[1]
    return Findings.of([Row(STAGE, "", "all", "focal_error_percent", 100 * abs(scene.camera.fx - true) / true)])
