"""Miniatures of the data sets' layouts, of one small world cast exactly: a room with two boxes that move.

`shoot` casts any pinhole camera at any time; a writer for each layout lays the shots out as the data set has them, by the
conventions in the sources of its official loader, written down here a second time and by hand.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from models.simulation.ray_casting import solo_depths
from models.simulation.shading import View, render_image, turn
from pipeline.cameras import Intrinsics, directions_at_unit_depth, pixel_centres, rigid
from pipeline.simulate_scene import SimulatedWorld
from pipeline.simulation.action import poses_with_background
from tests.synthetic import synthetic_cameras, synthetic_world

HEIGHT, WIDTH = 24, 32
FOCAL = 0.95  # over the width
FRAMES = 6
CAMERAS = 3  # of the rig, in the place of NVIDIA's 12
CLASSES = (("background", (0, 0, 0)), ("left box", (128, 0, 0)), ("right box", (0, 128, 0)))
GL = np.diag([1.0, -1.0, -1.0, 1.0])  # cameras of NeRF, Blender and OSN: y up, looking along -z


@dataclass(frozen=True)
class PinholeView(View):
    """A view through any pinhole camera."""

    camera: Intrinsics = field(kw_only=True)

    def rays(self, shift: tuple[float, float] = (0.0, 0.0)) -> tuple[Tensor, Tensor]:
        xy = pixel_centres(self.height, self.width) + np.array(shift)
        local = torch.from_numpy(directions_at_unit_depth(self.camera, xy).reshape(-1, 3)).float()
        directions = turn(self.world_from_camera, local)
        return self.world_from_camera[:3, 3].expand_as(directions), directions


@dataclass(frozen=True)
class Shot:
    """What one camera sees at one time; depth is z in the camera, ids are 0 (the room), 1 and 2."""

    image: np.ndarray
    depth: np.ndarray
    ids: np.ndarray


@cache
def world() -> SimulatedWorld:
    """The world of all miniatures."""
    return synthetic_world()


def shoot(
    camera: Intrinsics, world_from_camera: np.ndarray, frame: int, world_from_object: np.ndarray | None = None
) -> Shot:
    """One shot at a time of the world, or with the boxes (object, 4, 4) elsewhere."""
    poses = world_from_objects(frame) if world_from_object is None else world_from_object
    return cast(camera, world_from_camera.tobytes(), poses.tobytes())


@lru_cache(maxsize=512)
def cast(camera: Intrinsics, pose: bytes, objects: bytes) -> Shot:
    """The same shot is cast once; its arrays are not to be written into."""
    pose_of_camera = torch.from_numpy(np.frombuffer(pose).reshape(4, 4).copy()).float()
    poses = poses_with_background(np.frombuffer(objects).reshape(-1, 4, 4))
    view = PinholeView(pose_of_camera, camera.fx, camera.height, camera.width, camera=camera)
    image = (255 * render_image(world().lit, poses, view)).round().byte().numpy()
    depth = solo_depths(world().lit.parts, poses, *view.rays()).reshape(-1, camera.height, camera.width).numpy()
    return Shot(image, depth.min(0).astype(np.float32), depth.argmin(0).astype(np.uint8))


def world_from_objects(frame: int) -> np.ndarray:
    """(2, 4, 4) poses of the boxes."""
    return np.ascontiguousarray(world().action.world_from_object[frame], dtype=np.float64)


def sideways_cameras(count: int = FRAMES, rise: float = 0.0) -> np.ndarray:
    """(frame, 4, 4) world_from_camera, in our axes, along an arc."""
    return synthetic_cameras(np.linspace(-0.3, 0.3, count), -1.6 - rise)


def loader_camera(height: int = HEIGHT, width: int = WIDTH) -> Intrinsics:
    """The camera whose image a loader reads right that sends the ray of pixel index u through (u - W/2) / f."""
    return Intrinsics(FOCAL * width, FOCAL * width, width / 2 + 0.5, height / 2 + 0.5, width, height)


def save_image(path: Path, image: np.ndarray) -> None:
    """RGB, RGBA or one channel."""
    path.parent.mkdir(parents=True, exist_ok=True)
    swapped = image[..., [2, 1, 0, *range(3, image.shape[-1])]] if image.ndim == 3 else image
    assert cv2.imwrite(str(path), swapped)


def save_array(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, array)


def save_json(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


# OSN


def write_osn(
    folder: Path, frames: int = FRAMES, height: int = HEIGHT, width: int = WIDTH, truths: Sequence[float] = ()
) -> np.ndarray:
    """An indoor scene whose test views are (view 0, time 1..); `truths` are scales of the second box in other scenes.

    The world of its JSON is turned against ours, so that the background's pose matters. Returns the cameras.
    """
    cameras, camera = sideways_cameras(frames), loader_camera(height, width)
    shots = [shoot(camera, cameras[t], t) for t in range(frames)]
    for t, shot in enumerate(shots):
        alpha = np.full((height, width, 1), 255 if t % 2 else 128, np.uint8)
        save_image(folder / "images_train" / f"{t:04d}.png", np.concatenate([shot.image, alpha], axis=2))
        save_array(folder / "segm_sam" / f"{t:04d}.npy", shot.ids.astype(np.int64))
    write_osn_truth(folder, "train", shots)
    save_json(folder / "transforms_train.json", osn_transforms(camera, cameras, [(t, t) for t in range(frames)]))
    write_osn_test(folder, camera, cameras)
    for number, scale in enumerate(truths):
        write_osn_test(folder / "truths" / f"{number:02d}", camera, cameras, scale)
    return cameras


def write_osn_test(folder: Path, camera: Intrinsics, cameras: np.ndarray, scale: float = 1.0) -> None:
    """View 0 at all other times."""
    pairs = [(0, t) for t in range(1, len(cameras))]
    objects = [scaled_objects(cameras[t], t, scale) for t in range(len(cameras))]
    shots = [shoot(camera, cameras[0], t, objects[t]) for _, t in pairs]
    for index, shot in enumerate(shots):
        save_image(folder / "images_test" / f"{index:04d}.png", shot.image)
        if scale == 1:
            save_image(folder / "covis_mask" / f"{index:04d}.png", (shot.ids < 2).astype(np.uint8) * 255)
    write_osn_truth(folder, "test", shots)
    save_json(folder / "transforms_test.json", osn_transforms(camera, cameras, pairs, objects))


def scaled_objects(world_from_camera: np.ndarray, frame: int, scale: float) -> np.ndarray:
    """The boxes, the second `scale` times as far from the camera (and as large, which the shots leave out)."""
    poses = world_from_objects(frame).copy()
    eye = world_from_camera[:3, 3]
    poses[1, :3, 3] = eye + scale * (poses[1, :3, 3] - eye)
    return poses


def write_osn_truth(folder: Path, split: str, shots: Sequence[Shot]) -> None:
    """Exact depth and ids of one split."""
    for index, shot in enumerate(shots):
        save_array(folder / f"depth_{split}" / f"{index:04d}.npy", shot.depth)
        save_array(folder / f"segm_{split}" / f"{index:04d}.npy", shot.ids.astype(np.int64))


def osn_transforms(
    camera: Intrinsics,
    cameras: np.ndarray,
    pairs: Sequence[tuple[int, int]],
    objects: Sequence[np.ndarray] | None = None,
) -> dict:
    """Of (view, time step) pairs, in a world of the data set's own."""
    home = home_of_osn()
    placed = objects or [world_from_objects(t) for t in range(len(cameras))]
    frames = [
        {
            "transform_matrix": (home @ cameras[view] @ GL).tolist(),
            "object_poses": [home.tolist(), *(home @ placed[step]).tolist()],
            "time_step": step,
            "view": view,
        }
        for view, step in pairs
    ]
    angle = 2 * float(np.arctan(0.5 * camera.width / camera.fx))
    return {"camera_angle_x": angle, "img_h": camera.height, "img_w": camera.width, "frames": frames}


