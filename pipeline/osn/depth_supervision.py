"""Depths that training of object fields is told, in each object's own units: of sparse points, of depth maps, or none."""

import logging
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from models.osn.training_pixels import SparseDepths
from pipeline.config import TrainOsnConfig
from pipeline.formats.scene_file import Scene
from pipeline.runtime.errors import StageError
from pipeline.scene.depth_maps import depth_ratios, drawn_pixels

log = logging.getLogger(__name__)
PIXELS_PER_FRAME = 2000  # of a depth map


def told_depths(config: TrainOsnConfig, scene: Scene, depth: Path | None) -> SparseDepths | None:
    """What OSN is told by its `depth_supervision`; None: the sparse points, as they are read with the frames.

    Of maps the scale of each object is taken out: they tell its shape, and nothing of which scales are valid.
    """
    if config.depth_supervision == "none" or not config.depth_weight:
        return no_depths()
    if config.depth_supervision in ("own", "sfm"):
        return None
    if depth is None:
        raise StageError(
            "train_osn.depth_supervision: maps needs depth maps; give the scene `depth:`, or set it to none or sfm"
        )
    return map_depths(depth, scene, config.seed, depth_ratios(depth, scene))


def no_depths() -> SparseDepths:
    """Nothing is told, and a warning says what that costs."""
    log.warning(
        "no depth is told: colours alone say where surfaces are, so they take more steps to become sharp and are less exact;"
        " `depth_supervision: sfm` tells the sparse points"
    )
    return SparseDepths(torch.zeros(0, dtype=torch.int64), torch.zeros(0), torch.zeros(0))


def map_depths(folder: Path, scene: Scene, seed: int, units: Float[np.ndarray, "object"]) -> SparseDepths:
    """Random pixels of depth maps, where masks show an object that is registered.

    `units` are the scales that bring each object's own units to those of the scene.
    """
    drawn = drawn_pixels(folder, scene, seed, PIXELS_PER_FRAME)
    owner = scene.object_ids[drawn.frame, drawn.row, drawn.column].astype(np.int64)
    known = owner < scene.object_count
    owner = np.where(known, owner, 0)
    known &= scene.visible[owner, drawn.frame]
    if not known.any():
        raise StageError(
            f"{folder} gives a depth to no pixel of a registered object; look at geometry.json, or set "
            "depth_supervision to sfm or none"
        )
    log.info("depth is known in %d pixels of depth maps", known.sum())
    height, width = scene.size
    pixel = (drawn.frame.astype(np.int64) * height + drawn.row) * width + drawn.column
    depth = (drawn.depth / units[owner])[known]
    return SparseDepths(
        torch.from_numpy(pixel[known]), torch.from_numpy(depth.astype(np.float32)), torch.ones(int(known.sum()))
    )
