"""Small things that move far between two frames: what coarse-to-fine flow loses, found by a full search.

On the coarse levels of a pyramid a thing smaller than a patch is not seen, and on the fine ones it is out of reach: flow
then follows the background (large displacement; Brox and Malik, 2011). So the places that flow does not explain are
looked for in the whole surroundings. What is found counts where the other frame's search leads back, where it explains the
images far better than the flow did, and where its neighbours say the same; from there the flow is refined as always.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from scipy.spatial import cKDTree

from pipeline.correspondence.flow_warping import warp

WORKING_PX, REACH = 160, 0.18  # longer side at which is searched; how far, as a share of it
PATCH_PX, STEP_PX = 7, 2  # side of a patch, and from one point to the next
MOST_POINTS, TILE_PX = 1000, 24
SHADE_PX, SHADE_KEPT = 5.0, 0.3  # slow changes of brightness count little
UNEXPLAINED, LEAST_ERROR = 2.5, 4.0  # times the typical error, and levels of Lab
FAR_PX = 4.0  # from where the flow leads; what is nearer the flow itself finds, and to parts of a pixel
FAR_BETTER = 0.45  # of the flow's squared error is left
RETURN_PX, SAME_PX, NEIGHBOURS_PX = 1.5, 1.5, 4.5
FEWEST_ALIKE, LEAST_ALIKE = 5, 0.5  # neighbours that go the same way; and their share
SPREAD_PX = 6.0  # around what was found: there it is tried
CLEARLY_BETTER = 0.9  # of the error of the flow that it takes the place of
Image = UInt8[np.ndarray, "height width rgb=3"]
Flow = Float[np.ndarray, "height width xy=2"]
Refine = Callable[[Image, Image, Flow], Flow]


def with_fast_motion(first: Image, second: Image, flow: Flow, refine: Refine) -> Flow:
    """Flow that also follows small things that move far; `refine` makes flow out of a first guess."""
    height, width = flow.shape[:2]
    scale = min(1.0, WORKING_PX / max(height, width))
    size = max(round(width * scale), PATCH_PX), max(round(height * scale), PATCH_PX)
    here, there = (shading_removed(image, size) for image in (first, second))
    found = far_matches(here, there, resized_flow(flow, size))
    if not len(found.xy):
        return flow
    moved = spread(found, size)
    near = cv2.resize(moved.near.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST) > 0
    guess = np.where(moved.near[..., None], moved.flow, resized_flow(flow, size))
    guess = np.where(near[..., None], resized_flow(guess, (width, height)), flow)
    best, least = flow, matching_error(first, second, flow, scale)
    for candidate in (refine(first, second, guess.copy()), guess):  # the copy, because OpenCV writes into it
        error = matching_error(first, second, candidate, scale)
        better = near & (error < CLEARLY_BETTER * least)
        best, least = np.where(better[..., None], candidate, best), np.where(better, error, least)
    return best.astype(np.float32)


@dataclass(frozen=True)
class Matches:
    """Points of a picture, column and row, and how far each goes."""

    xy: Int[np.ndarray, "point xy=2"]
    moved: Float[np.ndarray, "point xy=2"]


@dataclass(frozen=True)
class FarFlow:
    """Flow near what was found."""

    flow: Flow
    near: Bool[np.ndarray, "height width"]


def far_matches(
    first: Float[np.ndarray, "height width channel"], second: Float[np.ndarray, "height width channel"], flow: Flow
) -> Matches:
    """Where flow explains nothing and a place farther away does, both ways and together with its neighbours."""
    xy = unexplained_points(first, second, flow)
    nothing = Matches(np.zeros((0, 2), int), np.zeros((0, 2), np.float32))
    if len(xy) <= FEWEST_ALIKE:
        return nothing
    there, error = best_places(first, second, xy)
    back, _ = best_places(second, first, there)
    by_flow = ((patches(first, xy) - patches(warp(second, flow), xy)) ** 2).mean(1)
    far = np.linalg.norm(there - xy - flow[xy[:, 1], xy[:, 0]], axis=1) > FAR_PX
    good = far & (np.linalg.norm(back - xy, axis=1) <= RETURN_PX) & (error < FAR_BETTER * by_flow)
    return agreeing(Matches(xy[good], (there - xy)[good].astype(np.float32)))


def unexplained_points(
    first: Float[np.ndarray, "height width channel"], second: Float[np.ndarray, "height width channel"], flow: Flow
) -> Int[np.ndarray, "point xy=2"]:
    """Points of a grid, column and row, at which the second picture is not what flow says, in crowds; not all of many."""
    error = cv2.blur(np.abs(first - warp(second, flow)).mean(-1), (PATCH_PX, PATCH_PX))
    margin = PATCH_PX // 2
    poor = (error > max(UNEXPLAINED * float(np.median(error)), LEAST_ERROR))[
        margin:-margin:STEP_PX, margin:-margin:STEP_PX
    ]
    crowd = cv2.boxFilter(poor.astype(np.float32), -1, (5, 5), normalize=False, borderType=cv2.BORDER_CONSTANT)
    rows, columns = np.nonzero(poor & (crowd > 2 * FEWEST_ALIKE))
    xy = np.stack([columns, rows], axis=-1) * STEP_PX + margin
    return xy[:: 1 + len(xy) // MOST_POINTS]


def best_places(
    here: Float[np.ndarray, "height width channel"],
    there: Float[np.ndarray, "height width channel"],
    xy: Int[np.ndarray, "point xy=2"],
) -> tuple[Int[np.ndarray, "point xy=2"], Float[np.ndarray, "point"]]:
    """The place within reach at which the other picture is most like each point's patch, and the mean squared difference."""
    chosen, least = np.zeros_like(xy), np.zeros(len(xy))
    tiles = np.unique(xy // TILE_PX, axis=0, return_inverse=True)[1].reshape(-1)
    for tile in range(tiles.max(initial=-1) + 1):
        own = np.flatnonzero(tiles == tile)
        chosen[own], least[own] = best_places_of_tile(patches(here, xy[own]), there, xy[own])
    return chosen, least


def best_places_of_tile(
    own: Float[np.ndarray, "point value"],
    there: Float[np.ndarray, "height width channel"],
    xy: Int[np.ndarray, "point xy=2"],
) -> tuple[Int[np.ndarray, "point xy=2"], Float[np.ndarray, "point"]]:
    """The same for points beside each other, whose surroundings are nearly the same: all differences by one product."""
    margin, reach = PATCH_PX // 2, round(REACH * max(there.shape[:2]))
    last = np.array(there.shape[1::-1]) - margin  # of columns and rows, exclusive
    low, high = np.maximum(xy - reach, margin), np.minimum(xy + reach + 1, last)
    left, top = low.min(0)
    columns, rows = np.meshgrid(np.arange(left, high[:, 0].max()), np.arange(top, high[:, 1].max()))
    theirs = patches(there, np.stack([columns, rows], axis=-1).reshape(-1, 2))
    apart = ((theirs**2).sum(1) - 2 * own @ theirs.T).reshape(-1, *columns.shape)
    chosen, least = np.zeros_like(xy), (own**2).sum(1)
    for n, ((x0, y0), (x1, y1)) in enumerate(zip(low, high, strict=True)):
        window = apart[n, y0 - top : y1 - top, x0 - left : x1 - left]
        row, column = divmod(int(window.argmin()), window.shape[1])
        chosen[n], least[n] = (x0 + column, y0 + row), least[n] + window[row, column]
    return chosen, least / own.shape[1]


def patches(
    picture: Float[np.ndarray, "height width channel"], xy: Int[np.ndarray, "point xy=2"]
) -> Float[np.ndarray, "point value"]:
    """The square around each point, as a row of numbers."""
    windows = np.lib.stride_tricks.sliding_window_view(picture, (PATCH_PX, PATCH_PX), axis=(0, 1))
    margin = PATCH_PX // 2
    return windows[xy[:, 1] - margin, xy[:, 0] - margin].reshape(len(xy), -1)


def agreeing(found: Matches) -> Matches:
    """The matches of which most neighbours go the same way; each goes as these do in the mean, parts of a pixel too."""
    if not len(found.xy):
        return found
    kept, moved = np.zeros(len(found.xy), bool), found.moved.copy()
    for index, near in enumerate(cKDTree(found.xy).query_ball_point(found.xy, NEIGHBOURS_PX)):
        alike = np.linalg.norm(found.moved[near] - found.moved[index], axis=1) <= SAME_PX
        kept[index] = alike.sum() > FEWEST_ALIKE and alike.mean() >= LEAST_ALIKE
        moved[index] = found.moved[near][alike].mean(0)
    return Matches(found.xy[kept], moved[kept])


def spread(found: Matches, size: tuple[int, int]) -> FarFlow:
    """Each place near a match goes as far as its nearest one."""
    columns, rows = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    distance, index = cKDTree(found.xy).query(np.stack([columns, rows], axis=-1), distance_upper_bound=SPREAD_PX)
    near = np.isfinite(distance)
    flow = np.zeros((size[1], size[0], 2), np.float32)
    flow[near] = found.moved[index[near]]
    return FarFlow(flow, near)


def shading_removed(image: Image, size: tuple[int, int]) -> Float[np.ndarray, "new_height new_width channel=3"]:
    """Lab colours at a size (width, height), with most of the slow changes of brightness taken away."""
    lab = cv2.cvtColor(cv2.resize(image, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2LAB).astype(np.float32)
    lab[..., 0] -= (1 - SHADE_KEPT) * cv2.GaussianBlur(lab[..., 0], (0, 0), SHADE_PX)
    return lab


def matching_error(first: Image, second: Image, flow: Flow, scale: float) -> Float[np.ndarray, "height width"]:
    """Mean difference between a pixel's surroundings and what the second image shows where flow leads."""
    lab = [cv2.cvtColor(image, cv2.COLOR_RGB2LAB).astype(np.float32) for image in (first, second)]
    side = 2 * round(PATCH_PX / scale / 4) + 1
    return cv2.blur(np.abs(lab[0] - warp(lab[1], flow)).mean(-1), (side, side))


def resized_flow(flow: Flow, size: tuple[int, int]) -> Float[np.ndarray, "new_height new_width xy=2"]:
    """Flow for pictures of another size (width, height)."""
    factor = np.array([size[0] / flow.shape[1], size[1] / flow.shape[0]], np.float32)
    how = cv2.INTER_AREA if factor[0] < 1 else cv2.INTER_LINEAR
    return cv2.resize(flow, size, interpolation=how) * factor
