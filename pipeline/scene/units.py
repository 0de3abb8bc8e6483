"""Boxes, units and bounds of a scene's objects, all computed from sparse points and masks (methods of OSN, its section 2)."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.spatial import ConvexHull, QhullError

from pipeline.cameras import Intrinsics, rigid, transform, unproject

HALF_EXTENT = 0.55  # of the extent: a tenth more than the points span
THINNEST = 0.12  # of the widest: a sheet needs some depth to be rendered in
FARTHEST_IN_MEDIANS = 30.0  # sky and other points at infinity are brought to here
CLOSER, FARTHER = 1.05, 0.95
GRID_STEP = 8


@dataclass(frozen=True)
class DepthSamples:
    """Depths of sparse points in the frames that see them."""

    frame: Int[np.ndarray, "observation"]
    xy: Float[np.ndarray, "observation xy=2"]
    depth: Float[np.ndarray, "observation"]
    weight: Float[np.ndarray, "observation"]

    def kept(self, mask: Bool[np.ndarray, "observation"]) -> "DepthSamples":
        return DepthSamples(self.frame[mask], self.xy[mask], self.depth[mask], self.weight[mask])

    def scaled(self, factor: float) -> "DepthSamples":
        return DepthSamples(self.frame, self.xy, self.depth * factor, self.weight)


def observation_weights(error_px: Float[np.ndarray, "observation"]) -> Float[np.ndarray, "observation"]:
    """2 exp(-(e / mean e)^2), as OSN weighs its depths."""
    mean = error_px.mean() if len(error_px) else 0.0
    return 2 * np.exp(-((error_px / max(mean, 1e-9)) ** 2))


def depth_inliers(samples: DepthSamples, low: float, high: float) -> Bool[np.ndarray, "observation"]:
    """Samples between two percentiles of depth of their frame; all of those of frames with few."""
    kept = samples.depth > 0
    for frame in np.unique(samples.frame):
        own = np.flatnonzero((samples.frame == frame) & kept)
        if len(own) >= 10:
            bounds = np.percentile(samples.depth[own], [low, high])
            kept[own] = (samples.depth[own] >= bounds[0]) & (samples.depth[own] <= bounds[1])
    return kept


def seen_surface(
    samples: DepthSamples,
    object_from_camera: Float[np.ndarray, "frame 4 4"],
    masks: Bool[np.ndarray, "frame height width"],
    camera: Intrinsics,
) -> Float[np.ndarray, "point xyz=3"]:
    """Points of an object: its samples, and a grid of its pixels at the depth of the nearest sample of their frame.

    Sparse points stop short of borders and bare walls; a box around them alone would cut those off.
    """
    parts = [placed(camera, object_from_camera[samples.frame], samples.xy, samples.depth)]
    for frame in np.unique(samples.frame):
        own = samples.frame == frame
        grid = mask_grid(masks[frame])
        nearest = nearest_sample(samples.xy[own], grid)
        parts.append(placed(camera, object_from_camera[frame], grid, samples.depth[own][nearest]))
    return np.concatenate(parts)


def placed(
    camera: Intrinsics,
    object_from_camera: Float[np.ndarray, "*any 4 4"],
    xy: Float[np.ndarray, "point xy=2"],
    depth: Float[np.ndarray, "point"],
) -> Float[np.ndarray, "point xyz=3"]:
    """Image points at their depth in the object's frame."""
    return transform(np.broadcast_to(object_from_camera, (len(xy), 4, 4)), unproject(camera, xy, depth))


def mask_grid(mask: Bool[np.ndarray, "height width"]) -> Float[np.ndarray, "point xy=2"]:
    """Pixels of a mask on a grid as fine as its size asks for, the ends of its rows and columns among them."""
    rows, columns = np.nonzero(mask)
    if not len(rows):
        return np.zeros((0, 2))
    step = int(np.clip(np.sqrt(len(rows)) / 12, 1, GRID_STEP))
    on_grid = (rows % step == 0) & (columns % step == 0)
    ends = (rows == rows.min()) | (rows == rows.max()) | (columns == columns.min()) | (columns == columns.max())
    chosen = on_grid | (ends & ((rows + columns) % step == 0))
    return np.stack([columns[chosen] + 0.5, rows[chosen] + 0.5], axis=1)


