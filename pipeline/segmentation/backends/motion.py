"""What moves, or the moving region under each prompt, told from flow and colours alone: no weights are needed."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8

from pipeline.config import SegmentObjectsConfig
from pipeline.segmentation.boundary_refinement import refine_masks
from pipeline.segmentation.motion_test import (
    objects_that_move,
    without_crumbs,
    without_smear_of_others,
    without_still_stretches,
)
from pipeline.segmentation.object_confidence import kept_objects
from pipeline.segmentation.prompts import prompted_objects
from pipeline.segmentation.reidentification import known_again
from pipeline.segmentation.tubes import joined_stays
from pipeline.segmentation.video import Video


def load(checkpoint: Path | None, device: torch.device) -> None:
    """There is nothing to load."""


def find(model: None, video: Video, config: SegmentObjectsConfig) -> UInt8[np.ndarray, "frame height width"]:
    """The prompted objects; without prompts, what moves."""
    tubes = video.tubes(config.min_area / 6)
    if not config.prompts:
        return moving_objects(video, tubes, config)
    prompted = prompted_objects(video.images, tubes, video.chain, config.prompts)
    return prompted.joined(refine_masks(video.images, prompted.tubes, video.chain, config.boundary_reach))


def moving_objects(
    video: Video, tubes: UInt8[np.ndarray, "frame height width"], config: SegmentObjectsConfig
) -> UInt8[np.ndarray, "frame height width"]:
    """Tubes that have a motion of their own, with borders on edges; what comes back has its old id."""
    likely = kept_objects(tubes, video.residual, config.min_area / 4, config.max_objects + 4)
    moving = objects_that_move(video.images, likely, video.chain, config.boundary_reach)
    moving = without_still_stretches(video.images, moving, video.chain, config.boundary_reach)
    joined = known_again(video.images, joined_stays(video.images, moving, video.chain))
    clear = without_crumbs(joined, video.chain)
    things = without_smear_of_others(video.images, clear, video.chain, config.boundary_reach)
    return kept_objects(things, video.residual, config.min_area, config.max_objects)
