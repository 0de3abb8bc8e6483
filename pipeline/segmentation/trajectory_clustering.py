"""Which trajectories belong to one thing: those that one smooth motion explains in all frames that they share.

Things that touch in every frame, or whose flow runs into each other at the border, still move differently in the long
run. Trajectories are first put into small groups that move alike; then groups that touch are joined, the best pair
first, as long as one motion, quadratic in the image, explains the two nearly as well as one for each (Ward, 1963, on
motions).
All sums are additive, so that a joint fit costs a small linear system a frame, and trajectories are looked at once.
"""

import heapq
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial import cKDTree
from scipy.spatial.distance import squareform

from pipeline.segmentation.trajectories import TrackedPoints, displacements

STRIDE = 2  # frames over which motion is measured
CHUNK, LARGEST_CHUNK = 12, 2500  # frames, and trajectories, whose groups are made together
SHORTEST, SMALLEST_GROUP = 5, 4  # frames of a trajectory, trajectories of a group
ALIKE_PX, NEAR_PX = 0.7, 6.0  # of displacement and of place, within a group
TURNING = 0.12  # pixels of displacement a pixel of distance, as on a thing that turns
GROUP_WIDTH = 1.5  # of them
TOUCHING_PX = 9.0
FEWEST_SHARED = 3  # frames
FEWEST_POINTS = 3  # of a group in a frame, for its motion to count
JOINT_PX, LEAST_SPREAD_PX = 0.4, 0.5  # a joint motion may miss the geometric mean of this and of the spread
SMALL = 150  # observations: a smaller group is rather noise than a thing
TERMS = 6
RIDGE = 1e-4


@dataclass(frozen=True)
class Motion:
    """Sums over a group's points, frame by frame from `start` on, from which its best motion's error follows."""

    start: int
    count: Float[np.ndarray, "frame"]
    gram: Float[np.ndarray, "frame 6 6"]
    cross: Float[np.ndarray, "frame 6 xy=2"]
    square: Float[np.ndarray, "frame"]

    @property
    def stop(self) -> int:
        return self.start + len(self.count)

    def between(self, start: int, stop: int) -> "Motion":
        part = slice(start - self.start, stop - self.start)
        return Motion(start, self.count[part], self.gram[part], self.cross[part], self.square[part])

    def padded(self, start: int, stop: int) -> "Motion":
        """The same over more frames, in which nothing is seen."""
        around = (self.start - start, stop - self.stop)
        fields = (self.count, self.gram, self.cross, self.square)
        return Motion(start, *(np.pad(f, [around] + [(0, 0)] * (f.ndim - 1)) for f in fields))

    def __add__(self, other: "Motion") -> "Motion":
        start, stop = min(self.start, other.start), max(self.stop, other.stop)
        a, b = self.padded(start, stop), other.padded(start, stop)
        return Motion(start, a.count + b.count, a.gram + b.gram, a.cross + b.cross, a.square + b.square)

    def best(self) -> Float[np.ndarray, "frame 6 xy=2"]:
        """The motion of each frame that fits its points best, as coefficients of `motion_terms`."""
        return np.linalg.solve(self.gram + RIDGE * np.eye(TERMS), self.cross)

    def error(self) -> Float[np.ndarray, "frame"]:
        """Sum of the squared differences from the best motion of each frame."""
        return np.maximum(self.square - (self.best() * self.cross).sum((1, 2)), 0)

    def spread(self) -> Float[np.ndarray, "frame"]:
        """Sum of the squared differences from the mean displacement of each frame."""
        return np.maximum(self.square - (self.cross[:, 0] ** 2).sum(1) / np.maximum(self.count, 1), 0)


def clustered_trajectories(observations: Sequence[TrackedPoints], size: tuple[int, int]) -> Int[np.ndarray, "track"]:
    """For each trajectory its cluster, from 0 on, the one with most points first; -1 for none."""
    groups = small_groups(observations)
    if groups.max(initial=-1) < 0:
        return groups
    motions = group_motions(observations, groups, size)
    parents = joined_groups(motions, touching_groups(observations, groups))
    roots = np.array([root_of(parents, group) for group in range(groups.max() + 1)])
    lengths = np.bincount(np.concatenate([points.trajectories for points in observations]), minlength=len(groups))
    names, index = np.unique(roots[groups[groups >= 0]], return_inverse=True)
    order = np.argsort(np.argsort(-np.bincount(index, lengths[groups >= 0], len(names)), kind="stable"))
    clusters = np.full(len(groups), -1)
    clusters[groups >= 0] = order[index]
    return clusters


