"""Gradual transitions between shots: dissolves, and fades through black or another colour.

Blended pictures have less contrast than what they are blended of, as contrasts of two scenes do not add up. So where the
contrast has a dip, while the camera moves too little to leave the scene, nothing before the dip goes on after it, and the
picture in the middle is a sum of what is before and after, one shot becomes another. In a fade the middle shows nothing. A
quick pan has a dip by its blur, but it moves far; a flash or a dark moment has the same scene after it; where a camera
follows something, the picture in the middle is its own.
"""

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from pipeline.footage.likeness import (
    BLANK,
    EXPLAINED,
    Comparison,
    Picture,
    compare,
    even_contrast,
    nothing_goes_on,
    share,
)
from pipeline.footage.survey import LEAST_PX

HALVES = (3, 5, 8, 12, 18, 27, 40)  # frames from the middle of a transition to its ends
DIP = 0.87  # of the smaller of both contrasts; 0.5 for equal ones, 0.8 where one is four times the other
PLATEAU = 0.93  # of the contrast of a shot: where the transition ends
FADED = 0.25  # of the standard deviation of both shots, in the middle of a fade
SUM = 0.8  # share of the variance of the middle picture that a sum of both ends explains; 0.65 without a dissolve
WEIGHT = 0.25  # of each of both in it
COARSE_PX = 2.0  # smoothing of the pictures that are added: motion is known as a shift only
IN_BOTH = 0.3  # share of the middle picture to which both ends come
LOCAL = 2  # frames on both sides, among which the middle has the least contrast
AROUND = 4  # frames on both sides that are compared
SMOOTH = 0.35  # share that neighbours within a transition explain, in the middle
LEAVES = 0.45  # of the width, moved in all: what was seen before is still to be seen

Pictures = UInt8[np.ndarray, "frame height width"]
Coarse = Float[np.ndarray, "height width"]
Drift = tuple[float, float]
STILL: Drift = (0.0, 0.0)


@dataclass(frozen=True)
class Transition:
    """The places of the last picture of a shot and of the first of the next; what is between shows both."""

    last: int
    first: int


def find_transitions(small: Pictures) -> list[Transition]:
    """The gradual transitions within pictures that no cut divides, in the order of time."""
    shows = [place for place in range(len(small)) if small[place].std() > BLANK]
    if len(shows) < 2 * HALVES[0] + 1 or min(small.shape[1:]) < LEAST_PX:
        return []
    shown = small[shows]
    contrast = smoothed(np.array([detail(picture) for picture in shown]))
    even = [even_contrast(picture) for picture in shown]
    found: list[Transition] = []
    for middle in dips(contrast):
        if found and middle < found[-1].first:
            continue
        half = next((half for half in HALVES if is_transition(shown, even, contrast, middle, half)), None)
        if half is not None:
            found.append(whole_transition(contrast, middle, half))
    return [Transition(shows[one.last], shows[one.first]) for one in found]


def detail(picture: Picture) -> float:
    """The mean squared gradient of a picture, less what noise would have."""
    values = cv2.GaussianBlur(picture.astype(np.float32), (0, 0), 1.0)
    return float(np.mean(cv2.Sobel(values, cv2.CV_32F, 1, 0) ** 2 + cv2.Sobel(values, cv2.CV_32F, 0, 1) ** 2) / 64)


def smoothed(values: Float[np.ndarray, "frame"]) -> Float[np.ndarray, "frame"]:
    """The median of each value and its neighbours: one damaged picture is no dip."""
    padded = np.pad(values, 1, mode="edge")
    return np.median(np.stack([padded[:-2], padded[1:-1], padded[2:]]), axis=0)


def dips(contrast: Float[np.ndarray, "frame"]) -> list[int]:
    """Places of the least contrast nearby, with more on both sides; the middle one of equals."""
    places = []
    for place in range(HALVES[0], len(contrast) - HALVES[0]):
        near = contrast[max(place - LOCAL, 0) : place + LOCAL + 1]
        sides = contrast[max(place - HALVES[-1], 0) : place].max(), contrast[place : place + HALVES[-1] + 1].max()
        if contrast[place] <= near.min() and contrast[place] < DIP * min(sides):
            places.append(place)
    return places


def is_transition(
    pictures: Pictures, even: list[Picture], contrast: Float[np.ndarray, "frame"], middle: int, half: int
) -> bool:
    """Whether one shot becomes another from `half` pictures before the middle to as many after it."""
    last, first = middle - half, middle + half
    if last < 0 or first >= len(even) or contrast[middle] > DIP * min(contrast[last], contrast[first]):
        return False
    if share(even[last], even[first]) > EXPLAINED:
        return False
    if not nothing_goes_on(even[max(last - AROUND, 0) : last + 1], even[first : first + AROUND + 1]):
        return False
    if pans_on(even, last, first):
        return False
    if not is_faded(pictures[[last, middle, first]]) and not is_blend(pictures, even, last, middle, first):
        return False
    steps = [compare(a, b) for a, b in pairwise(even[last : first + 1])]
    return stays(steps, even[0].shape[1])


