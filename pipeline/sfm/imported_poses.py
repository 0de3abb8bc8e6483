"""Camera poses that a person brings for the background: a COLMAP model, a transforms.json, a trajectory, a tool's results."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pycolmap
from jaxtyping import Float

from pipeline.cameras import Intrinsics, inverse
from pipeline.formats.frame_files import KeptFrames, match_names
from pipeline.formats.lens import Lens, make_lens
from pipeline.formats.source_view import SourceShape
from pipeline.formats.tool_results import tool_poses
from pipeline.formats.trajectory_files import read_trajectory
from pipeline.formats.transforms_file import NamedPoses, read_transforms, the_lens
from pipeline.runtime.errors import StageError
from pipeline.sfm.colmap import homogeneous, read_model

log = logging.getLogger(__name__)
TRANSFORMS = ("transforms.json", "transforms_train.json")
TRAJECTORIES = ("pose0.npy", "poses_bounds.npy")
MODEL_FOLDERS = ("", "sparse", "colmap", "colmap/sparse")
SAME_ASPECT = 0.01
FEWEST_FRAMES = 2


@dataclass(frozen=True)
class ImportedPoses:
    """The camera's pose in each frame, NaN where the file has none; the camera at the size of the frames; whose they are."""

    camera_from_world: Float[np.ndarray, "frame 4 4"]
    camera: Intrinsics | None
    origin: str = ""

    @property
    def known(self) -> int:
        """How many frames have a pose."""
        return int(np.isfinite(self.camera_from_world[:, 0, 0]).sum())


def read_poses(path: Path, info: dict[str, Any]) -> ImportedPoses:
    """Poses in whatever form they are, brought to the frames of `info` (frames.json)."""
    found = named_poses(path, source_size(info))
    check_rotations(path, found)
    kept_frames = KeptFrames.of_info(info)
    check_order(path, found, kept_frames)
    matched = match_names(found.names, kept_frames, path.name)
    camera_from_world = np.full((len(info["frames"]), 4, 4), np.nan)
    kept = (matched.frame >= 0) & np.isfinite(found.world_from_camera).all(axis=(1, 2))
    camera_from_world[matched.frame[kept]] = inverse(found.world_from_camera[kept])
    origin = f"{found.tool} ({path.name})" if found.tool else path.name
    imported = ImportedPoses(camera_from_world, fitted_camera(path, found.lens, info), origin)
    if imported.known < FEWEST_FRAMES:
        raise StageError(
            f"{path} has poses for {imported.known} of the {len(info['frames'])} frames; name its images as theirs"
        )
    log.info("poses of %d images of %s, %s", int(kept.sum()), origin, matched.how)
    for note in (*found.notes, *([f"{path.name}: {matched.doubt}"] if matched.doubt else [])):
        log.warning("%s", note)
    return imported


def source_size(info: dict[str, Any]) -> tuple[int, int]:
    """(height, width) of the images as stored; of the frames where that is not known."""
    source = info.get("source") or {}
    return int(source.get("height", info["height"])), int(source.get("width", info["width"]))


def lens_of_poses(path: Path, shape: SourceShape) -> Lens | None:
    """The lens that a file of poses tells, for the part of the video that the frames show."""
    lens = named_poses(path, shape.size).lens
    if lens is None:
        return None
    lens, size = shape.lens_of_frames(lens), shape.crop.size if shape.crop else shape.size
    check_aspect(path, lens, *size)
    return lens.resized(*size)


def named_poses(path: Path, size: tuple[int, int]) -> NamedPoses:
    """Poses by image name, by the form that the path has; `size` where the form does not tell that of its images."""
    if not path.exists():
        raise StageError(f"{path} does not exist; give the file or folder of the poses, or leave `poses` out")
    if path.is_file() and path.suffix.lower() == ".json":
        return read_transforms(path, size)
    for name in TRANSFORMS:
        if (path / name).is_file():
            return read_transforms(path / name, size)
    for name in TRAJECTORIES:
        if (path / name).is_file():
            path = path / name
            break
    if (found := tool_poses(path, size) or read_trajectory(path)) is not None:
        return found
    if path.is_dir() and (models := model_folders(path)):
        return colmap_poses(path, models)
    raise StageError(
        f"{path} holds no camera poses; give a COLMAP model (cameras, images, points3D), a transforms.json, OSN's "
        "transforms_train.json or pose0.npy, LLFF's poses_bounds.npy, a TUM or KITTI trajectory, or the results of ViPE, "
        "Depth Anything 3 or MegaSaM"
    )


