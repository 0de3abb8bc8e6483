"""Depth maps that a person gives, brought into the units of the scene and used where the sparse points are too few."""

import logging
from dataclasses import fields
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pipeline.scene.depth_alignment import aligned_depths
from pipeline.scene.depth_maps import read_depths
from pipeline.semantic_flow.data import UNKNOWN, Points
from pipeline.semantic_flow.pixels import Video

log = logging.getLogger(__name__)
PIXELS_PER_FRAME = 600
CONFIDENCE = 0.5  # an observation of SfM has 2 exp(-(e / mean e)^2)


def depth_points(folder: Path, video: Video) -> Points:
    """Random pixels of the maps as if they had been observed; the motion there is not known."""
    scene, labels = video.scene, video.labels
    aligned = aligned_depths(read_depths(folder, scene), scene)
    maps, used = aligned.maps, aligned.used
    if not used.all():
        log.warning(
            "depth maps of %d of %d frames do not fit the sparse points and are not used", (~used).sum(), len(used)
        )
    known = used[:, None, None] & np.isfinite(maps) & (maps > 0) & scene.visible[0][:, None, None]
    for number in np.flatnonzero(~labels.labelled).tolist():
        known[number] &= ~video.moves_by_flow(number)
    rng = np.random.default_rng(video.config.seed)
    chosen = [rng.permutation(np.flatnonzero(frame))[:PIXELS_PER_FRAME] for frame in known]
    frame = np.repeat(np.arange(len(maps)), [len(pixels) for pixels in chosen])
    row, column = np.divmod(np.concatenate(chosen), maps.shape[2])
    moving = np.where(labels.labelled[frame], labels.moving[frame, row, column], UNKNOWN)
    count = len(frame)
    return Points(
        torch.from_numpy(frame),
        torch.from_numpy(np.stack([column, row], axis=1).astype(np.float32) + 0.5),
        torch.from_numpy(maps[frame, row, column].astype(np.float32)),
        torch.full((count,), CONFIDENCE),
        torch.from_numpy(moving.astype(np.float32)),
        torch.zeros(count, 2, 3),
        torch.zeros(count, 2, dtype=torch.bool),
    )


def joined_points(first: Points, second: Points) -> Points:
    """Both, one after the other."""
    pairs: list[tuple[Tensor, Tensor]] = [(getattr(first, f.name), getattr(second, f.name)) for f in fields(first)]
    return Points(*(torch.cat([a, b.to(a.device).to(a.dtype)]) for a, b in pairs))