def write_multimotion(folder: Path, frames: int = FRAMES) -> np.ndarray:
    """A real scene of OSN's: the left camera of a stereo pair trains, the right one of the same times tests."""
    left, camera = sideways_cameras(frames), loader_camera()
    right = left @ rigid(np.eye(3), np.array([0.3, 0.0, 0.0]))
    for split, cameras in (("train", left), ("test", right)):
        shots = [shoot(camera, pose, t) for t, pose in enumerate(cameras)]
        for t, shot in enumerate(shots):
            save_image(folder / f"images_{split}" / f"{t:04d}.png", shot.image)
            if split == "train":
                save_array(folder / "segm_sam" / f"{t:04d}.npy", shot.ids.astype(np.int64))
        said = [
            {"transform_matrix": (pose @ GL).tolist(), "time": t / (frames - 1), "time_step": t, "view": t}
            for t, pose in enumerate(cameras)
        ]
        size = {"focal": camera.fx, "img_h": camera.height, "img_w": camera.width}
        save_json(folder / f"transforms_{split}.json", size | {"frames": said})
    return left


def home_of_osn() -> np.ndarray:
    """Where the background is in the data set's world."""
    turned = np.array([[0.8, 0.0, 0.6], [0.0, 1.0, 0.0], [-0.6, 0.0, 0.8]])
    return rigid(turned, np.array([0.5, -0.2, 1.0]))


