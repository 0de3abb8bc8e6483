"""What tracks and prior knowledge say of a focal length: a curve, and the interval that it supports.

The likelihood of a bundle adjustment that counts every observation is far too sharp: neighbouring points err alike, a track
errs alike all its life, and no lens is a perfect pinhole. So parts of the video are calibrated on their own, and the curve is
made as wide as they disagree (random groups; Wolter, Introduction to Variance Estimation, ch. 2).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.interpolate import PchipInterpolator

from pipeline.cameras import Intrinsics

# Phones have 0.65 to 0.87 (75 to 60 degrees along the diagonal), a 50 mm lens 1.16, action cameras 0.3 to 0.5.
COMMON_FOCAL, COMMON_SPREAD = 0.75, 0.35
MEASURED_SPREAD, CROPPED_SPREAD = 0.05, 0.15  # stabilisation crops: the focal length that counts is then longer
FIELDS_DEG = (20.0, 120.0)  # along the longer side
FINE = 400
ONE_SIGMA, TWO_SIGMAS = 0.6827, 0.9545


@dataclass(frozen=True)
class FocalPrior:
    """What is known of a focal length before any track: a normal of its logarithm, with two spreads about its mode."""

    focal_px: float
    shorter: float
    longer: float

    @classmethod
    def of_common_cameras(cls, camera: Intrinsics) -> "FocalPrior":
        """What most cameras have."""
        diagonal = float(np.hypot(camera.width, camera.height))
        return cls(COMMON_FOCAL * diagonal, COMMON_SPREAD, COMMON_SPREAD)

    @classmethod
    def of_metadata(cls, focal_px: float) -> "FocalPrior":
        """What a file says of its camera: nearly right, or the image was cropped."""
        return cls(focal_px, MEASURED_SPREAD, CROPPED_SPREAD)

    def scaled(self, factor: float) -> "FocalPrior":
        """The same of images that are larger by a factor, or show so much less."""
        return FocalPrior(factor * self.focal_px, self.shorter, self.longer)

    def log_density(self, focals: Float[np.ndarray, "focal"]) -> Float[np.ndarray, "focal"]:
        """Logarithm of the density over log focal length, 0 at the mode."""
        off = np.log(focals / self.focal_px)
        return -0.5 * (off / np.where(off > 0, self.longer, self.shorter)) ** 2


@dataclass(frozen=True)
class FocalCurve:
    """Log-likelihood of the tracks, and log posterior with the prior, over focal lengths; both are 0 at their best."""

    focal_px: Float[np.ndarray, "focal"]
    likelihood: Float[np.ndarray, "focal"]
    posterior: Float[np.ndarray, "focal"]

    def interval(self, share: float = ONE_SIGMA) -> tuple[float, float]:
        """The focal lengths between which the posterior has this share, as much beyond one end as beyond the other."""
        low, high = self.quantiles((1 - share) / 2, (1 + share) / 2)
        return low, high

    @property
    def median(self) -> float:
        return self.quantiles(0.5)[0]

    @property
    def std_px(self) -> float:
        """Half the width of the interval of one standard deviation."""
        low, high = self.interval()
        return (high - low) / 2

    @property
    def relative_width(self) -> float:
        """Width of the interval of one standard deviation, over the median."""
        return 2 * self.std_px / self.median

    @property
    def relative_std(self) -> float:
        """Standard deviation as a share of the median."""
        return self.relative_width / 2

    def quantiles(self, *shares: float) -> list[float]:
        """Focal lengths below which the posterior has these shares; its density is over log focal length."""
        weight, logarithm = np.exp(self.posterior), np.log(self.focal_px)
        pieces = np.diff(logarithm) * (weight[1:] + weight[:-1]) / 2
        below = np.append(0.0, np.cumsum(pieces)) / pieces.sum()
        return [float(np.exp(np.interp(share, below, logarithm))) for share in shares]


def focal_range(camera: Intrinsics) -> tuple[float, float]:
    """The shortest and the longest focal length that a camera is thought to have."""
    longer = max(camera.width, camera.height)
    wide, narrow = (longer / 2 / np.tan(np.radians(field) / 2) for field in FIELDS_DEG[::-1])
    return float(wide), float(narrow)


def focal_curve(
    focals: Float[np.ndarray, "focal"],
    costs: Float[np.ndarray, "focal"],
    spread: float,
    prior: FocalPrior,
    most_unit: float = np.inf,
) -> FocalCurve:
    """The curve through adjusted costs (of any unit) at some focal lengths, as wide at its top as `spread` of the logarithm.

    `spread` is the standard deviation that parts of the video support. The cost's own curvature at the best focal length
    says how much of it that is. Where the cost falls on and on towards long focal lengths, as behind a lens that nothing
    tells from an endless one, it has no curvature there: no rise then counts more than `most_unit` of itself.
    """
    order = np.argsort(focals)
    known, rise = np.log(focals[order]), costs[order] - costs.min()
    best = float(known[np.argmin(rise)])
    # The top may be far narrower than the distance of the focal lengths that were tried.
    fine = np.unique(np.concatenate([np.linspace(known[0], known[-1], FINE), best + spread * np.linspace(-5, 5, FINE)]))
    fine = fine[(fine >= known[0]) & (fine <= known[-1])]
    curve = PchipInterpolator(known, rise)(fine)
    likelihood = -curve * min(unit_of_cost(known, rise, best, spread), most_unit)
    posterior = likelihood + prior.log_density(np.exp(fine))
    return FocalCurve(np.exp(fine), likelihood - likelihood.max(), posterior - posterior.max())


def unit_of_cost(
    known: Float[np.ndarray, "focal"], rise: Float[np.ndarray, "focal"], best: float, spread: float
) -> float:
    """What a rise of the cost counts, so that half a unit is reached at `spread` on the mean of both sides."""
    curve = PchipInterpolator(known, rise)
    sides = [best + sign * spread for sign in (-1, 1) if known[0] <= best + sign * spread <= known[-1]]
    height = float(np.mean([curve(side) for side in sides])) if sides else float(rise.max())
    return 0.5 / max(height, 1e-12)


def normal_curve(camera: Intrinsics, spread: float, prior: FocalPrior) -> FocalCurve:
    """The curve where tracks say a camera's focal length with a standard deviation of its logarithm."""
    about = camera.fx * np.exp(spread * np.linspace(-5, 5, FINE))
    focals = np.union1d(np.geomspace(*focal_range(camera), FINE), about)
    likelihood = -0.5 * (np.log(focals / camera.fx) / spread) ** 2
    posterior = likelihood + prior.log_density(focals)
    return FocalCurve(focals, likelihood, posterior - posterior.max())


def flat_curve(camera: Intrinsics, prior: FocalPrior) -> FocalCurve:
    """The curve where tracks say nothing: the prior."""
    focals = np.geomspace(*focal_range(camera), FINE)
    posterior = prior.log_density(focals)
    return FocalCurve(focals, np.zeros(FINE), posterior - posterior.max())
