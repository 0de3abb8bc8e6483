"""OSN's form of a real scene: its released code trains on it, and our importer reads it.

Writes  transforms_train.json, images_train/0000.png, segm_sam/0000.npy (ids of objects, 0 the background)
        transforms_test.json, images_test/, covis_mask/   truth's test views, where there are any

Its loader has one focal length for a list, square pixels, and sends the ray of pixel index u through (u - W/2) / f: images
are moved to that camera where they have another one. It knows no pixel to be ignored: these are background.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from pipeline.cameras import IGNORE_ID, Intrinsics
from pipeline.datasets.imported_scene import index_camera
from pipeline.datasets.posed_video import PosedVideo, ids_seen_by, seen_by
from pipeline.formats.frames_folder import write_image
from pipeline.formats.transforms_file import OPENGL_FROM_OPENCV
from pipeline.runtime.guarded_file import write_array


def write(folder: Path, video: PosedVideo) -> None:
    """Write the folder."""
    camera = loader_camera(video.camera)
    write_images(folder / "images_train", video.images, [video.camera] * len(video.images), camera)
    (folder / "segm_sam").mkdir()
    for index, ids in enumerate(video.object_ids):
        seen = ids_seen_by(ids, video.camera, camera)
        write_array(folder / "segm_sam" / f"{index:04d}.npy", np.where(seen == IGNORE_ID, 0, seen).astype(np.int32))
    steps = list(range(len(video.images)))
    write_list(folder, "train", camera, video.world_from_camera, steps, video.unit_times)
    if (views := video.held_out) is None:
        return
    camera, steps = loader_camera(views.cameras[0]), views.frame.tolist()
    write_images(folder / "images_test", views.images, views.cameras, camera)
    write_list(folder, "test", camera, views.world_from_camera, steps, video.unit_times[views.frame])
    for index, seen in enumerate(views.covisible if views.covisible is not None else ()):
        judged = ids_seen_by(np.where(seen, np.uint8(255), np.uint8(0)), views.cameras[index], camera)
        write_image(folder / "covis_mask" / f"{index:04d}.png", judged)


def loader_camera(camera: Intrinsics) -> Intrinsics:
    """The loader's camera of the same focal length and size."""
    return index_camera(camera.fx, camera.height, camera.width)


def write_images(
    folder: Path,
    images: UInt8[np.ndarray, "view height width rgb=3"],
    cameras: Sequence[Intrinsics],
    camera: Intrinsics,
) -> None:
    """Images as one camera sees them all; the loader drops transparency, so there is none."""
    for index, (image, own) in enumerate(zip(images, cameras, strict=True)):
        write_image(folder / f"{index:04d}.png", seen_by(image, own, camera)[..., :3])


def write_list(
    folder: Path,
    split: str,
    camera: Intrinsics,
    poses: Float[np.ndarray, "view 4 4"],
    steps: Sequence[int],
    times: Float[np.ndarray, "view"],
) -> None:
    """transforms_train.json or transforms_test.json."""
    frames: list[dict[str, Any]] = [
        {"file_path": f"{split}/{index:04d}", "time": time, "time_step": step, "view": step, "transform_matrix": rows}
        for index, (time, step, rows) in enumerate(
            zip(times.tolist(), steps, (poses @ OPENGL_FROM_OPENCV).tolist(), strict=True)
        )
    ]
    content = {"focal": camera.fx, "img_h": camera.height, "img_w": camera.width, "frames": frames}
    (folder / f"transforms_{split}.json").write_text(json.dumps(content, indent=1))
