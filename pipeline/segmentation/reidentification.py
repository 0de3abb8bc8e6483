"""Things that were hidden or out of view and come back: one id, if they look the same and can have got there meanwhile.

What blinks is no second thing: the frames in which a thing shows only a small part of itself neither begin nor end it.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import permutations

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from pipeline.segmentation.colour_histogram import colour_histogram, similarity, smoothed_histogram

KNOWN_AGAIN = 0.8  # similarity above which it may be the same
LARGEST_CHANGE = 3.0  # of the area
LEAST_PART = 0.2  # of its typical area: less is a blink
CLEAR_PART = 0.5  # of its largest area: a frame that tells what it looks like
LOOKS = 3  # frames in which things that are seen together are compared
HANDED_OVER = 3  # frames that may show both, when the one id goes over into the other
FASTER = 1.5  # how much faster than it was seen to move a thing may be while it is hidden


@dataclass(frozen=True)
class Stay:
    """Where a thing is, in the frames that show more than a blink of it."""

    frames: Int[np.ndarray, "frame"]
    middles: Float[np.ndarray, "frame yx=2"]
    area: float
    at_border: tuple[bool, bool]  # of the image, when it is first and last seen

    @classmethod
    def of(cls, mask: Bool[np.ndarray, "frame height width"]) -> "Stay":
        areas, frames = mask.sum((1, 2)), showing_frames(mask)
        middles = np.array([np.argwhere(mask[t]).mean(0) for t in frames])
        first, last = (on_border(mask[t]) for t in (frames[0], frames[-1]))
        return cls(frames, middles, float(np.median(areas[areas > 0])), (first, last))

    def speed(self) -> float:
        """Pixels a frame, typically."""
        if len(self.frames) < 2:
            return 0.0
        steps = np.linalg.norm(np.diff(self.middles, axis=0), axis=1) / np.diff(self.frames)
        return float(np.median(steps))


def showing_frames(mask: Bool[np.ndarray, "frame height width"]) -> Int[np.ndarray, "shown"]:
    """The frames that show more than a blink of a thing; it must be seen in one."""
    areas = mask.sum((1, 2))
    return np.flatnonzero(areas >= LEAST_PART * np.median(areas[areas > 0]))


def known_again(
    images: UInt8[np.ndarray, "frame height width rgb=3"], ids: UInt8[np.ndarray, "frame height width"]
) -> UInt8[np.ndarray, "frame height width"]:
    """An object that begins after another has ended, looks like it and can be where it begins, is that one, back again."""
    table = np.arange(256, dtype=np.uint8)
    for k, old in same_things(images, ids).items():
        table[k] = old
    return table[ids]


def same_things(
    images: UInt8[np.ndarray, "frame height width rgb=3"],
    ids: UInt8[np.ndarray, "frame height width"],
    together: Collection[tuple[int, int]] = (),
) -> dict[int, int]:
    """Of every object the one that it is: itself, or the one that was seen first. What looks most alike is joined first.

    `together`: pairs that move as one. What looks more like the thing that it is seen with than like one that is gone is a
    part of the former, as a side is that a turning thing begins to show.
    """
    result = ids.copy()
    stays = {k: Stay.of(ids == k) for k in (int(k) for k in np.unique(ids) if k)}
    looks = {k: typical_looks(images, ids == k) for k in stays}
    least = dict.fromkeys(stays, KNOWN_AGAIN)
    for pair in together:
        both = np.intersect1d(stays[pair[0]].frames, stays[pair[1]].frames)
        least |= {k: max(least[k], looks_beside(images, ids, pair, both)) for k in pair}
    same = {k: k for k in stays}

    def links(pairs: Iterable[tuple[int, int]]) -> dict[tuple[int, int], float]:
        possible = {(j, k): similarity(looks[j], looks[k]) for j, k in pairs if may_be(stays[j], stays[k])}
        return {pair: share for pair, share in possible.items() if share >= least[pair[1]]}

    known = links(permutations(stays, 2))
    while known:
        old, new = max(known, key=lambda pair: known[pair])
        result[result == new] = old
        same = {k: old if one == new else one for k, one in same.items()}
        del stays[new], looks[new]
        stays[old], looks[old] = Stay.of(result == old), typical_looks(images, result == old)
        known = {pair: share for pair, share in known.items() if not {old, new} & set(pair)}
        known |= links([*((old, k) for k in stays if k != old), *((k, old) for k in stays if k != old)])
    return same


def typical_looks(
    images: UInt8[np.ndarray, "frame height width rgb=3"], mask: Bool[np.ndarray, "frame height width"]
) -> Float[np.ndarray, "colour"]:
    """The colours of a thing in the frames that show much of it: what is nearly hidden has those of its border."""
    areas = mask.sum((1, 2))
    clear = np.flatnonzero(areas >= CLEAR_PART * areas.max())
    return smoothed_histogram(images[clear][mask[clear]], blur=1.0)


def may_be(old: Stay, new: Stay) -> bool:
    """Whether size and motion allow that the one goes on as the other; beyond the image's border all may happen."""
    gap = int(new.frames[0] - old.frames[-1])
    in_order = old.frames[0] < new.frames[0] and old.frames[-1] < new.frames[-1]
    if not in_order or gap <= -HANDED_OVER or not 1 / LARGEST_CHANGE < old.area / new.area < LARGEST_CHANGE:
        return False
    if old.at_border[1] and new.at_border[0]:
        return True
    reach = FASTER * max(gap, 1) * max(old.speed(), new.speed()) + np.sqrt(old.area) + np.sqrt(new.area)
    return bool(np.linalg.norm(new.middles[0] - old.middles[-1]) <= reach)


def looks_beside(
    images: UInt8[np.ndarray, "frame height width rgb=3"],
    ids: UInt8[np.ndarray, "frame height width"],
    pair: tuple[int, int],
    both: Int[np.ndarray, "shown"],
) -> float:
    """Similarity of the colours of two objects, the median over some of the frames that show both; 0 if none does."""
    some = both[:: max(1, len(both) // LOOKS)]
    looks = [[colour_histogram(images[t], ids[t] == k) for k in pair] for t in some]
    return float(np.median([similarity(*two) for two in looks])) if looks else 0.0


def on_border(mask: Bool[np.ndarray, "height width"]) -> bool:
    """Whether a mask reaches the image's border."""
    return bool(mask[[0, -1]].any() or mask[:, [0, -1]].any())
