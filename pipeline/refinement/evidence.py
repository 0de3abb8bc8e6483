"""Which pixels surely stand in front of the background."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

from pipeline.refinement.background_plate import Plate
from pipeline.refinement.still_world import StillWorld

OTHER_COLOUR = 5.0  # difference from the plate, in typical ones of the background
MOVES = 0.3  # residual of what surely does not stand still
OTHER_PLACE = 0.2  # share of 1 / depth by which two things differ


def in_front(still: StillWorld, plates: Sequence[Plate]) -> Bool[np.ndarray, "frame height width"]:
    """Frame by frame, from colours, depths and flow."""
    frames = zip(still.inverse_depth, still.residual, plates, strict=True)
    return np.stack([frame_in_front(*frame) for frame in frames])


def frame_in_front(
    depth: Float[np.ndarray, "height width"], residual: Float[np.ndarray, "height width"], plate: Plate
) -> Bool[np.ndarray, "height width"]:
    """Of other colours than the background, and moving, at another depth, or followed nowhere.

    Colours alone may differ at edges in depth, where a pixel of the plate is off; what is seen to stand still at the
    background's depth is background there. Flow alone is smeared over borders, and knows nothing of what rests.
    """
    told = (depth > 0) & (plate.inverse_depth > 0)
    apart = np.abs(depth - plate.inverse_depth) > OTHER_PLACE * plate.inverse_depth
    return (plate.difference > OTHER_COLOUR) & ((residual > MOVES) | ~told | apart)  # not where it is NaN
