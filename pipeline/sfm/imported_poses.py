"""Camera poses that a person brings for the background: a COLMAP model, a transforms.json, or OSN's own files."""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from pipeline.cameras import Intrinsics, inverse
from pipeline.formats.transforms_file import OPENGL_FROM_OPENCV, NamedPoses, read_transforms, the_camera
from pipeline.runtime.errors import StageError
from pipeline.sfm.colmap import homogeneous, intrinsics_of, read_model

log = logging.getLogger(__name__)
TRANSFORMS = ("transforms.json", "transforms_train.json")
MODELS = ("", "sparse/0", "sparse", "colmap/sparse/0", "0")
SAME_ASPECT = 0.01
FEWEST_FRAMES = 2


@dataclass(frozen=True)
class ImportedPoses:
    """The camera's pose in each frame, NaN where the file has none; the camera at the size of the frames."""

    camera_from_world: Float[np.ndarray, "frame 4 4"]
    camera: Intrinsics | None


def read_poses(path: Path, info: dict[str, Any]) -> ImportedPoses:
    """Poses in whatever form they are, brought to the frames of `info` (frames.json)."""
    found = named_poses(path)
    check_rotations(path, found)
    frames = frames_of_names(path, found.names, info)
    camera_from_world = np.full((len(info["frames"]), 4, 4), np.nan)
    kept = (frames >= 0) & np.isfinite(found.world_from_camera).all(axis=(1, 2))
    camera_from_world[frames[kept]] = inverse(found.world_from_camera[kept])
    known = int(np.isfinite(camera_from_world[:, 0, 0]).sum())
    if known < FEWEST_FRAMES:
        raise StageError(f"{path} has poses for {known} of the {len(info['frames'])} frames; name its images as theirs")
    if known < len(info["frames"]):
        log.warning("%s has poses for %d of %d frames; the others are left out", path.name, known, len(info["frames"]))
    if found.distorted:
        log.warning("the lens distortion in %s is ignored; give an undistorted video for exact geometry", path.name)
    return ImportedPoses(camera_from_world, fitted_camera(path, found.camera, int(info["height"]), int(info["width"])))


def named_poses(path: Path) -> NamedPoses:
    """Poses by image name, by the form that the path has."""
    if path.is_file() and path.suffix == ".json":
        return read_transforms(path)
    if path.is_file() and path.suffix == ".npy":
        return osn_poses(path)
    for name in TRANSFORMS:
        if (path / name).is_file():
            return read_transforms(path / name)
    if (path / "pose0.npy").is_file():
        return osn_poses(path / "pose0.npy")
    for name in MODELS:
        if any((path / name / f"images{suffix}").is_file() for suffix in (".bin", ".txt")):
            return colmap_poses(path / name)
    raise StageError(
        f"{path} holds no camera poses; give a COLMAP model (cameras, images, points3D), a transforms.json, or OSN's "
        "transforms_train.json or pose0.npy"
    )


def colmap_poses(folder: Path) -> NamedPoses:
    """Poses of a COLMAP model."""
    model = read_model(folder)
    images = sorted((model.image(number) for number in model.reg_image_ids()), key=lambda image: image.name)
    if not images:
        raise StageError(f"{folder} is a COLMAP model without registered images")
    matrices = np.stack([homogeneous(image.cam_from_world().matrix()) for image in images])
    cameras = {intrinsics_of(model.camera(image.camera_id)) for image in images}
    distorted = any(not camera.is_undistorted() for camera in model.cameras.values())
    return NamedPoses([image.name for image in images], inverse(matrices), the_camera(folder, set(cameras)), distorted)


def osn_poses(path: Path) -> NamedPoses:
    """OSN's pose0.npy (world_from_camera, OpenGL axes) with vis0.npy beside it: unseen frames hold the identity."""
    matrices = np.load(path, allow_pickle=False).astype(float)
    if matrices.ndim != 3 or matrices.shape[1:] != (4, 4):
        raise StageError(f"{path} has shape {matrices.shape}; OSN's poses are (frames, 4, 4)")
    seen = path.with_name(path.name.replace("pose", "vis"))
    visible = np.load(seen, allow_pickle=False).astype(bool) if seen.is_file() else np.ones(len(matrices), bool)
    names = [f"{number:06d}" for number in range(len(matrices))]
    poses = np.where(visible[:, None, None], matrices @ OPENGL_FROM_OPENCV, np.nan)
    return NamedPoses(names, poses, None, False)


def check_rotations(path: Path, found: NamedPoses) -> None:
    """Refuse matrices that are no rigid motions."""
    rotation = found.world_from_camera[:, :3, :3]
    known = np.isfinite(rotation).all(axis=(1, 2))
    product = rotation[known] @ np.swapaxes(rotation[known], 1, 2)
    if not (np.abs(product - np.eye(3)).max(initial=0.0) < 1e-3 and (np.linalg.det(rotation[known]) > 0).all()):
        raise StageError(f"{path}: some pose is no rotation with a translation; scale and shear do not belong there")


def frames_of_names(path: Path, names: Sequence[str], info: dict[str, Any]) -> np.ndarray:
    """The frame that each image is, -1 for none: by our names, by rank among all of the video's, or by number."""
    ours = {Path(row["file"]).stem: index for index, row in enumerate(info["frames"])}
    stems = [Path(name).stem for name in names]
    if all(stem in ours for stem in stems):
        return np.array([ours[stem] for stem in stems])
    rank = np.argsort(np.argsort(np.array(stems), kind="stable"), kind="stable")
    frame_of_source = {int(row["source_index"]): index for index, row in enumerate(info["frames"])}
    if len(stems) == (info.get("source") or {}).get("frames"):
        return np.array([frame_of_source.get(int(number), -1) for number in rank])
    if len(stems) == len(ours):
        return rank
    numbers = [re.search(r"(\d+)$", stem) for stem in stems]
    if all(numbers) and len(set(stems)) == len(stems):
        values = [int(number.group(1)) for number in numbers if number]
        if max(values) < len(ours):
            return np.array(values)
    raise StageError(
        f"{path} has poses for {len(stems)} images ({stems[0]} ... {stems[-1]}), the scene has {len(ours)} frames "
        f"({next(iter(ours))} ...); name the images as the frames, or give a pose for every image of the video"
    )


def fitted_camera(path: Path, camera: Intrinsics | None, height: int, width: int) -> Intrinsics | None:
    """The camera for frames of another size but the same shape."""
    if camera is None:
        return None
    if abs(camera.width * height / (camera.height * width) - 1) > SAME_ASPECT:
        raise StageError(
            f"{path} is of images {camera.width}x{camera.height}, the frames are {width}x{height}: another shape; "
            "were the images cropped?"
        )
    return camera.resized(height, width)
