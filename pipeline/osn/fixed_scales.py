"""One scale for each object from trained fields: which valid scene is shown first, and what OSN is compared with."""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from models.osn.validity import contact_scales
from models.osn.z_buffer import SoloViews
from pipeline.formats.scene_file import Scene
from pipeline.scene.depth_maps import given_scales
from pipeline.scene.object_scales import scale_between, slowest_scale


def scale_prior(views: SoloViews, scene: Scene) -> Float[np.ndarray, "object"]:
    """What contact and motion suggest (object_scales.py), from what fields show of every object alone, in all frames."""
    contact, frames = contact_scales(views).double().cpu().numpy(), np.ones(scene.frame_count, bool)
    moving = range(1, scene.object_count)
    return np.array(
        [1.0, *(scale_between(scene, k, float(contact[k]), slowest_scale(scene, k, frames)) for k in moving)]
    )


def fixed_scales(views: SoloViews, scene: Scene, depth: Path | None) -> dict[str, Float[np.ndarray, "object"]]:
    """The middle of each object's range, what geometry suggests, and what depth maps say, where there are some."""
    if scene.object_count < 2:
        return {}
    middle = scene.scale_range.astype(np.float64).mean(axis=1)
    given = {"depth": given_scales(depth, scene)} if depth else {}
    return {"middle": middle, "prior": scale_prior(views, scene), **given}
