"""Frames in which an object is small, half hidden or back after hiding are registered to the model that other frames gave.

Its motion says where to look and how far off that may be; patches of the model's points are looked for there, all shifted
together first, then each for itself; the pose is the likeliest of both. Frames next to known ones come first, and points
that they bring carry on to the next.
"""

import logging
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8

from pipeline.cameras import BACKGROUND_ID, IGNORE_ID, project, transform
from pipeline.correspondence.lucas_kanade import Patches, ids_at, patch_offsets, sample_image
from pipeline.sfm.bundle_adjustment import Freedom, adjust
from pipeline.sfm.guided_matching import (
    LEAST_COSINE,
    Found,
    ObjectImages,
    Templates,
    cut_templates,
    matched_in,
    predicted_patches,
    surface_normals,
)
from pipeline.sfm.motion_prior import PosePrediction, World, predicted_pose
from pipeline.sfm.resection import resected
from pipeline.sfm.rigid_model import Observations, RigidModel, triangulate, triangulation_angles_deg, usable

log = logging.getLogger(__name__)
SEARCH_SIGMAS = 2.5
FARTHEST_SEARCH_PX, LARGEST_TURN_STD = 20.0, 0.07
LEAST_TURN_STD, LEAST_PLACE_STD = 0.02, 0.01  # radians, share of the depth
MATCHING_PX = (4.0, 2.5, 1.5)  # from where a point is expected, round by round
FEWEST_INLIERS, FEWEST_WHERE_SURE = 8, 4
LEAST_MATCHED = 0.5  # of the points that a frame should show: less is chance
LEAST_AGREEING = 0.6
LEAST_ANGLE_DEG = 1.5
SHIFTED_POINTS = 60  # are enough to tell a shift
MOST_POINTS = 300
ADJUST_EVERY = 4


@dataclass(frozen=True)
class Growth:
    """A model on its way into more frames, its tracks, and these with the observations by which frames were registered."""

    model: RigidModel
    tracks: Observations
    seen: Observations


@dataclass(frozen=True)
class SoughtPoints:
    """Points that are looked for in a frame, whose pose in `model` is where to look."""

    model: RigidModel
    normals: Float[np.ndarray, "track xyz=3"]
    templates: Templates
    patches: Patches
    frame: int

    def predicted(
        self,
    ) -> tuple[Float[np.ndarray, "track xy=2"], Float[np.ndarray, "track 2 2"], Int[np.ndarray, "facing"]]:
        """Place and shape of every patch in the frame, and which of them face the camera."""
        place, shape, cosine = predicted_patches(self.model, self.normals, self.templates, self.frame)
        return place, shape, np.flatnonzero((cosine > LEAST_COSINE) & np.isfinite(place).all(1))


def extended(
    model: RigidModel, seen: Observations, images: ObjectImages, world: World, visible: Bool[np.ndarray, "frame"]
) -> Growth:
    """The model with every further frame that shows the object and in which its points are found again."""
    growth, given_up, accepted = Growth(model, seen, seen), np.full(seen.frame_count, np.inf), 0
    while (frame := next_frame(growth.model, visible, given_up)) is not None:
        found = found_in(growth, frame, images, world)
        if found is None:
            given_up[frame] = distance_to(growth.model, frame)
            continue
        growth, accepted = with_new_points(found), accepted + 1
        if accepted % ADJUST_EVERY == 0:
            growth = settled(growth)
    return settled(growth) if accepted else growth


def next_frame(
    model: RigidModel, visible: Bool[np.ndarray, "frame"], given_up: Float[np.ndarray, "frame"]
) -> int | None:
    """The visible frame without a pose that is next to a known one, and was not tried from there already."""
    missing = np.flatnonzero(visible & ~model.registered)
    if not len(missing) or not model.registered.any():
        return None
    distance = np.array([distance_to(model, frame) for frame in missing.tolist()])
    open_ones = distance < given_up[missing]
    return int(missing[open_ones][distance[open_ones].argmin()]) if open_ones.any() else None


