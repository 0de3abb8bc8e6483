"""One scale for each object where a method has no scale network: what OSN is compared with."""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from models.rendering import TrainedMethod
from pipeline.formats.scene_file import Scene
from pipeline.osn.checkpoint import OsnMethod
from pipeline.scene.depth_maps import given_scales
from pipeline.scene.object_scales import likely_scales


def fixed_scales(
    method: TrainedMethod, scene: Scene, depth: Path | None = None
) -> dict[str, Float[np.ndarray, "object"]]:
    """The middle of each object's range, what geometry suggests, and what depth maps say, where there are some.

    Nothing for a method without scales.
    """
    if not isinstance(method, OsnMethod) or scene.object_count < 2 or method.views is None:
        return {}
    middle = scene.scale_range.astype(np.float64).mean(axis=1)
    given = {"depth": given_scales(depth, scene)} if depth else {}
    return {"middle": middle, "likely": likely_scales(method.views, scene), **given}
