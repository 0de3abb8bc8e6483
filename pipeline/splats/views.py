"""Views of one object alone: those of the video's cameras, and others turned about what they look at."""

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from jaxtyping import Float

from pipeline.cameras import Intrinsics, rigid
from pipeline.formats.scene_file import Scene
from pipeline.geometry.camera_paths import evenly_chosen
from pipeline.rendering.view_plans import viewing_depth

TURNS_DEG = ((32.0, -8.0), (-32.0, -8.0), (18.0, -24.0), (-18.0, 12.0))  # sideways, down: what a person turns to first
BACKGROUND_TURN = 0.4  # of these: farther aside there is little that the video saw


@dataclass(frozen=True)
class ObjectView:
    """A camera in an object's own frame and units, in the light of a frame; `observed` where the video has it."""

    object_from_camera: Float[np.ndarray, "4 4"]
    frame: int
    observed: bool


def fitted_size(camera: Intrinsics, longest: int) -> Intrinsics:
    """The scene's camera with no more than so many pixels a side."""
    factor = min(1.0, longest / max(camera.height, camera.width))
    return camera.resized(round(camera.height * factor), round(camera.width * factor))


def views_to_fit(scene: Scene, index: int, observed: int, turned: int) -> list[ObjectView]:
    """Some of the video's cameras, evenly chosen, and some turned away from them."""
    frames = known_frames(scene, index)
    poses = scene.object_from_camera[index].astype(np.float64)
    views = [ObjectView(poses[t], int(t), True) for t in frames[evenly_chosen(len(frames), observed)]]
    for number, t in enumerate(frames[evenly_chosen(len(frames), turned)] if turned else []):
        sideways, down = np.array(TURNS_DEG[number % len(TURNS_DEG)]) * (1.0 if index else BACKGROUND_TURN)
        views.append(ObjectView(turned_view(poses[t], pivot(scene, index, poses[t]), sideways, down), int(t), False))
    return views


def views_to_judge(scene: Scene, index: int, observed: int) -> list[ObjectView]:
    """As many of the video's cameras, halfway between those that splats are fitted to."""
    frames = known_frames(scene, index)
    chosen = evenly_chosen(len(frames), observed)
    between = sorted({(one + other) // 2 for one, other in pairwise(chosen)} or set(chosen))
    return [ObjectView(scene.object_from_camera[index, t].astype(np.float64), int(t), True) for t in frames[between]]


def known_frames(scene: Scene, index: int) -> np.ndarray:
    """Frames in which object and world are placed."""
    return np.flatnonzero(scene.visible[index] & scene.visible[0])


def pivot(scene: Scene, index: int, pose: Float[np.ndarray, "4 4"]) -> Float[np.ndarray, "xyz=3"]:
    """What a view is turned about: the middle of a moving object's box, or what lies ahead at the scene's usual depth."""
    return pose[:3, 3] + viewing_depth(scene) * pose[:3, 2] if index == 0 else np.zeros(3)


def turned_view(
    pose: Float[np.ndarray, "4 4"], about: Float[np.ndarray, "xyz=3"], sideways_deg: float, down_deg: float
) -> Float[np.ndarray, "4 4"]:
    """The camera carried around a point, first about the picture's upright axis, then about its level one."""
    turn = axis_turn(pose[:3, 1], sideways_deg) @ axis_turn(pose[:3, 0], down_deg)
    return rigid(turn @ pose[:3, :3], about + turn @ (pose[:3, 3] - about))


def axis_turn(axis: Float[np.ndarray, "xyz=3"], angle_deg: float) -> Float[np.ndarray, "3 3"]:
    """The turn about a unit axis."""
    return cv2.Rodrigues(np.radians(angle_deg) * axis)[0]
