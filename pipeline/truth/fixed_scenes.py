"""Whether a simulated scene is one of our own benchmark scenes, and still what it was when its figures were written."""

import hashlib
import logging

import numpy as np

from pipeline.config import FIXED_SCENES, FIXED_SCENES_VERSION, SimulateSceneConfig
from pipeline.truth.truth_file import Truth, TruthViews

log = logging.getLogger("pipeline.truth.fixed_scenes")
DECIMALS = 4  # of poses and depths, in units of the world: their last bits differ from machine to machine


def truth_digest(truth: Truth) -> str:
    """Of all that a benchmark judges by: images, ids and poses of the video, of held-out views and of other true scenes."""
    digest = hashlib.sha256()
    for views in (truth.train, truth.test):
        add_views(digest, views)
    if truth.scenes:
        digest.update(truth.scenes.images.tobytes())
        add_rounded(digest, truth.scenes.scales)
    return digest.hexdigest()[:16]


def add_views(digest: "hashlib._Hash", views: TruthViews) -> None:
    digest.update(views.images.tobytes())
    digest.update(views.object_ids.tobytes())
    add_rounded(digest, views.world_from_camera)
    add_rounded(digest, views.world_from_object)


def add_rounded(digest: "hashlib._Hash", values: np.ndarray) -> None:
    digest.update((np.round(values.astype(np.float64), DECIMALS) + 0.0).tobytes())  # no negative zeros


def check_fixed(config: SimulateSceneConfig, truth: Truth) -> None:
    """Warn where a benchmark scene has come out unlike its version."""
    for name, fixed in FIXED_SCENES.items():
        if fixed.config != config:
            continue
        found = truth_digest(truth)
        if found != fixed.digest:
            log.warning(
                "%s is not that of version %d (digest %s, expected %s): its figures compare with none that were written; "
                "another processor, torch or simulator drew it",
                *(name, FIXED_SCENES_VERSION, found, fixed.digest),
            )
        else:
            log.info("%s, version %d: digest %s as it should be", name, FIXED_SCENES_VERSION, found)
