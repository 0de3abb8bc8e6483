"""Moving regions that are parts of one thing, joined: one motion explains them, and they look alike.

A thing that turns shows sides that cluster by themselves, and a motion that is near another one in the image is not yet the same:
what counts is how much worse one motion, quadratic in the image, explains two regions than one for each does, in all frames that
show both (see trajectory_clustering.py, of which this is the same measure, for regions in place of trajectories).
"""

from collections.abc import Mapping, Sequence
from itertools import combinations

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from pipeline.correspondence.flow_chain import FlowChain
from pipeline.segmentation.morphology import disk
from pipeline.segmentation.reidentification import looks_beside, same_things, showing_frames
from pipeline.segmentation.trajectory_clustering import Motion, allowed_miss, joint_miss, motion_terms, summed

ONE, TWO = 1.2, 1.33  # of what a joint motion may miss: less of things that look the same are one, more are two
EDGE = 1.6  # of the same, by which motions may differ at a shared edge
LASTING, TOUCHING = 0.8, 0.8  # of the frames that show either, and that show both
BORDER_PX, FEWEST_PX = 3, 8  # from a border to both sides; places at it, and points of a motion
NEAR = 0.06  # of the image's diagonal
LIMB, ATTACHED, TOUCHING_PX = 0.25, 0.8, 4  # of the larger one's area, of the frames
MOST_FRAMES, FEWEST_FRAMES = 12, 4
MOST_PX = 300  # of a region in a frame, whose motion is looked at
Pairs = list[tuple[int, np.ndarray, np.ndarray]]  # frame, and the two tubes in it


def joined_tubes(
    images: UInt8[np.ndarray, "frame height width rgb=3"],
    tubes: UInt8[np.ndarray, "frame height width"],
    smooth: Sequence[Bool[np.ndarray, "height width"]],
    chain: FlowChain,
    again: bool = False,
) -> UInt8[np.ndarray, "frame height width"]:
    """Tubes with one id for all parts of a thing; `smooth`: where flow is not smeared over a border.

    `again`: the tubes are what was left, drawn onto edges. What lasts side by side is two then, as it was when its motion was
    not yet mixed at the border between them.
    Two things that are two where they are seen once are two for good, also after one of them is known again by its looks.
    """
    ids = [int(k) for k in np.unique(tubes) if k]
    shown = {k: showing_frames(tubes == k) for k in ids}
    motions = [tube_motion(tubes, k, shown[k], smooth, chain) for k in ids]
    errors = [motion.error() for motion in motions]
    together, apart = [], []
    for i, j in combinations(range(len(ids)), 2):
        pair, miss = (ids[i], ids[j]), joint_miss(motions, errors, i, j)
        both = np.intersect1d(shown[pair[0]], shown[pair[1]])
        lasting = len(both) > max(LASTING * len(np.union1d(shown[pair[0]], shown[pair[1]])), len(tubes) / 2)
        if lasting and again:
            apart.append(pair)
        elif lasting and share_an_edge(tubes, pair, both, (motions[i], motions[j])):
            together.append((0.0, pair))  # the surest
        elif miss > TWO:
            apart += [pair] * bool(np.isfinite(miss))
        elif one_thing(images, tubes, pair, both, miss):
            together.append((miss, pair))
    pairs = [pair for _, pair in sorted(together)]
    return grouped(pairs, apart, same_things(images, tubes, pairs))[tubes]


def grouped(
    together: Sequence[tuple[int, int]], apart: Sequence[tuple[int, int]], same: Mapping[int, int]
) -> UInt8[np.ndarray, "id"]:
    """For every id one of its group; pairs that belong together are joined in their order, unless that joins what is apart.

    `same`: the thing that each is by its looks, however long it was hidden.
    """
    group = {k: {k} for k in same}
    strangers = {frozenset((same[a], same[b])) for a, b in apart}
    for a, b in together:
        if not any(frozenset((same[i], same[j])) in strangers for i in group[a] for j in group[b]):
            joined = group[a] | group[b]
            group |= dict.fromkeys(joined, joined)
    table = np.arange(256, dtype=np.uint8)
    table[list(group)] = [min(members) for members in group.values()]
    return table


