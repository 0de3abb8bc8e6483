"""NVIDIA Dynamic Scene in its several layouts: a static rig of cameras, of which each frame of the video is another's.

Poses are LLFF's poses_bounds.npy, a row an image; the ray of pixel index u is (u - W/2) / f, as the loaders of DynamicNeRF,
NSFF and Semantic Flow have it. Motion masks tell what moves, not what is which object; disp/ holds disparity.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from pipeline.cameras import Intrinsics
from pipeline.datasets.files import IMAGE_SUFFIXES, bright_pixels, by_area, listed, nearest, read_npy, read_rgb
from pipeline.datasets.imported_scene import ImportedScene, index_camera
from pipeline.formats.frame_files import last_number, natural_order
from pipeline.formats.lens import Lens
from pipeline.formats.trajectory_files import llff_poses
from pipeline.runtime.errors import StageError
from pipeline.truth.truth_file import TruthViews, known_views

ONE_MASK = (
    "motion masks tell what moves, not which object it is, so all that moves is one object; to have objects told apart, "
    "leave masks out of import_dataset.use"
)
INDEX_NOTE = (
    "the ray of pixel index u is (u - W/2) / f, as the official loader has it: the principal point is at W/2 + 0.5"
)
SAME_POSE = 1e-4


@dataclass(frozen=True)
class RigVideo:
    """The video of a rig: its images at one size, and the camera of each."""

    names: list[str]
    images: UInt8[np.ndarray, "frame height width rgb=3"]
    world_from_camera: Float[np.ndarray, "frame 4 4"]
    camera: Intrinsics

    @property
    def size(self) -> tuple[int, int]:
        return self.camera.height, self.camera.width

    @property
    def times(self) -> Float[np.ndarray, "frame"]:
        return np.arange(len(self.names), dtype=float)


@dataclass(frozen=True)
class RigView:
    """A test view: a camera of the rig, the frame of its time, and its image and mask."""

    camera: int
    frame: int
    image: Path


def rig_scene(video: RigVideo, protocol: str, split: str, **more: Any) -> ImportedScene:
    """A scene whose video is a rig's; `more` are the other fields of the scene."""
    return ImportedScene(
        protocol=protocol,
        split=split,
        names=video.names,
        times=video.times,
        images=video.images,
        world_from_camera=video.world_from_camera,
        lenses=[Lens.pinhole(video.camera)] * len(video.names),
        **more,
    )


def masked_rig_scene(
    folder: Path, video: RigVideo, protocol: str, split: str, test: TruthViews | None
) -> ImportedScene:
    """A scene of a rig with its motion masks and disparity."""
    masks = motion_masks(folder, video)
    return rig_scene(
        video,
        protocol,
        split,
        train=frames_of_rig(video),
        test=test,
        masks=masks,
        mask_names={} if masks is None else {1: "what moves"},
        depth=disparity(folder, video),
        notes=[INDEX_NOTE, *([] if masks is None else [ONE_MASK])],
    )


def read_video(folder: Path, factor: int | Callable[[int], float], reduced: str) -> RigVideo:
    """The images of the folder `reduced` if it is there, else those of images/ made `factor` times smaller.

    The factor may be a function of the images' height; `reduced` may name the {width} and {height} that come of it.
    """
    path = folder / "poses_bounds.npy"
    array = read_npy(path)
    if array.ndim != 2 or array.shape[1] != 17:
        raise StageError(f"{path} has shape {array.shape}; LLFF's poses have 17 numbers an image")
    poses = llff_poses(path, array)
    assert poses.lens is not None
    stored = poses.lens.camera
    times = factor(stored.height) if callable(factor) else float(factor)
    size = (round(stored.height / times), round(stored.width / times))
    small = folder / reduced.format(height=size[0], width=size[1])
    files = listed(small if small.is_dir() else folder / "images", IMAGE_SUFFIXES, "images", len(array))
    images = np.stack([by_area(same_shape(read_rgb(file), size, file), size) for file in files])
    camera = index_camera(stored.fx / times, *size)
    return RigVideo([file.name for file in files], images, poses.world_from_camera, camera)


def same_shape(
    image: UInt8[np.ndarray, "height width rgb=3"], size: tuple[int, int], path: Path
) -> UInt8[np.ndarray, "height width rgb=3"]:
    """Refuse an image that is no reduction or enlargement of (height, width)."""
    height, width = image.shape[:2]
    if abs(width * size[0] - height * size[1]) > max(height, width) + max(size):
        raise StageError(f"{path} is {width}x{height}, poses_bounds.npy tells images of the shape {size[1]}x{size[0]}")
    return image


