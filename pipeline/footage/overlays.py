"""What is drawn over a video and stands still: text, logos, a time stamp, a display.

It is as sharp in the mean of all frames as in each of them, while what is around it changes. What a camera sees is not:
edges that move along themselves (lane markings) are steady, but not in two directions; what is far stays in place, but
not to a fraction of a pixel; before a camera that stands still, too much else is steady.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

FEWEST_FRAMES = 8
STRONG = 12.0  # levels a pixel, over all channels: mean gradient of an edge
STEADY = 0.9  # length of the mean gradient over the mean length: 1 where all frames agree
SHARP = 0.85  # the same of second derivatives, which half a pixel disturbs: mean over the edges of a part
STILL_CAMERA = 0.1  # share of the strong edges, outside what is found, that are steady and sharp
BOTH_DIRECTIONS = 0.2  # smaller over larger eigenvalue of a part's gradients
FILLED = 0.12  # share of its box that edges fill; a frame around the picture has less
FEWEST_EDGES = 30
LARGEST = 0.1  # share of the picture
CHANGING = 4.0  # levels, standard deviation over time of nearly all that is around
NEARLY_ALL = 0.1  # quantile
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

    @property
    def strong(self) -> Bool[np.ndarray, "height width"]:
        return self.strength > STRONG

    @property
    def steady(self) -> Bool[np.ndarray, "height width"]:
        return self.strong & (self.agreement > STEADY)


@dataclass(frozen=True)
class Overlays:
    """Boxes of what is surely drawn over the video, and of what stands still before what hardly changes."""

    sure: list[Box]
    doubtful: list[Box]


def find_overlays(frames: Iterable[UInt8[np.ndarray, "height width rgb=3"]]) -> Overlays:
    """What is drawn over frames that are well spread over a video; none before a camera that stands still."""
    seen = steadiness(frames)
    if seen is None:
        return Overlays([], [])
    boxes = [box for box in steady_parts(seen) if is_drawn(box, seen)]
    rest = seen.steady & (seen.sharpness > SHARP)
    for box in boxes:
        rest[box.pixels] = False
    if rest.sum() > STILL_CAMERA * seen.strong.sum():
        return Overlays([], [])
    sure = [box for box in boxes if surroundings_change(box, seen)]
    return Overlays([with_digits(box, seen) for box in sure], [box for box in boxes if box not in sure])


def steadiness(frames: Iterable[UInt8[np.ndarray, "height width rgb=3"]]) -> Steadiness | None:
    """Sums over the frames, one at a time; None where too few tell nothing."""
    count = 0
    sums: list[np.ndarray] = [np.zeros(1, np.float32)] * 6
    for frame in frames:
        values = frame.astype(np.float32)
        values -= values.mean(axis=(0, 1))  # a light that flickers changes nothing
        slopes = [cv2.Scharr(values, cv2.CV_32F, *axis) / 32 for axis in ((1, 0), (0, 1))]
        slope, curvature = np.concatenate(slopes, axis=-1), cv2.Laplacian(values, cv2.CV_32F)
        terms = (slope, length(slope), curvature, length(curvature), values, values**2)
        sums = [total + term for total, term in zip(sums, terms, strict=True)]
        count += 1
    if count < FEWEST_FRAMES:
        return None
    gradient, strength, bend, bends, mean, square = (total / count for total in sums)
    return Steadiness(
        gradient,
        strength,
        length(gradient) / (strength + 1e-3),
        length(bend) / (bends + 1e-3),
        np.sqrt(np.maximum(square - mean**2, 0)).max(-1),
    )


def length(vectors: Float[np.ndarray, "height width channel"]) -> Float[np.ndarray, "height width"]:
    """The norm over channels."""
    return np.linalg.norm(vectors, axis=-1)


def steady_parts(seen: Steadiness) -> list[Box]:
    """Boxes around steady edges that lie together as the letters of a text do, in the order of the picture."""
    reach = joining_px(seen.size)
    padded = np.pad(seen.steady.astype(np.uint8), 2 * reach)
    joined = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
    inside = np.ascontiguousarray(joined[2 * reach : -2 * reach, 2 * reach : -2 * reach])
    _, _, stats, _ = cv2.connectedComponentsWithStats(inside)
    boxes = [Box(int(x), int(y), int(x + width), int(y + height)) for x, y, width, height, _ in stats[1:]]
    return [box for box in boxes if seen.steady[box.pixels].sum() >= FEWEST_EDGES]


def joining_px(size: tuple[int, int]) -> int:
    """How far edges reach to each other."""
    return max(1, round(JOINED * max(size)))


def is_drawn(box: Box, seen: Steadiness) -> bool:
    """Whether what is steady in a box is compact, sharp, and has edges in both directions."""
    edges = seen.steady[box.pixels]
    if edges.sum() < FILLED * box.area or box.area > LARGEST * seen.strength.size:
        return False
    x, y = np.split(seen.gradient[box.pixels][edges], 2, axis=-1)
    smaller, larger = np.linalg.eigvalsh([[(x * x).sum(), (x * y).sum()], [(x * y).sum(), (y * y).sum()]])
    return bool(smaller >= BOTH_DIRECTIONS * larger and seen.sharpness[box.pixels][edges].mean() >= SHARP)


def surroundings_change(box: Box, seen: Steadiness) -> bool:
    """Whether nearly all pixels around a box change over time."""
    reach = joining_px(seen.size)
    around = np.zeros(seen.size, bool)
    around[box.grown(seen.size, 3 * reach, 3 * reach).pixels] = True
    around[box.grown(seen.size, reach, reach).pixels] = False
    return bool(around.any() and np.quantile(seen.deviation[around], NEARLY_ALL) >= CHANGING)


def with_digits(box: Box, seen: Steadiness) -> Box:
    """The box with what changes beside it in place, as the seconds of a time code do, and the blur of its border."""
    height = box.bottom - box.top
    beside = box.grown(seen.size, height, 0)
    similar = (seen.strong & (np.minimum(seen.agreement, seen.sharpness) > SIMILAR))[beside.pixels]
    columns = np.flatnonzero(similar.sum(0) >= 2) + beside.left
    left, right = min(box.left, *columns), max(box.right, *(columns + 1))
    return Box(int(left), box.top, int(right), box.bottom).grown(seen.size, 1, 1)


def in_words(boxes: Sequence[Box], size: tuple[int, int]) -> str:
    """Where each one is, and how much of the picture all cover."""
    covered = np.zeros(size, bool)
    for box in boxes:
        covered[box.pixels] = True
    places = ", ".join(f"({box.left}, {box.top}) to ({box.right}, {box.bottom})" for box in boxes)
    return f"{100 * covered.mean():.2g} % of the picture, at {places}"
