"""OSN's scenes, rendered indoor ones and real ones: transforms_{train,test}.json, images_{train,test}/, segm_sam/ and others.

By its official loaders (vLAR-group/OSN, datasets/blender.py and realworld.py): cameras are camera-to-world, looking along
-z with y up; pixel index u is seen along (u - W/2) / f; transparency is dropped, not laid on a colour. An indoor test view
is the training camera `view` at time `time_step`. The ids of segm_sam/ are estimated, those of segm_train/ and the depth
exact, so the latter only judge. In a folder truths/ each scene shows the same video with objects at other scales (OSN,
Table 2).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from pipeline.cameras import Intrinsics, inverse
from pipeline.config import ImportDatasetConfig
from pipeline.datasets.files import (
    IMAGE_SUFFIXES,
    bright_pixels,
    listed,
    read_arrays,
    read_data_json,
    read_id_arrays,
    read_images,
)
from pipeline.datasets.imported_scene import ImportedScene, index_camera, only_split
from pipeline.formats.lens import Lens
from pipeline.formats.transforms_file import OPENGL_FROM_OPENCV
from pipeline.runtime.errors import StageError
from pipeline.truth.truth_file import TrueScenes, TruthViews, known_views

PROTOCOL = "osn"
ARRAYS = (".npy",)
SAME_POSE = 1e-4
RIGID = 1e-3


@dataclass(frozen=True)
class Cameras:
    """One transforms file: cameras in our axes, and where it has them objects, in the world of the background."""

    path: Path
    camera: Intrinsics
    indoor: bool
    world_from_camera: Float[np.ndarray, "frame 4 4"]
    world_from_object: Float[np.ndarray, "frame moving 4 4"] | None
    time_step: Int[np.ndarray, "frame"]
    view: Int[np.ndarray, "frame"]
    time: Float[np.ndarray, "frame"]

    @property
    def size(self) -> tuple[int, int]:
        return self.camera.height, self.camera.width

    @property
    def intrinsics(self) -> Float[np.ndarray, "frame value=4"]:
        return np.tile(self.camera.values, (len(self.view), 1))


def read(path: Path, config: ImportDatasetConfig) -> ImportedScene:
    """One scene, indoor where its file says camera_angle_x, real where it says focal."""
    train = read_cameras(path / "transforms_train.json", None)
    split = only_split(config, "indoor" if train.indoor else "real", path)
    count, size = len(train.view), train.size
    paths = listed(path / "images_train", IMAGE_SUFFIXES, "training images", count)
    test, doubts = test_views(path, train) if (path / "transforms_test.json").exists() else (None, [])
    return ImportedScene(
        protocol=PROTOCOL,
        split=split,
        names=[image.name for image in paths],
        times=train.time,
        images=read_images(paths, size),
        world_from_camera=train.world_from_camera,
        lenses=[Lens.pinhole(train.camera)] * count,
        train=known_views(
            size,
            train.world_from_camera,
            np.arange(count, dtype=np.int32),
            depth=optional_depth(path / "depth_train", count, size),
            object_ids=optional_ids(path / "segm_train", count, size),
            world_from_object=train.world_from_object,
            intrinsics=train.intrinsics,
        ),
        test=test,
        scenes=true_scenes(path, train, test) if test is not None and (path / "truths").is_dir() else None,
        masks=optional_ids(path / "segm_sam", count, size),
        notes=notes(path, train),
        doubts=doubts,
    )


def notes(path: Path, train: Cameras) -> list[str]:
    """What was decided."""
    found = ["the ray of pixel index u is (u - W/2) / f, as OSN's loader has it: the principal point is at W/2 + 0.5"]
    if (path / "segm_train").is_dir():
        exact = "masks are the estimated ones of segm_sam" if (path / "segm_sam").is_dir() else "masks are left to us"
        found.append(f"{exact}; the exact ones of segm_train only judge (OSN itself trains indoor scenes on these)")
    if train.indoor:
        found.append("poses of the cameras are the exact ones of the rendered scene")
    return found


def read_cameras(path: Path, train: Cameras | None) -> Cameras:
    """A transforms file; the test file's object poses may be left to the training file."""
    data = read_data_json(path, "frames")
    frames, indoor = data["frames"], "camera_angle_x" in data
    if not frames:
        raise StageError(f"{path} has no frames")
    try:
        height, width = int(data["img_h"]), int(data["img_w"])
        focal = width / 2 / np.tan(float(data["camera_angle_x"]) / 2) if indoor else float(data["focal"])
        world_from_camera = np.array([frame["transform_matrix"] for frame in frames], float) @ OPENGL_FROM_OPENCV
        step = [int(frame.get("time_step", index)) for index, frame in enumerate(frames)]
        view = [int(frame.get("view", index)) for index, frame in enumerate(frames)]
        last = max(len(frames) - 1, 1) if train is None else max(len(train.view) - 1, 1)
        time = [float(frame.get("time", step / last)) for frame, step in zip(frames, step, strict=True)]
        objects = [frame.get("object_poses") for frame in frames]
    except (KeyError, TypeError, ValueError) as error:
        raise StageError(
            f"{path} is not a transforms file of OSN ({type(error).__name__}: {error}); it needs camera_angle_x or focal, "
            "img_h, img_w, and frames with transform_matrix"
        ) from error
    if world_from_camera.shape[1:] != (4, 4):
        raise StageError(f"{path}: transform_matrix must be 4x4, the file's are {world_from_camera.shape[1:]}")
    world_from_camera, moving = in_background(path, world_from_camera, objects)
    camera = index_camera(float(focal), height, width)
    arrays = (np.array(step, np.int32), np.array(view, np.int32), np.array(time, float))
    return Cameras(path, camera, indoor, world_from_camera, moving, *arrays)