def small_groups(observations: Sequence[TrackedPoints]) -> Int[np.ndarray, "track"]:
    """Groups of trajectories that are born about the same time, near each other all along, and move alike."""
    count = 1 + max((int(points.trajectories.max()) for points in observations if len(points.trajectories)), default=-1)
    births, lengths = np.full(count, len(observations)), np.zeros(count, int)
    for t, points in enumerate(observations):
        births[points.trajectories] = np.minimum(births[points.trajectories], t)
        lengths[points.trajectories] += 1
    groups, newest = np.full(count, -1), 0
    for start in range(0, len(observations), CHUNK):
        born = np.flatnonzero(
            (births >= start) & (births < start + CHUNK) & (lengths >= min(SHORTEST, len(observations)))
        )
        born = born[:: 1 + len(born) // LARGEST_CHUNK]
        if len(born) < SMALLEST_GROUP:
            continue
        apart = trajectory_distances(observations[start : start + 2 * CHUNK], born)
        labels = fcluster(linkage(squareform(apart, checks=False), "average"), GROUP_WIDTH, "distance")
        kept = np.bincount(labels)[labels] >= SMALLEST_GROUP
        names, index = np.unique(labels[kept], return_inverse=True)
        groups[born[kept]] = newest + index
        newest += len(names)
    return groups


def trajectory_distances(
    observations: Sequence[TrackedPoints], trajectories: Int[np.ndarray, "track"]
) -> Float[np.ndarray, "track track"]:
    """How differently each two trajectories move at most, and how far apart they are on average, in what is little."""
    shape = len(trajectories), len(trajectories)
    difference, distance = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    shared = np.zeros(shape, np.float32)
    for t in range(len(observations) - STRIDE):
        seen, moved = displacements(observations, t, STRIDE)
        known = np.isin(seen.trajectories, trajectories)
        index = np.searchsorted(trajectories, seen.trajectories[known])
        place, moved, both = seen.xy[known], moved[known], np.ix_(index, index)
        apart = np.linalg.norm(place[:, None] - place[None], axis=-1)
        unlike = np.linalg.norm(moved[:, None] - moved[None], axis=-1) - TURNING * apart
        difference[both] = np.maximum(difference[both], unlike)
        distance[both] += apart
        shared[both] += 1
    result = np.hypot(difference / ALIKE_PX, distance / np.maximum(shared, 1) / NEAR_PX)
    result[shared < 2] = 1e3
    np.fill_diagonal(result, 0)
    return result


def group_motions(
    observations: Sequence[TrackedPoints], groups: Int[np.ndarray, "track"], size: tuple[int, int]
) -> list[Motion]:
    """The sums of every group."""
    rows: dict[int, list[tuple[int, np.ndarray, np.ndarray]]] = defaultdict(list)
    for t in range(len(observations) - STRIDE):
        seen, moved = displacements(observations, t, STRIDE)
        terms, owner = motion_terms(seen.xy, size), groups[seen.trajectories]
        for group in np.unique(owner[owner >= 0]):
            rows[int(group)].append((t, terms[owner == group], moved[owner == group].astype(float)))
    return [summed(rows[group]) for group in range(groups.max() + 1)]


def summed(rows: list[tuple[int, np.ndarray, np.ndarray]]) -> Motion:
    """A group's motion from its frames, terms and displacements."""
    start, length = (rows[0][0], rows[-1][0] - rows[0][0] + 1) if rows else (0, 0)
    motion = Motion(
        start, np.zeros(length), np.zeros((length, TERMS, TERMS)), np.zeros((length, TERMS, 2)), np.zeros(length)
    )
    for t, terms, moved in rows:
        motion.count[t - start] = len(terms)
        motion.gram[t - start] = terms.T @ terms
        motion.cross[t - start] = terms.T @ moved
        motion.square[t - start] = (moved**2).sum()
    return motion


def motion_terms(xy: Float[np.ndarray, "point xy=2"], size: tuple[int, int]) -> Float[np.ndarray, "point 6"]:
    """1, x, y and their products, of places in units of a fifth of the width from the middle."""
    unit = size[1] / 5
    x, y = (xy[:, 0] - size[1] / 2) / unit, (xy[:, 1] - size[0] / 2) / unit
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1).astype(float)


