"""What speaks for each pixel: it stands in front of the background, it is the background, or nobody knows."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from pipeline.refinement.background_plate import Plate
from pipeline.refinement.still_world import StillWorld

OTHER_COLOUR, SAME_COLOUR = 5.0, 1.3  # differences from the plate, in typical ones of the background
MOVES = 0.3  # residual of what surely does not stand still
OTHER_PLACE, SAME_PLACE = 0.2, 0.1  # share of 1 / depth by which things differ, and by which one thing may seem to


@dataclass(frozen=True)
class Evidence:
    """Of reduced frames: pixels that stand in front of the background, and pixels that are it; the others are not known."""

    in_front: Bool[np.ndarray, "frame height width"]
    background: Bool[np.ndarray, "frame height width"]

    @classmethod
    def of(cls, still: StillWorld, plates: list[Plate]) -> "Evidence":
        """Frame by frame, from colours, depths and flow."""
        pairs = [frame_evidence(*own) for own in zip(still.inverse_depth, still.residual, plates, strict=True)]
        return cls(np.stack([front for front, _ in pairs]), np.stack([back for _, back in pairs]))


def frame_evidence(
    depth: Float[np.ndarray, "height width"], residual: Float[np.ndarray, "height width"], plate: Plate
) -> tuple[Bool[np.ndarray, "height width"], Bool[np.ndarray, "height width"]]:
    """In front: of other colours than the background, and moving, at another depth, or followed nowhere.

    Colours alone may differ at edges in depth, where a pixel of the plate is off; what is seen to stand still at the
    background's depth is background there. Flow alone is smeared over borders, and knows nothing of what rests.
    """
    told = (depth > 0) & (plate.inverse_depth > 0)
    apart = np.abs(depth - plate.inverse_depth) / np.maximum(plate.inverse_depth, 1e-12)
    unlike = plate.difference > OTHER_COLOUR  # not where it is NaN
    front = unlike & ((residual > MOVES) | ~told | (apart > OTHER_PLACE))
    still_there = told & (residual < 0) & (apart < SAME_PLACE)
    return front, (plate.difference < SAME_COLOUR) | (still_there & ~unlike)
