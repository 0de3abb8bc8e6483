"""What moves beyond doubt and belongs to no object: to be ignored, because as background it would be painted in still.

Beyond doubt: for several frames the background's motion does not explain where flow leads, and the images agree that
another motion does better. Flow that is smeared over an object's border fails the second.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int32, UInt8

from pipeline.cameras import IGNORE_ID
from pipeline.correspondence.flow_chain import FlowChain
from pipeline.correspondence.flow_warping import warp
from pipeline.segmentation.boundary_refinement import NormalisedImages, refined_frame
from pipeline.segmentation.morphology import disk
from pipeline.segmentation.motion_test import LEAST_OWN_MOTION, object_motion
from pipeline.segmentation.object_confidence import CLEAR_RESIDUAL
from pipeline.segmentation.reidentification import same_things
from pipeline.segmentation.tubes import moving_places

FEWEST_FRAMES = 3
SMALLEST_PX = 12
SAME_PLACE = 0.3  # of a region's pixels came from a region of the frame before
BEYOND_DOUBT = 2 * CLEAR_RESIDUAL
SMEARED_OVER = 0.5  # own motion that a region beside an object needs: flow and shadows of the object reach into it
BESIDE_PX = 2
MOST_REGIONS = 40  # the largest; a flickering video has many
MOST_TOLD = 3


def unexplained_regions(
    ids: UInt8[np.ndarray, "frame height width"],
    images: UInt8[np.ndarray, "frame height width rgb=3"],
    residual: Float[np.ndarray, "frame height width"],
    chain: FlowChain,
    smallest_share: float,
    reach: float,
) -> Int32[np.ndarray, "frame height width"]:
    """What surely moves and has no object, as regions that are followed through time: numbers from 1 on, 0 elsewhere."""
    if len(ids) < FEWEST_FRAMES:
        return np.zeros(ids.shape, np.int32)
    smallest_px = max(SMALLEST_PX, int(smallest_share * ids[0].size))
    places = [moving_places(np.where(i == 0, r, 0), smallest_px) for i, r in zip(ids, residual, strict=True)]
    regions = followed_regions(places, chain)
    lasting = lasting_regions(regions, residual)
    sure = [k for k in lasting if moves_by_itself(regions == k, ids, images, chain, reach)]
    table = np.zeros(regions.max() + 1, np.int32)
    table[sure] = np.arange(1, len(sure) + 1)
    return table[regions]


def given_back(
    ids: UInt8[np.ndarray, "frame height width"],
    regions: Int32[np.ndarray, "frame height width"],
    images: UInt8[np.ndarray, "frame height width rgb=3"],
    chain: FlowChain,
    reach: float,
) -> tuple[UInt8[np.ndarray, "frame height width"], Int32[np.ndarray, "frame height width"]]:
    """Ids in which a region that is an object before it is found, or after it is lost, is that object again; other regions.

    Borders of what is given back are put on edges.
    """
    first = int(ids.max()) + 1
    mixed = np.where(regions > 0, first - 1 + regions, ids).astype(np.uint8)
    same = same_things(images, mixed)
    owners = {k: next((j for j in same if j < first and same[j] == same[k]), 0) for k in same if k >= first}
    owned = np.isin(mixed, [k for k, owner in owners.items() if owner])
    table = np.arange(256, dtype=np.uint8)
    for k, owner in owners.items():
        table[k] = owner
    result, pictures = table[mixed], NormalisedImages(images)
    for t in np.flatnonzero(owned.any((1, 2))).tolist():
        changed = np.unique(result[t][owned[t]]).tolist()
        result[t] = refined_frame(images[t], result[t], t, pictures, chain, reach, changed)
    return result, np.where(owned, 0, regions).astype(np.int32)


def with_ignored(
    ids: UInt8[np.ndarray, "frame height width"], regions: Int32[np.ndarray, "frame height width"]
) -> tuple[UInt8[np.ndarray, "frame height width"], list[str]]:
    """Ids in which background that surely moves is ignored, and the warning of it."""
    return np.where((ids == 0) & (regions > 0), IGNORE_ID, ids).astype(np.uint8), ignored_warnings(regions)


def followed_regions(
    places: Sequence[Bool[np.ndarray, "height width"]], chain: FlowChain
) -> Int32[np.ndarray, "frame height width"]:
    """Connected regions of every frame, numbered from 1 on; one keeps its number where the flow brings it."""
    result, newest = np.zeros((len(places), *places[0].shape), np.int32), 0
    for t, mask in enumerate(places):
        count, parts = cv2.connectedComponents(mask.astype(np.uint8))
        before = np.zeros(mask.shape)
        if t:
            before = warp(result[t - 1].astype(np.float32), chain.step(t, -1)[0], nearest=True)
        for part in (parts == k for k in range(1, count)):
            known, votes = np.unique(before[part], return_counts=True)
            votes = np.where(known > 0, votes, 0)
            if votes.max() > SAME_PLACE * part.sum():
                result[t][part] = int(known[votes.argmax()])
            else:
                newest += 1
                result[t][part] = newest
    return result


def lasting_regions(
    regions: Int32[np.ndarray, "frame height width"], residual: Float[np.ndarray, "frame height width"]
) -> list[int]:
    """The numbers of those that are seen for several frames and move clearly, the largest first."""
    sizes = np.bincount(regions.ravel())
    found = []
    for k in (np.argsort(-sizes[1:], kind="stable")[:MOST_REGIONS] + 1).tolist():
        region = regions == k
        if region.any((1, 2)).sum() >= FEWEST_FRAMES and residual[region].mean() > BEYOND_DOUBT:
            found.append(k)
    return found


def moves_by_itself(
    region: Bool[np.ndarray, "frame height width"],
    ids: UInt8[np.ndarray, "frame height width"],
    images: UInt8[np.ndarray, "frame height width rgb=3"],
    chain: FlowChain,
    reach: float,
) -> bool:
    """Whether the images, too, are explained better by the region's own motion than by the background's."""
    beside_others = np.where(region, 1, np.where(ids == 0, 0, 2)).astype(np.uint8)
    seen = np.flatnonzero(region.any((1, 2)))
    touching = [(cv2.dilate(region[t].astype(np.uint8), disk(BESIDE_PX)) * (ids[t] > 0)).any() for t in seen]
    least = SMEARED_OVER if np.mean(touching) > 0.5 else LEAST_OWN_MOTION
    return object_motion(images, beside_others, 1, chain, reach) >= least


def ignored_warnings(regions: Int32[np.ndarray, "frame height width"]) -> list[str]:
    """One, with the largest regions and where they are."""
    sure = [int(k) for k in np.unique(regions) if k]
    if not sure:
        return []
    share = 100 * float((regions > 0).mean())
    told = [described(regions == k) for k in sure[:MOST_TOLD]]
    more = f"; and {len(sure) - MOST_TOLD} smaller" if len(sure) > MOST_TOLD else ""
    return [
        f"{share:.2g} % of the pixels move by themselves, but belong to no object, and are ignored: "
        f"{'; '.join(told)}{more}. What of it is an object can be clicked (python -m pipeline.pick_prompts)"
    ]


def described(region: Bool[np.ndarray, "frame height width"]) -> str:
    """When a region is seen, and where it is when it is largest."""
    frames, areas = np.flatnonzero(region.any((1, 2))), region.sum((1, 2))
    rows, columns = np.nonzero(region[areas.argmax()])
    where = f"({np.median(columns):.0f}, {np.median(rows):.0f}) in frame {areas.argmax()}"
    return f"{areas.max()} px around {where}, seen in frames {frames[0]} to {frames[-1]}"
