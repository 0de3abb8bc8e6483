"""How much a lens bends straight lines: one radial term that the tracks tell, with its uncertainty, and how it is undone.

What images tell is k1 over the focal length squared: whatever the focal length, straight lines become straight by it. So a
lens can be undone before anything else is known of it, and what remains is a pinhole, whose focal length is calibrated.
"""

import logging
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from pipeline.cameras import Intrinsics
from pipeline.formats.lens import Lens, Undistortion
from pipeline.sfm.bundle_adjustment import Adjustment, Freedom, sane_radials
from pipeline.sfm.rigid_model import Observations
from pipeline.sfm.video_parts import spread_over_parts

log = logging.getLogger(__name__)
MODEL = "SIMPLE_RADIAL"
LEAST_CORNER_PX = 1.0
SIGNIFICANT = 5.0  # standard deviations: to bend a straight image costs more than to leave a slightly bent one


@dataclass(frozen=True)
class RadialTerm:
    """k1 of COLMAP's SIMPLE_RADIAL (OpenCV's k1) at a focal length in pixels, and its standard deviation there."""

    k1: float
    std: float
    focal_px: float

    def at(self, focal_px: float) -> "RadialTerm":
        """The same bend, told at another focal length."""
        factor = (focal_px / self.focal_px) ** 2
        return RadialTerm(self.k1 * factor, self.std * factor, focal_px)

    def followed_by(self, left: "RadialTerm", focal_px: float) -> "RadialTerm":
        """With what is left when it is undone, measured there anew: the sum, as both are small.

        `focal_px` is that of the lens which became that of `left` in the pinhole view.
        """
        return RadialTerm(self.at(focal_px).k1 + left.k1, left.std, focal_px)

    def corner_px(self, camera: Intrinsics) -> float:
        """How far it moves the corners of images of a camera's size."""
        return float(abs(self.k1) * (np.hypot(camera.width, camera.height) / 2) ** 3 / self.focal_px**2)

    def matters(self, camera: Intrinsics) -> bool:
        """Whether it is beyond its own uncertainty and can be seen."""
        return abs(self.k1) > SIGNIFICANT * self.std and self.corner_px(camera) > LEAST_CORNER_PX

    def lens(self, camera: Intrinsics) -> Lens:
        """The lens of a camera with square pixels that bends by this term, no farther than the image can be unbent."""
        low, high = sane_radials(camera)
        k1 = float(np.clip(self.at(camera.fx).k1, low, high))
        return Lens(MODEL, (camera.fx, camera.cx, camera.cy, k1), camera.width, camera.height)


def measured_term(bent: Adjustment, seen: Observations, freedom: Freedom) -> RadialTerm:
    """The radial term of a model that was adjusted with one.

    Parts of the video say how sure it is, as costs of a bundle adjustment are far too sharp.
    """
    focal, k1 = bent.model.camera.fx, radial_of(bent)
    std = spread_over_parts(bent, seen, replace(freedom, focal=False, radial=True), radial_of)
    term = RadialTerm(k1, std, focal)
    log.info("radial term %.4f +- %.4f, %.2f px at the corners", k1, std, term.corner_px(bent.model.camera))
    return term


def radial_of(found: Adjustment) -> float:
    """The radial term of an adjusted model."""
    return found.shape.radial if found.shape else 0.0


def straightened(seen: Observations, view: Undistortion) -> Observations:
    """Observations as the pinhole has them, with the covariances that they have there; some lie beside its image."""
    moved = view.points(seen.xy)
    across, down = (view.points(seen.xy + step) - view.points(seen.xy - step) for step in ([0.5, 0.0], [0.0, 0.5]))
    jacobian: Float[np.ndarray, "observation 2 2"] = np.stack([across, down], axis=-1)
    covariance = jacobian @ seen.covariance @ np.swapaxes(jacobian, 1, 2)
    known = np.isfinite(moved).all(1) & np.isfinite(covariance).all((1, 2))
    return tracks_of(replace(seen, xy=moved, covariance=covariance).kept(known))


def within_image(seen: Observations, camera: Intrinsics) -> Observations:
    """The observations in the image; a track of which none is left keeps its number."""
    x, y = seen.xy.T
    return seen.kept((x >= 0) & (x < camera.width) & (y >= 0) & (y < camera.height))


def tracks_of(seen: Observations) -> Observations:
    """Only what is seen twice, numbered anew."""
    return seen.of_tracks(seen.lengths >= 2)
