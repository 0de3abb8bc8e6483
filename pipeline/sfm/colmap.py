"""COLMAP: structure from motion from tracks, and its model files. Conventions of its mappers and model files.

Its pixel centres are at +0.5 as ours, its camera axes are OpenCV's, its `cam_from_world` is our `camera_from_object`;
its image ids start at 1.
"""

import logging
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pycolmap
from jaxtyping import Float, Int

from pipeline.cameras import Intrinsics
from pipeline.formats.colmap_files import broken_file, save_model
from pipeline.formats.frames_folder import frame_name
from pipeline.runtime.errors import StageError
from pipeline.runtime.guarded_file import check_space
from pipeline.sfm.rigid_model import Observations, RigidModel, equal_errors, usable

log = logging.getLogger(__name__)
GAPS = (1, 2, 3, 4, 6, 8, 11, 16, 23, 32, 45, 64, 90, 128, 181, 256)
FEWEST_MATCHES = 12
LARGEST_ERROR_PX = 1.5


@dataclass(frozen=True)
class VerifiedPair:
    """Two frames that agree on a rigid motion; matches are numbers of observations within each frame."""

    first: int
    second: int
    geometry: pycolmap.TwoViewGeometry


def colmap_camera(camera: Intrinsics, fixed: bool) -> pycolmap.Camera:
    """A COLMAP camera; one with a free focal length has a single one."""
    model, values = ("PINHOLE", camera.values) if fixed else ("SIMPLE_PINHOLE", camera.values[[0, 2, 3]])
    made = pycolmap.Camera(model=model, width=camera.width, height=camera.height, params=values)
    made.camera_id, made.has_prior_focal_length = 1, fixed
    return made


def frame_observations(seen: Observations) -> list[Int[np.ndarray, "observation"]]:
    """Indices of the observations of each frame, by track."""
    return [np.flatnonzero(seen.frame == frame) for frame in range(seen.frame_count)]


def verified_pairs(seen: Observations, camera: Intrinsics, seed: int) -> list[VerifiedPair]:
    """Pairs of frames at growing distances that share enough tracks, with their two-view geometry."""
    by_frame, lens = frame_observations(seen), colmap_camera(camera, True)
    options = pycolmap.TwoViewGeometryOptions()
    options.min_num_inliers, options.compute_relative_pose = FEWEST_MATCHES, True
    options.ransac.max_error, options.ransac.random_seed = LARGEST_ERROR_PX, seed
    options.ransac.min_num_trials, options.ransac.max_num_trials = 100, 2000
    found = []
    for gap in GAPS:
        for first in range(0, seen.frame_count - gap):
            a, b = by_frame[first], by_frame[first + gap]
            _, in_a, in_b = np.intersect1d(seen.track[a], seen.track[b], assume_unique=True, return_indices=True)
            if len(in_a) < FEWEST_MATCHES:
                continue
            matches = np.stack([in_a, in_b], axis=1).astype(np.uint32)
            geometry = pycolmap.estimate_calibrated_two_view_geometry(
                lens, seen.xy[a], lens, seen.xy[b], matches, options
            )
            if len(geometry.inlier_matches) >= FEWEST_MATCHES:
                found.append(VerifiedPair(first, first + gap, geometry))
    return found


def write_database(
    path: Path, seen: Observations, camera: Intrinsics, pairs: list[VerifiedPair], focal_known: bool
) -> None:
    """A COLMAP database whose keypoints are the observations."""
    with pycolmap.Database.open(path) as database:
        lens = colmap_camera(camera, focal_known)
        database.write_camera(lens, use_camera_id=True)
        rig = pycolmap.Rig(rig_id=1)
        rig.add_ref_sensor(lens.sensor_id)
        database.write_rig(rig, use_rig_id=True)
        for frame, indices in enumerate(frame_observations(seen)):
            write_image(database, frame, lens, seen.xy[indices])
        for pair in pairs:
            first, second = pair.first + 1, pair.second + 1
            database.write_matches(first, second, pair.geometry.inlier_matches)
            database.write_two_view_geometry(first, second, pair.geometry)


