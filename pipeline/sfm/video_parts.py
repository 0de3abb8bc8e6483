"""Parts of the video that are adjusted on their own: how far they disagree is how far the whole may be off.

Random groups (Wolter, Introduction to Variance Estimation, ch. 2): thirds of the time and quarters of the image.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int

from pipeline.sfm.bundle_adjustment import Adjustment, Freedom, Shape, adjust
from pipeline.sfm.rigid_model import Observations, RigidModel

FEWEST_IN_PART = 12
THIRDS, QUARTERS = 3, 4


def spread_over_parts(
    whole: Adjustment, seen: Observations, freedom: Freedom, quantity: Callable[[Adjustment], float]
) -> float:
    """Standard deviation of a number that the tracks tell; infinite where no two parts have tracks enough."""
    first = seen.xy[np.flatnonzero(np.diff(seen.track, prepend=-1))]
    right, below = (first > np.median(first, axis=0)).T
    quarter = (2 * right + below)[seen.track]
    found = adjusted_parts(whole.model, seen, quarter, QUARTERS, freedom, whole.shape)
    in_image = disagreement(quantity(whole), np.array([quantity(each) for each in found]))
    return float(np.hypot(spread_over_time(whole, seen, freedom, quantity), in_image))


def spread_over_time(
    whole: Adjustment, seen: Observations, freedom: Freedom, quantity: Callable[[Adjustment], float]
) -> float:
    """The same by thirds of the time alone."""
    third = seen.frame * THIRDS // seen.frame_count
    found = adjusted_parts(whole.model, seen, third, THIRDS, freedom, whole.shape)
    return disagreement(quantity(whole), np.array([quantity(each) for each in found]))


def disagreement(own: float, parts: Float[np.ndarray, "part"]) -> float:
    """Standard error of a mean, by how much its parts differ from each other, or all of them from the whole."""
    if len(parts) < 2:
        return np.inf
    return float(np.sqrt(((parts - own) ** 2).sum() / (len(parts) - 1) / len(parts)))


def adjusted_parts(
    model: RigidModel,
    seen: Observations,
    part: Int[np.ndarray, "observation"],
    count: int,
    freedom: Freedom,
    shape: Shape | None,
) -> list[Adjustment]:
    """The model adjusted to each part of the observations on its own; parts of few tracks are left out."""
    found = []
    for number in range(count):
        own = seen.kept(part == number)
        kept = own.lengths >= 3
        if kept.sum() < FEWEST_IN_PART:
            continue
        own = own.of_tracks(kept)
        shown = np.isin(np.arange(seen.frame_count), own.frame)
        poses = np.where(shown[:, None, None], model.camera_from_object, np.nan)
        alone = replace(model, camera_from_object=poses, points=model.points[kept])
        found.append(adjust(alone, own, freedom, iterations=25, tolerance=1e-4, shape=shape))
    return found