def drifts(even: list[Picture], last: int, first: int) -> tuple[Drift, Drift]:
    """How far the first shot moves in a frame at its end, and the second one backwards at its beginning."""
    there = compare(even[last - 1], even[last]).drift_px if last else STILL
    back = compare(even[first + 1], even[first]).drift_px if first + 1 < len(even) else STILL
    return there, back


def pans_on(even: list[Picture], last: int, first: int) -> bool:
    """Whether the second end goes on where the first would be by then, as it pans: too far for flow to find."""
    there, back = drifts(even, last, first)
    moved = [shifted(even[last], drift, first - last) for drift in (there, (-back[0], -back[1]))]
    return any(one.std() > 0 and share(one, even[first]) > EXPLAINED for one in moved)


def is_faded(three: Pictures) -> bool:
    """Whether the second of three pictures shows much less than the others; a blur leaves dark and bright parts."""
    before, between, after = three.std(axis=(1, 2))
    return bool(between < FADED * min(before, after))


def is_blend(pictures: Pictures, even: list[Picture], last: int, middle: int, first: int) -> bool:
    """Whether the middle picture is a sum of both ends: as they stand, or moved on as each of their shots moves there."""
    there, back = drifts(even, last, first)
    between = coarse(pictures[middle])
    return any(
        is_sum(coarse(pictures[last], one, middle - last), coarse(pictures[first], other, first - middle), between)
        for one, other in ((STILL, STILL), (there, back))
    )


def is_sum(one: Coarse, other: Coarse, between: Coarse) -> bool:
    """Whether a picture is a weighted sum of two others, where both are known."""
    known = np.isfinite(one) & np.isfinite(other)
    if known.mean() < IN_BOTH:
        return False
    one, other, between = (values[known] - values[known].mean() for values in (one, other, between))
    ends = np.stack([one, other], axis=1)
    weights = np.linalg.lstsq(ends, between, rcond=None)[0]
    unexplained = float(np.var(between - ends @ weights) / max(float(np.var(between)), 1e-6))
    return bool(weights.min() >= WEIGHT and unexplained < 1 - SUM)


def coarse(picture: Picture, drift_px: Drift = STILL, frames: int = 0) -> Coarse:
    """A picture without its details, moved by so many frames; NaN where nothing comes to."""
    return shifted(cv2.GaussianBlur(picture.astype(np.float32), (0, 0), COARSE_PX), drift_px, frames, np.nan)


def shifted(picture: np.ndarray, drift_px: Drift, frames: int, outside: float = 0.0) -> np.ndarray:
    """A picture moved by so many frames."""
    shift = np.array([[1, 0, frames * drift_px[0]], [0, 1, frames * drift_px[1]]], np.float32)
    size = picture.shape[::-1]
    return cv2.warpAffine(picture, shift, size, borderMode=cv2.BORDER_CONSTANT, borderValue=(outside,))


def stays(steps: list[Comparison], width: int) -> bool:
    """Whether neighbours explain each other, and the camera moves too little to leave what it saw."""
    smooth = float(np.median([step.share for step in steps])) >= SMOOTH
    return smooth and sum(step.moved_px for step in steps) < LEAVES * width


def around_cut(small: Pictures, cut: int) -> Transition:
    """A cut, with the fade on both sides of it where there is one: the pictures beside it show much less than the shots."""
    start = max(cut - HALVES[-1], 0)
    near = small[start : cut + HALVES[-1]]
    contrast, place = np.array([detail(picture) for picture in near]), cut - start
    darkest = max(place - LOCAL, 0) + int(near[max(place - LOCAL, 0) : place + LOCAL].std(axis=(1, 2)).argmin())
    clear = [int(side.argmax()) for side in (contrast[:place], contrast[place:])]
    if not is_faded(near[[clear[0], darkest, place + clear[1]]]):
        return Transition(cut - 1, cut)
    before, after = (float(np.quantile(side, 0.75)) for side in (contrast[:place], contrast[place:]))
    rises, falls = (
        np.flatnonzero(side >= PLATEAU * whole)
        for side, whole in ((contrast[:place], before), (contrast[place:], after))
    )
    return Transition(start + int(rises[-1]), cut + int(falls[0]))


def whole_transition(contrast: Float[np.ndarray, "frame"], middle: int, half: int) -> Transition:
    """The transition up to where both shots have their whole contrast."""
    before, after = (
        contrast[max(middle - 3 * half, 0) : middle - half + 1],
        contrast[middle + half : middle + 3 * half + 1],
    )
    left, right = contrast[: middle - half + 1], contrast[middle + half :]
    rises = np.flatnonzero(left >= PLATEAU * np.median(before))
    falls = np.flatnonzero(right >= PLATEAU * np.median(after))
    last = int(rises[-1]) if len(rises) else middle - half
    return Transition(last, middle + half + (int(falls[0]) if len(falls) else 0))
