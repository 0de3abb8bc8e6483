"""Which pixels of a held-out view the video has seen often enough to be judged by (DyCheck), from exact geometry."""

import numpy as np
from jaxtyping import Bool, Float, Int

from pipeline.cameras import Intrinsics, camera_directions, inverse, pixel_centres, project, transform
from pipeline.truth_file import Truth, TruthViews

DEPTH_TOLERANCE = 0.02  # a point is seen where it lies within this share of the depth in the frame
LEAST_FRAMES, LEAST_SHARE = 5, 10  # DyCheck: max(5, N // 10) of N frames


def covisible(truth: Truth, view: int, frames: Int[np.ndarray, "frame"]) -> Bool[np.ndarray, "height width"]:
    """Pixels of a test view whose surface point is seen in enough of the given training frames."""
    seen = times_seen(truth, view, frames)
    return seen >= max(LEAST_FRAMES, len(frames) // LEAST_SHARE)


def times_seen(truth: Truth, view: int, frames: Int[np.ndarray, "frame"]) -> Int[np.ndarray, "height width"]:
    """In how many training frames each pixel's point is seen; points move with their object."""
    camera = Intrinsics.centred(truth.focal_px, *truth.size)
    depth = truth.test.depth[view].astype(np.float64)
    points = transform(
        truth.test.world_from_camera[view].astype(np.float64),
        camera_directions(camera, pixel_centres(*truth.size)) * depth[..., None],
    )
    ids = truth.test.object_ids[view]
    seen = np.zeros(truth.size, dtype=np.int64)
    for identity in np.unique(ids):
        chosen = ids == identity
        local = transform(inverse(object_pose(truth.test, int(identity), view)), points[chosen])
        for frame in frames:
            seen[chosen] += seen_in(truth, camera, int(frame), int(identity), local)
    return seen


def object_pose(views: TruthViews, identity: int, view: int) -> Float[np.ndarray, "4 4"]:
    """world_from_object at a view's time."""
    return np.eye(4) if identity == 0 else views.world_from_object[view, identity - 1].astype(np.float64)


def seen_in(
    truth: Truth, camera: Intrinsics, frame: int, identity: int, local: Float[np.ndarray, "point xyz=3"]
) -> Bool[np.ndarray, "point"]:
    """Whether points of an object's frame are what a training frame shows."""
    camera_from_world = inverse(truth.train.world_from_camera[frame].astype(np.float64))
    points = transform(camera_from_world @ object_pose(truth.train, identity, frame), local)
    in_front = points[:, 2] > 1e-6
    xy = project(camera, np.where(in_front[:, None], points, 1.0))
    inside = in_front & (xy >= 0).all(1) & (xy < [camera.width, camera.height]).all(1)
    columns, lines = np.where(inside[:, None], xy, 0).astype(int).T
    near = np.abs(truth.train.depth[frame, lines, columns] - points[:, 2]) < DEPTH_TOLERANCE * points[:, 2]
    return inside & near & (truth.train.object_ids[frame, lines, columns] == identity)
