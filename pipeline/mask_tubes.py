"""Moving regions followed through time: pixels of one thing have one id in all frames, however its region breaks up."""

from itertools import combinations

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from pipeline.flow_chain import FlowChain, steps_from
from pipeline.flow_geometry import follow
from pipeline.layered_motion import fitted_motion

MOVING, SURELY_MOVING = 0.4, 0.9  # mean evidence: every pixel of a region, and its best one
SMEARED = 0.5  # of a region's strong evidence: less is flow smeared over its border
OVERLAP = 0.3
LARGE = 0.004  # of the image
NEAR = 0.06  # of the image's diagonal
ALIKE = 0.7  # of the motion against the background
CONTACT_PX = 4
SEAMLESS = 0.005  # of the width: a smaller jump of motion at a contact is none
MOST_LOOKS, FEWEST_LOOKS = 12, 4
Pairs = list[tuple[int, np.ndarray, np.ndarray]]  # frame, and the two tubes in it


def find_tubes(
    evidence: Float[np.ndarray, "frame height width"], chain: FlowChain, smallest_share: float
) -> UInt8[np.ndarray, "frame height width"]:
    """Ids of moving regions, 0 elsewhere; regions that move together are one."""
    smallest_px = max(12, int(smallest_share * evidence[0].size))
    moving = [moving_regions(frame, smallest_px) for frame in evidence]
    return merged_tubes(lasting(linked_regions(moving, chain)), chain)


def lasting(tubes: UInt8[np.ndarray, "frame height width"]) -> UInt8[np.ndarray, "frame height width"]:
    """The tubes that are seen in several frames."""
    seen = np.zeros(256, int)
    for frame in tubes:
        seen[np.unique(frame)] += 1
    table = np.arange(256, dtype=np.uint8)
    table[seen < min(FEWEST_LOOKS, len(tubes))] = 0
    return table[tubes]