def motion_masks(folder: Path, video: RigVideo) -> UInt8[np.ndarray, "frame height width"] | None:
    """1 where something moves; None where the scene has no such masks."""
    if not (folder / "motion_masks").is_dir():
        return None
    files = listed(folder / "motion_masks", IMAGE_SUFFIXES, "motion masks", len(video.names))
    return bright_pixels(files, video.size).astype(np.uint8)


def disparity(folder: Path, video: RigVideo) -> Float[np.ndarray, "frame height width"] | None:
    """Disparity of a network for single images, larger is nearer; None where the scene has none."""
    if not (folder / "disp").is_dir():
        return None
    files = listed(folder / "disp", (".npy",), "disparity maps", len(video.names))
    return np.stack([nearest(np.squeeze(read_npy(file)), video.size) for file in files]).astype(np.float32)


def time_folders(folder: Path, frames: int) -> dict[int, Path]:
    """The folder of each time of the video: by number, counted from 0 or 1, as the last one tells."""
    found = sorted((path for path in folder.iterdir() if path.is_dir()), key=lambda path: natural_order(path.name))
    numbers = [last_number(path.name) for path in found]
    known = [number for number in numbers if number is not None]
    if len(known) < len(found) or not known:
        raise StageError(f"{folder} holds no folders that are named by time (00000000, 00000001, ...)")
    first = 1 if min(known) > 0 and max(known) == frames else 0
    if max(known) - first >= frames:
        raise StageError(f"{folder} goes up to {found[-1].name}, the video has {frames} frames")
    return {number - first: path for number, path in zip(known, found, strict=True)}


def camera_files(folder: Path) -> dict[int, Path]:
    """The image of each camera of a time: cam01 is camera 0."""
    files = listed(folder, IMAGE_SUFFIXES, "views of the rig's cameras (cam01, cam02, ...)")
    numbers = {file: last_number(file.stem) for file in files}
    if any(number is None or number < 1 for number in numbers.values()):
        raise StageError(f"{folder} holds files that are not named cam01, cam02, ...: {files[0].name}")
    return {int(number) - 1: file for file, number in numbers.items() if number is not None}


def rig_views(video: RigVideo, views: list[RigView], object_ids: list[Path] | np.ndarray | None = None) -> TruthViews:
    """Test views of the rig; cameras are those of the video's frames of the same number. Masks of motion become ids 0 and 1."""
    if not views:
        raise StageError("the data set has no test view at a time of the video")
    if isinstance(object_ids, list):
        object_ids = bright_pixels(object_ids, video.size).astype(np.uint8)
    images = [by_area(same_shape(read_rgb(view.image), video.size, view.image), video.size) for view in views]
    return known_views(
        video.size,
        video.world_from_camera[[view.camera for view in views]],
        np.array([view.frame for view in views], np.int32),
        images=np.stack(images),
        object_ids=object_ids,
        intrinsics=np.tile(video.camera.values, (len(views), 1)),
        names=[f"cam{view.camera + 1:02d} at {view.frame}" for view in views],
    )


def frames_of_rig(video: RigVideo, object_ids: UInt8[np.ndarray, "frame height width"] | None = None) -> TruthViews:
    """What truth knows of the video's own views."""
    count = len(video.names)
    return known_views(
        video.size,
        video.world_from_camera,
        np.arange(count, dtype=np.int32),
        object_ids=object_ids,
        intrinsics=np.tile(video.camera.values, (count, 1)),
    )


def check_cameras(video: RigVideo, cameras: int) -> None:
    """The video goes through the cameras of the rig in turn, so poses repeat after as many frames."""
    poses = video.world_from_camera
    if len(poses) < cameras:
        raise StageError(f"the rig has {cameras} cameras, the video only {len(poses)} frames, so some have no pose")
    moved = np.abs(poses[cameras:] - poses[:-cameras]).max(axis=(1, 2), initial=0) > SAME_POSE * (
        1 + np.abs(poses[:, :3, 3]).max()
    )
    if moved.any():
        frame = int(np.flatnonzero(moved)[0]) + cameras
        raise StageError(
            f"frame {frame} has another pose than frame {frame - cameras}, though the test views are of {cameras} cameras, "
            "which the video goes through in turn; some of the cameras' views may be missing"
        )
