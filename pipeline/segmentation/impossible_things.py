"""Things of which a part is where nothing still can be: as a part of a thing moves, so does all of it."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Int

from pipeline.segmentation.morphology import disk
from pipeline.segmentation.possible_depth import SURE, TELLING, Possible, Told

SMALLEST_PX = 20  # of reduced frames
ABOVE, BESIDE = 1.0, 0.1  # of the size of what is impossible: how far the rest of the thing may be
JOINED_PX, GAP_PX = 2, 4  # between parts of one thing; in its outline
MOST_OF_BORDER = 0.5


@dataclass(frozen=True)
class Thing:
    """What of a frame is impossible for a still thing in one piece, and the whole thing that it is a part of."""

    impossible: Bool[np.ndarray, "height width"]
    whole: Bool[np.ndarray, "height width"]


def impossible_things(found: Possible, flat: Int[np.ndarray, "height width"]) -> list[Thing]:
    """Things that cannot be still; `found` is of all pixels, row by row, `flat` numbers regions without texture."""
    size = flat.shape
    impossible = cv2.morphologyEx(
        found.impossible.reshape(size).astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)
    )
    count, labels, stats, _ = cv2.connectedComponentsWithStats(impossible)
    return [
        Thing(labels == k, whole_thing(labels == k, stats[k], found.told, flat))
        for k in range(1, count)
        if stats[k, cv2.CC_STAT_AREA] >= SMALLEST_PX
    ]


def whole_thing(
    impossible: Bool[np.ndarray, "height width"],
    box: Int[np.ndarray, "5"],
    told: Told,
    flat: Int[np.ndarray, "height width"],
) -> Bool[np.ndarray, "height width"]:
    """What is impossible, and what is connected to it, looks as near, and stands over it.

    Nothing contradicts that the roof of a car ahead is infinitely far, but it moves as the rest does. A region without texture
    is in it if most of its border is, as the border of what is in front moves with it; so is what it surrounds.
    """
    own = float(np.median(told.nearness[impossible.ravel()]))
    alike = (np.abs(told.nearness - own) < SURE * told.deviation) & (told.trust > TELLING)
    body = (alike.reshape(flat.shape) & over(box, flat.shape)).astype(np.uint8)
    body = (cv2.morphologyEx(body, cv2.MORPH_OPEN, disk(JOINED_PX)) > 0) | impossible
    parts = cv2.connectedComponents(cv2.dilate(body.astype(np.uint8), disk(JOINED_PX)))[1]
    joined = body & np.isin(parts, np.unique(parts[impossible]))
    return without_holes(joined | np.isin(flat, bordered(flat, joined)))


def without_holes(mask: Bool[np.ndarray, "height width"]) -> Bool[np.ndarray, "height width"]:
    """With what a mask surrounds, though there are narrow gaps in it."""
    closed = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, disk(GAP_PX))
    outlines, _ = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(closed, outlines, -1, 1, cv2.FILLED) > 0


def bordered(flat: Int[np.ndarray, "height width"], inside: Bool[np.ndarray, "height width"]) -> list[int]:
    """The numbers of the flat regions of whose borders most lies inside."""
    border = cv2.dilate(flat.astype(np.float32), disk(JOINED_PX)).astype(int)
    border[flat > 0] = 0
    count = int(flat.max()) + 1
    own, every = np.bincount(border[inside], minlength=count), np.bincount(border.ravel(), minlength=count)
    return [k for k in range(1, count) if own[k] > MOST_OF_BORDER * every[k]]


def over(box: Int[np.ndarray, "5"], size: tuple[int, int]) -> Bool[np.ndarray, "height width"]:
    """Where the rest of a thing may be that is impossible in a box (left, top, width, height, area): in it and above."""
    left, top, width, height, _ = (int(value) for value in box)
    beside, above = round(BESIDE * width), round(ABOVE * max(width, height))
    result = np.zeros(size, bool)
    result[max(top - above, 0) : top + height, max(left - beside, 0) : left + width + beside] = True
    return result
