"""A shutter that reads the image row by row: tracks of a camera that moves on tell how long that takes.

A point in the upper rows is seen earlier than one in the lower: by the share of a frame that the readout takes, times its row. To
first order it is displaced by so much of its own motion (Meingast et al., Geometric models of rolling-shutter cameras, 2005).
Tracks from which that is taken back again follow one rigid motion with less error, if there is such a shutter.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from pipeline.cameras import project, transform
from pipeline.formats.geometry_file import ROLLS
from pipeline.sfm.bundle_adjustment import Adjustment, Freedom, adjust
from pipeline.sfm.rigid_model import Observations, RigidModel, usable

SHARES = (-1.0, -0.5, 0.5, 1.0)  # of the time between frames; upside down where it is negative
ROLLED_COST = 0.8  # share of the cost of a shutter that opens at once
LEAST_SHARE = 0.15


@dataclass(frozen=True)
class RollingShutter:
    """Share of the time between two frames that the readout takes, and the cost under it over that without."""

    share: float
    cost_ratio: float

    @property
    def doubts(self) -> tuple[str, ...]:
        """A sentence where such a shutter explains the tracks far better."""
        if self.cost_ratio > ROLLED_COST or abs(self.share) < LEAST_SHARE:
            return ()
        return (
            f"{ROLLS} (about {100 * abs(self.share):.0f} % of the time between two frames): poses and depth of images that "
            "are taken at once are wrong; no stage undoes it, a stabilised or slower video suffers less",
        )


def measured_shutter(best: Adjustment, seen: Observations, freedom: Freedom) -> RollingShutter:
    """The readout under which tracks agree best with one rigid motion."""
    part = seen.kept(usable(best.model, seen))
    tried = [adjusted_without(best, part, share, freedom) for share in SHARES]
    shares, costs = np.array([*SHARES, 0.0]), np.array([*(each.cost for each in tried), best.cost])
    share = lowest(shares, costs)
    cost = min(adjusted_without(best, part, share, freedom).cost, float(costs.min()))
    return RollingShutter(share, cost / max(best.cost, 1e-12))


def lowest(shares: Float[np.ndarray, "trial"], costs: Float[np.ndarray, "trial"]) -> float:
    """Where the parabola through the three trials about the best one is lowest, not beyond what was tried."""
    order = np.argsort(shares)
    x, y = shares[order], costs[order]
    middle = int(np.clip(np.argmin(y), 1, len(x) - 2))
    a, b, _ = np.polyfit(x[middle - 1 : middle + 2], y[middle - 1 : middle + 2], 2)
    return float(np.clip(-b / (2 * a), x[0], x[-1])) if a > 0 else float(x[np.argmin(y)])


def adjusted_without(best: Adjustment, part: Observations, share: float, freedom: Freedom) -> Adjustment:
    """The model adjusted to tracks from which such a readout is taken back."""
    row = part.xy[:, 1] / best.model.camera.height - 0.5
    straight = part.xy - share * row[:, None] * motion_px(best.model, part)
    return adjust(best.model, replace(part, xy=straight), freedom, iterations=12, tolerance=1e-4, shape=best.shape)


def motion_px(model: RigidModel, seen: Observations) -> Float[np.ndarray, "observation xy=2"]:
    """How far each observed point moves in the image from one frame to the next, by the poses of the frames about it."""
    frames = np.flatnonzero(model.registered)
    number = np.searchsorted(frames, seen.frame)
    before, after = frames[np.maximum(number - 1, 0)], frames[np.minimum(number + 1, len(frames) - 1)]
    points = model.points[seen.track]
    old, new = (project(model.camera, transform(model.camera_from_object[frame], points)) for frame in (before, after))
    return (new - old) / np.maximum(after - before, 1)[:, None]
