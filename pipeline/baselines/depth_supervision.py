"""Where baselines are told depth: at sparse points, or in depth maps that a person gives."""

import logging
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float

from pipeline.baselines.data import KnownDepths
from pipeline.config import DepthSupervision
from pipeline.formats.scene_file import Scene
from pipeline.runtime.errors import StageError
from pipeline.scene.depth_maps import drawn_pixels
from pipeline.scene.object_scales import scale_between, slowest_scale

log = logging.getLogger(__name__)
PIXELS_PER_FRAME = 2000  # of a depth map


def known_depths(supervision: DepthSupervision, scene: Scene, depth: Path | None, seed: int) -> KnownDepths | None:
    """What is known of depth by the kind of supervision; none where nothing was asked for."""
    if supervision == "none":
        return None
    found = sparse_depths(scene) if supervision == "sfm" else mapped_depths(given(depth), scene, seed)
    if not len(found.view):
        raise StageError(
            f"train_baseline.depth_supervision: {supervision} has no depth in any frame with a known camera; "
            "look at geometry.json, or set it to none"
        )
    log.info("depth is known in %d pixels", len(found.view))
    return found


def given(depth: Path | None) -> Path:
    """The folder of depth maps."""
    if depth is None:
        raise StageError(
            "train_baseline.depth_supervision: maps needs depth maps; give the scene `depth:`, or set it to none or sfm"
        )
    return depth


def sparse_depths(scene: Scene) -> KnownDepths:
    """Depths of the points of structure from motion; those of moving objects by the scale of the slowest motion.

    A monocular video does not tell that scale, and these methods have no other way to it: where nothing tells one, the
    object's points are left out.
    """
    known = np.ones(scene.frame_count, bool)
    scales = [1.0, *(slowest_or_nothing(scene, index, known) for index in range(1, scene.object_count))]
    factor = np.array(scales)[scene.observation_object]
    kept = np.isfinite(factor) & scene.visible[0, scene.observation_frame]
    depth = scene.observation_depth[kept] * factor[kept]
    confidence = np.minimum(scene.observation_weight[kept], 2.0)
    return as_known(scene.observation_frame[kept], scene.observation_xy[kept], depth, confidence)


def slowest_or_nothing(scene: Scene, index: int, frames: Bool[np.ndarray, "frame"]) -> float:
    """The scale at which an object moves least, within its range; NaN where nothing tells it."""
    slowest = slowest_scale(scene, index, frames)
    return float("nan") if slowest is None else scale_between(scene, index, None, slowest)


def mapped_depths(folder: Path, scene: Scene, seed: int) -> KnownDepths:
    """Random pixels of depth maps, each map brought into the units of the scene by the background's points."""
    drawn = drawn_pixels(folder, scene, seed, PIXELS_PER_FRAME)
    xy = np.stack([drawn.column, drawn.row], axis=1) + 0.5
    return as_known(drawn.frame, xy, drawn.depth, np.ones(len(drawn.frame)))


def as_known(
    frame: np.ndarray,
    xy: Float[np.ndarray, "point xy=2"],
    depth: Float[np.ndarray, "point"],
    confidence: Float[np.ndarray, "point"],
) -> KnownDepths:
    return KnownDepths(
        torch.from_numpy(frame.astype(np.int64)),
        *(torch.from_numpy(values.astype(np.float32)) for values in (xy, depth, confidence)),
    )
