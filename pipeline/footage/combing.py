"""Combed pictures: two fields of different times woven into one, where the file does not say that it is interlaced.

Where something moves, a line differs from both of its neighbours, which belong to the other field, in the same direction, and
hardly from the next line of its own field. In other pictures lines that lie two apart differ more than neighbours do.
"""

import numpy as np
from jaxtyping import Float, UInt8

EACH = 4  # columns; these are looked at
LEVELS = 10  # by which a line differs
FEWEST = 0.005  # share of the pixels that are combed, in the usual picture
OF_FIELD = 1.2  # times as many as differ from lines two apart


def combed_shares(picture: UInt8[np.ndarray, "height width"]) -> Float[np.ndarray, "distance=2"]:
    """Shares of pixels that differ in one direction from both lines at a distance of 1 and of 2."""
    lines = picture[:, ::EACH].astype(np.int16)
    if len(lines) < 5:
        return np.zeros(2)
    shares = []
    for distance in (1, 2):
        above = lines[2:-2] - lines[2 - distance : -2 - distance]
        below = lines[2:-2] - lines[2 + distance : len(lines) - 2 + distance]
        apart = np.minimum(np.abs(above), np.abs(below)) > LEVELS
        shares.append(float((apart & ((above > 0) == (below > 0))).mean()))
    return np.array(shares)


def is_combed(shares: Float[np.ndarray, "frame distance=2"]) -> bool:
    """Whether the usual picture of a video is woven of two fields, by the shares of all."""
    neighbours, field = np.median(shares, axis=0)
    return bool(neighbours > max(FEWEST, OF_FIELD * field))
