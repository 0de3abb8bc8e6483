"""Moving regions followed through time: pixels of one thing have one id in all frames, however its region breaks up."""

from collections.abc import Sequence
from itertools import combinations

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from scipy.spatial import cKDTree

from pipeline.correspondence.flow_chain import FlowChain
from pipeline.correspondence.flow_warping import warp
from pipeline.segmentation.joined_tubes import joined_tubes
from pipeline.segmentation.morphology import disk
from pipeline.segmentation.trajectories import TrackedPoints, point_trajectories
from pipeline.segmentation.trajectory_clustering import clustered_trajectories

MOVING, SURELY_MOVING = 0.4, 0.7  # mean residual: every pixel of a tube, and its clearest tenth
SMEARED = 0.5  # of a region's strong residual: less is flow smeared over its border
WORKING_PX, SPACING_PX = 320, 4  # longer side at which motion is compared, and from one trajectory to the next there
FEWEST_OBSERVATIONS = 20  # of a cluster's points, in all frames
STEEP = 0.2  # change of flow from pixel to pixel
TAKEN_OVER, TOGETHER = 0.4, 0.25  # of the area of a region
FEWEST_FRAMES = 4  # of a tube
AWAY = 3  # frames without a thing, more than which part two stays
MOST_IDS = 250
VOTERS = 5  # trajectories that decide where a pixel belongs
VOTER_PX, VOTER_MOTION_PX = 4.0, 0.4  # how much place and motion count for being near
FARTHEST_VOTER = 6.0  # in these units; what has none nearer gets its id along the flow


