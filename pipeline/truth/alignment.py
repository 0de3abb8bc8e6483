"""How a scene's estimated world, times and scales relate to the truth's; for judging only, never for estimating."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from pipeline.cameras import Intrinsics
from pipeline.formats.scene_file import Scene
from pipeline.geometry.similarity_alignment import Similarity, align_poses
from pipeline.truth.truth_file import Truth, TruthViews

LEAST_MOTION = 0.01  # of the scene's depth: below it the cameras' centres say nothing of the world's scale
LEAST_OBSERVATIONS = 8  # depths needed for a ratio


@dataclass(frozen=True)
class TruthAlignment:
    """`rows` gives each frame's row in truth's train views (-1: none); scales that cannot be known are NaN.

    `true_objects` is the true object on which most of each object's sparse points lie.
    """

    rows: Int[np.ndarray, "frame"]
    estimated_from_true: Similarity
    true_scales: Float[np.ndarray, "object"]
    true_objects: Int[np.ndarray, "object"]

    def scales_of(self, scene: Float[np.ndarray, "true"]) -> Float[np.ndarray, "object"]:
        """The scales that this scene's objects have where the true ones are multiplied by those given."""
        return self.true_scales * scene[self.true_objects]


def align_to_truth(scene: Scene, info: dict[str, Any], truth: Truth) -> TruthAlignment:
    """Align by the cameras of the frames that both know; the world's scale by depth where the camera hardly moves."""
    rows = truth_rows(info, truth.train)
    ratios, objects = depth_ratios(scene, truth, rows)
    both = np.flatnonzero((rows >= 0) & scene.visible[0])
    if len(both) == 0:
        unknown = np.full(scene.object_count, np.nan)
        return TruthAlignment(rows, Similarity(1.0, np.eye(3), np.zeros(3)), unknown, objects)
    true_poses = truth.train.world_from_camera[rows[both]].astype(np.float64)
    estimated_poses = scene.object_from_camera[0, both].astype(np.float64)
    similarity = align_poses(true_poses, estimated_poses)
    depth = float(np.median(truth.train.depth[rows[both]]))
    if np.isfinite(ratios[0]) and path_radius(true_poses) < LEAST_MOTION * depth:
        centre = true_poses[:, :3, 3].mean(0)
        scale = 1 / float(ratios[0])
        shift = estimated_poses[:, :3, 3].mean(0) - scale * similarity.rotation @ centre
        similarity = Similarity(scale, similarity.rotation, shift)
    return TruthAlignment(rows, similarity, ratios / ratios[0], objects)


def held_out_camera(estimated: Intrinsics, truth: Truth, row: int) -> Intrinsics:
    """The camera of a test view: it differs from the estimated one as the true ones differ."""
    own, video = truth.camera(truth.test, row), truth.camera(truth.train, 0)
    x, y = estimated.width / video.width, estimated.height / video.height
    return Intrinsics(
        estimated.fx * own.fx / video.fx,
        estimated.fy * own.fy / video.fy,
        estimated.cx + x * (own.cx - video.cx),
        estimated.cy + y * (own.cy - video.cy),
        round(own.width * x),
        round(own.height * y),
    )


def truth_rows(info: dict[str, Any], views: TruthViews) -> Int[np.ndarray, "frame"]:
    """The row of truth that shows each extracted frame, -1 where there is none."""
    row_of_time = {int(time): row for row, time in enumerate(views.time)}
    return np.array([row_of_time.get(int(frame["source_index"]), -1) for frame in info["frames"]])


def path_radius(world_from_camera: Float[np.ndarray, "frame 4 4"]) -> float:
    """Mean distance of the camera from its mean place."""
    centres = world_from_camera[:, :3, 3]
    return float(np.linalg.norm(centres - centres.mean(0), axis=1).mean())


def depth_ratios(
    scene: Scene, truth: Truth, rows: Int[np.ndarray, "frame"]
) -> tuple[Float[np.ndarray, "object"], Int[np.ndarray, "object"]]:
    """Median of true depth over estimated depth at each object's sparse points (NaN: too few), and the true object there.

    An object's estimated depth is in its own units, so the ratio over the background's is its true scale. The depth
    seen at the point's own pixel is taken, so no object needs to be matched to a true one.
    """
    height, width = truth.size
    columns = np.floor(scene.observation_xy[:, 0] * width / scene.camera.width).astype(int).clip(0, width - 1)
    lines = np.floor(scene.observation_xy[:, 1] * height / scene.camera.height).astype(int).clip(0, height - 1)
    row = rows[scene.observation_frame]
    true_depth, true_ids = (
        values[row.clip(0), lines, columns] for values in (truth.train.depth, truth.train.object_ids)
    )
    usable = (row >= 0) & np.isfinite(true_depth) & (true_depth > 0) & (scene.observation_depth > 0)
    ratios, objects = np.full(scene.object_count, np.nan), np.arange(scene.object_count)
    for index in range(scene.object_count):
        chosen = usable & (scene.observation_object == index)
        if chosen.sum() >= LEAST_OBSERVATIONS:
            ratios[index] = np.median(true_depth[chosen] / scene.observation_depth[chosen])
            known = true_ids[chosen][true_ids[chosen] < truth.object_count]
            objects[index] = np.bincount(known).argmax() if len(known) else index
    return ratios, objects.clip(max=truth.object_count - 1)


def nearest_scales(
    scales: Float[np.ndarray, "sample object"], true_scales: Float[np.ndarray, "object"], count: int
) -> list[int]:
    """Indices of the samples nearest to the true scales, by ratio; the first samples where no true scale is known."""
    known = np.isfinite(true_scales)
    known[0] = False
    if not known.any():
        return list(range(min(count, len(scales))))
    distance = np.abs(np.log(scales[:, known] / true_scales[known])).max(1)
    return np.argsort(distance, kind="stable")[:count].tolist()
