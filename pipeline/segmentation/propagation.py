"""Masks known in some frames, followed through all others (the loop of Track-Anything; Yang et al., 2023).

Every object's mask is carried to the next frame by the flow and judged: does the flow hold together, does the thing
still look the same, is it as large as before? Where the result is poor, a segmenter is asked again, with points and a
box drawn from the tracked mask. An object that is lost may return: a region that looks like it takes its id.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Protocol, runtime_checkable

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from pipeline.correspondence.flow_chain import FlowChain, warped_from
from pipeline.runtime.progress import progress
from pipeline.segmentation.colour_histogram import colour_histogram, similarity
from pipeline.segmentation.morphology import disk

SMALLEST_PX = 20
LEAST_CONSISTENT, LEAST_ALIKE, MOST_GROWTH = 0.5, 0.8, 1.35  # of a good step
LOST_ALIKE, KNOWN_AGAIN = 0.5, 0.75  # similarity to the given mask below which it is lost, above which it is back
LEAST_AGREEMENT = 0.5  # IoU of a segmenter's answer with the tracked mask
MOST_POINTS = 3
LARGEST_CHANGE = 3.0  # of the area of a thing that comes back

Masks = dict[int, Bool[np.ndarray, "height width"]]  # by object


@runtime_checkable
class Segmenter(Protocol):
    """Whatever finds the object at points and in a box (x0, y0, x1, y1), and says how sure it is (0 to 1)."""

    def segment(
        self,
        image: UInt8[np.ndarray, "height width rgb=3"],
        points: Float[np.ndarray, "point xy=2"],
        labels: Sequence[int],
        box: Sequence[float] | None,
    ) -> tuple[Bool[np.ndarray, "height width"], float]: ...


@dataclass
class Track:
    """What is remembered of an object: its mask in the last frame, and the colours and size it was given with."""

    mask: Bool[np.ndarray, "height width"]
    histogram: Float[np.ndarray, "colour"]
    area: float
    lost: bool = field(default=False)

    @classmethod
    def start(cls, image: UInt8[np.ndarray, "height width rgb=3"], mask: Bool[np.ndarray, "height width"]) -> "Track":
        return cls(mask, colour_histogram(image, mask), float(mask.sum()))


def propagated_ids(
    images: UInt8[np.ndarray, "frame height width rgb=3"],
    chain: FlowChain,
    given: Mapping[int, Masks],
    segmenter: Segmenter | None = None,
    regions: UInt8[np.ndarray, "frame height width"] | None = None,
) -> UInt8[np.ndarray, "frame height width"]:
    """Ids of all frames from the masks `given` by frame; between two given frames the nearer one decides.

    `regions` are things of which any may be an object that returns.
    """
    keys = sorted(given)
    result = np.zeros(images.shape[:3], np.uint8)
    spans = [(keys[0], -1, -1), *((key, 1, end) for key, end in zip(keys, [*keys[1:], len(images)], strict=True))]
    spans += [(key, -1, (before + key) // 2) for before, key in pairwise(keys)]
    for key, direction, end in progress(spans, "masks", len(spans), "spans"):
        tracks = {k: Track.start(images[key], mask) for k, mask in given[key].items() if mask.any()}
        result[key] = flattened(given[key], images.shape[1:3])
        for t in range(key + direction, end, direction):
            advance(tracks, images, chain, t, direction, segmenter, None if regions is None else regions[t])
            result[t] = flattened({k: track.mask for k, track in tracks.items()}, images.shape[1:3])
    return result


def advance(
    tracks: dict[int, Track],
    images: UInt8[np.ndarray, "frame height width rgb=3"],
    chain: FlowChain,
    frame: int,
    direction: int,
    segmenter: Segmenter | None,
    regions: UInt8[np.ndarray, "height width"] | None,
) -> None:
    """Move every track on to `frame`, from the frame before it in the direction of the walk."""
    image = images[frame]
    for track in tracks.values():
        if track.lost:
            continue
        moved, valid = warped_from(track.mask.astype(np.float32), chain, frame, -direction)
        mask = without_uncovered(moved > 0.5, valid)
        if segmenter is not None and mask.sum() >= SMALLEST_PX and is_poor(track, mask, valid, image):
            mask = asked_again(track, mask, image, segmenter)
        track.lost = bool(
            mask.sum() < SMALLEST_PX or similarity(track.histogram, colour_histogram(image, mask)) < LOST_ALIKE
        )
        track.mask = np.zeros_like(mask) if track.lost else mask
    if regions is not None:
        take_back([track for track in tracks.values() if track.lost], list(tracks.values()), image, regions)


def without_uncovered(
    mask: Bool[np.ndarray, "height width"], valid: Bool[np.ndarray, "height width"]
) -> Bool[np.ndarray, "height width"]:
    """A carried mask less the background that came into sight behind it, whose flow leads nowhere."""
    if valid[mask].sum() < LEAST_CONSISTENT * mask.sum():
        return mask
    return mask & (cv2.morphologyEx((mask & valid).astype(np.uint8), cv2.MORPH_CLOSE, disk(2)) > 0)


def is_poor(
    track: Track,
    mask: Bool[np.ndarray, "height width"],
    valid: Bool[np.ndarray, "height width"],
    image: UInt8[np.ndarray, "height width rgb=3"],
) -> bool:
    """Whether a carried mask should not be trusted: broken flow, other colours, or a sudden change of size."""
    growth = mask.sum() / max(track.mask.sum(), 1)
    consistent = valid[mask].mean() >= LEAST_CONSISTENT
    alike = similarity(track.histogram, colour_histogram(image, mask)) >= LEAST_ALIKE
    return not (consistent and alike and 1 / MOST_GROWTH < growth < MOST_GROWTH)


def asked_again(
    track: Track,
    mask: Bool[np.ndarray, "height width"],
    image: UInt8[np.ndarray, "height width rgb=3"],
    segmenter: Segmenter,
) -> Bool[np.ndarray, "height width"]:
    """The segmenter's mask for points in and a box around the tracked one, if the two have enough in common."""
    points = inner_points(mask)
    found, _ = segmenter.segment(image, points, [1] * len(points), box_of(mask))
    agreement = (found & mask).sum() / max((found | mask).sum(), 1)
    before, after = (similarity(track.histogram, colour_histogram(image, part)) for part in (mask, found))
    better = found.any() and after >= before
    return found if better and agreement >= LEAST_AGREEMENT else mask