def write_image(
    database: pycolmap.Database, frame: int, lens: pycolmap.Camera, xy: Float[np.ndarray, "observation xy=2"]
) -> None:
    """One frame of the video as an image with its keypoints."""
    number = frame + 1
    image = pycolmap.Image(name=frame_name(frame), camera_id=lens.camera_id, image_id=number)
    database.write_image(image, use_image_id=True)
    holder = pycolmap.Frame(frame_id=number, rig_id=1)
    holder.add_data_id(image.data_id)
    database.write_frame(holder, use_frame_id=True)
    database.write_keypoints(number, xy.astype(np.float32))


def map_incrementally(
    seen: Observations, camera: Intrinsics, pairs: list[VerifiedPair], focal_known: bool, seed: int
) -> list[RigidModel]:
    """Models by COLMAP's incremental mapper; poses only, no points."""
    options = pycolmap.IncrementalPipelineOptions()
    options.min_num_matches, options.min_model_size, options.random_seed = FEWEST_MATCHES, 3, seed
    options.num_threads, options.extract_colors, options.multiple_models = 1, False, False
    options.ba_refine_focal_length = not focal_known
    mapper = options.mapper
    mapper.init_min_num_inliers, mapper.init_max_error, mapper.init_min_tri_angle = 15, LARGEST_ERROR_PX, 4.0
    mapper.abs_pose_max_error, mapper.abs_pose_min_num_inliers = 3.0, 10
    mapper.filter_max_reproj_error, mapper.filter_min_tri_angle = 2.0, 0.5
    mapper.ba_local_min_tri_angle, mapper.num_threads, mapper.random_seed = 2.0, 1, seed
    mapper.abs_pose_refine_focal_length = False
    options.triangulation.min_angle, options.triangulation.random_seed = 0.5, seed
    return run_mapper(pycolmap.incremental_mapping, options, "incremental", seen, camera, pairs, focal_known, seed)


def map_globally(
    seen: Observations, camera: Intrinsics, pairs: list[VerifiedPair], focal_known: bool, seed: int
) -> list[RigidModel]:
    """Models by COLMAP's global mapper (GLOMAP); poses only, no points."""
    options = pycolmap.GlobalPipelineOptions()
    options.min_num_matches, options.num_threads, options.random_seed = FEWEST_MATCHES, 1, seed
    mapper = options.mapper
    mapper.num_threads, mapper.random_seed, mapper.min_tri_angle_deg = 1, seed, 0.5
    mapper.rotation_averaging.random_seed = mapper.global_positioning.random_seed = seed
    mapper.global_positioning.use_gpu = mapper.bundle_adjustment.ceres.use_gpu = False
    mapper.bundle_adjustment.refine_focal_length = not focal_known
    mapper.ba_num_iterations = 2
    return run_mapper(pycolmap.global_mapping, options, "global", seen, camera, pairs, focal_known, seed)


def run_mapper(mapper, options, method, seen, camera, pairs, focal_known, seed) -> list[RigidModel]:  # type: ignore[no-untyped-def]
    """Whatever models a mapper makes of verified pairs; none where it gives up."""
    pycolmap.logging.minloglevel = int(pycolmap.logging.FATAL)
    pycolmap.set_random_seed(seed)
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "database.db"
        try:
            write_database(database, seen, camera, pairs, focal_known)
        except RuntimeError as error:
            check_space(Path(folder))
            raise StageError(f"COLMAP cannot write {database} ({error}); set TMPDIR to another folder") from error
        try:
            models = mapper(database, folder, folder, options)
        except (RuntimeError, ValueError) as error:
            check_space(Path(folder))
            log.info("COLMAP's %s mapper gave up: %s", method, error)
            return []
    return [model_poses(model, seen, method) for model in models.values()]