def model_folders(path: Path) -> list[Path]:
    """The folders of COLMAP models at and under a path, at the places where its tools put them."""
    roots = [path / name for name in MODEL_FOLDERS]
    folders = [folder for root in roots if root.is_dir() for folder in (root, *sorted(root.iterdir()))]
    return [
        folder
        for folder in dict.fromkeys(folders)
        if any((folder / f"images{end}").is_file() for end in (".bin", ".txt"))
    ]


def colmap_poses(path: Path, folders: list[Path]) -> NamedPoses:
    """Poses of the largest of some COLMAP models; images that it does not register have none."""
    models = {folder: read_model(folder) for folder in folders}
    folder, model = max(models.items(), key=lambda item: item[1].num_reg_images())
    images = sorted((model.image(number) for number in model.reg_image_ids()), key=lambda image: image.name)
    if not images:
        raise StageError(f"{folder} is a COLMAP model without registered images")
    matrices = np.stack([homogeneous(image.cam_from_world().matrix()) for image in images])
    lens, notes = the_lens(path, [lens_of_camera(model.camera(image.camera_id), folder) for image in images])
    if len(models) > 1:
        sizes = ", ".join(f"{name.name} {one.num_reg_images()}" for name, one in models.items())
        notes += (f"{path.name} has {len(models)} models (images: {sizes}); the largest, {folder.name}, is taken",)
    return NamedPoses([image.name for image in images], inverse(matrices), lens, notes)


def lens_of_camera(camera: pycolmap.Camera, folder: Path) -> Lens:
    """The lens of a COLMAP camera."""
    return make_lens(camera.model.name, list(camera.params), camera.width, camera.height, str(folder))


def check_order(path: Path, found: NamedPoses, kept: KeptFrames) -> None:
    """Refuse poses without names that are neither one a frame nor one for every frame of the video."""
    if found.in_order and len(found.names) not in (len(kept), kept.source_count):
        raise StageError(
            f"{path} has {len(found.names)} poses without names of images, the scene has {len(kept)} frames "
            f"({kept.source_count} in the video): which are they of? give one for each"
            f"{f' (run {found.tool} on results/NAME/frames)' if found.tool else ''}, or a form that names images"
        )


def check_rotations(path: Path, found: NamedPoses) -> None:
    """Refuse matrices that are no rigid motions."""
    matrices = found.world_from_camera
    known = np.isfinite(matrices).all(axis=(1, 2))
    if np.abs(matrices[known, 3] - [0, 0, 0, 1]).max(initial=0.0) > 1e-6:
        raise StageError(
            f"{path}: the last row of some pose is not 0 0 0 1; are rows and columns exchanged? the place of the camera is "
            "the last column"
        )
    rotation = matrices[:, :3, :3]
    known = np.isfinite(rotation).all(axis=(1, 2))
    product = rotation[known] @ np.swapaxes(rotation[known], 1, 2)
    if np.abs(product - np.eye(3)).max(initial=0.0) >= 1e-3:
        raise StageError(f"{path}: some pose is no rotation with a translation; scale and shear do not belong there")
    if (np.linalg.det(rotation[known]) < 0).any():
        raise StageError(
            f"{path}: some pose is mirrored (its determinant is -1): it is of a left-handed system, as Unity's and Unreal's "
            "are; turn one axis around, of the world and of the camera"
        )


def fitted_camera(path: Path, lens: Lens | None, info: dict[str, Any]) -> Intrinsics | None:
    """The camera at the size of the frames; a distorted lens must have been undistorted when they were extracted."""
    if lens is None:
        return None
    height, width = int(info["height"]), int(info["width"])
    lens = SourceShape.of_info(info).lens_of_frames(lens)
    check_aspect(path, lens, height, width)
    if not lens.distorted:
        return lens.camera.resized(height, width)
    if info.get("camera") is None:
        raise StageError(
            f"{path} describes a {lens.model} lens that moves image points by up to {lens.displacement_px:.0f} px, but the "
            "frames were not undistorted; extract them again with these poses (extract_frames --poses)"
        )
    return Intrinsics.from_values(np.array(info["camera"], float), height, width)


def check_aspect(path: Path, lens: Lens, height: int, width: int) -> None:
    """Refuse a lens for images of another shape."""
    if abs(lens.width * height / (lens.height * width) - 1) > SAME_ASPECT:
        raise StageError(
            f"{path} is of images {lens.width}x{lens.height}, the frames are {width}x{height}: another shape; "
            "were the images cropped?"
        )
