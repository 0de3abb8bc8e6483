"""How much frames agree at each pixel, and which parts of them therefore look drawn over the video.

What is drawn is as sharp in the mean of several frames as in each of them, while what is around it changes. What a camera sees
is not: edges that move along themselves (lane markings) are steady, but not in two directions; what is far stays in place, but
not to a fraction of a pixel; before a camera that stands still, too much else is steady.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

STRONG = 12.0  # levels a pixel, over all channels: mean gradient of an edge
STEADY = 0.9  # length of the mean gradient over the mean length: 1 where all frames agree
SHARP = 0.85  # the same of second derivatives, which half a pixel disturbs: mean over the edges of a part
BOTH_DIRECTIONS = 0.2  # smaller over larger eigenvalue of a part's gradients
AROUND = 5  # pixels of that window
FILLED = 0.12  # share of its box that edges fill; a frame around the picture has less
FEWEST_EDGES = 30
LARGEST = 0.1  # share of the picture
LOWEST = 0.2  # of the height: a larger one is a banner, wide and low
CHANGING = 4.0  # levels, standard deviation over time of nearly all that is around
NEARLY_ALL = 0.1  # quantile
NEAR_REACHES = 10  # reaches of JOINED within which edges are near
FEWEST_NEAR, MOST_STILL = 100, 0.03  # pixels of such edges, and the share of them that is still
JOINED = 0.01  # of the longer side: half the gap between letters of one text
SIMILAR = 0.6  # steadiness of digits that change, beside others that do not


@dataclass(frozen=True)
class Box:
    """Pixels from `left` and `top` to before `right` and `bottom`."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def values(self) -> list[int]:
        return [self.left, self.top, self.right, self.bottom]

    @property
    def pixels(self) -> tuple[slice, slice]:
        """Its rows and columns."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    @property
    def area(self) -> int:
        return (self.right - self.left) * (self.bottom - self.top)

    def grown(self, size: tuple[int, int], x: int, y: int) -> "Box":
        """Larger on all sides, as far as a picture of this (height, width) goes."""
        height, width = size
        left, top = max(self.left - x, 0), max(self.top - y, 0)
        return Box(left, top, min(self.right + x, width), min(self.bottom + y, height))

    def union(self, other: "Box") -> "Box":
        """The smallest box around both."""
        return Box(
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
        )

    def holds(self, other: "Box") -> bool:
        """Whether another is inside."""
        return self.shared(other) == other.area

    def shared(self, other: "Box") -> int:
        """Pixels that both have."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(width, 0) * max(height, 0)


@dataclass(frozen=True)
class Steadiness:
    """How much frames agree at each pixel; gradients are means over time, six of a pixel: along x, then y, by channel."""

    gradient: Float[np.ndarray, "height width 6"]
    strength: Float[np.ndarray, "height width"]
    agreement: Float[np.ndarray, "height width"]
    sharpness: Float[np.ndarray, "height width"]
    deviation: Float[np.ndarray, "height width"]

    @property
    def size(self) -> tuple[int, int]:
        height, width = self.strength.shape
        return height, width

    @cached_property
    def strong(self) -> Bool[np.ndarray, "height width"]:
        return self.strength > STRONG

    @cached_property
    def steady(self) -> Bool[np.ndarray, "height width"]:
        return self.strong & (self.agreement > STEADY)

    @cached_property
    def still(self) -> Bool[np.ndarray, "height width"]:
        """Steady edges that are as sharp as what does not move at all, by their mean over a small window."""
        steady = self.steady.astype(np.float32)
        sharpness = cv2.boxFilter(steady * self.sharpness.astype(np.float32), -1, (AROUND, AROUND))
        return self.steady & (sharpness > SHARP * cv2.boxFilter(steady, -1, (AROUND, AROUND)))


@dataclass(frozen=True)
class Sums:
    """Over some frames, at each pixel: gradients and their lengths, curvatures and theirs, values and their squares."""

    count: int
    terms: tuple[Float[np.ndarray, "height width ..."], ...]

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(self.count + other.count, tuple(a + b for a, b in zip(self.terms, other.terms, strict=True)))

    @cached_property
    def steadiness(self) -> Steadiness:
        """What the means over the frames tell."""
        gradient, strength, bend, bends, mean, square = (total / self.count for total in self.terms)
        return Steadiness(
            gradient,
            strength,
            length(gradient) / (strength + 1e-3),
            length(bend) / (bends + 1e-3),
            np.sqrt(np.maximum(square - mean**2, 0)).max(-1),
        )


