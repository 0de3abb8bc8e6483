"""DyCheck's form, an extension of that of Nerfies and HyperNeRF, whose readers take it too.

Writes  camera/, rgb/1x (and 2x where both sides are even), depth/ of the same sizes, points.npy, dataset.json, scene.json,
        metadata.json, extra.json, splits/

One camera, number 0; the time of a frame is its number in the video. All frames train and none is held out. Units are
those of the world; scene.json has what its readers normalise by, near and far after that.
"""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from pipeline.datasets.nerfies_camera import write_camera
from pipeline.datasets.posed_video import PosedVideo
from pipeline.formats.frames_folder import write_image
from pipeline.runtime.guarded_file import write_array

LISTS = ("frame_names", "camera_ids", "time_ids")


def write(folder: Path, video: PosedVideo) -> None:
    """Write the folder."""
    ids = [f"0_{number:05d}" for number in video.number]
    for name, image, depth, pose in zip(ids, video.images, video.depth, video.world_from_camera, strict=True):
        write_camera(folder / "camera" / f"{name}.json", video.camera, pose)
        for factor in factors(video):
            write_image(folder / "rgb" / f"{factor}x" / f"{name}.png", reduced(image, factor))
            write_depth(folder / "depth" / f"{factor}x" / f"{name}.npy", reduced_depth(depth, factor))
    write_array(folder / "points.npy", video.points.astype(np.float32))
    times = video.number.tolist()
    metadata = {
        name: {"camera_id": 0, "warp_id": time, "appearance_id": time} for name, time in zip(ids, times, strict=True)
    }
    train = dict(zip(LISTS, (ids, [0] * len(ids), times), strict=True))
    write_json(
        folder / "dataset.json",
        {"count": len(ids), "num_exemplars": len(ids), "ids": ids, "train_ids": ids, "val_ids": []},
    )
    write_json(folder / "metadata.json", metadata)
    write_json(folder / "splits" / "train.json", train)
    centre, scale = centre_and_scale(video)
    near, far = (scale * bound for bound in video.bounds)
    write_json(folder / "scene.json", {"center": centre.tolist(), "scale": scale, "near": near, "far": far})
    write_json(folder / "extra.json", extra(video, centre, scale))


def factors(video: PosedVideo) -> tuple[int, ...]:
    """What images are divided by; DyCheck's own scenes are read at half size."""
    height, width = video.images.shape[1:3]
    return (1, 2) if height % 2 == 0 and width % 2 == 0 else (1,)


def reduced(image: UInt8[np.ndarray, "height width rgb=3"], factor: int) -> UInt8[np.ndarray, "small narrow rgb=3"]:
    """An image of a whole factor's size, as DyCheck reduces it."""
    if factor == 1:
        return image
    return cv2.resize(image, (image.shape[1] // factor, image.shape[0] // factor), interpolation=cv2.INTER_AREA)


def reduced_depth(depth: Float[np.ndarray, "height width"], factor: int) -> Float[np.ndarray, "small narrow"]:
    """The nearest known depth of each block: means would lie between surfaces."""
    height, width = depth.shape
    blocks = np.where(depth > 0, depth, np.inf).reshape(height // factor, factor, width // factor, factor)
    nearest = blocks.min((1, 3))
    return np.where(np.isfinite(nearest), nearest, 0.0)


def write_depth(path: Path, depth: Float[np.ndarray, "height width"]) -> None:
    """A depth map with its one channel."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_array(path, depth[..., None].astype(np.float32))


def write_json(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1))


def corners(video: PosedVideo) -> Float[np.ndarray, "bound xyz=3"]:
    """The box of points and cameras."""
    everything = np.concatenate([video.points, video.world_from_camera[:, :3, 3]])
    return np.stack([everything.min(0), everything.max(0)])


def centre_and_scale(video: PosedVideo) -> tuple[Float[np.ndarray, "xyz=3"], float]:
    """DyCheck's normalisation: X' = (X - centre) * scale has a box with a diagonal of 1."""
    box = corners(video)
    return box.mean(0), float(1 / np.linalg.norm(box[1] - box[0]))


def extra(video: PosedVideo, centre: Float[np.ndarray, "xyz=3"], scale: float) -> dict[str, Any]:
    """extra.json, in normalised coordinates."""
    return {
        "factor": 1,
        "fps": video.fps,
        "bbox": (scale * (corners(video) - centre)).tolist(),
        "lookat": (scale * (video.look_at - centre)).tolist(),
        "up": video.up.tolist(),
    }