def distance_to(model: RigidModel, frame: int) -> int:
    """Frames to the nearest one with a pose."""
    return int(np.abs(np.flatnonzero(model.registered) - frame).min())


def found_in(growth: Growth, frame: int, images: ObjectImages, world: World) -> Growth | None:
    """The model with one more frame, if enough of its points are found there and agree."""
    expected = predicted_pose(growth.model, world, frame)
    chosen = points_to_look_for(growth.model, growth.tracks)
    if expected is None or expected.turn_std > LARGEST_TURN_STD or len(chosen) < FEWEST_INLIERS:
        return None
    fewest = FEWEST_WHERE_SURE if is_sure(expected, growth.model) else FEWEST_INLIERS
    loose = loosened(expected, replace(growth.model, points=growth.model.points[chosen]))
    told = told_by_tracks(growth, loose, frame, fewest)
    if told is not None:
        return told
    sought, expected = sought_points(growth, chosen, expected, frame, images), loose
    reach = search_reach_px(sought.model, expected, frame)
    if reach > FARTHEST_SEARCH_PX:
        return None
    if reach > 1:
        sought.model.camera_from_object[frame] = shifted_together(sought, images, reach)
    found = resection_round_by_round(sought, expected, images, fewest)
    if found is None:
        return None
    poses = growth.model.camera_from_object.copy()
    poses[frame] = sought.model.camera_from_object[frame]
    own, *rest = found
    model = replace(growth.model, camera_from_object=poses)
    return replace(growth, model=model, seen=joined(growth.seen, (chosen[own], *rest)))


def told_by_tracks(growth: Growth, expected: PosePrediction, frame: int, fewest: int) -> Growth | None:
    """The model with one more frame where enough tracks lead there whose points are known by now, and agree on a pose."""
    own = growth.tracks.kept((growth.tracks.frame == frame) & growth.model.has_point[growth.tracks.track])
    if len(own.track) < fewest:
        return None
    poses = growth.model.camera_from_object.copy()
    poses[frame] = expected.camera_from_object
    model = replace(growth.model, camera_from_object=poses, points=growth.model.points[own.track])
    poses[frame], agrees = resected(model, np.arange(len(own.track)), own.xy, own.covariance, expected, frame)
    if agrees.sum() < max(fewest, LEAST_AGREEING * len(own.track)):
        return None
    log.info("frame %d: %d tracks of known points, %d agree", frame, len(own.track), int(agrees.sum()))
    return replace(growth, model=replace(growth.model, camera_from_object=poses))


def is_sure(expected: PosePrediction, model: RigidModel) -> bool:
    """Whether the motion alone tells the pose so well that a few points only confirm it."""
    return expected.turn_std < LEAST_TURN_STD and expected.place_std_share(model) < LEAST_PLACE_STD


def loosened(expected: PosePrediction, model: RigidModel) -> PosePrediction:
    """A prediction that trusts a smooth path no further than things keep to it: what follows may jerk."""
    depth = float(np.median(transform(expected.camera_from_object, model.points)[:, 2]))
    return replace(
        expected,
        turn_std=max(expected.turn_std, LEAST_TURN_STD),
        place_std=max(expected.place_std, LEAST_PLACE_STD * abs(depth)),
    )


def sought_points(
    growth: Growth, chosen: Int[np.ndarray, "track"], expected: PosePrediction, frame: int, images: ObjectImages
) -> SoughtPoints:
    """The chosen points with the patches that they are known by, in the pose that is expected."""
    templates = nearest_templates(growth.model, growth.tracks, chosen, frame)
    poses = growth.model.camera_from_object.copy()
    poses[frame] = expected.camera_from_object
    model = replace(growth.model, points=growth.model.points[chosen], camera_from_object=poses)
    return SoughtPoints(model, surface_normals(model.points), templates, cut_templates(templates, images), frame)


