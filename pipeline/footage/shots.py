"""Shots of a video: where one picture does not go on from the one before, however it moves or however bright it is.

Two pictures are of one shot where dense flow explains a fair part of one by the other (`likeness`). A cut is where nothing
before is explained by anything after, while neighbours on both sides are: so flashes, damaged frames, exposure changes and
fast pans are none. What changes gradually is found between cuts (`transitions`), and belongs to no shot.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Int, UInt8

from pipeline.footage.likeness import BLANK, EXPLAINED, even_contrast, nothing_goes_on, share
from pipeline.footage.survey import LEAST_PX, Survey
from pipeline.footage.transitions import Transition, around_cut, find_transitions

REACH = 5  # frames after which a flash is over
FEWEST_FRAMES = 6  # shorter videos are not cut
OF_USUAL = 0.2  # of the usual one, below which a blank picture is so; a dark scene is not
EMPTY = 1.0  # the same where no picture shows more; a dark scene does


@dataclass(frozen=True)
class Shot:
    """The frames of the video from `first` to `last`, and the second that the first one has."""

    first: int
    last: int
    start_s: float
    end_s: float

    def __len__(self) -> int:
        return self.last - self.first + 1


def find_shots(seen: Survey, times_s: list[float], first: int, last: int) -> list[Shot]:
    """All shots from frame `first` to `last` of the video, in the order of time; one where nothing is cut."""
    changes = find_changes(seen)
    firsts, lasts = [first, *(start for _, start in changes)], [*(end for end, _ in changes), last]
    return [Shot(first, last, times_s[first], times_s[last]) for first, last in zip(firsts, lasts, strict=True)]


def find_changes(seen: Survey) -> list[tuple[int, int]]:
    """The places in the video of the last frame of each shot but the last, and of the first of the next one.

    What is between them shows both shots: a dissolve, or a fade.
    """
    cuts = [around_cut(seen.small, cut) for cut in find_cuts(seen.small)]
    found: list[Transition] = []
    for start, cut in zip([0, *(cut.first for cut in cuts)], [*cuts, None], strict=True):
        within = find_transitions(seen.small[start : cut.last + 1 if cut else len(seen)])
        found += [Transition(start + one.last, start + one.first) for one in within] + ([cut] if cut else [])
    # Frames between two of the survey cannot be decoded: they go to the shot before a cut.
    ends = [change.first if change.first == change.last + 1 else change.last for change in found]
    return [
        (int(seen.index[end]) - (end == change.first), int(seen.index[change.first]))
        for end, change in zip(ends, found, strict=True)
    ]


def find_cuts(small: UInt8[np.ndarray, "frame height width"]) -> list[int]:
    """The positions at which a new shot begins."""
    shows = [position for position in range(len(small)) if small[position].std() > BLANK]
    if len(shows) < FEWEST_FRAMES or min(small.shape[1:]) < LEAST_PX:
        return []
    even = [even_contrast(small[position]) for position in shows]
    cuts: list[int] = []
    for place in range(1, len(shows)):
        if (not cuts or place - cuts[-1] >= 2) and is_cut(even, place):
            cuts.append(place)
    return [shows[place] for place in cuts]


def blank_frames(seen: Survey) -> Int[np.ndarray, "blank"]:
    """The places in the video of frames that show nothing: among frames that do, or all where none is even a dark scene."""
    spread = seen.small.std(axis=(1, 2))
    showing = spread[spread > BLANK]
    if not len(showing):
        return seen.index[spread < EMPTY] if spread.max() < EMPTY else np.zeros(0, int)
    return seen.index[spread < min(BLANK, OF_USUAL * float(np.median(showing)))]


def is_cut(even: list[UInt8[np.ndarray, "height width"]], place: int) -> bool:
    """Whether the picture at a place begins a shot."""
    if share(even[place - 1], even[place]) > EXPLAINED:
        return False
    return nothing_goes_on(even[max(place - REACH, 0) : place], even[place : place + REACH])


def longest(shots: list[Shot]) -> int:
    """The place of the shot with the most frames, the first of equals."""
    return int(np.argmax([len(shot) for shot in shots]))


def changes_in_words(shots: list[Shot]) -> str:
    """Where each shot but the first begins, and from where on the one before dissolves or fades into it."""
    return ", ".join(
        f"frame {after.first} ({after.start_s:.2f} s)"
        + (f" by a dissolve or fade from frame {before.last}" if after.first > before.last + 1 else "")
        for before, after in pairwise(shots)
    )


def in_words(shots: list[Shot]) -> str:
    """All shots by number, with their seconds and frames."""
    return ", ".join(
        f"{number}: {shot.start_s:.2f} to {shot.end_s:.2f} s (frames {shot.first} to {shot.last})"
        for number, shot in enumerate(shots, 1)
    )