def tube_motion(
    tubes: UInt8[np.ndarray, "frame height width"],
    k: int,
    shown: Int[np.ndarray, "shown"],
    smooth: Sequence[Bool[np.ndarray, "height width"]],
    chain: FlowChain,
) -> Motion:
    """The flow of a tube from each frame that shows more than a blink of it to the next, where it can be trusted."""
    rows = []
    for t in shown[shown < len(tubes) - 1].tolist():
        flow, valid = chain.step(t, 1)
        places = np.argwhere((tubes[t] == k) & valid & smooth[t])
        places = places[:: 1 + len(places) // MOST_PX]
        moved = flow[places[:, 0], places[:, 1]].astype(float)
        rows.append((t, motion_terms(places[:, ::-1].astype(float), tubes.shape[1:]), moved))
    return summed(rows)


def one_thing(
    images: UInt8[np.ndarray, "frame height width rgb=3"],
    tubes: UInt8[np.ndarray, "frame height width"],
    pair: tuple[int, int],
    both: Int[np.ndarray, "shown"],
    miss: float,
) -> bool:
    """Whether two tubes that may have one motion are parts of one thing: near and alike, or the one a limb of the other.

    `both`: the frames that show more than a blink of both.
    """
    pairs = [(t, tubes[t] == pair[0], tubes[t] == pair[1]) for t in both[:: max(1, len(both) // MOST_FRAMES)].tolist()]
    return (near(pairs) and miss < ONE * looks_beside(images, tubes, pair, both)) or attached(pairs)


def share_an_edge(
    tubes: UInt8[np.ndarray, "frame height width"],
    pair: tuple[int, int],
    both: Int[np.ndarray, "shown"],
    motions: tuple[Motion, Motion],
) -> bool:
    """Whether two tubes touch nearly all the time, and move alike where they do, as two faces of a solid that turns.

    Things that pass each other move otherwise on both sides of the border between them.
    """
    start, stop = max(motion.start for motion in motions), min(motion.stop for motion in motions)
    if stop <= start:
        return False
    first, second = (motion.between(start, stop) for motion in motions)
    counted = np.minimum(first.count, second.count) >= FEWEST_PX
    fits = zip(tubes[start:stop], first.best(), second.best(), counted, strict=True)
    gaps = [border_gap(ids, pair, *both_fits) for ids, *both_fits, enough in fits if enough]
    seen = [gap for gap in gaps if gap is not None]
    if len(seen) <= TOUCHING * len(both):
        return False
    return float(np.median(seen)) < EDGE * float(np.sqrt(allowed_miss((first, second), counted)))


def border_gap(
    ids: UInt8[np.ndarray, "height width"],
    pair: tuple[int, int],
    first: Float[np.ndarray, "6 xy=2"],
    second: Float[np.ndarray, "6 xy=2"],
) -> float | None:
    """How differently two motions go where the tubes touch, root mean square in pixels; None where they do not touch."""
    near_both = np.logical_and(*(cv2.dilate((ids == k).astype(np.uint8), disk(BORDER_PX)) > 0 for k in pair))
    places = np.argwhere(near_both)
    if len(places) < FEWEST_PX:
        return None
    terms = motion_terms(places[:, ::-1].astype(float), ids.shape)
    return float(np.sqrt(((terms @ (first - second)) ** 2).sum(1).mean()))


def attached(pairs: Pairs) -> bool:
    """Whether one is much smaller and touches the other nearly all the time, as a leg does."""
    areas = [sorted((int(first.sum()), int(second.sum()))) for _, first, second in pairs]
    if len(pairs) < FEWEST_FRAMES or np.median([small / large for small, large in areas]) > LIMB:
        return False
    touching = [(cv2.dilate(first.astype(np.uint8), disk(TOUCHING_PX)) * second).any() for _, first, second in pairs]
    return bool(np.mean(touching) > ATTACHED)


def near(pairs: Pairs) -> bool:
    """Whether two tubes come close in most of the frames."""
    close = [
        cv2.distanceTransform((~first).astype(np.uint8), cv2.DIST_L2, 3)[second].min() < NEAR * np.hypot(*first.shape)
        for _, first, second in pairs
    ]
    return bool(close and np.mean(close) > 0.5)
