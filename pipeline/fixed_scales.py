"""One scale for each object where a method has no scale network: what OSN is compared with."""

import numpy as np
from jaxtyping import Float

from models.osn.validity import contact_scales
from models.rendering import TrainedMethod
from pipeline.osn_checkpoint import OsnMethod
from pipeline.scene_file import Scene


def fixed_scales(method: TrainedMethod, scene: Scene) -> dict[str, Float[np.ndarray, "object"]]:
    """The middle of each object's range, and where it touches what lies behind it; nothing for a method without scales."""
    if not isinstance(method, OsnMethod) or scene.object_count < 2 or method.views is None:
        return {}
    low, high = scene.scale_range.astype(np.float64).T
    contact = contact_scales(method.views).double().cpu().numpy()
    return {"middle": (low + high) / 2, "contact": contact.clip(low, high)}
