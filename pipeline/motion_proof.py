"""Proof that an object moves: its own motion brings its pixels to where they are seen, the background's does not.

Flow alone can be wrong where a surface has little texture, or lines that slide along themselves; then the background's
motion explains the images just as well, and there is no object.
"""

import numpy as np
from jaxtyping import UInt8

from pipeline.flow_chain import FlowChain, steps_from
from pipeline.layered_motion import STRIDES, motion_margin
from pipeline.mask_refinement import Comparables, band_of, box_around, zones_of

MOST_LOOKS = 8
NOTHING = 0.05  # difference, in typical errors of a wrong match, that says nothing


def own_motion(
    images: UInt8[np.ndarray, "frame height width rgb=3"],
    ids: UInt8[np.ndarray, "frame height width"],
    chain: FlowChain,
    reach: float,
) -> dict[int, float]:
    """For each object, how much better its own motion explains its pixels, as a share of all that either does better.

    1: always better, -1: always worse. A share, because where there is no texture both explain nearly all.
    """
    return {int(k): object_motion(images, ids, int(k), chain, reach) for k in np.unique(ids) if k}


def object_motion(
    images: UInt8[np.ndarray, "frame height width rgb=3"],
    ids: UInt8[np.ndarray, "frame height width"],
    k: int,
    chain: FlowChain,
    reach: float,
) -> float:
    """The same for one object, over some of the frames that show it."""
    frames = np.flatnonzero((ids == k).any((1, 2)))
    pictures, better, either = Comparables(images), 0.0, 0.0
    for t in frames[:: max(1, len(frames) // MOST_LOOKS)].tolist():
        mask, steps = ids[t] == k, steps_from(chain, t, STRIDES)
        zones, window = zones_of(mask, ids[t] > 0, band_of(mask, reach)), box_around(mask, 8)
        margin = motion_margin(pictures, t, steps, zones.core, zones.beside, window)
        better -= float(margin[mask[window]].sum())
        either += float((np.abs(margin[mask[window]]) + NOTHING).sum())
    return better / either
