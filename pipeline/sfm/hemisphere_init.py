"""Hemisphere initialisation: a first model of an object as the front half of a ball, near in the middle, farther at the rim.

Seen from afar, a turning object and its hollow mirror image look nearly alike, and mappers may take either. What we see of
most objects bulges towards us, so a start from a hemisphere leads to the right one of the two.
"""

import numpy as np
from jaxtyping import Float, Int

from pipeline.cameras import Intrinsics, directions_at_unit_depth
from pipeline.sfm.rigid_model import Observations, RigidModel

WINDOW = 5  # frames to either side that see nearly the same face
FEWEST_POINTS = 12


def reference_frames(seen: Observations, count: int) -> Int[np.ndarray, "frame"]:
    """Frames spread over those that see the object well."""
    good = np.flatnonzero(seen.per_frame >= max(FEWEST_POINTS, 0.3 * seen.per_frame.max(initial=0)))
    if not len(good):
        return good
    return np.unique(good[((np.arange(count) + 0.5) / count * len(good)).astype(int)])


def hemisphere_initialisation(seen: Observations, camera: Intrinsics, reference: int) -> RigidModel:
    """The tracks of one frame on a hemisphere at unit depth; only that frame has a pose."""
    own = np.flatnonzero(seen.frame == reference)
    rays = directions_at_unit_depth(camera, seen.xy[own])
    points = np.full((seen.track_count, 3), np.nan)
    points[seen.track[own]] = rays * hemisphere_depth(rays[:, :2])[:, None]
    poses = np.full((seen.frame_count, 4, 4), np.nan)
    poses[reference] = np.eye(4)
    return RigidModel(poses, points, camera, "hemisphere_initialisation")


def hemisphere_depth(places: Float[np.ndarray, "point xy=2"]) -> Float[np.ndarray, "point"]:
    """Depth of points on the front of a ball that fills the object's outline."""
    distance = np.linalg.norm(places - np.median(places, axis=0), axis=1)
    radius = 1.15 * max(float(np.percentile(distance, 95)), 1e-6)
    return 1 + radius - np.sqrt(np.maximum(radius**2 - distance**2, 0.0))


def frames_around(seen: Observations, reference: int) -> Observations:
    """Observations in the frames around one."""
    return seen.kept(np.abs(seen.frame - reference) <= WINDOW)