def resection_round_by_round(
    sought: SoughtPoints, expected: PosePrediction, images: ObjectImages, fewest: int
) -> Found | None:
    """Where points are found that agree on a pose, which the frame then has; None where they are too few."""
    model, frame = sought.model, sought.frame
    for farthest in MATCHING_PX:
        place, shape, facing = sought.predicted()
        inside = ids_at(images.inner(frame), torch.from_numpy(place[facing]).float()).numpy() == images.object_id
        found = matched_in(frame, facing, place[facing], place[facing], shape[facing], sought.patches, images, farthest)
        pose, agrees = resected(model, found[0], found[2], found[3], expected, frame)
        model.camera_from_object[frame] = pose
    counts = (int(inside.sum()), len(found[0]), int(agrees.sum()))
    log.info("object %d in frame %d: of %d points %d are found, %d agree", images.object_id, frame, *counts)
    if counts[2] < max(fewest, LEAST_MATCHED * counts[0], LEAST_AGREEING * counts[1]):
        return None
    return found[0][agrees], found[1][agrees], found[2][agrees], found[3][agrees]


def points_to_look_for(model: RigidModel, seen: Observations) -> Int[np.ndarray, "track"]:
    """Points that are seen from different enough directions, at most so many."""
    angle = np.nan_to_num(triangulation_angles_deg(model, seen))
    known = np.flatnonzero(model.has_point & (angle > LEAST_ANGLE_DEG))
    step = max(1, -(-len(known) // MOST_POINTS))
    return known[::step]


def nearest_templates(model: RigidModel, seen: Observations, chosen: Int[np.ndarray, "track"], frame: int) -> Templates:
    """Each point's patch from the frame nearest in time, as its track saw it: found from frame to frame it would drift."""
    known = np.flatnonzero(usable(model, seen))
    order = known[np.lexsort((np.abs(seen.frame[known] - frame), seen.track[known]))]
    first = order[np.searchsorted(seen.track[order], chosen)]
    return Templates(seen.frame[first], seen.xy[first])


def search_reach_px(model: RigidModel, expected: PosePrediction, frame: int) -> float:
    """How far from where they are expected points may be."""
    points = transform(model.camera_from_object[frame], model.points)
    extent = float(np.median(np.linalg.norm(model.points - np.median(model.points, axis=0), axis=1)))
    off = np.hypot(expected.place_std, extent * expected.turn_std)
    return float(SEARCH_SIGMAS * model.camera.fx * off / np.median(points[:, 2]))


def shifted_together(sought: SoughtPoints, images: ObjectImages, reach: float) -> Float[np.ndarray, "4 4"]:
    """The pose of the frame moved across the image to where patches look most alike, all together."""
    model, pose = sought.model, sought.model.camera_from_object[sought.frame]
    place, shape, facing = sought.predicted()
    if not len(facing):
        return pose
    steps = np.arange(-int(np.ceil(reach)), int(np.ceil(reach)) + 1)
    shifts = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2).astype(float)
    some = facing[:: max(1, len(facing) // SHIFTED_POINTS)]
    patches = sought.patches[torch.from_numpy(some)]
    likeness = likeness_of_shifts(patches, place[some], shape[some], shifts, sought.frame, images)
    here = transform(pose, model.points)
    inner = images.inner(sought.frame).numpy()
    likeness += len(some) * silhouette_agreement(project(model.camera, here), shifts, inner, images.object_id)
    likeness -= 0.5 * (shifts**2).sum(1) / (reach / SEARCH_SIGMAS) ** 2
    moved = pose.copy()
    moved[:2, 3] += np.median(here[:, 2]) * shifts[likeness.argmax()] / [model.camera.fx, model.camera.fy]
    return moved


def likeness_of_shifts(
    patches: Patches,
    place: Float[np.ndarray, "point xy=2"],
    shape: Float[np.ndarray, "point 2 2"],
    shifts: Float[np.ndarray, "shift xy=2"],
    frame: int,
    images: ObjectImages,
) -> Float[np.ndarray, "shift"]:
    """Sum of correlations of patches at places that are all shifted alike; a point beside the object speaks against it."""
    radius = int(patches.weights.shape[1] ** 0.5) // 2
    offsets = patch_offsets(radius)
    at = torch.from_numpy(place[:, None] + np.einsum("tij,sj->tsi", shape, offsets.numpy())).float()
    image, inner = images.image(frame), images.inner(frame)
    centred = patches.values - patches.values.mean(2, keepdim=True)
    total = []
    for shift in torch.from_numpy(shifts).float():
        seen = sample_image(image, at + shift, "bilinear").transpose(0, 1)
        weight = (patches.weights * (ids_at(inner, at + shift) == images.object_id))[:, None]
        mass = weight.sum(2, keepdim=True).clamp_min(1e-6)
        one = seen - (weight * seen).sum(2, keepdim=True) / mass
        other = centred - (weight * centred).sum(2, keepdim=True) / mass
        product = (weight * one * other).sum((1, 2))
        norm = ((weight * one**2).sum((1, 2)) * (weight * other**2).sum((1, 2))).sqrt()
        ids = ids_at(inner, torch.from_numpy(place).float() + shift)
        own = ids == images.object_id
        score = torch.where(own, product / (norm + 1e-3), torch.where(ids == BACKGROUND_ID, -0.5, 0.0))
        total.append(float(score.sum()))
    return np.array(total)


def silhouette_agreement(
    places: Float[np.ndarray, "point xy=2"],
    shifts: Float[np.ndarray, "shift xy=2"],
    inner: UInt8[np.ndarray, "height width"],
    object_id: int,
) -> Float[np.ndarray, "shift"]:
    """Share of the object's pixels inside the shifted hull of its points, less the hull's share that shows background.

    What hides the object may cover its hull as it likes.
    """
    low = np.floor(places.min(0) - 1).astype(int)
    size = np.ceil(places.max(0) - low + 2).astype(int)
    hull = np.zeros((size[1], size[0]), np.uint8)
    cv2.fillConvexPoly(hull, cv2.convexHull(np.round(places - low).astype(np.int32)), 1)
    margin = int(np.abs(low).max() + np.abs(size).max() + np.abs(shifts).max())
    padded = np.pad(inner, margin, constant_values=IGNORE_ID)
    own_total, hull_total = max(int((inner == object_id).sum()), 1), max(int(hull.sum()), 1)
    found = []
    for x, y in (low + shifts.astype(int) + margin).tolist():
        under = padded[y : y + size[1], x : x + size[0]][hull > 0]
        found.append((under == object_id).sum() / own_total - (under == BACKGROUND_ID).sum() / hull_total)
    return np.array(found)


def joined(seen: Observations, added: tuple[np.ndarray, ...]) -> Observations:
    """Observations with more of them; where both have a track in a frame, the added one counts."""
    track, frame, xy, covariance = added
    new = set(zip(track.tolist(), frame.tolist(), strict=True))
    old = np.array([pair not in new for pair in zip(seen.track.tolist(), seen.frame.tolist(), strict=True)], bool)
    tracks, frames = np.concatenate([seen.track[old], track]), np.concatenate([seen.frame[old], frame])
    order = np.lexsort((frames, tracks))
    return replace(
        seen,
        track=tracks[order],
        frame=frames[order],
        xy=np.concatenate([seen.xy[old], xy])[order],
        covariance=np.concatenate([seen.covariance[old], covariance])[order],
    )


def with_new_points(growth: Growth) -> Growth:
    """The model with points of tracks that two registered frames see by now."""
    placed = triangulate(replace(growth.model, points=np.full_like(growth.model.points, np.nan)), growth.seen)
    points = np.where(growth.model.has_point[:, None], growth.model.points, placed.points)
    return replace(growth, model=replace(growth.model, points=points))


def settled(growth: Growth) -> Growth:
    """Poses and points adjusted together."""
    return replace(growth, model=adjust(growth.model, growth.seen, Freedom(), iterations=12, tolerance=1e-3).model)
