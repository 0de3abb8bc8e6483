"""Poses where structure from motion has nothing to go on: a camera that stands or only turns, and a flat picture of an object."""

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float, UInt8

from pipeline.cameras import Intrinsics, directions_at_unit_depth, pixel_centres, rigid, unproject
from pipeline.sfm.bundle_adjustment import Adjustment, Freedom, adjust
from pipeline.sfm.rigid_model import Observations, RigidModel, equal_errors

STILL_PX = 0.7
STILL_SHARE = 0.6  # the rest may lie on moving things that no mask covers
GRID = 12


def camera_is_static(seen: Observations) -> bool:
    """Whether nearly all points stay where they were first seen."""
    if not seen.track_count:
        return False
    start = np.flatnonzero(np.diff(seen.track, prepend=-1))
    moved = np.linalg.norm(seen.xy - seen.xy[start][seen.track], axis=1)
    farthest = np.zeros(seen.track_count)
    np.maximum.at(farthest, seen.track, moved - 2 * seen.sigma_px)
    # Short tracks stand still before a slow camera too.
    long = seen.lengths >= 0.5 * np.percentile(seen.lengths, 95)
    weight = seen.lengths * long
    return bool(weight.sum() and (weight * (farthest < STILL_PX)).sum() > STILL_SHARE * weight.sum())


def static_camera(seen: Observations, camera: Intrinsics) -> RigidModel:
    """A camera that never moves before a background at unit depth."""
    poses = np.tile(np.eye(4), (seen.frame_count, 1, 1))
    blank = RigidModel(poses, np.full((seen.track_count, 3), np.nan), camera, "static_camera")
    return points_at_unit_depth(blank, seen)


def rotating_camera(seen: Observations, camera: Intrinsics, freedom: Freedom) -> Adjustment:
    """A camera that turns about its centre before a background at unit depth."""
    directions = directions_at_unit_depth(camera, seen.xy)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    poses = np.tile(np.eye(4), (seen.frame_count, 1, 1))
    for frame in range(1, seen.frame_count):
        before, after = np.flatnonzero(seen.frame == frame - 1), np.flatnonzero(seen.frame == frame)
        _, a, b = np.intersect1d(seen.track[before], seen.track[after], return_indices=True)
        poses[frame, :3, :3] = rotation_between(directions[before[a]], directions[after[b]]) @ poses[frame - 1, :3, :3]
    blank = RigidModel(poses, np.full((seen.track_count, 3), np.nan), camera, "rotating_camera")
    start = points_at_unit_depth(blank, seen)
    return adjust(start, seen, replace(freedom, translation=False), iterations=15)


def rotation_between(
    before: Float[np.ndarray, "point xyz=3"], after: Float[np.ndarray, "point xyz=3"]
) -> Float[np.ndarray, "3 3"]:
    """The rotation that takes most directions to where they are next; identity for less than three.

    Orthogonal Procrustes (Kabsch, 1976) with weights 1 / error, which make it follow the majority.
    """
    rotation, weight = np.eye(3), np.ones(len(before))
    if len(before) < 3:
        return rotation
    for _ in range(10):
        u, _, vt = np.linalg.svd((after * weight[:, None]).T @ before)
        rotation = u @ np.diag([1, 1, np.linalg.det(u @ vt)]) @ vt
        error = np.linalg.norm(after - before @ rotation.T, axis=1)
        weight = 1 / (error + 0.1 * np.median(error) + 1e-6)
    return rotation


def points_at_unit_depth(model: RigidModel, seen: Observations) -> RigidModel:
    """Points where each track was first seen, at depth 1 there."""
    start = np.flatnonzero(np.diff(seen.track, prepend=-1))
    pose = model.object_from_camera[seen.frame[start]]
    rays = directions_at_unit_depth(model.camera, seen.xy[start])
    points = np.einsum("tij,tj->ti", pose[:, :3, :3], rays) + pose[:, :3, 3]
    return replace(model, points=points)


def imagined_observations(frame_count: int, camera: Intrinsics) -> Observations:
    """A grid of points seen in all frames, for a background in which nothing can be followed."""
    rows = ((np.arange(GRID) + 0.5) * camera.height / GRID).astype(int)
    columns = ((np.arange(GRID) + 0.5) * camera.width / GRID).astype(int)
    xy = pixel_centres(camera.height, camera.width)[rows][:, columns].reshape(-1, 2)
    track = np.repeat(np.arange(len(xy)), frame_count)
    frame = np.tile(np.arange(frame_count), len(xy))
    return Observations(track, frame, xy[track], equal_errors(np.ones(len(track))), len(xy), frame_count)


def fronto_parallel_object(
    seen: Observations, masks: Bool[np.ndarray, "frame height width"], camera: Intrinsics
) -> tuple[RigidModel, Observations]:
    """An object as a flat picture that faces the camera: its place and size in each frame give direction and depth.

    Turning about the line of sight and size come from the tracks of neighbouring frames; where there are none, from
    the masks. Without any track, the observations are imagined on the masks.
    """
    visible = masks.any(axis=(1, 2))
    centres, sizes = mask_places(masks)
    turns, factors = chained_similarities(seen, sizes)
    reference = int(np.argmax(np.where(visible, sizes, 0)))
    angle, depth = turns - turns[reference], factors[reference] / factors
    cosine, sine, zero = np.cos(angle), np.sin(angle), np.zeros_like(angle)
    rotation = np.stack(
        [
            np.stack([cosine, -sine, zero], -1),
            np.stack([sine, cosine, zero], -1),
            np.tile([0, 0, 1.0], (len(angle), 1)),
        ],
        1,
    )
    place = unproject(camera, centres, depth)
    poses = np.where(np.asarray(visible)[:, None, None], rigid(rotation, place), np.nan)
    blank = RigidModel(poses, np.full((seen.track_count, 3), np.nan), camera, "fronto_parallel")
    kept = seen if seen.track_count else mask_observations(masks, centres, sizes)
    return points_on_plane(blank, kept), kept