def in_background(
    path: Path, world_from_camera: Float[np.ndarray, "frame 4 4"], objects: list[Any]
) -> tuple[Float[np.ndarray, "frame 4 4"], Float[np.ndarray, "frame moving 4 4"] | None]:
    """Cameras and objects in the frame of object 0, the background; objects only where every frame has them."""
    if any(entry is None for entry in objects):
        return world_from_camera, None
    counts = {len(entry) for entry in objects}
    if len(counts) > 1:
        raise StageError(f"{path}: frames have {min(counts)} to {max(counts)} object_poses, they need the same number")
    poses = rigid_poses(path, np.array(objects, float))
    background_from_world = inverse(poses[:, 0])
    return background_from_world @ world_from_camera, background_from_world[:, None] @ poses[:, 1:]


def rigid_poses(path: Path, poses: Float[np.ndarray, "frame object 4 4"]) -> Float[np.ndarray, "frame object 4 4"]:
    """Poses without the sizes that Blender puts into the matrices of scaled objects; refuses shear."""
    if poses.shape[2:] != (4, 4):
        raise StageError(f"{path}: object_poses must be 4x4 matrices, the file's are {poses.shape[2:]}")
    lengths = np.linalg.norm(poses[..., :3, :3], axis=-2, keepdims=True)
    turned = poses[..., :3, :3] / np.where(lengths > 0, lengths, 1)
    if np.abs(turned @ np.swapaxes(turned, -1, -2) - np.eye(3)).max() > RIGID:
        raise StageError(
            f"{path}: some matrix of object_poses has shear; an object's pose is a rotation and a translation"
        )
    exact = np.abs(lengths - 1).max() < RIGID
    return (
        poses
        if exact
        else np.concatenate([np.concatenate([turned, poses[..., :3, 3:]], axis=-1), poses[..., 3:, :]], axis=-2)
    )


