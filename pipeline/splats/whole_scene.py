"""Splats of all objects together: in the world, and from the video's cameras beside the field and the frames."""

from typing import NamedTuple

import cv2
import numpy as np
import torch
from jaxtyping import Float

from models.splats.gaussians import Gaussians
from models.splats.rasteriser import picture
from pipeline.cameras import Intrinsics, inverse
from pipeline.formats.scene_file import Scene
from pipeline.formats.splat_file import Splats
from pipeline.geometry.camera_paths import evenly_chosen
from pipeline.rendering.trained_method import TrainedMethod
from pipeline.rendering.view_pictures import render_chunks, view_rays
from pipeline.scene.placement import world_from_object
from pipeline.splats.field_splats import as_arrays, as_gaussians, psnr_db


class SceneLikeness(NamedTuple):
    """Mean PSNR over views, in dB."""

    field_db: float
    frames_db: float


def scene_likeness(
    method: TrainedMethod,
    splats: dict[int, Splats],
    scales: Float[np.ndarray, "object"],
    camera: Intrinsics,
    views: int,
) -> SceneLikeness:
    """Of the scene that is shown first, in evenly chosen frames."""
    scene = method.scene
    frames = np.flatnonzero(scene.visible[0])
    if not len(frames) or not splats:
        return SceneLikeness(float("nan"), float("nan"))
    by_field, by_frames = [], []
    for t in frames[evenly_chosen(len(frames), views)].tolist():
        image = torch.from_numpy(scene_picture(scene, splats, scales, t, camera))
        by_field.append(psnr_db(image, torch.from_numpy(field_picture(method, scales, t, camera))))
        by_frames.append(psnr_db(image, torch.from_numpy(resized(scene.images[t], camera))))
    return SceneLikeness(float(np.mean(by_field)), float(np.mean(by_frames)))


def scene_picture(
    scene: Scene, splats: dict[int, Splats], scales: Float[np.ndarray, "object"], frame: int, camera: Intrinsics
) -> Float[np.ndarray, "height width rgb=3"]:
    """The splats from the camera of a frame."""
    placed = world_splats(scene, splats, scales, frame)
    camera_from_world = inverse(scene.object_from_camera[0, frame].astype(np.float64))
    return picture(as_gaussians(placed), camera_from_world, camera.values, (camera.height, camera.width))


def world_splats(scene: Scene, splats: dict[int, Splats], scales: Float[np.ndarray, "object"], frame: int) -> Splats:
    """All that is there at a frame whose camera is known, in the world, under the scales."""
    placed = []
    for k, entry in enumerate(scene.objects):
        pose = world_from_object(scene, k, frame, float(scales[k]))
        if pose is not None and int(entry["id"]) in splats:
            placed.append(as_gaussians(splats[int(entry["id"])]).moved(torch.from_numpy(pose).float()))
    return as_arrays(Gaussians.joined(placed))


def field_picture(
    method: TrainedMethod, scales: Float[np.ndarray, "object"], frame: int, camera: Intrinsics
) -> Float[np.ndarray, "height width rgb=3"]:
    """The field from the camera of a frame."""
    pose = method.scene.object_from_camera[0, frame].astype(np.float64)
    rays = view_rays(camera, pose, frame).to(method.device)
    asked = torch.from_numpy(scales).float().to(method.device)
    return render_chunks(method, rays, asked).colour.cpu().numpy().reshape(camera.height, camera.width, 3)


def resized(image: np.ndarray, camera: Intrinsics) -> Float[np.ndarray, "height width rgb=3"]:
    """A frame at the camera's size, in [0, 1]."""
    return cv2.resize(image, (camera.width, camera.height), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
