"""D-NeRF's scenes: transforms_{train,test}.json and images rendered by Blender, transparent where there is nothing.

By its official loader (albertpumarola/D-NeRF, load_blender.py): camera_angle_x is the field of view over the width,
cameras look along -z with y up, images are laid on white, scenes of 800x800 are read at half size, `time` is from 0 to 1.
Blender's principal point is in the middle and its pixel centres are at +0.5, as ours; the loader's rays are half a pixel
beside that. Images of `train` are the video in the order of their times. transforms_val.json is not read.
"""

from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from pipeline.cameras import Intrinsics
from pipeline.config import ImportDatasetConfig
from pipeline.datasets.files import read_data_json
from pipeline.datasets.imported_scene import ImportedScene, only_split
from pipeline.datasets.seen_views import SeenView, intrinsics_of, nearest_frames, scene_of_views, stacked
from pipeline.formats.lens import Lens
from pipeline.formats.transforms_file import OPENGL_FROM_OPENCV, focal_of_angle
from pipeline.runtime.errors import StageError
from pipeline.truth.truth_file import TruthViews, known_views

PROTOCOL, SPLIT = "", "test"  # its numbers are ours: whole images, no masks
RELEASED = 800  # pixels; these scenes are read at half size


def read(path: Path, config: ImportDatasetConfig) -> ImportedScene:
    """One scene."""
    split = only_split(config, SPLIT, path)
    train = sorted(read_views(path, "train", config.factor), key=lambda view: view.time)
    times = np.array([view.time for view in train])
    test, doubts = test_views(path, config, times) if (path / "transforms_test.json").exists() else (None, [])
    if len(np.unique(times)) < len(times):
        doubts.append("several training images are of one time: this is no video of one camera")
    return scene_of_views(
        train,
        PROTOCOL,
        split,
        test=test,
        notes=[
            "images are laid on white, as D-NeRF's loader does",
            "the principal point is in the middle and pixel centres are at +0.5, as Blender renders them",
        ],
        doubts=doubts,
    )


def test_views(path: Path, config: ImportDatasetConfig, times: np.ndarray) -> tuple[TruthViews, list[str]]:
    """Held-out views."""
    views = read_views(path, "test", config.factor)
    frames, doubts = nearest_frames(np.array([view.time for view in views]), times)
    images = stacked(views, "image")
    poses = stacked(views, "world_from_camera")
    names = [view.name for view in views]
    found = known_views(images.shape[1:3], poses, frames, images=images, intrinsics=intrinsics_of(views), names=names)
    return found, doubts


def read_views(path: Path, split: str, factor: int | None) -> list[SeenView]:
    """The images of one list; times are even where the file does not tell them."""
    file = path / f"transforms_{split}.json"
    data = read_data_json(file, "camera_angle_x", "frames")
    last = max(len(data["frames"]) - 1, 1)
    views = []
    try:
        for index, entry in enumerate(data["frames"]):
            name = str(entry["file_path"])
            image = on_white(image_path(path, name), factor)
            height, width = image.shape[:2]
            focal = focal_of_angle(float(data["camera_angle_x"]), float(width))
            assert focal is not None
            pose = np.array(entry["transform_matrix"], float) @ OPENGL_FROM_OPENCV
            lens = Lens.pinhole(Intrinsics.centred(focal, height, width))
            time = float(entry.get("time", index / last))
            views.append(SeenView(name, time, lens, pose, image, np.ones((height, width), bool)))
    except (KeyError, TypeError, ValueError) as error:
        raise StageError(
            f"{file} is not a transforms file of D-NeRF ({type(error).__name__}: {error}); its frames need file_path, "
            "transform_matrix (4x4) and time"
        ) from error
    if not views:
        raise StageError(f"{file} has no frames")
    return views


def image_path(folder: Path, name: str) -> Path:
    """Names have no suffix in the released files."""
    path = folder / name
    return path if path.suffix else path.with_name(f"{path.name}.png")


def on_white(path: Path, factor: int | None) -> UInt8[np.ndarray, "height width rgb=3"]:
    """An image, first reduced, then laid on white: the order of D-NeRF's loader."""
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if image is None or image.ndim != 3 or image.dtype != np.uint8:
        raise StageError(f"{path} is missing or not an image in colour with 8 bits a channel")
    height, width = image.shape[:2]
    factor = factor or (2 if (height, width) == (RELEASED, RELEASED) else 1)
    if factor > 1:
        image = cv2.resize(image, (width // factor, height // factor), interpolation=cv2.INTER_AREA)
    if image.shape[2] == 3:
        return np.ascontiguousarray(image[..., ::-1], np.uint8)
    alpha = image[..., 3:].astype(np.float32) / 255
    return (alpha * image[..., 2::-1] + (1 - alpha) * 255).round().astype(np.uint8)
