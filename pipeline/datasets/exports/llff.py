"""LLFF's form with DynamicNeRF's masks: NeRF's forward-facing readers, DynamicNeRF, NSFF and Semantic Flow read it.

Writes  images/, poses_bounds.npy, motion_masks/ (white on what moves), disp/ (1 / depth, where depth is dense)

Its loaders have one focal length, square pixels, and send the ray of pixel index u through (u - W/2) / f: images are moved
to that camera where they have another one. Bounds are the 5 and 95 percentiles of an image's known depths. It has no list
of test views: its readers take every eighth image, or views of a rig.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from pipeline.cameras import IGNORE_ID, Intrinsics
from pipeline.datasets.imported_scene import index_camera
from pipeline.datasets.posed_video import PosedVideo, ids_seen_by, seen_by
from pipeline.formats.frames_folder import write_image
from pipeline.runtime.guarded_file import write_array

CLOSE_AND_FAR = (5, 95)  # percentiles


def write(folder: Path, video: PosedVideo) -> None:
    """Write the folder."""
    camera = index_camera(video.camera.fx, video.camera.height, video.camera.width)
    for name, image, ids in zip(video.names, video.images, video.object_ids, strict=True):
        write_image(folder / "images" / name, seen_by(image, video.camera, camera)[..., :3])
        seen = ids_seen_by(ids, video.camera, camera)
        moving = (seen > 0) & (seen != IGNORE_ID)
        write_image(folder / "motion_masks" / name, np.where(moving, np.uint8(255), np.uint8(0)))
    rows = [
        [*pose_columns(pose, camera).ravel(), *bounds]
        for pose, bounds in zip(video.world_from_camera, bounds_of(video), strict=True)
    ]
    write_array(folder / "poses_bounds.npy", np.array(rows))
    if video.dense:
        (folder / "disp").mkdir()
        for name, depth in zip(video.names, video.depth, strict=True):
            disparity = np.divide(1, depth, out=np.zeros(depth.shape), where=depth > 0)
            write_array(folder / "disp" / Path(name).with_suffix(".npy"), disparity.astype(np.float32))


def pose_columns(pose: Float[np.ndarray, "4 4"], camera: Intrinsics) -> Float[np.ndarray, "3 5"]:
    """LLFF's 3x5: the camera's axes down, right and backwards, its place, and (height, width, focal length)."""
    right, down, forward, place = pose[:3].T
    return np.stack([down, right, -forward, place, [camera.height, camera.width, camera.fx]], axis=1)


def bounds_of(video: PosedVideo) -> list[tuple[float, float]]:
    """Close and far of each image; those of all images where one knows no depth."""
    every = np.percentile(video.depth[video.depth > 0], CLOSE_AND_FAR)
    each = [depth[depth > 0] for depth in video.depth]
    close_and_far = [np.percentile(known, CLOSE_AND_FAR) if len(known) else every for known in each]
    return [(float(close), float(far)) for close, far in close_and_far]