def test_views(path: Path, train: Cameras) -> tuple[TruthViews, list[str]]:
    """Held-out views; of an indoor scene the cameras are training cameras, as OSN's test.py takes them."""
    test = read_cameras(path / "transforms_test.json", train)
    check_steps(test, train)
    count, size = len(test.view), test.size
    doubts, world_from_camera = [], test.world_from_camera
    if test.indoor:
        world_from_camera = train.world_from_camera[test.view]
        if np.abs(world_from_camera - test.world_from_camera).max() > SAME_POSE:
            doubts.append(
                f"{test.path.name} has other cameras than the training cameras that its `view` names; as OSN's own test "
                "does, the training cameras are taken"
            )
    objects = test.world_from_object
    if objects is None and train.world_from_object is not None:
        objects = train.world_from_object[test.time_step]
    paths = listed(path / "images_test", IMAGE_SUFFIXES, "test images", count)
    views = known_views(
        size,
        world_from_camera,
        test.time_step,
        images=read_images(paths, size),
        depth=optional_depth(path / "depth_test", count, size),
        object_ids=optional_ids(path / "segm_test", count, size),
        world_from_object=objects,
        intrinsics=test.intrinsics,
        covisible=optional_covisible(path / "covis_mask", count, size),
        names=[image.name for image in paths],
    )
    return views, doubts


def check_steps(test: Cameras, train: Cameras) -> None:
    """Test views are of times, and indoor of cameras, that the video has."""
    frames = len(train.view)
    for name, values in (("time_step", test.time_step), *([("view", test.view)] if test.indoor else [])):
        if values.min() < 0 or values.max() >= frames:
            raise StageError(
                f"{test.path}: {name} goes from {values.min()} to {values.max()}, but {train.path.name} has {frames} frames "
                f"(0 to {frames - 1})"
            )


def optional_depth(folder: Path, count: int, size: tuple[int, int]) -> Float[np.ndarray, "frame height width"] | None:
    """Depth along the optical axis, if the scene has it."""
    return read_arrays(listed(folder, ARRAYS, "depth maps", count), size) if folder.is_dir() else None


def optional_ids(folder: Path, count: int, size: tuple[int, int]) -> UInt8[np.ndarray, "frame height width"] | None:
    """Object ids in sorted order of their files, if the scene has them."""
    return read_id_arrays(listed(folder, ARRAYS, "object ids", count), size) if folder.is_dir() else None


def optional_covisible(folder: Path, count: int, size: tuple[int, int]) -> Bool[np.ndarray, "view height width"] | None:
    """Pixels that are judged, if the scene says so."""
    return bright_pixels(listed(folder, (".png",), "co-visibility masks", count), size) if folder.is_dir() else None


def true_scenes(path: Path, train: Cameras, test: TruthViews) -> TrueScenes:
    """The scenes under truths/, with the scale of each object relative to the scene itself."""
    folders = sorted(folder for folder in (path / "truths").iterdir() if folder.is_dir())
    if not folders:
        raise StageError(f"{path / 'truths'} is empty; each scene there has transforms_test.json, images_test/, ...")
    found = [(test_views(folder, train)[0], folder) for folder in folders]
    for views, folder in found:
        if len(views.time) != len(test.time) or (views.time != test.time).any():
            raise StageError(f"{folder}/transforms_test.json has other time steps than {path}/transforms_test.json")
    scales = np.stack([relative_scales(views, test, train, folder) for views, folder in found])
    images, depth, ids = (
        np.stack([getattr(views, name) for views, _ in found]) for name in ("images", "depth", "object_ids")
    )
    return TrueScenes(scales, np.arange(len(test.time)), images, depth, ids)


def relative_scales(views: TruthViews, test: TruthViews, train: Cameras, folder: Path) -> Float[np.ndarray, "object"]:
    """How many times larger, and farther from the video's camera, each object is than in the scene itself."""
    if not (views.knows("world_from_object") and test.knows("world_from_object")):
        raise StageError(f"{folder}/transforms_test.json lacks object_poses, so the scales of the scene cannot be told")
    camera = train.world_from_camera[test.time][:, None, :3, 3]
    distances = [np.linalg.norm(one.world_from_object[..., :3, 3] - camera, axis=-1) for one in (views, test)]
    if distances[0].shape != distances[1].shape:
        raise StageError(
            f"{folder}/transforms_test.json has {distances[0].shape[1]} moving objects, not {distances[1].shape[1]}"
        )
    return np.concatenate([[1.0], np.median(distances[0] / distances[1], axis=0)])
