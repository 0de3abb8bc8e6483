"""How far an object may be from where its poses say, frame by frame: what is certain of scales must hold all over that."""

from typing import Any

import numpy as np
from jaxtyping import Float

from pipeline.formats.scene_file import Scene

SIGMAS = 2.0
MOST_UNJUDGED = 0.1  # of the frames that show an object: in more of them others may hide it without anybody's knowing
UNKNOWN = 1e3  # times its depth: nothing is certain beside such an object


def depth_margins(scene: Scene) -> Float[np.ndarray, "object"]:
    """By what share of it each object's depth may be off in a frame: two of its standard deviations.

    The background is what all others are measured by. Of what has no model, flat pictures, no depth is known, nor of what has
    no pose in many frames that show it.
    """
    lost = {k for k, silent, shown in unjudged(scene) if silent > MOST_UNJUDGED * shown}
    return np.array([0.0, *(margin(entry, k in lost) for k, entry in enumerate(scene.objects[1:], 1))], np.float32)


def margin(entry: dict[str, Any], lost: bool) -> float:
    """That of one object of a scene."""
    std = entry.get("depth_std_percent")
    return UNKNOWN if std is None or lost else SIGMAS * std / 100


def unjudged(scene: Scene) -> list[tuple[int, int, int]]:
    """Of each moving object with such frames: how many frames show it without a pose, of how many that show it."""
    found = []
    for k in range(1, scene.object_count):
        shown = (scene.object_ids == k).any((1, 2))
        silent = shown & ~(scene.visible[k] & scene.visible[0])
        if silent.any():
            found.append((k, int(silent.sum()), int(shown.sum())))
    return found
