"""The test whether an object moves: its own motion brings its pixels to where they are seen, the background's does not.

Flow alone can be wrong where a surface has little texture, or lines that slide along themselves; then the background's
motion explains the images just as well, and there is no object.
"""

import numpy as np
from jaxtyping import Int, UInt8

from pipeline.correspondence.flow_chain import FlowChain, steps_from
from pipeline.segmentation.boundary_refinement import NormalisedImages, band_of, box_around, refine_masks, zones_of
from pipeline.segmentation.layered_motion import STRIDES, motion_margin
from pipeline.segmentation.tubes import NOISE_PX, tube_velocity

MOST_FRAMES = 8
LEAST_OWN_MOTION = 0.15  # of an object: true ones have 0.9 with and 0.3 without texture, wrong flow less than 0
CRUMB, LASTING = 0.2, 4  # of an object's largest areas, and frames in a row that show no more of it
NOTHING = 0.05  # difference, in typical errors of a wrong match, that says nothing


def objects_that_move(
    images: UInt8[np.ndarray, "frame height width rgb=3"],
    tubes: UInt8[np.ndarray, "frame height width"],
    chain: FlowChain,
    reach: float,
) -> UInt8[np.ndarray, "frame height width"]:
    """Tubes on the edges of things, without those that have no motion of their own.

    What is in doubt is put on the edges once more, with regions without texture in one piece: a thing without texture
    may have been given parts of the floor beside it, which its flow drags along.
    """
    ids = refine_masks(images, tubes, chain, reach)
    doubtful = [k for k, share in own_motion(images, ids, chain, reach).items() if share < LEAST_OWN_MOTION]
    if not doubtful:
        return ids
    sure = np.where(np.isin(ids, doubtful), 0, ids)
    again = np.where((sure == 0) & np.isin(tubes, doubtful), tubes, sure)
    again = refine_masks(images, again, chain, reach, doubtful)
    again = np.where((sure == 0) & np.isin(again, doubtful), again, sure)
    failed = [k for k in doubtful if object_motion(images, again, k, chain, reach) < LEAST_OWN_MOTION]
    again[np.isin(again, failed)] = 0
    return again


def without_crumbs(
    ids: UInt8[np.ndarray, "frame height width"], chain: FlowChain
) -> UInt8[np.ndarray, "frame height width"]:
    """Objects without the frames that show, for a while, only a crumb that goes with its surroundings.

    What flow did wrong where a thing has passed keeps its id, and lies on the background long after the thing has left.
    """
    result = ids.copy()
    for k in (int(k) for k in np.unique(ids) if k):
        for run in crumbs((ids == k).sum((1, 2))):
            crumb = np.zeros(ids.shape, bool)
            crumb[run] = ids[run] == k
            speed = np.linalg.norm(tube_velocity(crumb, ids > 0, chain)[run, 2:], axis=1)
            if np.isfinite(speed).any() and np.nanmedian(speed) < NOISE_PX:
                crumb[run] &= ~(speed >= NOISE_PX)[:, None, None]  # what moves is its own
                result[crumb] = 0
    return result


def crumbs(areas: Int[np.ndarray, "frame"]) -> list[slice]:
    """The stretches of frames that show a thing, but for several of them no more than a crumb of it.

    A frame beside one that shows more is no part of a stretch: there the thing may come or go.
    """
    if not areas.any():
        return []
    small = (areas > 0) & (areas < CRUMB * np.percentile(areas[areas > 0], 90))
    edges = np.flatnonzero(np.diff(np.pad(small.astype(int), 1)))
    around = np.pad(areas, 1)  # the frame before `start` is at `start`, and the one at `stop` at `stop` + 1
    return [
        slice(int(start + (around[start] > 0)), int(stop - (around[stop + 1] > 0)))
        for start, stop in zip(edges[::2], edges[1::2], strict=True)
        if stop - start >= LASTING
    ]


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
    """The same for one object, over some of the frames that show it; of one that no frame shows, nothing."""
    frames = np.flatnonzero((ids == k).any((1, 2)))
    pictures, better, either = NormalisedImages(images), 0.0, 0.0
    for t in frames[:: max(1, len(frames) // MOST_FRAMES)].tolist():
        mask, steps = ids[t] == k, steps_from(chain, t, STRIDES)
        zones, window = zones_of(mask, ids[t] > 0, band_of(mask, reach)), box_around(mask, 8)
        margin = motion_margin(pictures, t, steps, zones.core, zones.beside, window)
        own = margin[mask[window]]
        better -= float(own.sum())
        either += float((np.abs(own) + NOTHING).sum())
    return better / max(either, NOTHING)
