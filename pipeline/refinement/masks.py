"""Masks of the first pass corrected by the known camera: what is given back to objects, and what is background no longer."""

from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from pipeline.cameras import BACKGROUND_ID, IGNORE_ID
from pipeline.correspondence.flow_chain import FlowChain
from pipeline.refinement.background_plate import background_plates
from pipeline.refinement.evidence import in_front
from pipeline.refinement.new_objects import NewObject, new_objects, with_new_ids
from pipeline.refinement.regions import free_pixels, free_regions, owners
from pipeline.refinement.still_world import WORKING_PX, KnownCamera, Pixels, still_world
from pipeline.segmentation.boundary_refinement import NormalisedImages, refined_frame

SMALLEST_PX = 40  # of reduced frames
LEAST_KEPT = 0.6  # of an object on edges, or the edges were others


@dataclass(frozen=True)
class Correction:
    """Ids after the second pass, the frames in which an object got pixels back, and the share of pixels now ignored.

    Objects that are new are none that got pixels back.
    """

    object_ids: UInt8[np.ndarray, "frame height width"]
    regained: dict[int, list[int]] = field(default_factory=dict)
    newly_ignored: float = 0.0
    new: dict[int, NewObject] = field(default_factory=dict)


def corrected(
    ids: UInt8[np.ndarray, "frame height width"],
    images: UInt8[np.ndarray, "frame height width rgb=3"],
    hidden: Bool[np.ndarray, "frame height width"],
    chain: FlowChain,
    known: KnownCamera,
    smallest_share: float,
    reach: float,
    first_new: int = 1,
    most_new: int = 0,
) -> Correction:
    """What stands in front of the known background and has no object: given to the object that it is of, else ignored.

    What is one thing by itself becomes an object, `most_new` at most, numbered from `first_new` on.
    `hidden` pixels show no scene; nobody gets them.
    """
    small = chain.reduced(WORKING_PX)
    height, width = small.forward.shape[1:3]
    low_ids = np.stack([cv2.resize(one, (width, height), interpolation=cv2.INTER_NEAREST) for one in ids])
    low_hidden = (
        np.stack([cv2.resize(one.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST) for one in hidden])
        > 0
    )
    pictures = np.stack([cv2.resize(one, (width, height), interpolation=cv2.INTER_AREA) for one in images])
    background = low_ids == BACKGROUND_ID
    still = still_world(pictures, small, known, background)
    front = in_front(still, background_plates(pictures, still, known, background))
    regions = free_regions(low_ids, front & ~low_hidden, small, max(SMALLEST_PX, int(smallest_share * height * width)))
    owned = owners(regions, low_ids, pictures, small)
    table = np.full(int(regions.max()) + 1, IGNORE_ID, np.uint8)
    table[list(owned)] = list(owned.values())
    pixels = Pixels((height, width), width / known.camera.width, known)
    found = new_objects(regions, set(owned), pictures, still, pixels, most_new) if most_new else []
    new = with_new_ids(table, found, first_new)
    filled = filled_in(ids, np.where(regions > 0, table[regions], 0), hidden, images, chain, reach)
    return replace(filled, regained={k: f for k, f in filled.regained.items() if k not in new}, new=new)


def filled_in(
    ids: UInt8[np.ndarray, "frame height width"],
    found: UInt8[np.ndarray, "frame low_height low_width"],
    hidden: Bool[np.ndarray, "frame height width"],
    images: UInt8[np.ndarray, "frame height width rgb=3"],
    chain: FlowChain,
    reach: float,
) -> Correction:
    """Ids with what was found, where they had no object; borders of objects that got pixels are put on edges."""
    height, width = ids.shape[1:]
    result, pictures, free = ids.copy(), NormalisedImages(images), free_pixels(ids) & ~hidden
    regained: dict[int, list[int]] = {}
    for t in np.flatnonzero(found.any((1, 2))).tolist():
        wanted = cv2.resize(found[t], (width, height), interpolation=cv2.INTER_NEAREST)
        mixed = np.where(free[t] & (wanted > 0), wanted, ids[t])
        changed = [int(k) for k in np.unique(wanted[free[t]]) if k not in (BACKGROUND_ID, IGNORE_ID)]
        filled = on_edges(mixed, changed, t, pictures, chain, reach) if changed else mixed
        result[t] = np.where(hidden[t], ids[t], filled)
        for k in changed:
            regained.setdefault(k, []).append(t)
    ignored = (result == IGNORE_ID) & (ids != IGNORE_ID)
    return Correction(result, regained, float(ignored.mean()))


def on_edges(
    ids: UInt8[np.ndarray, "height width"],
    changed: list[int],
    frame: int,
    pictures: NormalisedImages,
    chain: FlowChain,
    reach: float,
) -> UInt8[np.ndarray, "height width"]:
    """The changed objects of a frame with their borders on edges; what is ignored stays, where no object takes it."""
    ignored = ids == IGNORE_ID
    shown = np.where(ignored, BACKGROUND_ID, ids).astype(np.uint8)
    refined = refined_frame(pictures.images[frame], shown, frame, pictures, chain, reach, changed)
    kept = near_enough(refined, shown, changed)
    return np.where(ignored & (kept == BACKGROUND_ID), IGNORE_ID, kept).astype(np.uint8)


def near_enough(
    refined: UInt8[np.ndarray, "height width"], before: UInt8[np.ndarray, "height width"], changed: list[int]
) -> UInt8[np.ndarray, "height width"]:
    """Refined ids, but of an object that lost most of what it was given, as it was before."""
    result = refined.copy()
    for k in changed:
        own, new = before == k, refined == k
        if (own & new).sum() < LEAST_KEPT * own.sum():
            result[new] = BACKGROUND_ID
            result[own & (result == BACKGROUND_ID)] = k
    return result
