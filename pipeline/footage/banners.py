"""Bands and frames that are drawn over a video: what still straight lines bound on all sides, but for the picture's own border.

In a scene that moves no straight line stays in its place, unless it moves along itself; so that one line alone bounds nothing but
what stands still itself. A band has text on it; a frame (a picture in the picture) has lines of both directions.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from jaxtyping import Bool, Float

from pipeline.footage.steadiness import SHARP, Box, Steadiness, is_drawn, length, steady_boxes, with_digits

AGREES = 0.8  # steadiness of a line: a band may be half transparent
VISIBLE = 6.0  # levels a pixel
FULL = 0.85  # share of a side that is such a line
THICK_PX = 1  # by which a line may be off
CALM = 0.6  # of the change elsewhere: a band that only one line bounds,
LARGEST_CALM = 0.25  # and its share of the picture
LARGEST_BAND, LARGEST_FRAME = 0.4, 0.5  # share of the picture
STILL_CAMERA = 0.1  # share of the strong edges, outside what is found, that are steady and sharp
SMALLEST_FRAME = 0.1  # of the picture's width and height


@dataclass(frozen=True)
class Lines:
    """Pixels on edges that stand still: on lines along x, and on lines along y."""

    along_x: Bool[np.ndarray, "height width"]
    along_y: Bool[np.ndarray, "height width"]

    @classmethod
    def within(cls, seen: Steadiness) -> "Lines":
        x, y = (length(half) for half in np.split(seen.gradient, 2, axis=-1))
        still = (seen.strength > VISIBLE) & (seen.agreement > AGREES)
        return cls(thickened(still & (y > 2 * x), axis=0), thickened(still & (x > 2 * y), axis=1))

    def bounds(self, box: Box) -> list[bool]:
        """Whether each side of a box is such a line: left, top, right, bottom."""
        rows, columns = box.pixels
        height, width = self.along_x.shape
        return [
            bool(line.mean() >= FULL)
            for line in (
                self.along_y[rows, max(box.left - 1, 0)],
                self.along_x[max(box.top - 1, 0), columns],
                self.along_y[rows, min(box.right, width - 1)],
                self.along_x[min(box.bottom, height - 1), columns],
            )
        ]


def thickened(line: Bool[np.ndarray, "height width"], axis: int) -> Bool[np.ndarray, "height width"]:
    """A line, and what lies beside it."""
    size = 2 * THICK_PX + 1
    shape = (size, 1) if axis == 0 else (1, size)
    return cv2.dilate(line.astype(np.uint8), np.ones(shape, np.uint8)) > 0


def drawn_parts(seen: Steadiness) -> list[Box]:
    """Texts, bands and frames that look drawn over the video; none before a camera that stands still."""
    lines = Lines.within(seen)
    frames = drawn_frames(seen, lines)
    texts = [box for box in steady_boxes(seen) if is_drawn(box, seen) and not any(one.holds(box) for one in frames)]
    wide = [*(with_band(box, seen, lines) for box in texts), *frames]
    rest = seen.steady & (seen.sharpness > SHARP)
    for box in wide:
        for side in sides(box):
            rest[side.pixels] = False
    for box in texts:
        rest[box.pixels] = False
    return [] if rest.sum() > STILL_CAMERA * seen.strong.sum() else without_repeats(wide)


def sides(box: Box) -> list[Box]:
    """The lines along its border."""
    thick = 2 * THICK_PX + 2
    return [
        replace(box, right=min(box.left + thick, box.right)),
        replace(box, bottom=min(box.top + thick, box.bottom)),
        replace(box, left=max(box.right - thick, box.left)),
        replace(box, top=max(box.bottom - thick, box.top)),
    ]


def without_repeats(boxes: Sequence[Box]) -> list[Box]:
    """Boxes that are not within another, in the order of the picture."""
    found: list[Box] = []
    for box in sorted(boxes, key=lambda one: -one.area):
        if not any(other.holds(box) for other in found):
            found.append(box)
    return sorted(found, key=lambda one: (one.top, one.left))


def with_band(box: Box, seen: Steadiness, lines: Lines) -> Box:
    """The band that a text stands on; where there is none the text's own box, with digits that change."""
    height, width = seen.size
    along_x = lines.along_x[:, box.left : box.right].mean(1)
    top, bottom = outwards(along_x, box.top, box.bottom)
    along_y = lines.along_y[top:bottom].mean(0)
    left, right = outwards(along_y, box.left, box.right)
    band = Box(left, top, right, bottom)
    if band.area > LARGEST_BAND * height * width:
        return with_digits(box, seen)
    own_lines = lines.bounds(band)
    at_border = [left == 0, top == 0, right == width, bottom == height]
    if not all(line or border for line, border in zip(own_lines, at_border, strict=True)):
        return with_digits(box, seen)
    own = sum(line and not border for line, border in zip(own_lines, at_border, strict=True))
    bounded = own >= 2 or (own == 1 and calmer(band, seen))
    return band.grown(seen.size, 1, 1) if bounded else with_digits(box, seen)


def calmer(band: Box, seen: Steadiness) -> bool:
    """Whether much less happens in a small part of the picture than in the rest, as what lies over it hides it."""
    rest = np.ones(seen.size, bool)
    rest[band.pixels] = False
    small = band.area <= LARGEST_CALM * rest.size
    return bool(small and np.median(seen.deviation[band.pixels]) < CALM * np.median(seen.deviation[rest]))


def outwards(share: Float[np.ndarray, "line"], start: int, end: int) -> tuple[int, int]:
    """The nearest lines that are nearly full before `start` and from `end` on; the picture's border where there are none."""
    full = np.flatnonzero(share >= FULL)
    before, after = full[full < start], full[full >= end]
    return int(before[-1]) + 1 if before.size else 0, int(after[0]) if after.size else len(share)


def drawn_frames(seen: Steadiness, lines: Lines) -> list[Box]:
    """Frames around a part of the picture."""
    height, width = seen.size
    found = []
    for box in steady_boxes(seen):
        large = min((box.right - box.left) / width, (box.bottom - box.top) / height) >= SMALLEST_FRAME
        if not large or box.area > LARGEST_FRAME * height * width:
            continue
        inner = Box(box.left + 1, box.top + 1, box.right - 1, box.bottom - 1)
        own_lines = lines.bounds(inner)
        at_border = [box.left <= 1, box.top <= 1, box.right >= width - 1, box.bottom >= height - 1]
        closed = all(line or border for line, border in zip(own_lines, at_border, strict=True))
        both = (own_lines[0] or own_lines[2]) and (own_lines[1] or own_lines[3])
        edges = seen.still[box.pixels]
        if closed and both and seen.sharpness[box.pixels][edges].mean() >= SHARP:
            found.append(box.grown(seen.size, 1, 1))
    return found
