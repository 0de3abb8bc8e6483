"""Coloured points on the surfaces of a trained field: shown at once where there are no splats of it."""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, UInt8

from pipeline.cameras import pixel_centres, transform, unproject
from pipeline.formats.scene_file import Scene
from pipeline.rendering.trained_method import TrainedMethod
from pipeline.rendering.view_pictures import render_chunks, view_rays
from pipeline.splats.field_splats import field_view, surface_points
from pipeline.splats.views import fitted_size, known_frames, views_to_fit

LONGEST, FRAME_LONGEST = 96, 64  # pixels of the longer side of the views whose rays become points
OBJECT_VIEWS = 6
MOST_POINTS = 20000
SURFACE = 0.5  # of opacity
RAYS_AT_ONCE = 8192


class Points(NamedTuple):
    """Points and their colours."""

    places: Float[np.ndarray, "point xyz=3"]
    colours: UInt8[np.ndarray, "point rgb=3"]


def object_points(method: TrainedMethod, index: int) -> Points:
    """Points of one object in its own frame and units, from some of the video's cameras."""
    scene: Scene = method.scene
    if not len(known_frames(scene, index)):
        return Points(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.uint8))
    camera = fitted_size(scene.camera, LONGEST)
    views = [field_view(method, index, view, camera) for view in views_to_fit(scene, index, OBJECT_VIEWS, 0)]
    places, colours = surface_points(views, camera, MOST_POINTS, np.random.default_rng(0))
    return Points(places.astype(np.float32), (255 * colours).round().astype(np.uint8))


def frame_points(method: TrainedMethod, frame: int) -> list[Points]:
    """Points of each part in the world at one time, from that frame's camera and the one farthest from it."""
    scene: Scene = method.scene
    known = np.flatnonzero(scene.visible[0])
    centres = scene.object_from_camera[0, :, :3, 3]
    farthest = int(known[np.linalg.norm(centres[known] - centres[frame], axis=1).argmax()])
    seen = [points_seen(method, frame, from_frame) for from_frame in sorted({frame, farthest})]
    places, colours, owners = (np.concatenate(arrays) for arrays in zip(*seen, strict=True))
    return [Points(places[owners == part], colours[owners == part]) for part in range(len(method.object_ids))]


def points_seen(method: TrainedMethod, frame: int, from_frame: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places in the world, colours and parts that one camera of the video sees at a time."""
    scene: Scene = method.scene
    camera = fitted_size(scene.camera, FRAME_LONGEST)
    pose = scene.object_from_camera[0, from_frame].astype(np.float64)
    scales = method.scales[0]
    shown = render_chunks(method, view_rays(camera, pose, frame).to(method.device), scales, RAYS_AT_ONCE)
    hit = (shown.opacity > SURFACE).cpu().numpy()
    pixels = pixel_centres(camera.height, camera.width).reshape(-1, 2)[hit]
    places = transform(pose, unproject(camera, pixels, shown.depth.cpu().numpy()[hit].astype(np.float64)))
    colours = (255 * shown.colour.clamp(0, 1)).round().to(torch.uint8).cpu().numpy()[hit]
    return places.astype(np.float32), colours, shown.object_weights.argmax(-1).cpu().numpy()[hit]
