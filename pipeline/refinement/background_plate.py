"""The background as other frames show it: what of a frame agrees with it is background, what does not stands in front.

Depths of still pixels are carried from frame to frame by the known camera; at each pixel the frames' median is the
background's, whatever passes in front of some of them. Its colours, taken from frames that see the same point, are what a clean
plate is in film. So a thing is found though it rests, moves along the epipolar line, or is too fast for flow, as soon as what
it hides is seen in other frames.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from pipeline.refinement.still_world import KnownCamera, Pixels, StillWorld
from pipeline.runtime.progress import progress
from pipeline.segmentation.plane_parallax import homogeneous

MOST_SOURCES = 12
FEWEST_VIEWS = 2  # that see a point of the background
SAME_DEPTH = 0.06  # share by which depths of one point differ
DARKEST, BRIGHTEST = 0.4, 1.15  # light on the same surface: in a shadow, and beside one that the other frame shows
LIGHT_PX = 7  # over which light hardly changes
LEAST_TYPICAL = 4.0  # levels of red, green and blue, summed
BEHIND = 1e-6


@dataclass(frozen=True)
class Plate:
    """Of one reduced frame: the background's 1 / depth (0: unknown), and how far colours are from it.

    Differences are in typical ones of the frame's background; NaN where too few other frames see it.
    """

    inverse_depth: Float[np.ndarray, "height width"]
    difference: Float[np.ndarray, "height width"]


def background_plates(
    images: UInt8[np.ndarray, "frame height width rgb=3"],
    still: StillWorld,
    known: KnownCamera,
    background: Bool[np.ndarray, "frame height width"],
) -> list[Plate]:
    """The plate of every reduced frame; `background`: what the first pass took for it."""
    count, height, width = background.shape
    pixels = Pixels((height, width), width / known.camera.width, known)
    pictures = [cv2.GaussianBlur(image, (0, 0), 0.7).astype(np.float32) for image in images]
    depths = np.where(background & (still.residual < 0), still.inverse_depth, 0).astype(np.float32)
    sources = np.unique(np.linspace(0, count - 1, min(count, MOST_SOURCES)).round().astype(int)).tolist()
    rays = homogeneous(pixels.grid) @ np.linalg.inv(known.camera.matrix).T

    def of_frame(t: int) -> Plate:
        others = [s for s in sources if s != t]
        layers = np.stack([carried_depth(depths[s], rays, pixels, s, t) for s in others])
        depth = np.nan_to_num(median_of_known(np.where(layers > 0, layers, np.inf), 1), nan=0.0)
        seen = np.stack([difference(pictures, depths, depth, rays, pixels, t, s) for s in others])
        return Plate(depth, in_typical(median_of_known(seen, FEWEST_VIEWS), background[t]))

    with ThreadPoolExecutor() as pool:
        return list(progress(pool.map(of_frame, range(count)), "background", count, "frames"))


def carried_depth(
    depth: Float[np.ndarray, "height width"],
    rays: Float[np.ndarray, "pixel xyz=3"],
    pixels: Pixels,
    source: int,
    frame: int,
) -> Float[np.ndarray, "height width"]:
    """1 / depth of a frame's points in another frame, the nearest where several land; 0 where none does."""
    chosen = np.flatnonzero(depth > BEHIND)
    place, there = landing(depth.ravel()[chosen], rays[chosen], pixels, source, frame)
    height, width = pixels.size
    column, row = np.floor(place + 0.5).astype(int).T
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height) & (there > BEHIND)
    found = np.zeros(height * width, np.float32)
    order = np.argsort(there[inside], kind="stable")  # of places that are written twice the last one stays
    found[(row * width + column)[inside][order]] = there[inside][order]
    whole = found.reshape(height, width)
    return np.where(whole > 0, whole, cv2.morphologyEx(whole, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8)))


def landing(
    depth: Float[np.ndarray, "point"],
    rays: Float[np.ndarray, "point xyz=3"],
    pixels: Pixels,
    source: int,
    frame: int,
) -> tuple[Float[np.ndarray, "point xy=2"], Float[np.ndarray, "point"]]:
    """(column, row) and 1 / depth in another frame of points of 1 / depth; 0 behind its camera."""
    turned, shifted = pixels.known.moved(source, [frame])
    here = rays @ turned[0].T + depth[:, None] * shifted[0]
    ahead = here[:, 2] > BEHIND
    z = np.where(ahead, here[:, 2], 1.0)
    camera = pixels.known.camera
    xy = here[:, :2] / z[:, None] * [camera.fx, camera.fy] + [camera.cx, camera.cy]
    return pixels.index(xy), np.where(ahead, depth / z, 0)


def difference(
    pictures: Sequence[np.ndarray],
    depths: Float[np.ndarray, "frame height width"],
    depth: Float[np.ndarray, "height width"],
    rays: Float[np.ndarray, "pixel xyz=3"],
    pixels: Pixels,
    frame: int,
    source: int,
) -> Float[np.ndarray, "height width"]:
    """How far a frame's colours are from what a source shows of the background there; infinite where it does not see it."""
    height, width = pixels.size
    place, there = landing(depth.ravel(), rays, pixels, frame, source)
    x, y = (place[:, axis].reshape(height, width).astype(np.float32) for axis in (0, 1))
    known, expected = cv2.remap(depths[source], x, y, cv2.INTER_NEAREST), there.reshape(height, width)
    visible = (np.abs(known - expected) < SAME_DEPTH * expected) & (depth > BEHIND)
    own, other = pictures[frame], cv2.remap(pictures[source], x, y, cv2.INTER_LINEAR)
    return np.where(visible, cv2.blur(np.abs(own - in_light(other, own)).sum(-1), (3, 3)), np.inf)


def in_light(
    image: Float[np.ndarray, "height width rgb=3"], other: Float[np.ndarray, "height width rgb=3"]
) -> Float[np.ndarray, "height width rgb=3"]:
    """An image in the light of another, as far as a shadow may change it."""
    size = (LIGHT_PX, LIGHT_PX)
    up, down = cv2.blur((image * other).sum(-1), size), cv2.blur((image**2).sum(-1), size)
    return image * np.clip(up / np.maximum(down, 1.0), DARKEST, BRIGHTEST)[..., None]


def median_of_known(layers: Float[np.ndarray, "layer height width"], fewest: int) -> Float[np.ndarray, "height width"]:
    """The lower median of the finite values at each pixel; NaN where there are too few."""
    ordered = np.sort(layers, axis=0)
    count = np.isfinite(ordered).sum(0)
    middle = np.take_along_axis(ordered, np.maximum(count - 1, 0)[None] // 2, 0)[0]
    return np.where(count >= fewest, middle, np.nan)


def in_typical(
    difference: Float[np.ndarray, "height width"], background: Bool[np.ndarray, "height width"]
) -> Float[np.ndarray, "height width"]:
    """Differences over the median of those of the background."""
    quiet = difference[background & np.isfinite(difference)]
    typical = float(np.median(quiet)) if len(quiet) else 0.0
    return difference / max(typical, LEAST_TYPICAL)