def model_poses(model: pycolmap.Reconstruction, seen: Observations, method: str) -> RigidModel:
    """The poses of a COLMAP reconstruction whose image ids are frames + 1."""
    poses = np.full((seen.frame_count, 4, 4), np.nan)
    for number in model.reg_image_ids():
        poses[number - 1] = homogeneous(model.image(number).cam_from_world().matrix())
    points = np.full((seen.track_count, 3), np.nan)
    return RigidModel(poses, points, intrinsics_of(next(iter(model.cameras.values()))), method)


def homogeneous(matrix: Float[np.ndarray, "3 4"]) -> Float[np.ndarray, "4 4"]:
    """A transform with its last row."""
    return np.concatenate([matrix, [[0, 0, 0, 1]]])


def intrinsics_of(camera: pycolmap.Camera) -> Intrinsics:
    """Pinhole intrinsics of a COLMAP camera."""
    return Intrinsics(
        camera.focal_length_x,
        camera.focal_length_y,
        camera.principal_point_x,
        camera.principal_point_y,
        camera.width,
        camera.height,
    )


def write_model(folder: Path, model: RigidModel, seen: Observations) -> None:
    """A COLMAP model in binary files: registered frames, all observations that have a point, and the points."""
    made = pycolmap.Reconstruction()
    lens = colmap_camera(model.camera, True)
    made.add_camera_with_trivial_rig(lens)
    kept = usable(model, seen)
    slot = np.zeros(len(seen.frame), int)
    for frame, indices in enumerate(frame_observations(seen.kept(kept))):
        if not model.registered[frame]:
            continue
        observed = np.flatnonzero(kept)[indices]
        slot[observed] = np.arange(len(observed))
        image = pycolmap.Image(frame_name(frame), seen.xy[observed], 1, frame + 1)
        made.add_image_with_trivial_frame(image, pycolmap.Rigid3d(model.camera_from_object[frame, :3]))
    chosen = np.flatnonzero(kept)
    for part in np.split(chosen, np.flatnonzero(np.diff(seen.track[chosen])) + 1) if len(chosen) else []:
        elements = [pycolmap.TrackElement(int(seen.frame[i]) + 1, int(slot[i])) for i in part]
        made.add_point3D(model.points[seen.track[part[0]]], pycolmap.Track(elements), np.zeros(3, np.uint8))
    made.update_point_3d_errors()
    save_model(folder, made)


def read_model(folder: Path) -> pycolmap.Reconstruction:
    """A COLMAP model from its folder, text or binary."""
    if broken := broken_file(folder):
        raise StageError(
            f"{broken} is cut or damaged: it has not as many entries as it says; copy it again, or make it anew"
        )
    try:
        return pycolmap.Reconstruction(folder)
    except (RuntimeError, ValueError, IndexError, KeyError) as error:
        raise StageError(
            f"{folder} is not a COLMAP model ({error}); it needs cameras, images and points3D as .bin or .txt"
        ) from error


def read_tracked_model(folder: Path, frame_count: int) -> tuple[RigidModel, Observations]:
    """A model that `write_model` wrote, with the observations of its points."""
    made = read_model(folder)
    numbers = np.array(sorted(made.point3D_ids()), dtype=int)
    order = {number: track for track, number in enumerate(numbers)}
    poses = np.full((frame_count, 4, 4), np.nan)
    rows = []
    for number in made.reg_image_ids():
        image, frame = made.image(number), number - 1
        poses[frame] = homogeneous(image.cam_from_world().matrix())
        rows += [(order[p.point3D_id], frame, p.xy[0], p.xy[1]) for p in image.points2D if p.has_point3D()]
    points = np.array([made.point3D(number).xyz for number in numbers]).reshape(-1, 3)
    table = np.array(sorted(rows), dtype=float).reshape(-1, 4)
    tracks, frames = table[:, 0].astype(int), table[:, 1].astype(int)
    seen = Observations(tracks, frames, table[:, 2:], equal_errors(np.ones(len(table))), len(numbers), frame_count)
    return RigidModel(poses, points, intrinsics_of(next(iter(made.cameras.values()))), "read"), seen
