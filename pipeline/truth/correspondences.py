"""What truth implies but does not store: where every pixel's surface point is in another frame."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from pipeline.cameras import Intrinsics, directions_at_unit_depth, inverse, pixel_centres, project, transform
from pipeline.truth.truth_file import Truth, TruthViews

DEPTH_TOLERANCE = 0.01  # of the depth: a point that much behind what is seen there is hidden


@dataclass(frozen=True)
class Reprojection:
    """Where points of one frame are in another's camera: image point, depth, and whether that frame shows them."""

    xy: Float[np.ndarray, "*batch xy=2"]
    depth: Float[np.ndarray, "*batch"]
    visible: Bool[np.ndarray, "*batch"]


def truth_intrinsics(truth: Truth) -> Intrinsics:
    """The camera of the video's first view."""
    return truth.camera(truth.train, 0)


def image_directions(truth: Truth, views: TruthViews, frame: int) -> Float[np.ndarray, "height width xyz=3"]:
    """Directions (z = 1) through all pixels of a view, by its lens if it has one."""
    xy = pixel_centres(*views.size)
    if views.lens is None:
        return directions_at_unit_depth(truth.camera(views, frame), xy)
    straight = views.lens.colmap.cam_from_img(xy.reshape(-1, 2)).reshape(xy.shape)
    return np.concatenate([straight, np.ones_like(straight[..., :1])], axis=-1)


def image_points(
    truth: Truth, views: TruthViews, frame: int, points: Float[np.ndarray, "*batch xyz=3"]
) -> Float[np.ndarray, "*batch xy=2"]:
    """Where a view shows points that are before its camera."""
    return views.lens.project(points) if views.lens else project(truth.camera(views, frame), points)


def true_flow(
    truth: Truth, frame: int, to: int | None = None
) -> tuple[Float[np.ndarray, "height width xy=2"], Bool[np.ndarray, "height width"]]:
    """Exact flow of the video's frame to another (by default the next), and the pixels that are seen there too.

    Every surface point moves with its object. Flow is exact in pixels that get hidden, too; where nothing was hit, or
    where the point falls behind the camera, it is 0 and invisible.
    """
    points = surface_points(truth, truth.train, frame)
    ids = truth.train.object_ids[frame]
    reprojection = reproject(truth, points, ids, frame + 1 if to is None else to)
    known = (truth.train.depth[frame] > 0) & np.isfinite(truth.train.depth[frame]) & (reprojection.depth > 0)
    flow = np.where(known[..., None], reprojection.xy - pixel_centres(*truth.size), 0)
    return flow, reprojection.visible & known


def surface_points(truth: Truth, views: TruthViews, frame: int) -> Float[np.ndarray, "height width xyz=3"]:
    """The surface point that each pixel of a view shows, in the frame of its own object."""
    local = image_directions(truth, views, frame) * views.depth[frame].astype(np.float64)[..., None]
    world = transform(views.world_from_camera[frame].astype(np.float64), local)
    object_from_world = inverse(world_from_objects(views, frame))
    return transform(object_from_world[known_ids(views.object_ids[frame])], world)


def reproject(
    truth: Truth,
    points: Float[np.ndarray, "*batch xyz=3"],
    object_ids: UInt8[np.ndarray, "*batch"],
    frame: int,
) -> Reprojection:
    """Where points on objects (in their objects' frames) are in a frame of the video."""
    views = truth.train
    world = transform(world_from_objects(views, frame)[known_ids(object_ids)], points)
    camera = transform(inverse(views.world_from_camera[frame]), world)
    depth = camera[..., 2]
    safe = np.where((depth > 1e-6)[..., None], camera, [0.0, 0.0, 1.0])
    xy = image_points(truth, views, frame, safe)
    return Reprojection(xy, depth, (depth > 1e-6) & shown(views, frame, xy, depth, object_ids))


def shown(
    views: TruthViews,
    frame: int,
    xy: Float[np.ndarray, "*batch xy=2"],
    depth: Float[np.ndarray, "*batch"],
    object_ids: UInt8[np.ndarray, "*batch"],
) -> Bool[np.ndarray, "*batch"]:
    """Whether image points of known depth lie on the surface that the frame shows.

    A slanted surface changes its depth within a pixel, so the depths of the same object's nearest pixels bound it.
    """
    height, width = views.depth.shape[1:]
    inside = (xy >= 0).all(-1) & (xy[..., 0] < width) & (xy[..., 1] < height)
    corner = np.floor(np.nan_to_num(xy) - 0.5).clip(-1, max(height, width)).astype(int)
    nearest = np.full(depth.shape, np.inf)
    farthest = np.full(depth.shape, -np.inf)
    for shift in ((0, 0), (1, 0), (0, 1), (1, 1)):
        x, y = (corner[..., 0] + shift[0]).clip(0, width - 1), (corner[..., 1] + shift[1]).clip(0, height - 1)
        seen, same = views.depth[frame, y, x], views.object_ids[frame, y, x] == object_ids
        nearest = np.where(same, np.minimum(nearest, seen), nearest)
        farthest = np.where(same, np.maximum(farthest, seen), farthest)
    fits = (depth > nearest * (1 - DEPTH_TOLERANCE)) & (depth < farthest * (1 + DEPTH_TOLERANCE))
    return inside & fits


def world_from_objects(views: TruthViews, frame: int) -> Float[np.ndarray, "object 4 4"]:
    """Poses of all objects in a frame, the background's first."""
    return np.concatenate([np.eye(4)[None], views.world_from_object[frame].astype(np.float64)])


def known_ids(object_ids: UInt8[np.ndarray, "*batch"]) -> Int[np.ndarray, "*batch"]:
    """Ids as indices; what is to be ignored counts as background."""
    return np.where(object_ids == 255, 0, object_ids).astype(np.int64)
