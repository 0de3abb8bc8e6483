"""D-NeRF's form, that of Blender scenes with `time`: most methods for dynamic scenes read it.

Writes  transforms_{train,val,test}.json, train/r_000.png (RGBA, opaque where the video shows something)
        dataparser_transforms.json   the similarity that was applied, by nerfstudio's words

Its readers know one field of view (square pixels, the principal point in the middle), and expect what is seen between 2
and 6 units from the camera, around the origin. So images are moved to that camera where they have another one, and the
world is moved and scaled to it. No frame is held out: val and test are every eighth of the training frames.
"""

import json
import logging
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from pipeline.cameras import Intrinsics
from pipeline.datasets.posed_video import PosedVideo
from pipeline.formats.transforms_file import OPENGL_FROM_OPENCV

log = logging.getLogger(__name__)
NEAR, FAR = 2.0, 6.0  # typed into its readers
SHOWN_EVERY = 8


def write(folder: Path, video: PosedVideo) -> None:
    """Write the folder."""
    centred = Intrinsics.centred(video.camera.fx, video.camera.height, video.camera.width)
    for index, image in enumerate(video.images):
        path = folder / "train" / f"{frame_stem(index)}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), centred_image(image, video.camera, centred)[..., [2, 1, 0, 3]])
    scale, centre = scale_and_centre(video)
    matrices = video.world_from_camera.copy()
    matrices[:, :3, 3] = scale * (matrices[:, :3, 3] - centre)
    frames = [
        {"file_path": f"./train/{frame_stem(index)}", "time": time, "transform_matrix": matrix.tolist()}
        for index, (time, matrix) in enumerate(
            zip(video.unit_times.tolist(), matrices @ OPENGL_FROM_OPENCV, strict=True)
        )
    ]
    for split, chosen in {"train": frames, "val": frames[::SHOWN_EVERY], "test": frames[::SHOWN_EVERY]}.items():
        write_json(folder / f"transforms_{split}.json", {"camera_angle_x": angle_x(centred), "frames": chosen})
    applied = np.concatenate([np.eye(3), -centre[:, None]], axis=1)
    write_json(folder / "dataparser_transforms.json", {"transform": applied.tolist(), "scale": scale})


def frame_stem(index: int) -> str:
    """D-NeRF's names of images."""
    return f"r_{index:03d}"


def angle_x(camera: Intrinsics) -> float:
    """The horizontal field of view, radians."""
    return float(2 * np.arctan(camera.width / 2 / camera.fx))


def write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1))


def centred_image(
    image: UInt8[np.ndarray, "height width rgb=3"], camera: Intrinsics, centred: Intrinsics
) -> UInt8[np.ndarray, "height width rgba=4"]:
    """An image as a camera with square pixels and a centred principal point sees it, transparent where it sees nothing."""
    height, width = image.shape[:2]
    opaque = np.full((height, width), 255, np.uint8)
    if not np.array_equal(camera.values, centred.values):
        stretch = np.array([centred.fx / camera.fx, centred.fy / camera.fy])
        middle, own = np.array([centred.cx, centred.cy]), np.array([camera.cx, camera.cy])
        shift = middle - stretch * own - 0.5 * (1 - stretch)  # OpenCV counts from pixel centres
        warp, size = np.column_stack([np.diag(stretch), shift]), (width, height)
        moved = cv2.warpAffine(image, warp, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        return np.dstack([moved, cv2.warpAffine(opaque, warp, size, flags=cv2.INTER_NEAREST)])
    return np.dstack([image, opaque])


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