def find_tubes(
    images: UInt8[np.ndarray, "frame height width rgb=3"],
    residual: Float[np.ndarray, "frame height width"],
    chain: FlowChain,
    smallest_share: float,
) -> UInt8[np.ndarray, "frame height width"]:
    """Ids of moving regions, 0 elsewhere; regions that move together are one."""
    height, width = residual.shape[1:]
    chain = chain.reduced(WORKING_PX)
    size = chain.forward.shape[1:3]
    residual = np.stack([cv2.resize(frame, size[::-1], interpolation=cv2.INTER_AREA) for frame in residual])
    smallest_px = max(12, int(smallest_share * residual[0].size))
    moving = [moving_places(frame, smallest_px) for frame in residual]
    smooth = [mask & ~smeared(chain, t) for t, mask in enumerate(moving)]
    observations = point_trajectories(smooth, chain, SPACING_PX)
    clusters = evident(clustered_trajectories(observations, size), observations, residual)
    voted = [labelled(mask, observations[t], clusters, chain, t) for t, mask in enumerate(moving)]
    labels = carried_labels(voted, moving, chain)
    clear = np.stack([without_smear(*frame, smallest_px // 2) for frame in zip(labels, residual, strict=True)])
    single = lasting(taken_over(clear, chain))
    tubes = joined_where_smooth(images, single, chain)
    return np.stack([cv2.resize(frame, (width, height), interpolation=cv2.INTER_NEAREST) for frame in tubes])


def joined_stays(
    images: UInt8[np.ndarray, "frame height width rgb=3"],
    ids: UInt8[np.ndarray, "frame height width"],
    chain: FlowChain,
) -> UInt8[np.ndarray, "frame height width"]:
    """Objects whose borders lie on edges by now, with one id for what turns out to be parts of one thing.

    A tube that began beside a thing, in flow smeared over its border, may have been drawn onto a part of it in some frames,
    and have stayed beside it in others: each stay is judged alone, whatever tube it came from.
    """
    if not ids.any():
        return ids
    stays, chain = single_stays(ids), chain.reduced(WORKING_PX)
    size = chain.forward.shape[2:0:-1]
    small = np.stack([cv2.resize(frame, size, interpolation=cv2.INTER_NEAREST) for frame in stays])
    joined = joined_where_smooth(images, small, chain, again=True)
    table = np.arange(256, dtype=np.uint8)
    for k in (int(k) for k in np.unique(small) if k):
        table[k] = joined[small == k][0]
    return table[stays]


def joined_where_smooth(
    images: UInt8[np.ndarray, "frame full_height full_width rgb=3"],
    tubes: UInt8[np.ndarray, "frame height width"],
    chain: FlowChain,
    again: bool = False,
) -> UInt8[np.ndarray, "frame height width"]:
    """Tubes of the chain's size joined by their motion where flow is not smeared over a border."""
    size = chain.forward.shape[2:0:-1]
    pictures = np.stack([cv2.resize(image, size, interpolation=cv2.INTER_AREA) for image in images])
    return joined_tubes(pictures, tubes, [~smeared(chain, t) for t in range(len(tubes))], chain, again)


def single_stays(ids: UInt8[np.ndarray, "frame height width"]) -> UInt8[np.ndarray, "frame height width"]:
    """Ids of their own for the times before and after an object is not seen for some frames; as they are where that is too many."""
    runs = []
    for k in (int(k) for k in np.unique(ids) if k):
        frames = np.flatnonzero((ids == k).any((1, 2)))
        runs += [(k, run) for run in np.split(frames, np.flatnonzero(np.diff(frames) > AWAY) + 1)]
    if len(runs) > MOST_IDS:
        return ids
    result = np.zeros_like(ids)
    for new, (k, run) in enumerate(runs, start=1):
        result[run] = np.where(ids[run] == k, new, result[run])
    return result


def lasting(tubes: UInt8[np.ndarray, "frame height width"]) -> UInt8[np.ndarray, "frame height width"]:
    """The tubes that are seen in several frames."""
    seen = np.zeros(256, int)
    for frame in tubes:
        seen[np.unique(frame)] += 1
    table = np.arange(256, dtype=np.uint8)
    table[seen < min(FEWEST_FRAMES, len(tubes))] = 0
    return table[tubes]


def moving_places(residual: Float[np.ndarray, "height width"], smallest_px: int) -> Bool[np.ndarray, "height width"]:
    """Connected regions of enough residual."""
    mask = cv2.morphologyEx((residual > MOVING).astype(np.uint8), cv2.MORPH_OPEN, disk(2))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    large = stats[:, cv2.CC_STAT_AREA] >= smallest_px
    large[0] = False
    return large[labels]


def smeared(chain: FlowChain, frame: int) -> Bool[np.ndarray, "height width"]:
    """Where flow goes over from one motion to another, and is neither."""
    flow, _ = chain.step(frame, 1 if frame < chain.frame_count - 1 else -1)
    slopes = [cv2.Sobel(flow, cv2.CV_32F, *axis, ksize=3) / 8 for axis in ((1, 0), (0, 1))]
    return np.linalg.norm(np.concatenate(slopes, axis=-1), axis=-1) > STEEP


def evident(
    clusters: Int[np.ndarray, "track"],
    observations: Sequence[TrackedPoints],
    residual: Float[np.ndarray, "frame height width"],
) -> Int[np.ndarray, "track"]:
    """Ids from 1 on of the clusters that are seen often and surely move; 0 for the trajectories of others."""
    owners = np.concatenate([clusters[points.trajectories] for points in observations])
    values = np.concatenate([frame[points.pixels()] for frame, points in zip(residual, observations, strict=True)])
    ids, newest = np.zeros_like(clusters), 0
    for k in range(clusters.max(initial=-1) + 1):
        own = values[owners == k]
        if len(own) >= FEWEST_OBSERVATIONS and np.percentile(own, 90) > SURELY_MOVING and newest < MOST_IDS:
            newest += 1
            ids[clusters == k] = newest
    return ids


def labelled(
    mask: Bool[np.ndarray, "height width"],
    points: TrackedPoints,
    ids: Int[np.ndarray, "track"],
    chain: FlowChain,
    frame: int,
) -> UInt8[np.ndarray, "height width"]:
    """Each moving pixel's id, by a vote of the trajectories that are near it and move like it; 0 where none is."""
    known = points.where(ids[points.trajectories] > 0)
    result = np.zeros(mask.shape, np.uint8)
    if not len(known.trajectories) or not mask.any():
        return result
    flow, _ = chain.step(frame, 1 if frame < chain.frame_count - 1 else -1)
    rows, columns = np.nonzero(mask)
    wanted = np.stack([columns, rows], -1) / VOTER_PX, flow[rows, columns] / VOTER_MOTION_PX
    voters = known.xy / VOTER_PX, flow[known.pixels()] / VOTER_MOTION_PX
    count = min(VOTERS, len(known.trajectories))
    distance, index = cKDTree(np.concatenate(voters, axis=1)).query(
        np.concatenate(wanted, axis=1), k=[*range(1, count + 1)]
    )
    votes = np.zeros((len(rows), int(ids.max()) + 1))
    votes[:, 0] = np.where(distance[:, 0] > FARTHEST_VOTER, np.inf, 0)
    for column in range(count):
        np.add.at(
            votes, (np.arange(len(rows)), ids[known.trajectories[index[:, column]]]), 1 / (1 + distance[:, column])
        )
    result[rows, columns] = votes.argmax(1)
    return result


def carried_labels(
    labels: Sequence[UInt8[np.ndarray, "height width"]],
    moving: Sequence[Bool[np.ndarray, "height width"]],
    chain: FlowChain,
) -> list[UInt8[np.ndarray, "height width"]]:
    """Moving pixels without an id get that of the frame before or after, wherever flow brings one."""
    result = list(labels)
    for direction, order in ((-1, range(1, len(result))), (1, range(len(result) - 2, -1, -1))):
        for t in order:
            flow, valid = chain.step(t, direction)
            brought = warp(result[t + direction], flow, nearest=True)
            result[t] = np.where((result[t] == 0) & moving[t] & valid, brought, result[t])
    return result


def without_smear(
    labels: UInt8[np.ndarray, "height width"], residual: Float[np.ndarray, "height width"], smallest_px: int
) -> UInt8[np.ndarray, "height width"]:
    """The parts of each region with most of its residual."""
    result = np.zeros_like(labels)
    for k in (int(k) for k in np.unique(labels) if k):
        inside = labels == k
        strong = inside & (residual > SMEARED * np.percentile(residual[inside], 90))
        for part in parts(cv2.morphologyEx(strong.astype(np.uint8), cv2.MORPH_OPEN, disk(2)), smallest_px):
            result[part & ((result == 0) | inside)] = k
    return result


def parts(mask: UInt8[np.ndarray, "height width"], smallest_px: int) -> list[Bool[np.ndarray, "height width"]]:
    """Connected parts without their holes."""
    outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    whole = cv2.drawContours(np.zeros_like(mask), outlines, -1, 1, cv2.FILLED)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(whole, connectivity=4)
    return [labels == k for k in range(1, count) if stats[k, cv2.CC_STAT_AREA] >= smallest_px]


def taken_over(
    labels: UInt8[np.ndarray, "frame height width"], chain: FlowChain
) -> UInt8[np.ndarray, "frame height width"]:
    """Ids of which one goes where the other was, joined: a thing that turns shows new trajectories and loses the old."""
    areas = np.stack([np.bincount(frame.ravel(), minlength=256) for frame in labels]).astype(float)
    passed = np.zeros((256, 256))
    for t in range(1, len(labels)):
        flow, valid = chain.step(t, -1)
        sure = valid & ~smeared(chain, t)
        np.add.at(passed, (warp(labels[t - 1], flow, nearest=True)[sure], labels[t][sure]), 1)
    net, typical = np.abs(passed - passed.T), areas.sum(0) / np.maximum((areas > 0).sum(0), 1)
    large = areas > TOGETHER * typical
    table = np.arange(256, dtype=np.uint8)
    for a, b in combinations((int(k) for k in np.unique(labels) if k), 2):
        together = (large[:, a] & large[:, b]).sum() / max(min(large[:, a].sum(), large[:, b].sum()), 1)
        if together < 0.5 and net[a, b] > TAKEN_OVER * min(typical[a], typical[b]):
            table[table == table[b]] = table[a]
    return table[labels]
