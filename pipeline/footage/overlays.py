"""What is drawn over a video: text, logos, a time stamp, a display, a banner, a frame; in all frames, or in some only."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from pipeline.footage.banners import drawn_parts
from pipeline.footage.passing_overlays import WITHIN, FrameList, Overlay, Pattern, passing_overlays, seen_in_frames
from pipeline.footage.steadiness import Box, sums_of, surroundings_change
from pipeline.formats.hidden_pixels import drawn_over

FEWEST_FRAMES = 8
LOOKED_AT = 40  # frames, for what stands all the time
STANDS = 0.5  # least contrast of what stands in a frame
NEARLY_ALWAYS = 0.9  # share of the frames
REPEATED = 0.7  # share of the smaller of two boxes that both have, where they are of one thing


@dataclass(frozen=True)
class Overlays:
    """What is surely drawn over the video, and boxes of what stands still before what hardly changes."""

    sure: list[Overlay]
    doubtful: list[Box]


def find_overlays(frames: FrameList) -> Overlays:
    """What is drawn over the frames of a video; none before a camera that stands still, and none in a few frames."""
    if len(frames) < FEWEST_FRAMES:
        return Overlays([], [])
    chosen = np.unique(np.linspace(0, len(frames) - 1, LOOKED_AT).round().astype(int))
    seen = sums_of(frames[int(t)] for t in chosen).steadiness
    steady = [Pattern.within(box, seen, 0, len(frames)) for box in drawn_parts(seen)]
    contrast = seen_in_frames(steady, (frames[int(t)] for t in chosen))[..., 1] if steady else np.zeros((0, 0))
    sure = passing_overlays(frames)
    doubtful: list[Box] = []
    for pattern, stands in zip(steady, contrast.T >= STANDS, strict=True):
        is_known = any(is_repeated(pattern.box, one.box) for one in sure)
        if not surroundings_change(pattern.box, seen):
            doubtful += [] if is_known else [pattern.box]
        elif stands.mean() >= NEARLY_ALWAYS:
            sure = with_lasting(sure, Overlay(pattern.box, 0, len(frames) - 1))
        elif not is_known:
            sure.append(Overlay(pattern.box, *ends(chosen[stands])))
    return Overlays(sure, doubtful)


def with_lasting(known: Sequence[Overlay], lasting: Overlay) -> list[Overlay]:
    """What stands all the time, and what else is known that is not within it."""
    return [lasting, *(one for one in known if lasting.box.shared(one.box) < WITHIN * one.box.area)]


def is_repeated(box: Box, other: Box) -> bool:
    """Whether two boxes are of one thing."""
    return box.shared(other) >= REPEATED * min(box.area, other.area)


def ends(frames: Int[np.ndarray, "frame"]) -> tuple[int, int]:
    """The first and the last of some frames."""
    return int(frames[0]), int(frames[-1])


def doubtful_in_words(boxes: Sequence[Box]) -> str:
    """Where each one is."""
    return ", ".join(place_in_words(box) for box in boxes)


def in_words(overlays: Sequence[Overlay], times_s: Sequence[float], size: tuple[int, int]) -> str:
    """Where and when each one is, and how much of the pictures all cover."""
    drawn = drawn_over([one.values for one in overlays], (len(times_s), *size))
    places = ", ".join(f"{place_in_words(one.box)}{when_in_words(one, times_s)}" for one in overlays)
    return f"{100 * drawn.mean():.2g} % of the pixels, at {places}"


def place_in_words(box: Box) -> str:
    """Its corners (x, y) in pixels."""
    return f"({box.left}, {box.top}) to ({box.right}, {box.bottom})"


def when_in_words(overlay: Overlay, times_s: Sequence[float]) -> str:
    """Nothing for what stands all the time."""
    if overlay.first == 0 and overlay.last == len(times_s) - 1:
        return ""
    return (
        f" in frames {overlay.first} to {overlay.last} ({times_s[overlay.first]:.1f} to {times_s[overlay.last]:.1f} s)"
    )
