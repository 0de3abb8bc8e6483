"""The test whether an object moves: its own motion brings its pixels to where they are seen, the background's does not.

Flow alone can be wrong where a surface has little texture, or lines that slide along themselves; then the background's
motion explains the images just as well, and there is no object.
"""

from itertools import pairwise

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from pipeline.cameras import BACKGROUND_ID, IGNORE_ID
from pipeline.correspondence.flow_chain import FlowChain, steps_from, warped_from
from pipeline.segmentation.boundary_refinement import NormalisedImages, band_of, box_around, refine_masks, zones_of
from pipeline.segmentation.colour_histogram import similarity, smoothed_histogram
from pipeline.segmentation.layered_motion import STRIDES, motion_margin
from pipeline.segmentation.morphology import disk
from pipeline.segmentation.object_confidence import steadiness
from pipeline.segmentation.reidentification import KNOWN_AGAIN

MOST_FRAMES = 8
NOISE_PX = 0.5  # a frame, by which flow errs
LEAST_OWN_MOTION = 0.15  # of an object: true ones have 0.9 with and 0.3 without texture, wrong flow less than 0
SURE_MOTION = 0.6  # of an object that is nothing else; what is smeared or mixed has less
UNSTEADY, BESIDE, TOUCHING_PX = 0.5, 0.6, 2  # of size and colours, of frames; and how near a larger object is
CRUMB, LASTING = 0.2, 4  # of an object's largest areas, and frames in a row that show no more of it
HELD = 0.5  # IoU of what flow brings with what is there; less is a jump from one thing to another
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


def without_smear_of_others(
    images: UInt8[np.ndarray, "frame height width rgb=3"],
    ids: UInt8[np.ndarray, "frame height width"],
    chain: FlowChain,
    reach: float,
) -> UInt8[np.ndarray, "frame height width"]:
    """Objects without those that mostly touch a larger one, jump, and hardly move: flow smeared over its border, not a thing."""
    areas = np.bincount(ids.ravel(), minlength=256)
    smear = [
        k
        for k, share in steadiness(images, ids).items()
        if share < UNSTEADY
        and touching_share(ids, k, areas) > BESIDE
        and object_motion(images, ids, k, chain, reach) < SURE_MOTION
    ]
    return np.where(np.isin(ids, smear), 0, ids).astype(np.uint8)


def touching_share(ids: UInt8[np.ndarray, "frame height width"], k: int, areas: Int[np.ndarray, "id"]) -> float:
    """In how many of the frames that show an object it touches a larger one, as a share."""
    larger = np.flatnonzero(areas > areas[k])
    larger = larger[(larger != BACKGROUND_ID) & (larger != IGNORE_ID)]
    frames = np.flatnonzero((ids == k).any((1, 2)))
    grown = [cv2.dilate((ids[t] == k).astype(np.uint8), disk(TOUCHING_PX)) > 0 for t in frames]
    return float(np.mean([np.isin(ids[t][near], larger).any() for t, near in zip(frames, grown, strict=True)]))


def without_still_stretches(
    images: UInt8[np.ndarray, "frame height width rgb=3"],
    ids: UInt8[np.ndarray, "frame height width"],
    chain: FlowChain,
    reach: float,
) -> UInt8[np.ndarray, "frame height width"]:
    """Objects without the stretches of time in which the background explains them better, and they look like something else.

    A thing that rests goes on to look like itself, and flow brings it there from where it moved.
    """
    result = ids.copy()
    for k in (int(k) for k in np.unique(ids) if k):
        mask = ids == k
        runs = stretches(mask, chain)
        still = [run for run in runs if object_motion(images, ids, k, chain, reach, run) < LEAST_OWN_MOTION]
        if len(still) == len(runs):
            continue
        moving = mask.copy()
        for run in still:
            moving[run] = False
        looks = smoothed_histogram(images[moving], blur=1.0)
        for run in still:
            if similarity(looks, smoothed_histogram(images[run][mask[run]], blur=1.0)) < KNOWN_AGAIN:
                result[run] = np.where(mask[run], 0, result[run])
    return result


def stretches(mask: Bool[np.ndarray, "frame height width"], chain: FlowChain) -> list[Int[np.ndarray, "shown"]]:
    """The frames that show a thing, parted where flow does not bring half of it from one frame to the next."""
    frames = np.flatnonzero(mask.any((1, 2)))
    held = [
        after == before + 1 and carried_share(mask, chain, before) >= HELD
        for before, after in pairwise(frames.tolist())
    ]
    return np.split(frames, np.flatnonzero(~np.array(held, bool)) + 1)


def carried_share(mask: Bool[np.ndarray, "frame height width"], chain: FlowChain, frame: int) -> float:
    """IoU of a mask with that of the frame before, brought there by the flow; `frame` is the earlier one."""
    moved, _ = warped_from(mask[frame].astype(np.float32), chain, frame + 1, -1)
    brought, there = moved > 0.5, mask[frame + 1]
    return float((brought & there).sum() / max((brought | there).sum(), 1))


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
    among: Int[np.ndarray, "shown"] | None = None,
) -> float:
    """The same for one object, over some of the frames that show it, or of those `among`; of one that is not seen, nothing."""
    frames = np.flatnonzero((ids == k).any((1, 2))) if among is None else among
    pictures, better, either = NormalisedImages(images), 0.0, 0.0
    for t in frames[:: max(1, len(frames) // MOST_FRAMES)].tolist():
        mask, steps = ids[t] == k, steps_from(chain, t, STRIDES)
        zones, window = zones_of(mask, ids[t] > 0, band_of(mask, reach)), box_around(mask, 8)
        margin = motion_margin(pictures, t, steps, zones.core, zones.beside, window)
        own = margin[mask[window]]
        better -= float(own.sum())
        either += float((np.abs(own) + NOTHING).sum())
    return better / max(either, NOTHING)


def tube_velocity(
    tube: Bool[np.ndarray, "frame height width"], moving: Bool[np.ndarray, "frame height width"], chain: FlowChain
) -> Float[np.ndarray, "frame 4"]:
    """Per frame: mean flow of the tube, then that flow less the flow of its still surroundings; NaN where it is not."""
    rows = np.full((len(tube), 4), np.nan)
    for t in np.flatnonzero(tube.any((1, 2))).tolist():
        flow, valid = chain.step(t, 1 if t < len(tube) - 1 else -1)
        around = (cv2.dilate(tube[t].astype(np.uint8), disk(9)) > 0) & ~moving[t] & valid
        if around.any():
            own = np.median(flow[tube[t]], axis=0) * (1 if t < len(tube) - 1 else -1)
            still = np.median(flow[around], axis=0) * (1 if t < len(tube) - 1 else -1)
            rows[t] = [*own, *(own - still)]
    return rows
