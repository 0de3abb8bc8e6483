"""Things that the first pass never knew: what stands in front of the background as one coherent thing becomes an object.

What enters late, is fast, or moves along the epipolar line is told by what it hides rather than by its flow. Its regions are
joined over time by their looks and by where they can be. It is an object if several frames in a row show it, it keeps its size
and colours, and nothing that stands still can be where it is; whatever fails one of these is ignored.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int32, UInt8

from pipeline.cameras import IGNORE_ID, inverse
from pipeline.refinement.still_world import Pixels, StillWorld
from pipeline.segmentation.mask_warnings import LEAST_SURE
from pipeline.segmentation.object_confidence import CLEAR_RESIDUAL, FEWEST_SHARE, steadiness
from pipeline.segmentation.plane_parallax import homogeneous
from pipeline.segmentation.reidentification import same_things

FEWEST_FRAMES = 5  # in a row
MOST_REGIONS = 250  # the largest: more than ids can number are flicker
STILL_REACH = 0.5  # of a thing's size: hidden in part, its middle is off by no more


@dataclass(frozen=True)
class NewObject:
    """What speaks for an object that the second pass found."""

    region_numbers: list[int]
    frames: list[int]
    area_percent: float
    residual: float
    steadiness: float
    off_still_px: float  # of reduced frames: how far its middle is from where any still point would be

    def confidence(self, frame_count: int) -> float:
        """As of objects of the first pass: how long it is seen, and how steady it is."""
        return round(self.steadiness * min(1.0, len(self.frames) / max(0.5 * frame_count, 1)), 3)


def new_objects(
    regions: Int32[np.ndarray, "frame height width"],
    owned: set[int],
    images: UInt8[np.ndarray, "frame height width rgb=3"],
    still: StillWorld,
    pixels: Pixels,
    most: int,
) -> list[NewObject]:
    """The regions without an owner that are objects, the largest first."""
    ids, numbers = numbered(regions, owned)
    things: dict[int, list[int]] = {}
    for k, first in same_things(images, ids).items():
        things.setdefault(first, []).append(k)
    found = []
    for parts in things.values():
        mask = np.isin(ids, parts)
        if longest_stretch(np.asarray(mask.any((1, 2)))) >= max(FEWEST_FRAMES, FEWEST_SHARE * len(ids)):
            thing = described(mask, [numbers[k] for k in parts], images, still, pixels)
            if is_object(thing, mask):
                found.append((int(mask.sum()), thing))
    return [thing for _, thing in sorted(found, key=lambda pair: -pair[0])[:most]]


def longest_stretch(seen: Bool[np.ndarray, "frame"]) -> int:
    """Most frames in a row: what comes and goes is flicker."""
    edges = np.flatnonzero(np.diff(np.pad(seen.astype(int), 1)))
    return int(np.max(edges[1::2] - edges[::2], initial=0))


def numbered(
    regions: Int32[np.ndarray, "frame height width"], owned: set[int]
) -> tuple[UInt8[np.ndarray, "frame height width"], dict[int, int]]:
    """Ids from 1 on for the largest regions without an owner, and the region of each id."""
    sizes = np.bincount(regions.ravel())
    free = [n for n in np.argsort(-sizes, kind="stable").tolist() if n and sizes[n] and n not in owned]
    numbers = dict(enumerate(free[:MOST_REGIONS], start=1))
    table = np.zeros(len(sizes), np.uint8)
    table[list(numbers.values())] = list(numbers)
    return table[regions], numbers


def described(
    mask: Bool[np.ndarray, "frame height width"],
    region_numbers: list[int],
    images: UInt8[np.ndarray, "frame height width rgb=3"],
    still: StillWorld,
    pixels: Pixels,
) -> NewObject:
    """What speaks for a thing."""
    frames = np.flatnonzero(mask.any((1, 2)))
    middles = np.array([np.argwhere(mask[t])[:, ::-1].mean(0) for t in frames])
    return NewObject(
        region_numbers,
        frames.tolist(),
        float(100 * mask[frames].mean()),
        float(still.residual[mask].mean()),
        steadiness(images, mask.astype(np.uint8))[1],
        off_still(middles, frames.tolist(), pixels),
    )


def is_object(thing: NewObject, mask: Bool[np.ndarray, "frame height width"]) -> bool:
    """Whether it is one thing, and moves: its middle leaves every still point, or its flow agrees with no depth."""
    size = float(np.sqrt(np.median(mask.sum((1, 2))[thing.frames])))
    moves = thing.off_still_px > STILL_REACH * size or thing.residual > CLEAR_RESIDUAL
    return moves and thing.steadiness >= LEAST_SURE


def off_still(middles: Float[np.ndarray, "seen xy=2"], frames: list[int], pixels: Pixels) -> float:
    """Median distance of a thing's middles from where the still point that fits them best is seen, reduced pixels.

    The point is where the rays come closest to each other, or infinitely far along their mean; the better of both counts.
    """
    world_from_camera = pixels.known.world_from_camera[frames]
    rays = homogeneous(pixels.places(middles)) @ np.linalg.inv(pixels.known.camera.matrix).T
    rays = np.einsum("tij,tj->ti", world_from_camera[:, :3, :3], rays / np.linalg.norm(rays, axis=1, keepdims=True))
    across = np.eye(3) - rays[:, :, None] * rays[:, None]
    place = np.linalg.lstsq(across.sum(0), np.einsum("tij,tj->i", across, world_from_camera[:, :3, 3]), rcond=None)[0]
    return min(
        distance(middles, np.append(place, 1.0), frames, pixels),
        distance(middles, np.append(rays.mean(0), 0.0), frames, pixels),
    )


def distance(
    middles: Float[np.ndarray, "seen xy=2"], point: Float[np.ndarray, "4"], frames: list[int], pixels: Pixels
) -> float:
    """Median over frames, in reduced pixels, from a point of the world; infinite where it is behind a camera."""
    there = inverse(pixels.known.world_from_camera[frames])[:, :3] @ point
    if (there[:, 2] <= 0).any():
        return np.inf
    camera = pixels.known.camera
    xy = there[:, :2] / there[:, 2:] * [camera.fx, camera.fy] + [camera.cx, camera.cy]
    return float(np.median(np.linalg.norm(pixels.index(xy) - middles, axis=1)))


def with_new_ids(table: UInt8[np.ndarray, "region"], found: list[NewObject], first_id: int) -> dict[int, NewObject]:
    """The new objects by id; the table from regions to ids gets them."""
    by_id = {k: thing for k, thing in enumerate(found, start=first_id) if k < IGNORE_ID}
    for k, thing in by_id.items():
        table[thing.region_numbers] = k
    return by_id
