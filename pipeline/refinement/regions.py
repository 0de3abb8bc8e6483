"""What stands in front of the background and has no object: followed through the video, and given to whom it belongs.

A region belongs to an object that looks like it and lacks it in those frames; where the flow leads from one to the other, less
likeness is enough. What belongs to nobody is no background either.
"""

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int32, UInt8

from pipeline.cameras import BACKGROUND_ID, IGNORE_ID
from pipeline.correspondence.flow_chain import FlowChain
from pipeline.correspondence.flow_warping import warp
from pipeline.segmentation.colour_histogram import colour_histogram, similarity
from pipeline.segmentation.morphology import disk
from pipeline.segmentation.unexplained_motion import followed_regions

LEAST_RADIUS_PX = 2.5  # thinner ones are borders of what is known
OPENING_PX = 2
LEAST_VOTES = 0.3  # share of pixels that the flow brings from an object,
LIKE_WITH_VOTES = 0.6  # and the likeness it then needs
ALIKE = 0.75  # Bhattacharyya coefficient of what is alike by itself
VOTES_WEIGHT = 0.3  # beside likeness, between two objects that may own a region
MOST_AREA = 1.5  # of an object's usual one, with the region
SHOWN_FRAMES = 4  # the largest, that tell how a thing looks


def free_regions(
    ids: UInt8[np.ndarray, "frame height width"],
    in_front: Bool[np.ndarray, "frame height width"],
    chain: FlowChain,
    smallest_px: int,
) -> Int32[np.ndarray, "frame height width"]:
    """Connected regions that stand in front and have no object, numbered from 1 on along the flow."""
    free = in_front & free_pixels(ids)
    return followed_regions([bodies(mask, smallest_px) for mask in free], chain)


def free_pixels(ids: UInt8[np.ndarray, "frame height width"]) -> Bool[np.ndarray, "frame height width"]:
    """What an object may get: background, and what is ignored, but not all the time, as text over the video is."""
    ignored = ids == IGNORE_ID
    return (ids == BACKGROUND_ID) | (ignored & ~ignored.all(0))


def bodies(mask: Bool[np.ndarray, "height width"], smallest_px: int) -> Bool[np.ndarray, "height width"]:
    """The parts of a mask that are large and thick enough to be things."""
    opened = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, disk(OPENING_PX))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(opened)
    depth = cv2.distanceTransform(np.pad(opened, 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    kept = [
        k
        for k in range(1, count)
        if stats[k, cv2.CC_STAT_AREA] >= smallest_px and depth[labels == k].max() >= LEAST_RADIUS_PX
    ]
    return np.isin(labels, kept)


def owners(
    regions: Int32[np.ndarray, "frame height width"],
    ids: UInt8[np.ndarray, "frame height width"],
    images: UInt8[np.ndarray, "frame height width rgb=3"],
    chain: FlowChain,
) -> dict[int, int]:
    """Region -> the object that it belongs to; regions that belong to none are left out."""
    objects = [int(k) for k in np.unique(ids) if k not in (BACKGROUND_ID, IGNORE_ID)]
    usual = {k: usual_area(ids == k) for k in objects}
    looks = {k: look(images, ids == k) for k in objects}
    found: dict[int, int] = {}
    for number in (int(n) for n in np.unique(regions) if n):
        region = regions == number
        own_look, merit = look(images, region), {}
        for k in objects:
            if lacks(ids == k, region, usual[k]):
                likeness, votes = similarity(looks[k], own_look), flow_votes(region, ids == k, chain)
                if likeness > ALIKE or (votes > LEAST_VOTES and likeness > LIKE_WITH_VOTES):
                    merit[k] = likeness + VOTES_WEIGHT * votes
        if merit:
            found[number] = max(merit, key=lambda k: merit[k])
    return found


def usual_area(mask: Bool[np.ndarray, "frame height width"]) -> float:
    """Median over the frames that show something."""
    areas = mask.sum((1, 2))
    return float(np.median(areas[areas > 0])) if areas.any() else 0.0


def look(
    images: UInt8[np.ndarray, "frame height width rgb=3"], mask: Bool[np.ndarray, "frame height width"]
) -> Float[np.ndarray, "colour"]:
    """Colours of a thing, in the frames that show most of it."""
    areas = mask.sum((1, 2))
    largest = [t for t in np.argsort(-areas, kind="stable")[:SHOWN_FRAMES].tolist() if areas[t]]
    return np.mean([colour_histogram(images[t], mask[t]) for t in largest], axis=0)


def lacks(
    own: Bool[np.ndarray, "frame height width"], region: Bool[np.ndarray, "frame height width"], usual: float
) -> bool:
    """Whether an object with a region would be no larger than it usually is: it is hidden, lost, or torn there."""
    frames = region.any((1, 2))
    return bool(np.median((own | region)[frames].sum((1, 2))) <= MOST_AREA * usual)


def flow_votes(
    region: Bool[np.ndarray, "frame height width"], own: Bool[np.ndarray, "frame height width"], chain: FlowChain
) -> float:
    """The largest share of the region's pixels in a frame that flow leads to the object's in the frame before or after."""
    best = 0.0
    for t in np.flatnonzero(region.any((1, 2))).tolist():
        for direction in (-1, 1):
            if 0 <= t + direction < len(own) and own[t + direction].any():
                there = warp(own[t + direction].astype(np.uint8), chain.step(t, direction)[0], nearest=True)
                best = max(best, float(there[region[t]].mean()))
    return best
