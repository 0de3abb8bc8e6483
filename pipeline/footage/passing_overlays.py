"""What is drawn over some frames of a video only: a title, a subtitle, a mark that changes its corner.

It stands still for some frames, and it comes and goes in place. What a camera follows may stand still in the picture for a
while, too; but it comes by moving there, and is seen elsewhere the moment before. What turns while it is followed is seen nowhere
else, but it is not the same for longer than it was looked at.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any, Protocol, runtime_checkable

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from pipeline.footage.banners import drawn_parts
from pipeline.footage.steadiness import Box, Steadiness, Sums, slopes, sums_of, surroundings_change

HALF_WINDOW = 2  # frames; windows of twice as many, and of 2, 4, 8, ... times that, are looked at
SAME = 0.7  # likeness, as a correlation of gradients, while it stands
FADED, ALIKE = 0.15, 0.35  # least contrast and likeness of what fades in or out
LONGEST_FADE = 12  # frames
UNCHANGED, LONGER = 0.9, 1.5  # of its best likeness; of the window, for so many frames in a row
GONE = 0.35  # most likeness, at any place near, of what went away in place
REACH = 0.06  # of the longer side: how near
WITHIN = 0.9  # share of a box that is inside another
OWN = 0.5  # share of a part's box
LOOKED_AT = 16  # frames that tell where it ends
BORDER = 2  # frames by which parts of one overlay may begin or end at another time


@runtime_checkable
class FrameList(Protocol):
    """Frames of a scene, read when they are asked for."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> UInt8[np.ndarray, "height width rgb=3"]: ...


@dataclass(frozen=True)
class Pattern:
    """What stands still in a window of frames, `first` to before `end`: the edges within a box, and their mean gradients."""

    box: Box
    edges: Bool[np.ndarray, "box_height box_width"]
    gradient: Float[np.ndarray, "edge 6"]
    first: int
    end: int

    @classmethod
    def within(cls, box: Box, seen: Steadiness, first: int, end: int) -> "Pattern":
        edges = seen.still[box.pixels]
        return cls(box, edges, seen.gradient[box.pixels][edges], first, end)

    def seen_in(self, slope: Float[np.ndarray, "height width 6"]) -> tuple[float, float]:
        """Its likeness (correlation) and its contrast (1: as in the window) in a frame, in place."""
        found = slope[self.box.pixels][self.edges]
        common, own = float((found * self.gradient).sum()), float((self.gradient**2).sum())
        return common / np.sqrt(max(own * float((found**2).sum()), 1e-6)), common / own

    def likeness_near(self, slope: Float[np.ndarray, "height width 6"]) -> float:
        """The most likeness in a frame at any place near its own."""
        size = (slope.shape[0], slope.shape[1])
        reach = round(REACH * max(size))
        around = slope[self.box.grown(size, reach, reach).pixels]
        template = np.zeros((*self.edges.shape, 6), np.float32)
        template[self.edges] = self.gradient
        common = np.sum([correlation(around[..., k], template[..., k]) for k in range(6)], axis=0)
        energy = correlation((around**2).sum(-1), self.edges.astype(np.float32))
        return float((common / np.sqrt(np.maximum(energy, 1.0) * float((template**2).sum()))).max())


def correlation(
    image: Float[np.ndarray, "height width"], template: Float[np.ndarray, "template_height template_width"]
) -> Float[np.ndarray, "place_height place_width"]:
    """Sums of products at every place of a template."""
    return cv2.matchTemplate(np.ascontiguousarray(image), np.ascontiguousarray(template), cv2.TM_CCORR)


@dataclass(frozen=True)
class Overlay:
    """A box of what is drawn over the frames `first` to `last`."""

    box: Box
    first: int
    last: int

    @property
    def values(self) -> dict[str, Any]:
        """How frames.json says it."""
        return {"box": self.box.values, "first": self.first, "last": self.last}


def passing_overlays(frames: FrameList) -> list[Overlay]:
    """What is drawn over some of the frames, in the order in which it appears."""
    patterns = [pattern for window in windows(frames) for pattern in standing(*window)]
    if not patterns:
        return []
    seen = seen_in_frames(patterns, (frames[t] for t in range(len(frames))))
    runs = [run_of(pattern, seen[:, k, 0], seen[:, k, 1]) for k, pattern in enumerate(patterns)]
    found: list[Overlay] = []
    for k, (pattern, run) in enumerate(zip(patterns, runs, strict=True)):
        if any(explains(other, run) for other in found):
            continue
        if stays_the_same(pattern, seen[:, k, 0]) and comes_and_goes_in_place(pattern, run, frames):
            found = with_part(found, run)
    found = [replace(one, box=measured_box(one, frames)) for one in found]
    return sorted(found, key=lambda one: (one.first, one.box.top, one.box.left))