def touching_groups(observations: Sequence[TrackedPoints], groups: Int[np.ndarray, "track"]) -> set[tuple[int, int]]:
    """Pairs of groups of which points come close in two frames and more."""
    times: dict[tuple[int, int], int] = defaultdict(int)
    for points in observations:
        owner = groups[points.trajectories]
        if (owner >= 0).sum() < 2:
            continue
        pairs = cKDTree(points.xy[owner >= 0]).query_pairs(TOUCHING_PX, output_type="ndarray")
        touching = np.sort(owner[owner >= 0][pairs], axis=1)
        for first, second in np.unique(touching[touching[:, 0] != touching[:, 1]], axis=0).tolist():
            times[first, second] += 1
    return {pair for pair, count in times.items() if count >= 2}


def joined_groups(motions: list[Motion], touching: set[tuple[int, int]], most: float = 1.0) -> list[int]:
    """Each group's parent, its own number for a root; parents follow the groups they join."""
    motions, parents = list(motions), list(range(len(motions)))
    errors = [motion.error() for motion in motions]
    neighbours: dict[int, set[int]] = defaultdict(set)
    for first, second in touching:
        neighbours[first].add(second)
        neighbours[second].add(first)
    heap = [(joint_miss(motions, errors, a, b), a, b) for a, b in sorted(touching)]
    heapq.heapify(heap)
    while heap:
        miss, a, b = heapq.heappop(heap)
        if miss > most:
            break
        if parents[a] != a or parents[b] != b:
            continue
        new = len(motions)
        motions.append(motions[a] + motions[b])
        errors.append(motions[new].error())
        parents[a] = parents[b] = new
        parents.append(new)
        neighbours[new] = {k for k in neighbours.pop(a) | neighbours.pop(b) if parents[k] == k and k != new}
        for k in neighbours[new]:
            neighbours[k] = neighbours[k] - {a, b} | {new}
            heapq.heappush(heap, (joint_miss(motions, errors, k, new), k, new))
    return parents


def joint_miss(motions: list[Motion], errors: list[np.ndarray], a: int, b: int) -> float:
    """What a joint motion explains worse than two, root mean square in pixels, as a share of what may be.

    What turns fast is not quadratic: the more the two move within themselves, the more may be.
    """
    start, stop = max(motions[a].start, motions[b].start), min(motions[a].stop, motions[b].stop)
    if stop - start < FEWEST_SHARED:
        return np.inf
    parts = [motions[k].between(start, stop) for k in (a, b)]
    own = [errors[k][start - motions[k].start : stop - motions[k].start] for k in (a, b)]
    smaller = np.minimum(parts[0].count, parts[1].count)
    counted = smaller >= FEWEST_POINTS
    if counted.sum() < FEWEST_SHARED:
        return np.inf
    worse = ((parts[0] + parts[1]).error() - own[0] - own[1])[counted].sum() / smaller[counted].sum()
    allowed = allowed_miss(parts, counted)
    size = min(motions[a].count.sum(), motions[b].count.sum())
    return float(np.sqrt(max(worse, 0) / allowed * min(1.0, size / SMALL)))


def allowed_miss(parts: Sequence[Motion], counted: Bool[np.ndarray, "frame"]) -> float:
    """What a joint motion may miss, squared pixels: the more the parts move within themselves in these frames, the more."""
    inner = sum(part.spread()[counted].sum() for part in parts) / sum(part.count[counted].sum() for part in parts)
    return JOINT_PX * max(float(np.sqrt(inner)), LEAST_SPREAD_PX)


def root_of(parents: list[int], group: int) -> int:
    """The last parent of a group."""
    while parents[group] != group:
        group = parents[group]
    return group
