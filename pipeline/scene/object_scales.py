"""One scale for each moving object, where a method needs one. A monocular video does not tell it; two things bound it.

Above: an object does not sink into the static scene. The largest scale at which it does not is the smallest ratio, but
for outliers, of the static depth to the object's own depth at scale 1. It is the true scale of whatever rests on
something, and too large for what is in the air.
Below: at a wrong scale the camera's own motion appears as motion of the object, so the true motion is rarely much
slower than the slowest one. The scale of the slowest motion is a little too small for what moves with the camera.
The geometric mean of both is taken. OSN is the method that keeps all scales; it shows the valid scene first that is
nearest to these.
"""

import logging
from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float

from pipeline.cameras import inverse
from pipeline.formats.scene_file import Scene

log = logging.getLogger(__name__)
CONTACT_PERCENTILE = 2.0
LEAST_POINTS, LEAST_PAIRS = 20, 3
LEAST_BASELINE = 0.005  # of the object's distance, from frame to frame: below it motion says nothing of the scale
DepthOf = Callable[[np.ndarray, np.ndarray], np.ndarray]  # pixels and frames to static depths


def object_scales(
    scene: Scene, frames: Bool[np.ndarray, "frame"], static_depth: DepthOf
) -> Float[np.ndarray, "object"]:
    """The scale of each object, judged in the given frames alone and within the scene's own bounds."""
    scales = np.ones(scene.object_count)
    for index in range(1, scene.object_count):
        contact = contact_scale(scene, index, frames, static_depth)
        if contact is None:
            name = scene.objects[index]["name"]
            log.warning("%s has too few points for a scale; it keeps the one that its reconstruction has", name)
        scales[index] = scale_between(scene, index, contact, slowest_scale(scene, index, frames))
    return scales


def scale_between(scene: Scene, index: int, contact: float | None, slowest: float | None) -> float:
    """The geometric mean of the bounds that are known, within the object's range; 1 where none is."""
    low, high = (float(bound) for bound in scene.scale_range[index])
    known = [min(bound, contact or bound) for bound in (contact, slowest) if bound is not None]
    scale = float(np.clip(np.exp(np.mean(np.log(known))) if known else 1.0, low, high))
    name, bounds = scene.objects[index]["name"], (bound_text(contact), bound_text(slowest))
    log.info("%s gets scale %.3f (contact %s, slowest motion %s)", name, scale, *bounds)
    return scale


def bound_text(bound: float | None) -> str:
    return "not known" if bound is None else f"{bound:.3f}"


def contact_scale(scene: Scene, index: int, frames: Bool[np.ndarray, "frame"], static_depth: DepthOf) -> float | None:
    """The largest scale at which an object stays before the static scene; None where it has too few points."""
    chosen = (scene.observation_object == index) & frames[scene.observation_frame]
    chosen &= scene.visible[0, scene.observation_frame]
    if chosen.sum() < LEAST_POINTS:
        return None
    behind = static_depth(scene.observation_xy[chosen], scene.observation_frame[chosen])
    return float(np.percentile(behind / scene.observation_depth[chosen], CONTACT_PERCENTILE))


def slowest_scale(scene: Scene, index: int, frames: Bool[np.ndarray, "frame"]) -> float | None:
    """The scale at which the object's centre moves least, by least squares; None where the camera hardly moves."""
    seen = frames & scene.visible[0] & scene.visible[index]
    pairs = np.flatnonzero(seen[:-1] & seen[1:])
    poses = scene.object_from_camera.astype(np.float64)
    centre = poses[0, :, :3, 3]
    from_camera = np.einsum("tij,tj->ti", poses[0, :, :3, :3], inverse(poses[index])[:, :3, 3])
    steps, own = centre[pairs + 1] - centre[pairs], from_camera[pairs + 1] - from_camera[pairs]
    distance = np.linalg.norm(from_camera[pairs], axis=1)
    if len(pairs) < LEAST_PAIRS or np.median(np.linalg.norm(steps, axis=1) / distance) < LEAST_BASELINE:
        return None
    scale = float(-(steps * own).sum() / (own * own).sum())
    return scale if scale > 0 else None
