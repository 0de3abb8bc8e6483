"""D-NeRF's form, that of Blender scenes with `time`: most methods for dynamic scenes read it.

Writes  transforms_{train,val,test}.json, train/r_000.png, test/r_000.png (RGBA, opaque where there is a picture)
        dataparser_transforms.json   the similarity that was applied, by nerfstudio's words

Its readers know one field of view (square pixels, the principal point in the middle), and expect what is seen between 2
and 6 units from the camera, around the origin. So images are moved to that camera where they have another one, and the
world is moved and scaled to it. Where truth has test views, these are val and test; else no frame is held out, and both are
every eighth of the training frames.
"""

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from pipeline.cameras import Intrinsics
from pipeline.datasets.posed_video import PosedVideo, seen_by
from pipeline.formats.frames_folder import write_image
from pipeline.formats.transforms_file import OPENGL_FROM_OPENCV

log = logging.getLogger(__name__)
NEAR, FAR = 2.0, 6.0  # typed into its readers
SHOWN_EVERY = 8


def write(folder: Path, video: PosedVideo) -> None:
    """Write the folder."""
    centred = Intrinsics.centred(video.camera.fx, video.camera.height, video.camera.width)
    scale, centre = scale_and_centre(video)
    cameras = [video.camera] * len(video.images)
    train = entries(folder, "train", video.images, cameras, centred, video.unit_times, video.world_from_camera)
    splits = {"train": train, "val": train[::SHOWN_EVERY], "test": train[::SHOWN_EVERY]}
    if (held_out := video.held_out) is not None:
        times = video.unit_times[held_out.frame]
        test = entries(folder, "test", held_out.images, held_out.cameras, centred, times, held_out.world_from_camera)
        splits |= {"val": test, "test": test}
    for split, chosen in splits.items():
        frames = [entry | {"transform_matrix": matrix_of(entry, scale, centre)} for entry in chosen]
        write_json(folder / f"transforms_{split}.json", {"camera_angle_x": angle_x(centred), "frames": frames})
    applied = np.concatenate([np.eye(3), -centre[:, None]], axis=1)
    write_json(folder / "dataparser_transforms.json", {"transform": applied.tolist(), "scale": scale})


def entries(
    folder: Path,
    split: str,
    images: UInt8[np.ndarray, "frame height width rgb=3"],
    cameras: Sequence[Intrinsics],
    centred: Intrinsics,
    times: Float[np.ndarray, "frame"],
    poses: Float[np.ndarray, "frame 4 4"],
) -> list[dict[str, Any]]:
    """The images of a split, written as the one camera sees them, and their entries with poses in the world of the video."""
    (folder / split).mkdir(parents=True, exist_ok=True)
    found = []
    for index, (image, camera, time, pose) in enumerate(zip(images, cameras, times.tolist(), poses, strict=True)):
        path = folder / split / f"{frame_stem(index)}.png"
        write_image(path, seen_by(image, camera, centred))
        found.append({"file_path": f"./{split}/{frame_stem(index)}", "time": time, "transform_matrix": pose})
    return found


def matrix_of(entry: dict[str, Any], scale: float, centre: Float[np.ndarray, "xyz=3"]) -> list[list[float]]:
    """The pose of an entry in the readers' world and axes."""
    moved = entry["transform_matrix"].copy()
    moved[:3, 3] = scale * (moved[:3, 3] - centre)
    rows: list[list[float]] = (moved @ OPENGL_FROM_OPENCV).tolist()
    return rows


def frame_stem(index: int) -> str:
    """D-NeRF's names of images."""
    return f"r_{index:03d}"


def angle_x(camera: Intrinsics) -> float:
    """The horizontal field of view, radians."""
    return float(2 * np.arctan(camera.width / 2 / camera.fx))


def write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1))


def scale_and_centre(video: PosedVideo) -> tuple[float, Float[np.ndarray, "xyz=3"]]:
    """What brings the nearest point to 2 units and the middle of the points to the origin."""
    near, far = video.bounds
    scale = NEAR / near
    if far * scale > FAR:
        log.warning(
            "dnerf: the scene reaches to %.1f units where its near is %g; readers that stop at %g need `far` raised",
            far * scale,
            NEAR,
            FAR,
        )
    return scale, np.median(video.points, axis=0)