def sums_of(frames: Iterable[UInt8[np.ndarray, "height width rgb=3"]]) -> Sums:
    """Sums over at least one frame, of which one at a time is in memory."""
    total: Sums | None = None
    for frame in frames:
        values, slope = evened(frame), slopes(frame)
        curvature = cv2.Laplacian(values, cv2.CV_32F)
        one = Sums(1, (slope, length(slope), curvature, length(curvature), values, values**2))
        total = one if total is None else total + one
    assert total is not None
    return total


def evened(frame: UInt8[np.ndarray, "height width rgb=3"]) -> Float[np.ndarray, "height width rgb=3"]:
    """A frame less its mean colour: a light that flickers changes nothing."""
    values = frame.astype(np.float32)
    return values - np.array(cv2.mean(values)[:3], np.float32)


def slopes(frame: UInt8[np.ndarray, "height width rgb=3"]) -> Float[np.ndarray, "height width 6"]:
    """Levels a pixel, along x of each channel, then along y."""
    values = frame.astype(np.float32)
    return np.concatenate([cv2.Scharr(values, cv2.CV_32F, *axis) / 32 for axis in ((1, 0), (0, 1))], axis=-1)


def length(vectors: Float[np.ndarray, "height width channel"]) -> Float[np.ndarray, "height width"]:
    """The norm over channels."""
    return np.sqrt(np.einsum("hwc,hwc->hw", vectors, vectors))


def steady_boxes(seen: Steadiness) -> list[Box]:
    """Boxes around still edges that lie together as the letters of a text do, in the order of the picture."""
    reach = joining_px(seen.size)
    still = seen.still
    padded = np.pad(still.astype(np.uint8), 2 * reach)
    joined = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
    inside = np.ascontiguousarray(joined[2 * reach : -2 * reach, 2 * reach : -2 * reach])
    _, _, stats, _ = cv2.connectedComponentsWithStats(inside)
    boxes = [Box(int(x), int(y), int(x + width), int(y + height)) for x, y, width, height, _ in stats[1:]]
    return [box for box in boxes if still[box.pixels].sum() >= FEWEST_EDGES]


def joining_px(size: tuple[int, int]) -> int:
    """How far edges reach to each other."""
    return max(1, round(JOINED * max(size)))


def is_drawn(box: Box, seen: Steadiness) -> bool:
    """Whether what is steady in a box is compact, sharp, and has edges in both directions."""
    edges = seen.still[box.pixels]
    low = box.bottom - box.top <= LOWEST * seen.size[0]
    if edges.sum() < FILLED * box.area or (box.area > LARGEST * seen.strength.size and not low):
        return False
    x, y = np.split(seen.gradient[box.pixels][edges], 2, axis=-1)
    smaller, larger = np.linalg.eigvalsh([[(x * x).sum(), (x * y).sum()], [(x * y).sum(), (y * y).sum()]])
    return bool(smaller >= BOTH_DIRECTIONS * larger and seen.sharpness[box.pixels][edges].mean() >= SHARP)


def surroundings_change(box: Box, seen: Steadiness) -> bool:
    """Whether nearly all pixels around a box change over time, or all edges that are near move."""
    reach = joining_px(seen.size)
    around = ring(box, reach, 3 * reach, seen.size)
    if around.any() and np.quantile(seen.deviation[around], NEARLY_ALL) >= CHANGING:
        return True
    edges = seen.strong & ring(box, reach, NEAR_REACHES * reach, seen.size)
    return bool(edges.sum() >= FEWEST_NEAR and seen.still[edges].mean() <= MOST_STILL)


def ring(box: Box, inner: int, outer: int, size: tuple[int, int]) -> Bool[np.ndarray, "height width"]:
    """Pixels that are so far from a box."""
    around = np.zeros(size, bool)
    around[box.grown(size, outer, outer).pixels] = True
    around[box.grown(size, inner, inner).pixels] = False
    return around


def with_digits(box: Box, seen: Steadiness) -> Box:
    """The box with what changes beside it in place, as the seconds of a time code do, and the blur of its border."""
    height = box.bottom - box.top
    beside = box.grown(seen.size, height, 0)
    similar = (seen.strong & (np.minimum(seen.agreement, seen.sharpness) > SIMILAR))[beside.pixels]
    columns = np.flatnonzero(similar.sum(0) >= 2) + beside.left
    left, right = min(box.left, *columns), max(box.right, *(columns + 1))
    return Box(int(left), box.top, int(right), box.bottom).grown(seen.size, 1, 1)
