"""Things that were pointed at, carried from frame to frame by their own motion and cut out again in each.

What motion brings and what colours cut out must agree; where they do not, the mask stays on what motion says, and where
the thing no longer looks like itself it is given up.
"""

from collections.abc import Mapping

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from pipeline.correspondence.flow_chain import FlowChain, Step
from pipeline.correspondence.flow_warping import flow_endpoint
from pipeline.segmentation.colour_histogram import colour_histogram, similarity
from pipeline.segmentation.grabcut import cut_object
from pipeline.segmentation.layered_motion import fitted_motion
from pipeline.segmentation.morphology import disk
from pipeline.segmentation.propagation import LOST_ALIKE, Masks, Track, flattened

SMALLEST_PX = 12
REACH = 0.08  # how far a border may be from where motion brings it, of the object's size
LEAST_AGREEMENT, MOST_GROWTH = 0.75, 1.2  # of what colours cut out with what motion brings, in one step
MOST_CHANGE = 1.6  # of the area against what motion makes of the given one


def carried_ids(
    images: UInt8[np.ndarray, "frame height width rgb=3"], chain: FlowChain, given: Mapping[int, Masks]
) -> UInt8[np.ndarray, "frame height width"]:
    """Ids of all frames from masks known by frame; each object from its own nearest one, the smaller one on top."""
    masks: list[Masks] = [{} for _ in images]
    for k in sorted({k for known in given.values() for k in known}):
        own = {t: known[k] for t, known in given.items() if k in known}
        for start in own:
            for direction in (1, -1):
                walk(images, chain, own, (k, start, direction), masks)
    return np.stack([flattened(known, images.shape[1:3]) for known in masks])


def walk(
    images: UInt8[np.ndarray, "frame height width rgb=3"],
    chain: FlowChain,
    own: Masks,
    way: tuple[int, int, int],
    masks: list[Masks],
) -> None:
    """Carry an object from one of the frames in which it is known to the middle between that and the next."""
    k, start, direction = way
    masks[start][k] = own[start]
    if own[start].sum() < SMALLEST_PX:
        return
    known, here = Track.start(images[start], own[start]), own[start]
    for t in range(start + direction, len(images) if direction > 0 else -1, direction):
        if min(own, key=lambda frame: abs(frame - t)) != start:
            return
        here = carried_on(images[t], here, known, chain, t, direction)
        if not here.any():
            return
        masks[t][k] = here


def carried_on(
    image: UInt8[np.ndarray, "height width rgb=3"],
    mask: Bool[np.ndarray, "height width"],
    known: Track,
    chain: FlowChain,
    frame: int,
    direction: int,
) -> Bool[np.ndarray, "height width"]:
    """A mask of the frame before in this one; empty where the thing is lost."""
    moved = moved_mask(mask, chain, frame, direction)
    if moved.sum() < SMALLEST_PX:
        return np.zeros_like(moved)
    nothing = np.zeros_like(moved)
    cut = cut_object(image, moved, nothing, nothing, REACH)
    agree = (cut & moved).sum() >= LEAST_AGREEMENT * (cut | moved).sum()
    steady = 1 / MOST_GROWTH < cut.sum() / moved.sum() < MOST_GROWTH
    best = cut if agree and steady else moved
    return best if similarity(known.histogram, colour_histogram(image, best)) >= LOST_ALIKE else nothing


def moved_mask(
    mask: Bool[np.ndarray, "height width"], chain: FlowChain, frame: int, direction: int
) -> Bool[np.ndarray, "height width"]:
    """A mask of the frame before, brought here by one motion of the whole thing: flow at its border is not its own."""
    flow, valid = chain.step(frame, -direction)
    landed = flow_endpoint(flow)
    roughly = remapped(mask, landed)
    core = cv2.erode(roughly.astype(np.uint8), disk(2), borderValue=1) > 0
    motion = fitted_motion(Step(frame - direction, 1, flow, valid), core if core.any() else roughly, curved=False)
    if motion is None:
        return roughly
    rows, columns = np.indices(mask.shape).astype(float)
    return remapped(mask, (motion.at(columns, rows) + np.stack([columns, rows], -1)).astype(np.float32))


def remapped(mask: Bool[np.ndarray, "height width"], landed: np.ndarray) -> Bool[np.ndarray, "height width"]:
    """A mask read where every pixel lands; what comes in over the image's edge goes on as it is at the edge."""
    x, y = np.ascontiguousarray(landed[..., 0]), np.ascontiguousarray(landed[..., 1])
    return cv2.remap(mask.astype(np.float32), x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE) > 0.5