def take_back(
    lost: list[Track],
    tracks: list[Track],
    image: UInt8[np.ndarray, "height width rgb=3"],
    regions: UInt8[np.ndarray, "height width"],
) -> None:
    """Give a lost object the free region that looks most like it, if any does."""
    for track in lost:
        taken = np.any([other.mask for other in tracks], axis=0)
        candidates = [regions == k for k in np.unique(regions) if k and not (taken & (regions == k)).any()]
        fits = [
            mask
            for mask in candidates
            if 1 / LARGEST_CHANGE < mask.sum() / track.area < LARGEST_CHANGE and mask.sum() >= SMALLEST_PX
        ]
        scores = [similarity(track.histogram, colour_histogram(image, mask)) for mask in fits]
        if scores and max(scores) >= KNOWN_AGAIN:
            track.mask, track.lost = fits[int(np.argmax(scores))], False


def inner_points(mask: Bool[np.ndarray, "height width"]) -> Float[np.ndarray, "point xy=2"]:
    """A few points deep inside of a mask, each far from the others."""
    depth = cv2.distanceTransform(np.pad(mask, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
    radius, points = float(depth.max()), []
    for _ in range(MOST_POINTS):
        row, column = np.unravel_index(int(depth.argmax()), depth.shape)
        if depth[row, column] < 0.4 * radius:
            break
        points.append((column + 0.5, row + 0.5))
        rows, columns = np.ogrid[: mask.shape[0], : mask.shape[1]]
        depth[(rows - row) ** 2 + (columns - column) ** 2 < (2 * radius) ** 2] = 0
    return np.array(points, float).reshape(-1, 2)


def box_of(mask: Bool[np.ndarray, "height width"]) -> tuple[float, float, float, float]:
    """x0, y0, x1, y1 of a mask."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def flattened(masks: Masks, size: tuple[int, ...]) -> UInt8[np.ndarray, "height width"]:
    """Ids of one frame; where masks overlap the smaller object lies on top."""
    ids = np.zeros(size, np.uint8)
    for k in sorted(masks, key=lambda k: -int(masks[k].sum())):
        ids[masks[k]] = k
    return ids
