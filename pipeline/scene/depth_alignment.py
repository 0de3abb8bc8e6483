"""Depth maps of unknown scale and shift, brought into the units of a scene by its sparse points, frame by frame."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from pipeline.formats.scene_file import Scene

LEAST_ALIGNED = 12  # observations of the background in a frame
ROUNDS = 30
GOOD_FIT = 0.15  # median relative error above which a frame's map is not believed,
SAYS_MORE = 0.7  # nor above this share of the error of one depth for all points,
CLOSE_FIT = 0.03  # unless the error is below this: a wall has one depth
REVERSED = -0.3  # rank correlation with the depth of sparse points below which larger means nearer

# What is linear in depth: the map itself, by a scale alone (scaled) or with a shift; or in inverse depth: its inverse, or the map.
MapKind = Literal["scaled", "depth", "inverse", "disparity"]
ANY_KIND: tuple[MapKind, ...] = ("depth", "inverse", "disparity")


@dataclass(frozen=True)
class AlignedDepths:
    """Maps in the background's units (0: unknown), and how far each is from the background's points."""

    maps: Float[np.ndarray, "frame height width"]
    errors: Float[np.ndarray, "frame"]  # median relative error; infinite where too few points, or none, fit
    used: Bool[np.ndarray, "frame"]  # frames whose map fits


def aligned_depths(
    maps: Float[np.ndarray, "frame height width"], scene: Scene, kinds: Collection[MapKind] = ANY_KIND
) -> AlignedDepths:
    """Each frame's map by a scale and a shift of its own, as the kind of these that fits the background's points best."""
    given = at_observations(maps, scene)
    usable = np.isfinite(given) & (given > 0) & (scene.observation_object == 0)
    result, errors, used = np.zeros_like(maps), np.full(len(maps), np.inf), np.zeros(len(maps), bool)
    for frame in range(len(maps)):
        chosen = usable & (scene.observation_frame == frame)
        if chosen.sum() < LEAST_ALIGNED:
            continue
        depth = scene.observation_depth[chosen].astype(np.float64)
        whole = np.where(np.isfinite(maps[frame]) & (maps[frame] > 0), maps[frame], np.nan).astype(np.float64)
        result[frame], errors[frame] = best_alignment(given[chosen].astype(np.float64), depth, whole, kinds)
        used[frame] = errors[frame] < largest_error(depth)
    return AlignedDepths(result, errors, used)


def largest_error(depth: Float[np.ndarray, "observation"]) -> float:
    """The median relative error below which a map is believed: it must say more than one depth for all points would."""
    alone = float(np.median(np.abs(np.median(depth) / depth - 1)))
    return max(CLOSE_FIT, min(GOOD_FIT, SAYS_MORE * alone))


def at_observations(maps: Float[np.ndarray, "frame height width"], scene: Scene) -> Float[np.ndarray, "observation"]:
    """The maps' values where the sparse points are seen."""
    height, width = scene.size
    column, row = np.floor(scene.observation_xy).astype(int).clip(0, [width - 1, height - 1]).T
    return maps[scene.observation_frame, row, column]


def is_disparity(maps: Float[np.ndarray, "frame height width"], scene: Scene) -> bool:
    """Whether larger values are nearer: by the background's sparse points, in most frames."""
    from scipy.stats import spearmanr  # half a second that most readers of depth maps need not wait

    given = at_observations(maps, scene)
    usable = np.isfinite(given) & (given > 0) & (scene.observation_object == 0)
    signs = []
    for frame in range(scene.frame_count):
        chosen = usable & (scene.observation_frame == frame)
        if chosen.sum() >= LEAST_ALIGNED and np.ptp(given[chosen]) > 0:
            signs.append(spearmanr(given[chosen], scene.observation_depth[chosen]).statistic)
    return bool(signs and np.median(signs) < REVERSED)


def best_alignment(
    given: Float[np.ndarray, "observation"],
    depth: Float[np.ndarray, "observation"],
    whole: Float[np.ndarray, "height width"],
    kinds: Collection[MapKind] = ANY_KIND,
) -> tuple[Float[np.ndarray, "height width"], float]:
    """A map by scale and shift of what it holds, whichever fits the points best, and its median error.

    Networks know depth, or inverse depth, up to scale and shift; what they write may be either, or disparity.
    """
    forms = {
        "scaled": (given, depth, whole, identity, robust_scale),
        "depth": (given, depth, whole, identity, robust_line),
        "inverse": (1 / given, 1 / depth, 1 / whole, positive_inverse, robust_line),
        "disparity": (given, 1 / depth, whole, positive_inverse, robust_line),
    }
    fits = []
    for x, y, every, as_depth, fit in (forms[kind] for kind in kinds):
        a, b = fit(x, y)
        if a > 0:  # a negative slope may fit a narrow range, but it means nothing beyond it
            fits.append((as_depth(a * x + b), as_depth(a * every + b)))
    errors = [float(np.median(np.abs(there / depth - 1))) for there, _ in fits]
    if not errors:
        return np.zeros_like(whole), np.inf
    best = int(np.argmin(errors))
    return np.nan_to_num(fits[best][1], nan=0.0), errors[best]


def identity(values: Float[np.ndarray, "*batch"]) -> Float[np.ndarray, "*batch"]:
    return values


def positive_inverse(values: Float[np.ndarray, "*batch"]) -> Float[np.ndarray, "*batch"]:
    """1 / value, 0 (unknown) where that is no depth."""
    return np.where(values > 0, 1 / np.where(values > 0, values, 1.0), 0.0)


def robust_scale(x: Float[np.ndarray, "observation"], y: Float[np.ndarray, "observation"]) -> tuple[float, float]:
    """The median scale from x to y, and no shift."""
    return float(np.median(y / x)), 0.0


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
