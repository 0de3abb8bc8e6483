"""One rigid object seen by a moving camera: poses, points, and the observations that join them."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int

from pipeline.cameras import Intrinsics, directions_at_unit_depth, inverse, project, transform
from pipeline.formats.tracks_file import Tracks

FAR_IN_MEDIANS = 20.0


@dataclass(frozen=True)
class Observations:
    """Observations of one object's points; tracks are numbered from 0 without gaps, sorted by track then frame."""

    track: Int[np.ndarray, "observation"]
    frame: Int[np.ndarray, "observation"]
    xy: Float[np.ndarray, "observation xy=2"]
    covariance: Float[np.ndarray, "observation 2 2"]
    track_count: int
    frame_count: int

    def kept(self, mask: Bool[np.ndarray, "observation"]) -> "Observations":
        """Only some observations, with the same numbers of tracks."""
        return replace(
            self, track=self.track[mask], frame=self.frame[mask], xy=self.xy[mask], covariance=self.covariance[mask]
        )

    def of_tracks(self, chosen: Bool[np.ndarray, "track"]) -> "Observations":
        """Only some tracks, numbered anew."""
        kept = self.kept(chosen[self.track])
        return replace(kept, track=(np.cumsum(chosen) - 1)[kept.track], track_count=int(chosen.sum()))

    @cached_property
    def whitening(self) -> Float[np.ndarray, "observation 2 2"]:
        """What makes errors of places independent, with a standard deviation of 1."""
        return np.ascontiguousarray(np.linalg.inv(np.linalg.cholesky(self.covariance)))

    @property
    def sigma_px(self) -> Float[np.ndarray, "observation"]:
        """Standard deviation of the places, whatever the direction."""
        return np.sqrt(np.trace(self.covariance, axis1=1, axis2=2) / 2)

    @property
    def lengths(self) -> Int[np.ndarray, "track"]:
        """Number of observations of each track."""
        return np.bincount(self.track, minlength=self.track_count)

    @property
    def per_frame(self) -> Int[np.ndarray, "frame"]:
        """Number of observations in each frame."""
        return np.bincount(self.frame, minlength=self.frame_count)


def equal_errors(sigma_px: Float[np.ndarray, "observation"]) -> Float[np.ndarray, "observation 2 2"]:
    """Covariance of places that err alike in all directions."""
    return sigma_px[:, None, None] ** 2 * np.eye(2)


def object_observations(tracks: Tracks, object_id: int, frame_count: int) -> Observations:
    """The observations of one object."""
    own = tracks.object_ids == object_id
    mask = own[tracks.observation_track]
    track = (np.cumsum(own) - 1)[tracks.observation_track[mask]]
    return Observations(
        track,
        tracks.observation_frame[mask].astype(int),
        tracks.observation_xy[mask].astype(np.float64),
        tracks.covariance[mask],
        int(own.sum()),
        frame_count,
    )


@dataclass(frozen=True)
class RigidModel:
    """Poses of the frames that are registered and points of the tracks that are triangulated; the rest is NaN."""

    camera_from_object: Float[np.ndarray, "frame 4 4"]
    points: Float[np.ndarray, "track xyz=3"]
    camera: Intrinsics
    method: str

    @property
    def registered(self) -> Bool[np.ndarray, "frame"]:
        return np.isfinite(self.camera_from_object[:, 0, 0])

    @property
    def has_point(self) -> Bool[np.ndarray, "track"]:
        return np.isfinite(self.points[:, 0])

    @property
    def object_from_camera(self) -> Float[np.ndarray, "frame 4 4"]:
        return inverse(self.camera_from_object)


def usable(model: RigidModel, seen: Observations) -> Bool[np.ndarray, "observation"]:
    """Observations that have both a pose and a point."""
    return model.registered[seen.frame] & model.has_point[seen.track]


def in_camera(model: RigidModel, seen: Observations) -> Float[np.ndarray, "observation xyz=3"]:
    """Observed points in the camera of their frame."""
    return transform(model.camera_from_object[seen.frame], model.points[seen.track])


def reprojection_errors_px(model: RigidModel, seen: Observations) -> Float[np.ndarray, "observation"]:
    """Distance between observed and projected points; infinite behind the camera, NaN without a pose or a point."""
    points = in_camera(model, seen)
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.linalg.norm(project(model.camera, points) - seen.xy, axis=1)
    return np.where(points[:, 2] <= 0, np.inf, error)


def triangulate(model: RigidModel, seen: Observations) -> RigidModel:
    """The model with every track's point nearest to its rays, where two or more registered frames see it.

    Distances to the rays in space are minimised, not the algebraic error in the image of Hartley and Zisserman (sec. 12.2):
    a start for bundle adjustment that needs no normalisation.
    """
    known = seen.kept(model.registered[seen.frame])
    pose = model.object_from_camera[known.frame]
    rays = np.einsum("oij,oj->oi", pose[:, :3, :3], directions_at_unit_depth(model.camera, known.xy))
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    across = np.eye(3) - rays[:, :, None] * rays[:, None, :]
    normal, right = np.zeros((seen.track_count, 3, 3)), np.zeros((seen.track_count, 3))
    np.add.at(normal, known.track, across)
    np.add.at(right, known.track, np.einsum("oij,oj->oi", across, pose[:, :3, 3]))
    # Parallel rays leave the depth open: a weak pull keeps such points far away but finite.
    normal += 1e-9 * np.eye(3)
    points = np.linalg.solve(normal, right[..., None])[..., 0]
    seen_twice = np.bincount(known.track, minlength=seen.track_count) >= 2
    placed = replace(model, points=np.where(seen_twice[:, None], points, np.nan))
    return sent_far(placed, known, rays)


def sent_far(model: RigidModel, known: Observations, rays: Float[np.ndarray, "observation xyz=3"]) -> RigidModel:
    """Points that came out behind a camera, their rays being parallel or diverging, moved far away before it."""
    depth = in_camera(model, known)[:, 2]
    behind = np.zeros(known.track_count, bool)
    behind[known.track[depth <= 0]] = True
    if not behind.any():
        return model
    start = np.flatnonzero(np.diff(known.track, prepend=-1))
    own = known.track[start]
    distance = FAR_IN_MEDIANS * float(np.median(depth[depth > 0])) if (depth > 0).any() else 1.0
    far = np.full_like(model.points, np.nan)
    far[own] = model.object_from_camera[known.frame[start], :3, 3] + distance * rays[start]
    return replace(model, points=np.where(behind[:, None], far, model.points))


def triangulation_angles_deg(model: RigidModel, seen: Observations) -> Float[np.ndarray, "track"]:
    """Angle at each point between the first and the widest other ray that see it; NaN without a point."""
    kept = seen.kept(usable(model, seen))
    to_camera = model.object_from_camera[kept.frame, :3, 3] - model.points[kept.track]
    to_camera /= np.linalg.norm(to_camera, axis=1, keepdims=True)
    track, first = np.unique(kept.track, return_index=True)
    start = np.zeros((seen.track_count, 3))
    start[track] = to_camera[first]
    chord = np.linalg.norm(to_camera - start[kept.track], axis=1)
    angles = np.full(seen.track_count, np.nan)
    angles[track] = 0.0
    np.fmax.at(angles, kept.track, np.degrees(2 * np.arcsin(np.clip(chord / 2, 0, 1))))
    return angles
