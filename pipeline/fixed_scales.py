"""One scale for each object where a method has no scale network: what OSN is compared with."""

import numpy as np
from jaxtyping import Float

from models.rendering import TrainedMethod
from pipeline.object_scales import likely_scales
from pipeline.osn_checkpoint import OsnMethod
from pipeline.scene_file import Scene


def fixed_scales(method: TrainedMethod, scene: Scene) -> dict[str, Float[np.ndarray, "object"]]:
    """The middle of each object's range, and what geometry suggests; nothing for a method without scales."""
    if not isinstance(method, OsnMethod) or scene.object_count < 2 or method.views is None:
        return {}
    middle = scene.scale_range.astype(np.float64).mean(axis=1)
    return {"middle": middle, "likely": likely_scales(method.views, scene)}