def nearest_sample(
    xy: Float[np.ndarray, "observation xy=2"], grid: Float[np.ndarray, "point xy=2"]
) -> Int[np.ndarray, "point"]:
    """Index of the sample nearest to each point in the image."""
    if not len(grid):
        return np.zeros(0, int)
    distance = ((grid[:, None] - xy[None]) ** 2).sum(-1) if len(grid) * len(xy) < 4e6 else None
    if distance is not None:
        return distance.argmin(axis=1)
    return np.concatenate([nearest_sample(xy, part) for part in np.array_split(grid, 2)])


@dataclass(frozen=True)
class Box:
    """An oriented box: box_from_object takes its centre to the origin and its edges to the axes."""

    box_from_object: Float[np.ndarray, "4 4"]
    half_extent: Float[np.ndarray, "xyz=3"]


def oriented_box(points: Float[np.ndarray, "point xyz=3"]) -> Box:
    """The smallest of the boxes that lie on a face of the points' convex hull; its half-extents are 0.55 of the span."""
    points = without_strays(points)
    best = min((box_on_axis(points, axis) for axis in candidate_axes(points)), key=lambda found: found[2])
    rotation, centre, _ = best
    span = np.ptp(points @ rotation.T, axis=0)
    half = HALF_EXTENT * np.maximum(span, THINNEST * max(span.max(), 1e-9))
    return Box(rigid(rotation, -rotation @ centre), half)


def without_strays(points: Float[np.ndarray, "point xyz=3"]) -> Float[np.ndarray, "kept xyz=3"]:
    """Points that are not far off on their own: within three times the spread that holds 95 % of them."""
    centre = np.median(points, axis=0)
    spread = np.linalg.norm((points - centre) / (np.percentile(np.abs(points - centre), 80, axis=0) + 1e-9), axis=1)
    return points[spread <= 2 * np.percentile(spread, 95) + 1e-9]


def candidate_axes(points: Float[np.ndarray, "point xyz=3"]) -> Float[np.ndarray, "axis xyz=3"]:
    """Directions that an edge of the box may take: principal axes, and normals of the largest faces of the hull."""
    centred = points - points.mean(0)
    principal = np.linalg.svd(centred, full_matrices=False)[2]
    try:
        hull = ConvexHull(points)
    except (QhullError, ValueError):
        return principal
    corners = points[hull.simplices]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    largest = np.argsort(-area, kind="stable")[:200]
    return np.concatenate([principal, hull.equations[largest, :3]])


def box_on_axis(
    points: Float[np.ndarray, "point xyz=3"], axis: Float[np.ndarray, "xyz=3"]
) -> tuple[Float[np.ndarray, "3 3"], Float[np.ndarray, "xyz=3"], float]:
    """Rotation, centre and volume of the smallest box with an edge along an axis."""
    helper = np.eye(3)[np.argmin(np.abs(axis))]
    u = np.cross(axis, helper)
    u /= np.linalg.norm(u)
    v = np.cross(axis, u)
    (_, _), (_, _), angle_deg = cv2.minAreaRect((points @ np.stack([u, v], axis=1)).astype(np.float32))
    cosine, sine = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    x, y = cosine * u + sine * v, -sine * u + cosine * v
    rotation = np.stack([x, y, np.cross(x, y)])
    turned = points @ rotation.T
    low, high = turned.min(0), turned.max(0)
    span = high - low
    return rotation, rotation.T @ ((low + high) / 2), float(np.prod(span + 1e-3 * span.max()))


def background_bounds(depth: Float[np.ndarray, "observation"], near_share: float) -> tuple[float, float, float]:
    """Near, far, and the factor that brings the background's median depth to 1 and its far bound to 0.95 of far."""
    middle = float(np.median(depth))
    farthest = min(float(depth.max()), FARTHEST_IN_MEDIANS * middle)
    return near_share * float(depth.min()) / middle, farthest / FARTHER / middle, 1 / middle


def object_units(depth: Float[np.ndarray, "observation"], near: float, far: float) -> tuple[float, float, float]:
    """The object's unit, and the scales that bring it to near and to far; the middle of its range is scale 1."""
    close, distant = CLOSER * near / float(depth.min()), FARTHER * far / float(depth.max())
    if distant < close:
        # Wider in depth than the whole scene: it can stand in one place only, its own middle.
        close = distant = (close + distant) / 2
    unit = (close + distant) / 2
    return unit, close / unit, distant / unit