def mask_places(
    masks: Bool[np.ndarray, "frame height width"],
) -> tuple[Float[np.ndarray, "frame xy=2"], Float[np.ndarray, "frame"]]:
    """Centre and size (root of the area) of a mask in each frame; the image's centre and NaN where it is empty."""
    frames, height, width = masks.shape
    area = masks.sum(axis=(1, 2)).astype(float)
    x = (masks.sum(axis=1) * (np.arange(width) + 0.5)).sum(axis=1)
    y = (masks.sum(axis=2) * (np.arange(height) + 0.5)).sum(axis=1)
    centres = np.tile([width / 2, height / 2], (frames, 1))
    seen = area > 0
    centres[seen] = np.stack([x[seen], y[seen]], axis=1) / area[seen, None]
    return centres, np.where(seen, np.sqrt(np.where(seen, area, 1)), np.nan)


def chained_similarities(
    seen: Observations, sizes: Float[np.ndarray, "frame"]
) -> tuple[Float[np.ndarray, "frame"], Float[np.ndarray, "frame"]]:
    """Angle and size of an object in each frame, from steps between neighbouring frames; by mask size without tracks."""
    angle, factor = np.zeros(seen.frame_count), np.ones(seen.frame_count)
    filled = np.where(np.isfinite(sizes), sizes, np.nanmedian(sizes))
    for frame in range(1, seen.frame_count):
        before, after = np.flatnonzero(seen.frame == frame - 1), np.flatnonzero(seen.frame == frame)
        _, a, b = np.intersect1d(seen.track[before], seen.track[after], return_indices=True)
        step = np.log(filled[frame] / filled[frame - 1]), 0.0
        if len(a) >= 4:
            step = similarity_step(seen.xy[before[a]], seen.xy[after[b]])
        factor[frame] = factor[frame - 1] * np.exp(np.clip(step[0], -0.3, 0.3))
        angle[frame] = angle[frame - 1] + step[1]
    return angle, factor


def similarity_step(
    before: Float[np.ndarray, "point xy=2"], after: Float[np.ndarray, "point xy=2"]
) -> tuple[float, float]:
    """Logarithm of the growth and angle between two frames, robustly: complex ratios of offsets from the median."""
    a, b = before - np.median(before, axis=0), after - np.median(after, axis=0)
    old, new = a[:, 0] + 1j * a[:, 1], b[:, 0] + 1j * b[:, 1]
    weight, ratio = np.ones(len(old)), 1 + 0j
    for _ in range(10):
        ratio = (weight * new * old.conj()).sum() / max((weight * abs(old) ** 2).sum(), 1e-9)
        error = abs(new - ratio * old)
        weight = 1 / (error + 0.1 * np.median(error) + 1e-3)
    return float(np.log(max(abs(ratio), 1e-3))), float(np.angle(ratio))


def points_on_plane(model: RigidModel, seen: Observations) -> RigidModel:
    """Points on the object's plane z = 0, at the median of where their observations meet it."""
    known = seen.kept(model.registered[seen.frame])
    pose = model.object_from_camera[known.frame]
    rays = np.einsum("oij,oj->oi", pose[:, :3, :3], directions_at_unit_depth(model.camera, known.xy))
    hits = pose[:, :3, 3] - rays * (pose[:, 2, 3] / rays[:, 2])[:, None]
    points = np.full((seen.track_count, 3), np.nan)
    for part in (
        np.split(np.arange(len(known.track)), np.flatnonzero(np.diff(known.track)) + 1) if len(known.track) else []
    ):
        points[known.track[part[0]]] = np.median(hits[part], axis=0)
    return replace(model, points=points)


def mask_observations(
    masks: Bool[np.ndarray, "frame height width"],
    centres: Float[np.ndarray, "frame xy=2"],
    sizes: Float[np.ndarray, "frame"],
) -> Observations:
    """A cross of points over the mask in every frame that shows the object."""
    frames = np.flatnonzero(masks.any(axis=(1, 2)))
    cross = 0.4 * np.array(
        [[0, 0], [1, 0], [-1, 0], [0, 1], [0, -1], [0.7, 0.7], [-0.7, 0.7], [0.7, -0.7], [-0.7, -0.7]]
    )
    track, frame = np.repeat(np.arange(len(cross)), len(frames)), np.tile(frames, len(cross))
    xy = centres[frame] + cross[track] * sizes[frame, None]
    return Observations(track, frame, xy, equal_errors(np.full(len(track), 2.0)), len(cross), len(masks))


def largest_area(object_ids: UInt8[np.ndarray, "frame height width"], object_id: int) -> int:
    """The most pixels that an object covers in a frame."""
    return int((object_ids == object_id).sum(axis=(1, 2)).max())
