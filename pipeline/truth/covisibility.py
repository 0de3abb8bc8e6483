"""Which pixels of a held-out view the video has seen often enough to be judged by: the co-visibility masks of DyCheck.

Gao et al., Monocular Dynamic View Synthesis: A Reality Check (NeurIPS 2022). They find correspondences by optical flow and
check them forward and backward; here both follow from the exact geometry.
"""

import math
from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Int

from pipeline.truth.correspondences import reproject, surface_points
from pipeline.truth.truth_file import Truth

GEOMETRY = ("depth", "object_ids", "world_from_object")
Rule = Callable[[int], int]  # of N frames, in how many a surface must be seen


def dycheck_rule(count: int) -> int:
    """DyCheck's: 5 frames, or a tenth of more than 50."""
    return max(5, count // 10)


def osn_rule(count: int) -> int:
    """OSN's: 2 frames, or a tenth of more than 20."""
    return max(2, math.ceil(count / 10))


def covisible_views(
    truth: Truth, views: list[int], frames: Int[np.ndarray, "frame"], rule: Rule = dycheck_rule
) -> Bool[np.ndarray, "view height width"] | None:
    """Pixels of test views that are to be judged: a data set's own masks, else by geometry; None where neither is known."""
    if truth.test.covisible is not None:
        return truth.test.covisible[views]
    if not (truth.train.knows(*GEOMETRY) and truth.test.knows(*GEOMETRY)):
        return None
    return np.stack([covisible(truth, view, frames, rule) for view in views])


def covisible(
    truth: Truth, view: int, frames: Int[np.ndarray, "frame"], rule: Rule = dycheck_rule
) -> Bool[np.ndarray, "height width"]:
    """Pixels of a test view whose surface point is seen in enough of the given training frames."""
    return times_seen(truth, view, frames) >= rule(len(frames))


def times_seen(truth: Truth, view: int, frames: Int[np.ndarray, "frame"]) -> Int[np.ndarray, "height width"]:
    """In how many training frames each pixel's surface point is seen; points move with their object."""
    points, ids = surface_points(truth, truth.test, view), truth.test.object_ids[view]
    seen = np.zeros(truth.test.size, dtype=np.int64)
    for frame in frames:
        seen += reproject(truth, points, ids, int(frame)).visible
    return seen
