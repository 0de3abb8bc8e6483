"""One scale for each moving object, where a method needs one: the object stands as far away as the static scene allows.

A monocular video does not tell the scale. Most things rest on something, so the largest scale at which an object does not
sink into the static scene is taken: the smallest ratio, but for outliers, of the static depth to the object's own depth at
scale 1 over its sparse points. Of a thing in the air this overestimates; OSN is the method that keeps all scales.
"""

import logging
from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float

from pipeline.scene_file import Scene

log = logging.getLogger(__name__)
CONTACT_PERCENTILE = 2.0
LEAST_POINTS = 20
DepthOf = Callable[[np.ndarray, np.ndarray], np.ndarray]  # pixels and frames to static depths


def contact_scales(
    scene: Scene, frames: Bool[np.ndarray, "frame"], static_depth: DepthOf
) -> Float[np.ndarray, "object"]:
    """The scales at which objects touch the static scene, judged in the given frames; within the scene's own bounds."""
    scales = np.ones(scene.object_count)
    for index in range(1, scene.object_count):
        chosen = (scene.observation_object == index) & frames[scene.observation_frame]
        chosen &= scene.visible[0, scene.observation_frame]
        low, high = (float(bound) for bound in scene.scale_range[index])
        if chosen.sum() < LEAST_POINTS:
            scales[index] = float(np.clip(1.0, low, high))
            log.warning("%s has too few points for a scale; it keeps scale %.2f", scene.objects[index]["name"], scales[index])
            continue
        behind = static_depth(scene.observation_xy[chosen], scene.observation_frame[chosen])
        ratio = np.percentile(behind / scene.observation_depth[chosen], CONTACT_PERCENTILE)
        scales[index] = float(np.clip(ratio, low, high))
        log.info("%s touches the static scene at scale %.3f", scene.objects[index]["name"], scales[index])
    return scales
