"""Things that were hidden or out of view and come back: one id, if they look the same and can have got there meanwhile.

What blinks is no second thing: the frames in which a thing shows only a small part of itself neither begin nor end it.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from pipeline.segmentation.colour_histogram import colour_histogram, similarity

KNOWN_AGAIN = 0.75  # similarity above which it may be the same
LARGEST_CHANGE = 3.0  # of the area
LEAST_PART = 0.2  # of its typical area: less is a blink
LOOKS = 3  # frames before and after the gap whose colours are compared
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
        areas = mask.sum((1, 2))
        frames = np.flatnonzero(areas >= LEAST_PART * np.median(areas[areas > 0]))
        middles = np.array([np.argwhere(mask[t]).mean(0) for t in frames])
        first, last = (on_border(mask[t]) for t in (frames[0], frames[-1]))
        return cls(frames, middles, float(np.median(areas[areas > 0])), (first, last))

    def speed(self) -> float:
        """Pixels a frame, typically."""
        if len(self.frames) < 2:
            return 0.0
        steps = np.linalg.norm(np.diff(self.middles, axis=0), axis=1) / np.diff(self.frames)
        return float(np.median(steps))


def known_again(
    images: UInt8[np.ndarray, "frame height width rgb=3"], ids: UInt8[np.ndarray, "frame height width"]
) -> UInt8[np.ndarray, "frame height width"]:
    """An object that begins after another has ended, looks like it and can be where it begins, is that one, back again."""
    table = np.arange(256, dtype=np.uint8)
    for k, old in same_things(images, ids).items():
        table[k] = old
    return table[ids]


def same_things(
    images: UInt8[np.ndarray, "frame height width rgb=3"], ids: UInt8[np.ndarray, "frame height width"]
) -> dict[int, int]:
    """Of every object the one that it is: itself, or the one that was seen first."""
    result, stays = ids.copy(), {k: Stay.of(ids == k) for k in (int(k) for k in np.unique(ids) if k)}
    same = {k: k for k in stays}
    for k in sorted(stays, key=lambda k: int(stays[k].frames[0])):
        alike = {j: looks_alike(images, result, j, k, stays) for j in stays if j != k and may_be(stays[j], stays[k])}
        if alike and max(alike.values()) >= KNOWN_AGAIN:
            old = max(alike, key=lambda j: alike[j])
            result[result == k] = old
            same = {j: old if one == k else one for j, one in same.items()}
            del stays[k]
            stays[old] = Stay.of(result == old)
    return same


def may_be(old: Stay, new: Stay) -> bool:
    """Whether size and motion allow that the one goes on as the other; beyond the image's border all may happen."""
    gap = int(new.frames[0] - old.frames[-1])
    if gap <= 0 or not 1 / LARGEST_CHANGE < old.area / new.area < LARGEST_CHANGE:
        return False
    if old.at_border[1] and new.at_border[0]:
        return True
    reach = FASTER * gap * max(old.speed(), new.speed()) + np.sqrt(old.area) + np.sqrt(new.area)
    return bool(np.linalg.norm(new.middles[0] - old.middles[-1]) <= reach)


def looks_alike(
    images: UInt8[np.ndarray, "frame height width rgb=3"],
    ids: UInt8[np.ndarray, "frame height width"],
    old: int,
    new: int,
    stays: dict[int, Stay],
) -> float:
    """Similarity of the colours shown last and shown first, the best pair of frames."""
    before, after = stays[old].frames[-LOOKS:], stays[new].frames[:LOOKS]
    first, second = (
        [colour_histogram(images[t], ids[t] == k) for t in frames] for k, frames in ((old, before), (new, after))
    )
    return max(similarity(a, b) for a in first for b in second)


def on_border(mask: Bool[np.ndarray, "height width"]) -> bool:
    """Whether a mask reaches the image's border."""
    return bool(mask[[0, -1]].any() or mask[:, [0, -1]].any())