def moving_regions(evidence: Float[np.ndarray, "height width"], smallest_px: int) -> UInt8[np.ndarray, "height width"]:
    """Connected regions with enough evidence, numbered from 1."""
    mask = cv2.morphologyEx((evidence > MOVING).astype(np.uint8), cv2.MORPH_OPEN, disk(2))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    regions = np.zeros(mask.shape, np.uint8)
    for label in sorted(range(1, count), key=lambda k: -stats[k, cv2.CC_STAT_AREA])[:60]:
        inside = labels == label
        if stats[label, cv2.CC_STAT_AREA] >= smallest_px and evidence[inside].max() > SURELY_MOVING:
            strong = inside & (evidence > SMEARED * np.percentile(evidence[inside], 90))
            for part in parts(cv2.morphologyEx(strong.astype(np.uint8), cv2.MORPH_OPEN, disk(2)), smallest_px // 2):
                if regions.max() < 250:
                    regions[part] = regions.max() + 1
    return regions


def parts(mask: UInt8[np.ndarray, "height width"], smallest_px: int) -> list[Bool[np.ndarray, "height width"]]:
    """Connected parts without their holes."""
    outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    whole = cv2.drawContours(np.zeros_like(mask), outlines, -1, 1, cv2.FILLED)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(whole, connectivity=4)
    return [labels == k for k in range(1, count) if stats[k, cv2.CC_STAT_AREA] >= smallest_px]


def linked_regions(
    regions: list[UInt8[np.ndarray, "height width"]], chain: FlowChain
) -> UInt8[np.ndarray, "frame height width"]:
    """Regions joined over time by where the flow brings them; two things that meet stay two.

    It starts where most regions are apart, and goes both ways from there.
    """
    start = int(np.argmax([large_regions(frame) for frame in regions]))
    tubes = {start: regions[start]}
    newest = int(regions[start].max())
    for direction in (1, -1):
        t = start + direction
        while 0 <= t < len(regions):
            flow, _ = chain.step(t, -direction)
            expected = follow(tubes[t - direction], flow, nearest=True)
            tubes[t], newest = linked_frame(regions[t], expected, newest)
            t += direction
    return np.stack([tubes[t] for t in range(len(regions))])


def large_regions(regions: UInt8[np.ndarray, "height width"]) -> int:
    """How many regions are large enough to be a thing and not noise."""
    return int((np.bincount(regions.ravel())[1:] > LARGE * regions.size).sum())


def linked_frame(
    regions: UInt8[np.ndarray, "height width"], expected: UInt8[np.ndarray, "height width"], newest: int
) -> tuple[UInt8[np.ndarray, "height width"], int]:
    """Ids of one frame's regions from those that are expected there; a region where none is gets a new one."""
    frame = np.zeros_like(expected)
    for label in range(1, int(regions.max()) + 1):
        inside = regions == label
        ids = overlapping(inside, expected)
        if not ids and newest < 250:
            newest += 1
            ids = [newest]
        if ids:
            frame[inside] = nearest_id(expected, ids, inside)
    return frame, newest


def overlapping(inside: Bool[np.ndarray, "height width"], expected: UInt8[np.ndarray, "height width"]) -> list[int]:
    """Ids that share enough of a region, or of which the region holds enough."""
    ids, counts = np.unique(expected[inside], return_counts=True)
    area = int(inside.sum())
    return [
        int(k) for k, n in zip(ids, counts, strict=True) if k and n > OVERLAP * min(area, int((expected == k).sum()))
    ]


def nearest_id(
    expected: UInt8[np.ndarray, "height width"], ids: list[int], inside: Bool[np.ndarray, "height width"]
) -> UInt8[np.ndarray, "pixel"]:
    """For each pixel of a region, which of the ids is nearest."""
    if len(ids) == 1:
        return np.full(int(inside.sum()), ids[0], np.uint8)
    distances = [cv2.distanceTransform((expected != k).astype(np.uint8), cv2.DIST_L2, 3)[inside] for k in ids]
    return np.array(ids, np.uint8)[np.argmin(distances, axis=0)]


def merged_tubes(
    tubes: UInt8[np.ndarray, "frame height width"], chain: FlowChain
) -> UInt8[np.ndarray, "frame height width"]:
    """Tubes that are near each other and move alike, or that touch and move as one, joined: parts of one thing."""
    seen = [set(np.unique(frame)) - {0} for frame in tubes]
    ids = sorted(int(k) for k in set().union(*seen))
    velocities = {k: tube_velocity(tubes == k, tubes > 0, chain) for k in ids}
    parent = {k: k for k in ids}
    for a, b in combinations(ids, 2):
        both = [t for t, present in enumerate(seen) if a in present and b in present]
        looks = both[:: max(1, len(both) // MOST_LOOKS)]
        pairs = [(t, tubes[t] == a, tubes[t] == b) for t in looks]
        if (near(pairs) and alike(velocities[a], velocities[b])) or continuous(pairs, chain):
            old, new = parent[b], parent[a]
            parent = {k: new if root == old else root for k, root in parent.items()}
    table = np.arange(256, dtype=np.uint8)
    table[ids] = [parent[k] for k in ids]
    return table[tubes]


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


def alike(first: Float[np.ndarray, "frame 4"], second: Float[np.ndarray, "frame 4"]) -> bool:
    """Whether two tubes move together where both are seen."""
    both = ~np.isnan(first[:, 0]) & ~np.isnan(second[:, 0])
    if both.sum() < 2:
        return False
    kernel = np.ones(min(5, int(both.sum())))
    smooth = [np.stack([np.convolve(c, kernel / kernel.size, "valid") for c in v[both].T], 1) for v in (first, second)]
    apart = np.linalg.norm(smooth[0][:, :2] - smooth[1][:, :2], axis=1).mean()
    return bool(apart < ALIKE * min(np.linalg.norm(v[:, 2:], axis=1).mean() for v in smooth))


def continuous(pairs: Pairs, chain: FlowChain) -> bool:
    """Whether the motion of one goes on in the other where they touch, as it does on one rigid thing."""
    jumps = [jump for t, first, second in pairs for jump in contact_jumps(first, second, chain, t)]
    return len(jumps) >= FEWEST_LOOKS and float(np.median(jumps)) < SEAMLESS * chain.forward.shape[2]


def contact_jumps(
    first: Bool[np.ndarray, "height width"], second: Bool[np.ndarray, "height width"], chain: FlowChain, frame: int
) -> list[float]:
    """Difference, in pixels, of the two motions at the contact, in both directions of time; none without contact."""
    contact = grown(first, CONTACT_PX) & grown(second, CONTACT_PX)
    if contact.sum() < 2 * CONTACT_PX:
        return []
    rows, columns = (index.astype(float) for index in np.nonzero(contact))
    found = []
    for step in steps_from(chain, frame, [2]):
        motions = [fitted_motion(step, ~grown(~mask, 2), curved=True) for mask in (first, second)]
        landed = [motion.at(columns, rows) for motion in motions if motion is not None]
        if len(landed) == 2:
            found.append(float(np.median(np.linalg.norm(landed[0] - landed[1], axis=-1))))
    return found


def grown(mask: Bool[np.ndarray, "height width"], radius: int) -> Bool[np.ndarray, "height width"]:
    """The mask and what is within the radius."""
    return cv2.dilate(mask.astype(np.uint8), disk(radius)) > 0


def near(pairs: Pairs) -> bool:
    """Whether two tubes come close in most of the frames."""
    close = [
        cv2.distanceTransform((~first).astype(np.uint8), cv2.DIST_L2, 3)[second].min() < NEAR * np.hypot(*first.shape)
        for _, first, second in pairs
    ]
    return bool(close and np.mean(close) > 0.5)


def disk(radius: int) -> UInt8[np.ndarray, "size size"]:
    """A round structuring element."""
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
