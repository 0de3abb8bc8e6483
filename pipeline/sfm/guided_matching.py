"""Points looked for again where a first model says that they are, in the shape that it gives their patches.

A patch alone knows its own shear and growth badly, and what it gets wrong there shifts its place. The model knows them:
the patch lies in the plane of the points around it, and the poses say how that plane is seen. So places become more
accurate, and points are found in frames that their tracks never reached.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float, Int, Integer, UInt8
from scipy.spatial import cKDTree
from torch import Tensor

from pipeline.cameras import project, transform
from pipeline.correspondence.lucas_kanade import (
    Patches,
    cut_patches,
    ids_at,
    inside_masks,
    register_patches,
    shape_is_plausible,
    smooth_image,
)
from pipeline.sfm.bundle_adjustment import Adjustment, Freedom, adjust
from pipeline.sfm.rigid_model import Observations, RigidModel, triangulate

log = logging.getLogger(__name__)
NEIGHBOURS = 16  # points that a patch's plane goes through
PLANE_ROUNDS = 4
SHAPE_STD = 0.03  # of the shapes that the model gives
LEAST_COSINE = 0.25  # between a surface and the line of sight
LARGEST_STRETCH = 2.0
FARTHEST_PX = 1.5  # from where the model has the point
LEAST_CORRELATION = 0.85
LARGEST_SIGMA_PX = 0.4
FEWEST_POINTS = 12
KEPT_FRAMES = 160


@dataclass(frozen=True)
class ObjectImages:
    """One object in the images: those, and the ids of pixels away from the borders of masks, by number of the frame."""

    image: Callable[[int], Float[Tensor, "channel height width"]]
    inner: Callable[[int], Integer[Tensor, "height width"]]
    object_id: int
    patch_radius_px: int


def object_images(
    read: Callable[[int], np.ndarray],
    object_ids: UInt8[np.ndarray, "frame height width"],
    mask_margin_px: int,
    patch_radius_px: int,
) -> Callable[[int], ObjectImages]:
    """Each object in the images, which are read when they are asked for, and a few are kept."""

    @lru_cache(KEPT_FRAMES)
    def image(frame: int) -> Tensor:
        return torch.from_numpy(smooth_image(read(frame))).permute(2, 0, 1).contiguous()

    @lru_cache(KEPT_FRAMES)
    def inner(frame: int) -> Tensor:
        return torch.from_numpy(inside_masks(object_ids[frame], mask_margin_px))

    return lambda k: ObjectImages(image, inner, k, patch_radius_px)


@dataclass(frozen=True)
class Templates:
    """Frame and place in which each track's patch, the template, was cut out."""

    frame: Int[np.ndarray, "track"]
    xy: Float[np.ndarray, "track xy=2"]

    def __getitem__(self, chosen: np.ndarray) -> "Templates":
        return Templates(self.frame[chosen], self.xy[chosen])


def guided_adjustment(
    model: RigidModel, seen: Observations, images: ObjectImages, rounds: int
) -> tuple[Adjustment, Observations]:
    """The model adjusted to points that are looked for where it has them, round by round; as it is where it has none."""
    start = np.searchsorted(seen.track, np.arange(seen.track_count))
    known = model.has_point
    if not known.any():
        return Adjustment(model, np.inf, np.eye(6 * seen.frame_count + 1)), seen
    templates = Templates(seen.frame[start[known]], seen.xy[start[known]])
    model, seen = replace(model, points=model.points[known]), seen.of_tracks(known)
    patches = cut_templates(templates, images)
    adjusted = Adjustment(model, np.inf, np.eye(6 * seen.frame_count + 1))
    for number in range(rounds):
        found = matched(adjusted.model, seen, templates, patches, images)
        kept = found.lengths > 1
        if kept.sum() < FEWEST_POINTS:
            break
        seen, templates, patches = found.of_tracks(kept), templates[kept], patches[torch.from_numpy(kept)]
        placed = replace(adjusted.model, points=adjusted.model.points[kept])
        adjusted = adjust(triangulate(placed, seen), seen, Freedom())
        counts = (images.object_id, number + 1, len(seen.track), seen.track_count)
        log.info("object %d, looked for again (%d): %d observations of %d points", *counts)
    return adjusted, seen


def cut_templates(templates: Templates, images: ObjectImages) -> Patches:
    """The templates' patches."""
    order, parts = [], []
    for frame in np.unique(templates.frame).tolist():
        own = np.flatnonzero(templates.frame == frame)
        xy = torch.from_numpy(templates.xy[own]).float()
        parts.append(cut_patches(images.image(frame), images.inner(frame), xy, images.patch_radius_px))
        order.append(own)
    return Patches.all_of(parts)[torch.from_numpy(np.argsort(np.concatenate(order)))]


