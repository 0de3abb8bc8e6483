"""DyCheck's PCK-T: keypoints of one frame, carried to another by the trained scene, are near where people marked them there.

Gao et al., Monocular Dynamic View Synthesis: A Reality Check (NeurIPS 2022), and its released code: ten frames, evenly from
the first on, all ordered pairs of them; a point is right within 5 % of the longer side; mean over the points that both
frames show, then over pairs. A keypoint is where its ray ends, on the object that most of the ray's weight falls on, and
moves with that object.
"""

from itertools import product

import numpy as np
import torch
from jaxtyping import Float

from models.rays import Rays
from pipeline.cameras import directions_at_unit_depth, inverse, project, transform
from pipeline.evaluation.known_truth import KnownTruth
from pipeline.formats.metrics_table import Findings, Row
from pipeline.rendering.trained_method import TrainedMethod
from pipeline.truth.truth_file import TruthViews

PROTOCOL, METRIC, STAGE, ITEM = "dycheck", "pck_t", "render_views", "all"
FRAMES = 10
NEAR = 0.05  # of the longer side
NO_KEYPOINTS = "truth has no keypoints of the video"
NO_MOTION = "a method with classes does not say which object a point moves with"
NO_PAIR = "no two frames with a pose show the same keypoint"


def keypoint_findings(method: TrainedMethod, name: str, known: KnownTruth | None) -> Findings:
    """PCK-T of a method, or why there is none."""
    if known is None or known.truth.train.keypoints is None:
        return Findings.absent(STAGE, [METRIC], NO_KEYPOINTS, name, ITEM, PROTOCOL)
    if method.classes is not None:
        return Findings.absent(STAGE, [METRIC], NO_MOTION, name, ITEM, PROTOCOL)
    frame_of_row = {int(row): frame for frame, row in enumerate(known.alignment.rows) if row >= 0}
    value = pck_transfer(method, known.truth.train, frame_of_row)
    if value is None:
        return Findings.absent(STAGE, [METRIC], NO_PAIR, name, ITEM, PROTOCOL)
    return Findings.of([Row(STAGE, name, ITEM, METRIC, value, PROTOCOL)])


def pck_transfer(method: TrainedMethod, views: TruthViews, frame_of_row: dict[int, int]) -> float | None:
    """The share of right points; `frame_of_row` has the scene's frame of each view of the video that it knows."""
    assert views.keypoints is not None
    count, scene = len(views.keypoints), method.scene
    chosen = np.linspace(0, count, min(FRAMES, count), endpoint=False).astype(int).tolist()
    rows = [row for row in chosen if row in frame_of_row and scene.visible[0, frame_of_row[row]]]
    stretch = np.array(scene.size[::-1]) / views.size[::-1]
    shares = []
    for row, row_to in product(rows, repeat=2):
        points, points_to = views.keypoints[row], views.keypoints[row_to]
        both = (points[:, 2] > 0) & (points_to[:, 2] > 0)
        if not both.any():
            continue
        frames = frame_of_row[row], frame_of_row[row_to]
        carried = transferred(method, *frames, points[both, :2] * stretch) / stretch
        distance = np.linalg.norm(carried - points_to[both, :2], axis=1)
        shares.append(float((distance < NEAR * max(views.size)).mean()))  # never of a point that has no place
    return float(np.mean(shares)) if shares else None


def transferred(
    method: TrainedMethod, frame: int, frame_to: int, xy: Float[np.ndarray, "point xy=2"]
) -> Float[np.ndarray, "point xy=2"]:
    """Where the scene's points that one frame shows are in another one; NaN where their object has no pose there."""
    scene, scales = method.scene, method.scales[0]
    local = directions_at_unit_depth(scene.camera, xy)
    poses = scene.object_from_camera.astype(np.float64)
    origin = torch.from_numpy(poses[0, frame, :3, 3]).float()
    directions = torch.from_numpy(local @ poses[0, frame, :3, :3].T).float()
    rays = Rays(origin.expand_as(directions), directions, torch.full((len(xy),), frame, dtype=torch.int64))
    with torch.no_grad():
        rendering = method.render(rays.to(method.device), scales)
    owner = rendering.object_weights.argmax(-1).cpu().numpy()
    scale = scales.double().cpu().numpy()[owner, None]
    in_camera = local * rendering.depth.double().cpu().numpy()[:, None]
    on_object = transform(poses[owner, frame], in_camera / scale)
    there = scale * transform(inverse(poses[owner, frame_to]), on_object)
    known = scene.visible[owner, frame] & scene.visible[owner, frame_to] & (there[:, 2] > 0)
    return np.where(known[:, None], project(scene.camera, np.where(known[:, None], there, 1.0)), np.nan)
