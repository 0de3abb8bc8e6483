"""Depth maps that a person gives, brought into the units of the scene and used where the sparse points are too few."""

import logging
from dataclasses import fields
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from pipeline.formats.scene_file import Scene
from pipeline.scene.depth_maps import read_depths
from pipeline.semantic_flow.data import UNKNOWN, Points
from pipeline.semantic_flow.labels import Labels
from pipeline.semantic_flow.moving_pixels import moving_pixels

log = logging.getLogger(__name__)
LEAST_OBSERVATIONS = 12  # of the background in a frame
ROUNDS = 30
GOOD_FIT = 0.15  # median relative error above which a frame's map is not believed
PIXELS_PER_FRAME = 600
CONFIDENCE = 0.5  # an observation of SfM has 2 exp(-(e / mean e)^2)


def depth_points(folder: Path, scene: Scene, labels: Labels, seed: int) -> Points:
    """Random pixels of the maps as if they had been observed; the motion there is not known."""
    maps, used = aligned_depths(read_depths(folder, scene.object_ids.shape), scene)
    if not used.all():
        log.warning(
            "depth maps of %d of %d frames do not fit the sparse points and are not used", (~used).sum(), len(used)
        )
    hidden = np.where(labels.labelled[:, None, None], False, moving_pixels(scene))
    known = used[:, None, None] & np.isfinite(maps) & (maps > 0) & ~hidden & scene.visible[0][:, None, None]
    rng = np.random.default_rng(seed)
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


def aligned_depths(
    maps: Float[np.ndarray, "frame height width"], scene: Scene
) -> tuple[Float[np.ndarray, "frame height width"], Bool[np.ndarray, "frame"]]:
    """Maps in the background's units, and the frames whose map fits the background's points."""
    height, width = maps.shape[1:]
    column, row = np.floor(scene.observation_xy).astype(int).clip(0, [width - 1, height - 1]).T
    given = maps[scene.observation_frame, row, column]
    usable = np.isfinite(given) & (given > 0) & (scene.observation_object == 0)
    result, used = np.zeros_like(maps), np.zeros(len(maps), bool)
    for frame in range(len(maps)):
        chosen = usable & (scene.observation_frame == frame)
        if chosen.sum() < LEAST_OBSERVATIONS:
            continue
        depth = scene.observation_depth[chosen].astype(np.float64)
        whole = np.where(np.isfinite(maps[frame]) & (maps[frame] > 0), maps[frame], np.nan).astype(np.float64)
        result[frame], error = best_alignment(given[chosen].astype(np.float64), depth, whole)
        used[frame] = error < GOOD_FIT
    return result, used


def best_alignment(
    given: Float[np.ndarray, "observation"],
    depth: Float[np.ndarray, "observation"],
    whole: Float[np.ndarray, "height width"],
) -> tuple[Float[np.ndarray, "height width"], float]:
    """A map by scale and shift of depth or of inverse depth, whichever fits the points better, and its median error.

    Networks that know depth up to scale and shift know it so in one of the two.
    """
    scale, shift = robust_line(given, depth)
    inverse_scale, inverse_shift = robust_line(1 / given, 1 / depth)
    fits = (
        (scale * given + shift, scale * whole + shift),
        (
            positive_inverse(inverse_scale / given + inverse_shift),
            positive_inverse(inverse_scale / whole + inverse_shift),
        ),
    )
    errors = [float(np.median(np.abs(there / depth - 1))) for there, _ in fits]
    best = int(np.argmin(errors))
    return np.nan_to_num(fits[best][1], nan=0.0), errors[best]


def positive_inverse(values: Float[np.ndarray, "*batch"]) -> Float[np.ndarray, "*batch"]:
    """1 / value, 0 (unknown) where that is no depth."""
    return np.where(values > 0, 1 / np.where(values > 0, values, 1.0), 0.0)


def robust_line(x: Float[np.ndarray, "observation"], y: Float[np.ndarray, "observation"]) -> tuple[float, float]:
    """Scale and shift with the least relative absolute errors of y, by reweighted least squares."""
    weights = 1 / y**2
    columns = np.stack([x, np.ones_like(x)], axis=1)
    solution = np.zeros(2)
    for _ in range(ROUNDS):
        root = np.sqrt(weights)
        solution = np.linalg.lstsq(columns * root[:, None], y * root, rcond=None)[0]
        error = np.abs(columns @ solution - y) / y
        weights = 1 / (y**2 * np.maximum(error, 1e-4))
    return float(solution[0]), float(solution[1])


def joined_points(first: Points, second: Points) -> Points:
    """Both, one after the other."""
    pairs: list[tuple[Tensor, Tensor]] = [(getattr(first, f.name), getattr(second, f.name)) for f in fields(first)]
    return Points(*(torch.cat([a, b.to(a.device).to(a.dtype)]) for a, b in pairs))