# NVIDIA Dynamic Scene: DynamicNeRF's, NSFF's and Semantic Flow's folders


def rig_cameras(cameras: int = CAMERAS, frames: int = FRAMES) -> np.ndarray:
    """(frame, 4, 4): the cameras of the rig in turn."""
    return sideways_cameras(cameras)[np.arange(frames) % cameras]


def write_llff(folder: Path, cameras: np.ndarray, images: str = "images", factor: int = 1) -> list[Shot]:
    """Images, poses_bounds.npy, motion masks and disparity of a video whose frame t is taken by cameras[t].

    The poses are of images `factor` times larger than those written.
    """
    camera = loader_camera(factor * HEIGHT, factor * WIDTH)
    shots = [shoot(loader_camera(), pose, t) for t, pose in enumerate(cameras)]
    rows = []
    for t, (pose, shot) in enumerate(zip(cameras, shots, strict=True)):
        right, down, forward, place = pose[:3].T
        columns = [down, right, -forward, place, [camera.height, camera.width, camera.fx]]
        rows.append([*np.stack(columns, axis=1).ravel(), *np.percentile(shot.depth, [5, 95])])
        save_image(folder / images / f"{t:05d}.png", shot.image)
        save_image(folder / "motion_masks" / f"{t:05d}.png", (shot.ids > 0).astype(np.uint8) * 255)
        save_array(folder / "disp" / f"{t:05d}.npy", (1 / shot.depth)[::2, ::2])
    save_array(folder / "poses_bounds.npy", np.array(rows))
    return shots


def write_nvidia(folder: Path) -> np.ndarray:
    """The cameras of the rig in turn, at half the size of the poses; gt/ has the first one at all times."""
    cameras = rig_cameras()
    write_llff(folder, cameras, "images_2", factor=2)
    for t in range(FRAMES):
        save_image(folder / "gt" / f"v000_t{t:03d}.png", shoot(loader_camera(), cameras[0], t).image)
    return cameras


def write_nsff(folder: Path) -> np.ndarray:
    """The cameras of the rig in turn; mv_images/ has all of them at every time, mv_masks/ what moves."""
    cameras, camera = rig_cameras(), loader_camera()
    write_llff(folder / "dense", cameras)
    for t in range(FRAMES):
        for c in range(CAMERAS):
            shot = shoot(camera, cameras[c], t)
            save_image(folder / "dense" / "mv_images" / f"{t:05d}" / f"cam{c + 1:02d}.png", shot.image)
            moving = (shot.ids > 0).astype(np.uint8) * 255
            save_image(folder / "dense" / "mv_masks" / f"{t:05d}" / f"cam{c + 1:02d}.png", moving)
    return cameras


def write_semantic_nvidia(folder: Path) -> np.ndarray:
    """DynamicNeRF's folder, with label maps in colours; times and cameras are counted from 1. The left box is foreground."""
    cameras = rig_cameras()
    shots = write_llff(folder, cameras, "images_2", factor=2)
    colours = np.array([colour for _, colour in CLASSES], np.uint8)
    for t, shot in enumerate(shots):
        save_image(folder / "SegmentationClass_train" / f"{t:05d}.png", colours[shot.ids])
        for c in range(CAMERAS):
            seen = shoot(loader_camera(), cameras[c], t)
            save_image(folder / "multiview_GT" / f"{t + 1:08d}" / f"cam{c + 1:02d}.png", seen.image)
            labels = folder / "multiview_GT_semantic" / f"{t + 1:08d}" / f"cam{c + 1:02d}.png"
            save_image(labels, colours[seen.ids])
    lines = ["# label:color_rgb:parts:actions", *(f"{name}:{r},{g},{b}::" for name, (r, g, b) in CLASSES)]
    (folder / "labelmap.txt").write_text("\n".join(lines))
    (folder / "foreground_object.txt").write_text("left box\n")
    return cameras
