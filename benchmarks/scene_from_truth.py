"""A scene with true poses, masks and sparse depths, for measuring what training alone can reach."""

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from pipeline.cameras import Intrinsics, directions_at_unit_depth, inverse, pixel_centres, transform
from pipeline.formats.scene_file import Scene
from pipeline.truth.truth_file import Truth, TruthViews

OBSERVATION_SPACING = 6
BOX_MARGIN = 1.1


def shrunk(views: TruthViews, factor: int) -> TruthViews:
    """Views at a whole fraction of their size."""
    height, width = (size // factor for size in views.depth.shape[1:])
    images = np.stack([cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA) for image in views.images])
    ids, depth = shrunk_ids(views.object_ids, views.depth, factor)
    return TruthViews(
        images,
        depth,
        ids,
        views.world_from_camera,
        views.world_from_object,
        views.time,
    )


def shrunk_ids(
    object_ids: UInt8[np.ndarray, "view height width"], depth: Float[np.ndarray, "view height width"], factor: int
) -> tuple[UInt8[np.ndarray, "view new_height new_width"], Float[np.ndarray, "view new_height new_width"]]:
    """The object that fills most of each block of pixels, and its mean depth there.

    No pixel of an even block lies in its middle: one picked of each would move every border. Draws go by turns.
    """
    views, height, width = (len(object_ids), *(size // factor for size in object_ids.shape[1:]))
    blocks = (views, height, factor, width, factor)
    ids, depths = (values[:, : height * factor, : width * factor].reshape(blocks) for values in (object_ids, depth))
    row, column = np.ogrid[:height, :width]
    turn = ids[:, row, column % factor, column, row % factor]
    present = np.unique(object_ids)
    shares = np.stack([(ids == k).mean((2, 4)) + 1e-3 * (turn == k) for k in present])
    found = present[shares.argmax(0)]
    own = ids == found[:, :, None, :, None]
    return found, ((depths * own).sum((2, 4)) / own.sum((2, 4))).astype(depth.dtype)


def object_from_camera(views: TruthViews, index: int) -> Float[np.ndarray, "frame 4 4"]:
    """Camera poses in one object's own frame."""
    if index == 0:
        return views.world_from_camera
    return inverse(views.world_from_object[:, index - 1]) @ views.world_from_camera


def scene_from_truth(truth: Truth, factor: int = 1) -> tuple[Scene, TruthViews, Float[np.ndarray, "xyz=3"]]:
    """The scene, its held-out views at the same size, and the centre of the background's box in the truth's world."""
    train, test = shrunk(truth.train, factor), shrunk(truth.test, factor)
    frames, height, width = train.depth.shape
    camera = Intrinsics.centred(truth.focal_px / factor, height, width)
    points_in_camera = directions_at_unit_depth(camera, pixel_centres(height, width)) * train.depth[..., None]
    poses, halves, centres, observations = [], [], [], []
    rng = np.random.default_rng(0)
    for k in range(truth.object_count):
        own = object_from_camera(train, k).astype(np.float64)
        points = transform(own[:, None, None], points_in_camera)
        seen = (train.object_ids == k) & (train.depth > 0)
        inside = points[seen]
        if k == 0:
            inside = np.concatenate([inside, own[:, :3, 3]])
        low, high = inside.min(0), inside.max(0)
        centre = (low + high) / 2
        own[:, :3, 3] -= centre
        poses.append(own)
        halves.append(np.maximum((high - low) / 2, 0.1 * (high - low).max()) * BOX_MARGIN)
        centres.append(centre)
        chosen = seen & (rng.random(seen.shape) < 1 / OBSERVATION_SPACING**2)
        frame, row, column = np.nonzero(chosen)
        observations.append(
            (np.full(len(frame), k), frame, np.stack([column + 0.5, row + 0.5], 1), train.depth[chosen])
        )
    joined = [np.concatenate(parts) for parts in zip(*observations, strict=True)]
    flow, valid = np.zeros((frames - 1, height, width, 2), np.float32), np.zeros((frames - 1, height, width), bool)
    nearest, farthest = float(train.depth[train.depth > 0].min()), float(train.depth.max())
    scene = Scene(
        images=train.images,
        object_ids=train.object_ids,
        times_s=np.arange(frames) / 12,
        flow_forward=flow,
        flow_backward=flow,
        flow_forward_valid=valid,
        flow_backward_valid=valid,
        intrinsics=camera.values,
        object_from_camera=np.stack(poses).astype(np.float32),
        visible=np.ones((truth.object_count, frames), bool),
        box_half_extent=np.stack(halves).astype(np.float32),
        scale_range=np.array([[1, 1]] + [[0.5, 1.8]] * (truth.object_count - 1), np.float32),
        depth_range=np.array([0.3 * nearest, 1.2 * farthest], np.float32),
        observation_object=joined[0].astype(np.uint8),
        observation_frame=joined[1].astype(np.int32),
        observation_xy=joined[2].astype(np.float32),
        observation_depth=joined[3].astype(np.float32),
        observation_weight=np.ones(len(joined[0]), np.float32),
        objects=[
            {"id": k, "name": f"object {k}", "verdict": "ok", "reason": "", "depth_std_percent": 0.0}
            for k in range(truth.object_count)
        ],
    )
    return scene, test, centres[0]