def matched(
    model: RigidModel, seen: Observations, templates: Templates, patches: Patches, images: ObjectImages
) -> Observations:
    """Every point in every frame that should show it, as far as it is recognised there."""
    normals = surface_normals(model.points)
    row_of = np.full((seen.frame_count, seen.track_count), -1)
    row_of[seen.frame, seen.track] = np.arange(len(seen.track))
    parts = [template_places(seen, templates)]
    for frame in np.flatnonzero(model.registered).tolist():
        place, shape, cosine = predicted_patches(model, normals, templates, frame)
        row = row_of[frame]
        start = np.where(row[:, None] >= 0, seen.xy[row], place)
        chosen = np.flatnonzero((cosine > LEAST_COSINE) & (templates.frame != frame) & np.isfinite(start).all(1))
        parts.append(matched_in(frame, chosen, start[chosen], place[chosen], shape[chosen], patches, images))
    track, frames, xy, covariance = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((frames, track))
    made = (track[order], frames[order], xy[order], covariance[order])
    return Observations(*made, seen.track_count, seen.frame_count)


Found = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def template_places(seen: Observations, templates: Templates) -> Found:
    """The templates themselves as observations: as uncertain as the surest of their track."""
    order = np.lexsort((seen.sigma_px, seen.track))
    surest = order[np.searchsorted(seen.track[order], np.arange(seen.track_count))]
    return np.arange(seen.track_count), templates.frame, templates.xy, seen.covariance[surest]


def matched_in(
    frame: int,
    chosen: Int[np.ndarray, "point"],
    start: Float[np.ndarray, "point xy=2"],
    place: Float[np.ndarray, "point xy=2"],
    shape: Float[np.ndarray, "point 2 2"],
    patches: Patches,
    images: ObjectImages,
    farthest_px: float = FARTHEST_PX,
) -> Found:
    """Which of the chosen tracks are recognised in a frame, and where, not farther than so many pixels from their place."""
    image, inner = images.image(frame), images.inner(frame)
    xy, affine, expected = (torch.from_numpy(values).float() for values in (start, shape, place))
    inside = (ids_at(inner, xy) == images.object_id) & shape_is_plausible(affine, LARGEST_STRETCH)
    chosen, xy, affine, expected = chosen[inside.numpy()], xy[inside], affine[inside], expected[inside]
    found = register_patches(patches[torch.from_numpy(chosen)], image, inner, xy, affine, SHAPE_STD)
    good = (found.xy - expected).norm(dim=-1) < farthest_px
    good &= (found.correlation > LEAST_CORRELATION) & (found.sigma_px < LARGEST_SIGMA_PX)
    good &= ids_at(inner, found.xy) == images.object_id
    own = chosen[good.numpy()]
    return own, np.full(len(own), frame), found.xy[good].double().numpy(), found.covariance[good].double().numpy()


def surface_normals(points: Float[np.ndarray, "point xyz=3"]) -> Float[np.ndarray, "point xyz=3"]:
    """Normals of the planes through each point's neighbours (Hoppe et al., 1992), reweighted robustly; of either sign."""
    count = min(NEIGHBOURS, len(points))
    near = points[cKDTree(points).query(points, count)[1]].reshape(len(points), count, 3)
    weight, normals = np.ones((len(points), count)), np.zeros_like(points)
    for _ in range(PLANE_ROUNDS):
        centre = (weight[..., None] * near).sum(1) / weight.sum(1)[:, None]
        offset = near - centre[:, None]
        normals = np.linalg.eigh(np.einsum("pn,pni,pnj->pij", weight, offset, offset))[1][..., 0]
        distance = np.abs(np.einsum("pni,pi->pn", offset, normals))
        weight = 1 / (1 + (distance / (1.5 * np.median(distance, axis=1)[:, None] + 1e-12)) ** 2)
    return normals


def predicted_patches(
    model: RigidModel, normals: Float[np.ndarray, "track xyz=3"], templates: Templates, frame: int
) -> tuple[Float[np.ndarray, "track xy=2"], Float[np.ndarray, "track 2 2"], Float[np.ndarray, "track"]]:
    """Where each patch is in a frame, the affine map from its template to there, and the cosine it is seen under.

    The affine map is the derivative of the homography that the patch's plane induces (Hartley and Zisserman, sec. 13.1).
    """
    camera, pose, old_pose = model.camera, model.camera_from_object[frame], model.camera_from_object[templates.frame]
    here, there = transform(pose, model.points), transform(old_pose, model.points)
    normal, old_normal = normals @ pose[:3, :3].T, np.einsum("tij,tj->ti", old_pose[:, :3, :3], normals)
    turn = pose[:3, :3] @ np.swapaxes(old_pose[:, :3, :3], 1, 2)
    rays = there / there[:, 2:]
    across = (old_normal * rays).sum(1)
    columns = []
    for axis, focal in enumerate((camera.fx, camera.fy)):
        # A step in the template's image moves the point along its plane: n . step = 0.
        step = there[:, 2:] * (np.eye(3)[axis] - rays * (old_normal[:, axis] / across)[:, None]) / focal
        step = np.einsum("tij,tj->ti", turn, step)
        columns.append((step[:, :2] - here[:, :2] / here[:, 2:] * step[:, 2:]) / here[:, 2:] * [camera.fx, camera.fy])
    cosine = (normal * here).sum(1) / np.linalg.norm(here, axis=1)
    same_side = (cosine * across > 0) & (here[:, 2] > 0)
    return project(camera, here), np.stack(columns, axis=-1), np.where(same_side, np.abs(cosine), 0.0)
