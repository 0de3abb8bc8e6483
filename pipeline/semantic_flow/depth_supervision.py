"""Depth maps that a person gives, brought into the units of the scene and used where the sparse points are too few."""

from dataclasses import fields
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pipeline.config import OwnDepthSupervision
from pipeline.runtime.errors import StageError
from pipeline.scene.depth_maps import drawn_pixels
from pipeline.semantic_flow.data import UNKNOWN, Points
from pipeline.semantic_flow.pixels import Video

PIXELS_PER_FRAME = 600
CONFIDENCE = 0.5  # an observation of SfM has 2 exp(-(e / mean e)^2)


def given_depths(folder: Path | None, video: Video) -> Points | None:
    """What depth maps tell by `depth_supervision`: alone (maps), beside sparse points (own), or nothing."""
    supervision = video.config.depth_supervision
    if supervision == "maps" and folder is None:
        raise StageError(
            "train_semantic_flow.depth_supervision: maps needs depth maps; give the scene `depth:`, or set it to none or sfm"
        )
    return depth_points(folder, video) if folder and supervision in ("own", "maps") else None


def depth_points(folder: Path, video: Video) -> Points:
    """Random pixels of the maps as if they had been observed; the motion there is not known."""
    scene, labels = video.scene, video.labels
    allowed = np.ones((scene.frame_count, *scene.size), bool)
    for number in np.flatnonzero(~labels.labelled).tolist():
        allowed[number] &= ~video.moves_by_flow(number)
    drawn = drawn_pixels(folder, scene, video.config.seed, PIXELS_PER_FRAME, allowed)
    frame, row, column = drawn.frame, drawn.row, drawn.column
    moving = np.where(labels.labelled[frame], labels.moving[frame, row, column], UNKNOWN)
    count = len(frame)
    return Points(
        torch.from_numpy(frame),
        torch.from_numpy(np.stack([column, row], axis=1).astype(np.float32) + 0.5),
        torch.from_numpy(drawn.depth.astype(np.float32)),
        torch.full((count,), CONFIDENCE),
        torch.from_numpy(moving.astype(np.float32)),
        torch.zeros(count, 2, 3),
        torch.zeros(count, 2, dtype=torch.bool),
    )


def told_points(sparse: Points, maps: Points | None, supervision: OwnDepthSupervision) -> Points:
    """What training is told of depth, and of motion with it: sparse points, pixels of maps, both, or nothing."""
    points = sparse if supervision in ("own", "sfm") else sparse[:0]
    return joined_points(points, maps) if maps else points


def joined_points(first: Points, second: Points) -> Points:
    """Both, one after the other."""
    pairs: list[tuple[Tensor, Tensor]] = [(getattr(first, f.name), getattr(second, f.name)) for f in fields(first)]
    return Points(*(torch.cat([a, b.to(a.device).to(a.dtype)]) for a, b in pairs))
