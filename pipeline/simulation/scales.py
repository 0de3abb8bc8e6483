"""Other scenes that show the same video: objects moved along the camera's rays and grown or shrunk by the same factor.

A scene explains the video as long as no pixel shows another object than it did. Where object a is seen and object b lies
behind it, that is s_a depth_a < s_b depth_b; so all pixels together say no more than a limit on s_a / s_b for every pair.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Float, UInt8

from pipeline.cameras import inverse
from pipeline.runtime.errors import StageError
from pipeline.simulation.action import Action

LOW, HIGH = 0.5, 1.8  # of the scales; those of the scene that was filmed are 1
DRAWS, DRAWN_AT_ONCE = 200, 20_000


def ratio_limits(
    solo_depth: Float[np.ndarray, "object frame height width"], object_ids: UInt8[np.ndarray, "frame height width"]
) -> Float[np.ndarray, "seen behind"]:
    """Below which s_seen / s_behind every pixel keeps its object; inf where the two never share a pixel."""
    count = len(solo_depth)
    limits = np.full((count, count), np.inf)
    for seen in range(count):
        pixels = object_ids == seen
        own = solo_depth[seen][pixels]
        for behind in range(count):
            other = solo_depth[behind][pixels]
            if behind != seen and (other > 0).any():
                limits[seen, behind] = (other[other > 0] / own[other > 0]).min()
    return limits


def draw_scales(
    random: np.random.Generator, limits: Float[np.ndarray, "seen behind"], count: int
) -> Float[np.ndarray, "scene object"]:
    """Scale vectors under which the video stays as it is, even over all there are between LOW and HIGH."""
    low = np.maximum(LOW, 1 / limits[0, 1:])
    high = np.minimum(HIGH, limits[1:, 0])
    found: list[np.ndarray] = []
    for _ in range(DRAWS):
        moving = low + random.random((DRAWN_AT_ONCE, len(low))) * (high - low)
        scales = np.concatenate([np.ones((len(moving), 1)), moving], axis=1)
        kept = (scales[:, :, None] / scales[:, None, :] < limits).all((1, 2))
        found.extend(scales[kept][: count - len(found)])
        if len(found) == count:
            return np.stack(found)
    raise StageError(
        f"only {len(found)} of {count} combinations of scales leave the video as it is; take fewer "
        "simulate_scene.combinations, fewer objects or another seed"
    )


def scaled_action(action: Action, scales: Float[np.ndarray, "object"]) -> Action:
    """Every object moved along the rays of the video's camera, at each time; its pose then also holds its size."""
    grown = np.zeros((len(scales) - 1, 4, 4))
    grown[:, [0, 1, 2], [0, 1, 2]], grown[:, 3, 3] = scales[1:, None], 1.0
    before_camera = inverse(action.train_cameras)[:, None] @ action.world_from_object
    return replace(action, world_from_object=action.train_cameras[:, None] @ grown @ before_camera)
