"""Shots of a video: where one picture does not go on from the one before, however it moves or however bright it is.

Two pictures are of one shot where dense flow explains a fair part of one by the other. A cut is where nothing before is
explained by anything after, while neighbours on both sides are: so flashes, damaged frames, exposure changes and fast
pans are none.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8

from pipeline.footage.survey import Survey

SAME = 0.5  # correlation of two pictures, local contrast made even, that are surely of one shot
EXPLAINED = 0.12  # share of pixels explained by flow; other scenes reach 0.06, neighbours in fast motion have 0.4
OF_NEIGHBOURS = 0.2  # the same, times what neighbours have
REACH = 5  # frames after which a flash is over
FEWEST_FRAMES = 6  # shorter videos are not cut
OF_USUAL = 0.2  # of the usual one, below which a blank picture is so; a dark scene is not
BLANK = 3.0  # standard deviation, grey levels, of a picture that shows nothing: black between fades
EMPTY = 1.0  # the same where no picture shows more; a dark scene does
EVEN_PX = 8.0  # scale over which contrast is made even
ROUND_TRIP_PX = 1.0
PATCH_PX = 9
MATCHING = 0.7  # normalised cross-correlation of patches that show the same


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
    firsts = [0, *find_cuts(seen.small)]
    starts = [int(seen.index[position]) for position in firsts]
    starts[0] = first
    lasts = [*(start - 1 for start in starts[1:]), last]
    return [Shot(first, last, times_s[first], times_s[last]) for first, last in zip(starts, lasts, strict=True)]


def find_cuts(small: UInt8[np.ndarray, "frame height width"]) -> list[int]:
    """The positions at which a new shot begins."""
    shows = [position for position in range(len(small)) if small[position].std() > BLANK]
    if len(shows) < FEWEST_FRAMES:
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
    before, after = even[max(place - REACH, 0) : place], even[place : place + REACH]
    least = min(cohesion(before), cohesion(after))
    limit = min(EXPLAINED, OF_NEIGHBOURS * least)
    across = [(before[-1], later) for later in after[1:]] + [(earlier, after[0]) for earlier in before[:-1]]
    return all(share(a, b) < limit for a, b in [(before[-1], after[0]), *across])


def cohesion(pictures: list[UInt8[np.ndarray, "height width"]]) -> float:
    """How well neighbours explain each other; a single picture tells nothing against it."""
    shares = [share(a, b) for a, b in pairwise(pictures)]
    return float(np.median(shares)) if shares else 1.0


def even_contrast(picture: UInt8[np.ndarray, "height width"]) -> UInt8[np.ndarray, "height width"]:
    """The picture with the same mean and contrast everywhere: exposure does not count."""
    values = picture.astype(np.float32)
    centred = values - cv2.GaussianBlur(values, (0, 0), EVEN_PX)
    spread = np.sqrt(cv2.GaussianBlur(centred**2, (0, 0), EVEN_PX))
    return np.clip(128 + 40 * centred / (spread + 4), 0, 255).astype(np.uint8)


def share(a: UInt8[np.ndarray, "height width"], b: UInt8[np.ndarray, "height width"]) -> float:
    """The share of a picture that another explains; 1 without a look at the flow where they are nearly the same."""
    if np.corrcoef(a.ravel(), b.ravel())[0, 1] > SAME:
        return 1.0
    flow: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    there, back = flow.calc(a, b, None), flow.calc(b, a, None)
    places = there + np.stack(np.meshgrid(*map(np.arange, a.shape[::-1])), axis=-1).astype(np.float32)
    error = np.linalg.norm(there + sampled(back, places, 1e3), axis=-1)
    returns = error < ROUND_TRIP_PX + 0.05 * np.linalg.norm(there, axis=-1)
    return float((returns & (patch_correlation(a, sampled(b, places, 0.0)) > MATCHING)).mean())


def sampled(image: np.ndarray, places: Float[np.ndarray, "height width xy=2"], outside: float) -> np.ndarray:
    """An image's values at places."""
    return cv2.remap(
        image,
        places[..., 0],
        places[..., 1],
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(outside, outside),
    )


def patch_correlation(
    a: UInt8[np.ndarray, "height width"], b: UInt8[np.ndarray, "height width"]
) -> Float[np.ndarray, "height width"]:
    """Normalised cross-correlation of the patches around each pixel, near 0 where there is no texture."""

    def mean(values: Float[np.ndarray, "height width"]) -> Float[np.ndarray, "height width"]:
        return cv2.blur(values, (PATCH_PX, PATCH_PX))

    a, b = a.astype(np.float32), b.astype(np.float32)
    covariance = mean(a * b) - mean(a) * mean(b)
    product = (mean(a * a) - mean(a) ** 2) * (mean(b * b) - mean(b) ** 2)
    return covariance / np.sqrt(np.maximum(product, 25.0))


def longest(shots: list[Shot]) -> int:
    """The place of the shot with the most frames, the first of equals."""
    return int(np.argmax([len(shot) for shot in shots]))


def in_words(shots: list[Shot]) -> str:
    """All shots by number, with their seconds and frames."""
    return ", ".join(
        f"{number}: {shot.start_s:.2f} to {shot.end_s:.2f} s (frames {shot.first} to {shot.last})"
        for number, shot in enumerate(shots, 1)
    )
