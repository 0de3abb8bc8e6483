"""The valid scenes of a trained method, best first or nearest first to what a person asks for."""

import logging
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from pipeline.rendering.trained_method import TrainedMethod
from pipeline.runtime.errors import StageError
from pipeline.truth.alignment import nearest_scales

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ValidScales:
    """The valid scenes of a method, best first; those `unoccluded` show the video as well as any."""

    scales: Float[np.ndarray, "sample object"]
    scores: Float[np.ndarray, "sample"]
    unoccluded: Bool[np.ndarray, "sample"]

    def nearest_first(self, wanted: Float[np.ndarray, "object"]) -> "ValidScales":
        """Ordered by how near, in ratio, the scales are to the wanted ones."""
        order = nearest_scales(self.scales, wanted, len(self.scales))
        return ValidScales(self.scales[order], self.scores[order], self.unoccluded[order])


def valid_scales(method: TrainedMethod, wanted: list[float], section: str) -> ValidScales:
    """The valid scenes, the one nearest to the wanted scales of the moving objects first, where a section has any."""
    valid = ValidScales(*(values.cpu().numpy() for values in (method.scales, method.scores, method.unoccluded())))
    if not wanted or len(valid.scales) == 1:
        return valid
    if len(wanted) != valid.scales.shape[1] - 1:
        raise StageError(
            f"{section}.scales has {len(wanted)} scales, the scene {valid.scales.shape[1] - 1} moving objects"
        )
    nearest = valid.nearest_first(np.array([1.0, *wanted]))
    explain_choice(method, wanted, nearest.scales[0])
    return nearest


def explain_choice(method: TrainedMethod, wanted: list[float], chosen: Float[np.ndarray, "object"]) -> None:
    """Say which valid scene is taken for wanted scales, and what the video contradicts where these are not valid."""
    nearest = [round(float(scale), 3) for scale in chosen[1:]]
    why = method.explain_scales(method.scales.new_tensor([1.0, *wanted]), method.scales.new_tensor(chosen))
    if why:
        log.warning(
            "the scales %s do not explain the video: %s. The valid scene nearest to them is taken, %s",
            wanted,
            why,
            nearest,
        )
    else:
        log.info("the scales %s are valid; the nearest sampled scene has %s", wanted, nearest)
