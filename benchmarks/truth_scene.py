"""A training scene made from truth.h5: exact poses and depths, so that training can be judged without the geometry stages."""

from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, Int

from pipeline.cameras import Intrinsics, camera_directions, inverse, transform
from pipeline.dis_flow import create_dis, dis_flow
from pipeline.flow_geometry import consistent_pixels
from pipeline.scene_file import Scene
from pipeline.truth_file import Truth, read_truth

POINTS_PER_FRAME = {0: 300}  # of the background; other objects have OBJECT_POINTS
OBJECT_POINTS = 60
DEPTH_NOISE = 0.005


def truth_scene(path: Path, seed: int = 0, units: dict[int, float] | None = None) -> tuple[Scene, Truth]:
    """The scene of a truth file; `units` multiplies an object's own units, so that its true scale is the inverse."""
    truth = read_truth(path)
    rng = np.random.default_rng(seed)
    views, (height, width) = truth.train, truth.size
    camera = Intrinsics.centred(truth.focal_px, height, width)
    poses = object_poses(truth)
    for index, unit in (units or {}).items():
        poses[index, :, :3, 3] *= unit
    owner, frame, xy, depth = sparse_points(truth, rng)
    depth = depth * np.array([(units or {}).get(int(index), 1.0) for index in owner])
    poses, half = boxed(poses, camera, owner, frame, xy, depth)
    forward, backward, forward_valid, backward_valid = flows(truth)
    near, far = np.percentile(views.depth, [0.1, 99.9])
    scene = Scene(
        images=views.images,
        object_ids=views.object_ids,
        times_s=np.arange(len(views.images)) / 12,
        flow_forward=forward,
        flow_backward=backward,
        flow_forward_valid=forward_valid,
        flow_backward_valid=backward_valid,
        intrinsics=camera.values,
        object_from_camera=poses.astype(np.float32),
        visible=np.ones(poses.shape[:2], bool),
        box_half_extent=half.astype(np.float32),
        scale_range=np.array([[1, 1]] + [[0.3, 3.0]] * (len(poses) - 1), np.float32),
        depth_range=np.array([0.5 * near, 1.1 * far], np.float32),
        observation_object=owner.astype(np.uint8),
        observation_frame=frame.astype(np.int32),
        observation_xy=xy.astype(np.float32),
        observation_depth=depth.astype(np.float32),
        observation_weight=np.ones(len(owner), np.float32),
        objects=[{"id": k, "name": f"object {k}", "verdict": "ok", "reason": ""} for k in range(len(poses))],
    )
    return scene, truth


def object_poses(truth: Truth) -> Float[np.ndarray, "object frame 4 4"]:
    """object_from_camera of every object, background first."""
    world_from_camera = truth.train.world_from_camera
    world_from_object = np.moveaxis(truth.train.world_from_object.astype(np.float64), 1, 0)
    return np.concatenate([world_from_camera[None], inverse(world_from_object) @ world_from_camera])


def sparse_points(
    truth: Truth, rng: np.random.Generator
) -> tuple[
    Int[np.ndarray, "observation"],
    Int[np.ndarray, "observation"],
    Float[np.ndarray, "observation xy=2"],
    Float[np.ndarray, "observation"],
]:
    """Object, frame, pixel and noisy depth of points as structure from motion would give them."""
    rows = []
    for t, ids in enumerate(truth.train.object_ids):
        for k in range(truth.object_count):
            y, x = np.nonzero(cv2.erode((ids == k).astype(np.uint8), np.ones((3, 3), np.uint8)))
            chosen = rng.permutation(len(y))[: POINTS_PER_FRAME.get(k, OBJECT_POINTS)]
            depth = truth.train.depth[t, y[chosen], x[chosen]] * (1 + DEPTH_NOISE * rng.standard_normal(len(chosen)))
            rows.append(np.stack([np.full(len(chosen), k), np.full(len(chosen), t), x[chosen] + 0.5, y[chosen] + 0.5, depth], 1))
    table = np.concatenate(rows)
    return table[:, 0].astype(int), table[:, 1].astype(int), table[:, 2:4], table[:, 4]


def boxed(
    poses: Float[np.ndarray, "object frame 4 4"],
    camera: Intrinsics,
    owner: Int[np.ndarray, "observation"],
    frame: Int[np.ndarray, "observation"],
    xy: Float[np.ndarray, "observation xy=2"],
    depth: Float[np.ndarray, "observation"],
) -> tuple[Float[np.ndarray, "object frame 4 4"], Float[np.ndarray, "object xyz=3"]]:
    """Poses relative to the centre of each object's points, and half the size of its box."""
    poses, half = poses.copy(), np.zeros((len(poses), 3))
    points = camera_directions(camera, xy) * depth[:, None]
    for k in range(len(poses)):
        mine = owner == k
        placed = transform(poses[k, frame[mine]], points[mine])
        low, high = np.percentile(placed, [0.5, 99.5], axis=0)
        poses[k, :, :3, 3] -= (low + high) / 2
        half[k] = 0.55 * (high - low)
    return poses, half


def flows(truth: Truth) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Estimated flow in both directions, with the pixels that return."""
    images, dis = truth.train.images, create_dis()
    forward = np.stack([dis_flow(dis, a, b) for a, b in zip(images[:-1], images[1:], strict=True)])
    backward = np.stack([dis_flow(dis, b, a) for a, b in zip(images[:-1], images[1:], strict=True)])
    there = np.stack([consistent_pixels(f, b, 1.0) for f, b in zip(forward, backward, strict=True)])
    back = np.stack([consistent_pixels(b, f, 1.0) for f, b in zip(forward, backward, strict=True)])
    return forward, backward, there, back