def seen_in_frames(
    patterns: Sequence[Pattern], frames: Iterable[UInt8[np.ndarray, "height width rgb=3"]]
) -> Float[np.ndarray, "frame pattern 2"]:
    """Likeness and contrast of patterns in frames, in place."""
    return np.array([[pattern.seen_in(slope) for pattern in patterns] for slope in map(slopes, frames)])


def windows(frames: FrameList) -> Iterator[tuple[Steadiness, int, int]]:
    """Steadiness over windows of 4, 8, 16, ... frames, each half as far from the next as it is long: with first frame and end."""
    before: list[Sums] = []  # by length, the half of a window that waits for its other
    for number in range(len(frames) // HALF_WINDOW):
        start = number * HALF_WINDOW
        block, end = sums_of(frames[t] for t in range(start, start + HALF_WINDOW)), start + HALF_WINDOW
        level = 0
        while level < len(before):
            window = before[level] + block
            yield window.steadiness, end - window.count, end
            before[level] = block
            if (number + 1) % 2 ** (level + 1):
                break
            block, level = window, level + 1
        else:
            before.append(block)


def standing(seen: Steadiness, first: int, end: int) -> list[Pattern]:
    """What looks drawn over all frames of a window, beside what moves meanwhile."""
    return [Pattern.within(box, seen, first, end) for box in drawn_parts(seen) if surroundings_change(box, seen)]


def run_of(pattern: Pattern, likeness: Float[np.ndarray, "frame"], contrast: Float[np.ndarray, "frame"]) -> Overlay:
    """The frames in which a pattern stands in its place, with those in which it fades in or out."""
    first = last = pattern.first + int(likeness[pattern.first : pattern.end].argmax())
    while first > 0 and likeness[first - 1] >= SAME:
        first -= 1
    while last + 1 < len(likeness) and likeness[last + 1] >= SAME:
        last += 1
    earliest, latest = max(first - LONGEST_FADE, 0), min(last + LONGEST_FADE, len(likeness) - 1)
    faint = (contrast >= FADED) & (likeness >= ALIKE)
    while first > earliest and faint[first - 1]:
        first -= 1
    while last < latest and faint[last + 1]:
        last += 1
    return Overlay(pattern.box, first, last)


def stays_the_same(pattern: Pattern, likeness: Float[np.ndarray, "frame"]) -> bool:
    """Whether it looks alike for longer than the window whose mean it is: what drifts is like it in that window only.

    A video that ends meanwhile, or began, does not speak against it.
    """
    best = pattern.first + int(likeness[pattern.first : pattern.end].argmax())
    alike = likeness >= UNCHANGED * likeness[best]
    first = last = best
    while first > 0 and alike[first - 1]:
        first -= 1
    while last + 1 < len(alike) and alike[last + 1]:
        last += 1
    at_end = first == 0 or last == len(alike) - 1
    return at_end or last - first + 1 >= LONGER * (pattern.end - pattern.first)


def comes_and_goes_in_place(pattern: Pattern, run: Overlay, frames: FrameList) -> bool:
    """Whether it is nowhere near just before and after; what stands from the first frame to the last did neither."""
    beside = [t for t in (run.first - 1, run.last + 1) if 0 <= t < len(frames)]
    return bool(beside) and all(pattern.likeness_near(slopes(frames[t])) < GONE for t in beside)


def measured_box(overlay: Overlay, frames: FrameList) -> Box:
    """Its box as all of its frames tell it, not only those of the windows that it was found in."""
    chosen = np.unique(np.linspace(overlay.first, overlay.last, LOOKED_AT).round().astype(int))
    parts = drawn_parts(sums_of(frames[int(t)] for t in chosen).steadiness)
    own = [box for box in parts if box.shared(overlay.box) >= OWN * box.area]
    return reduce(Box.union, own) if own else overlay.box


def explains(known: Overlay, other: Overlay) -> bool:
    """Whether a box in some frames is what is known already."""
    meanwhile = known.first - BORDER <= other.first and other.last <= known.last + BORDER
    return meanwhile and known.box.shared(other.box) >= WITHIN * other.box.area


def with_part(found: list[Overlay], part: Overlay) -> list[Overlay]:
    """What was found, with a further part: joined to what it overlaps in the same frames."""
    same = [
        one
        for one in found
        if abs(one.first - part.first) <= BORDER and abs(one.last - part.last) <= BORDER and one.box.shared(part.box)
    ]
    for one in same:
        part = Overlay(
            part.box.union(one.box),
            min(part.first, one.first),
            max(part.last, one.last),
        )
    return [*(one for one in found if one not in same), part]
