"""DyCheck's form, an extension of that of Nerfies and HyperNeRF, whose readers take it too.

Writes  camera/, rgb/1x (and 2x where both sides are even), depth/ of the same sizes, points.npy, dataset.json, scene.json,
        metadata.json, extra.json, splits/

The video is camera 0; the time of a frame is its number in the video. All frames train. Truth's test views, if there are
any, are those of cameras 1, 2, ... in the list val, with covisible/. Units are those of the world; scene.json has what its
readers normalise by, near and far after that.
"""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from pipeline.cameras import Intrinsics
from pipeline.datasets.files import nearest
from pipeline.datasets.nerfies_camera import write_camera
from pipeline.datasets.posed_video import PosedVideo
from pipeline.formats.frames_folder import write_image
from pipeline.runtime.guarded_file import write_array

LISTS = ("frame_names", "camera_ids", "time_ids")


def write(folder: Path, video: PosedVideo) -> None:
    """Write the folder."""
    times = video.number.tolist()
    ids = [f"0_{number:05d}" for number in times]
    for name, image, depth, pose in zip(ids, video.images, video.depth, video.world_from_camera, strict=True):
        write_view(folder, video, name, image, video.camera, pose)
        for factor in factors(video):
            write_depth(folder / "depth" / f"{factor}x" / f"{name}.npy", reduced_depth(depth, factor))
    write_array(folder / "points.npy", video.points.astype(np.float32))
    of_train = dict.fromkeys(ids, 0)
    of_val = write_held_out(folder, video)
    cameras = of_train | of_val
    metadata = {name: {"camera_id": camera, **moment(name)} for name, camera in cameras.items()}
    lists = {"train_ids": ids, "val_ids": list(of_val)}
    write_json(
        folder / "dataset.json", {"count": len(cameras), "num_exemplars": len(ids), "ids": list(cameras), **lists}
    )
    write_json(folder / "metadata.json", metadata)
    for split, own in (("train", of_train), ("val", of_val)):
        if own:
            columns = (list(own), list(own.values()), [moment(name)["warp_id"] for name in own])
            write_json(folder / "splits" / f"{split}.json", dict(zip(LISTS, columns, strict=True)))
    centre, scale = centre_and_scale(video)
    near, far = (scale * bound for bound in video.bounds)
    write_json(folder / "scene.json", {"center": centre.tolist(), "scale": scale, "near": near, "far": far})
    write_json(folder / "extra.json", extra(video, centre, scale))


def moment(name: str) -> dict[str, int]:
    """What metadata.json says of the time of an ID."""
    time = int(name.split("_")[1])
    return {"warp_id": time, "appearance_id": time}


def write_view(
    folder: Path,
    video: PosedVideo,
    name: str,
    image: UInt8[np.ndarray, "height width rgb=3"],
    camera: Intrinsics,
    pose: Float[np.ndarray, "4 4"],
) -> None:
    """The camera of an ID, and its image at every factor."""
    write_camera(folder / "camera" / f"{name}.json", camera, pose)
    for factor in factors(video):
        write_image(folder / "rgb" / f"{factor}x" / f"{name}.png", reduced(image, factor))


def write_held_out(folder: Path, video: PosedVideo) -> dict[str, int]:
    """The views that test, with what of them is to be judged: ID -> camera; nothing where there are none."""
    views = video.held_out
    if views is None:
        return {}
    numbers = views.camera_numbers
    ids = [f"{camera}_{video.number[frame]:05d}" for camera, frame in zip(numbers, views.frame.tolist(), strict=True)]
    for row, name in enumerate(ids):
        write_view(folder, video, name, views.images[row], views.cameras[row], views.world_from_camera[row])
        if views.covisible is None:
            continue
        seen = np.where(views.covisible[row], np.uint8(255), np.uint8(0))
        for factor in factors(video):
            size = (seen.shape[0] // factor, seen.shape[1] // factor)
            write_image(folder / "covisible" / f"{factor}x" / "val" / f"{name}.png", nearest(seen, size))
    return dict(zip(ids, numbers, strict=True))


def factors(video: PosedVideo) -> tuple[int, ...]:
    """What images are divided by; DyCheck's own scenes are read at half size."""
    sides = [*video.images.shape[1:3], *(video.held_out.images.shape[1:3] if video.held_out else ())]
    return (1, 2) if all(side % 2 == 0 for side in sides) else (1,)


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
