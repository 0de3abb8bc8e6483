"""The background's focal length from its own tracks, with the interval that they support, and what contradicts a plain pinhole.

Bundle adjustment is repeated at focal lengths from 20 to 120 degrees of view; tracks that no focal length explains are left
out. How far the best one may be off, parts of the video tell that are calibrated on their own (thirds of the time, quarters of
the image), and other lenses: one with a radial term, one that zooms. A shutter that rolls is no lens, but a doubt like a zoom.

Few tracks do for that, and thirds that have a third of the path each are far less sure than the whole. So where the interval is
sharp and nothing contradicts a pinhole, all tracks are asked once more, each time without a part of them (`as_all_tracks_say`).
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float
from scipy.interpolate import PchipInterpolator
from scipy.spatial.transform import Rotation

from pipeline.cameras import Intrinsics, inverse, rigid, transform
from pipeline.formats.geometry_file import ZOOMS
from pipeline.sfm.bundle_adjustment import Adjustment, Freedom, Shape, adjust, residuals, robust_costs
from pipeline.sfm.focal_curve import FINE, FocalCurve, FocalPrior, flat_curve, focal_curve, focal_range, normal_curve
from pipeline.sfm.jackknife import focal_spread, focal_spread_over_time
from pipeline.sfm.mapping import refined_points, subsampled
from pipeline.sfm.radial_term import RadialTerm, measured_term
from pipeline.sfm.rigid_model import Observations, RigidModel, usable
from pipeline.sfm.rolling_shutter import RollingShutter, measured_shutter
from pipeline.sfm.video_parts import spread_over_parts, spread_over_time

log = logging.getLogger(__name__)
CALIBRATION_TRACKS = 400
FEWEST_TRACKS = 24
FIELDS = 7  # focal lengths that are tried at first
ROUNDS = 2  # of trying them, tracks that none explains being dropped in between
MEDIAN_SQUARE = 1.386  # of two independent standard normal errors: log 4
UNEXPLAINED = 4.0  # robust cost per observation; of a track that a model explains it is about 1
OF_A_TRACK = 0.5  # of a rise of the mean cost: a track errs alike all its life, and counts as one observation
LEAST_SPREAD = 0.001
MOST_SPREAD = 1.0
ZOOMED_COST = 0.7  # share of a pinhole's cost; without a zoom it stays above 0.9
LEAST_ZOOM = 1.08  # factor over the video


@dataclass(frozen=True)
class Calibration:
    """A focal length in pixels, the curve behind it, a radial term, and doubts in words.

    `lens_spread` is how far other lenses disagree on the logarithm of the focal length.
    """

    focal_px: float
    curve: FocalCurve
    radial: RadialTerm | None = None
    doubts: tuple[str, ...] = ()
    lens_spread: float = 0.0

    def contradicts(self, camera: Intrinsics) -> bool:
        """Whether the tracks are not those of a pinhole that sees all rows at once."""
        return bool(self.doubts) or (self.radial is not None and self.radial.matters(camera))


def self_calibration(
    model: RigidModel, seen: Observations, prior: FocalPrior, freedom: Freedom, seed: int
) -> Calibration:
    """The focal length of a model of the background whose own one is only a start."""
    few = subsampled(seen, CALIBRATION_TRACKS, seed)
    if few.track_count < FEWEST_TRACKS:
        return uncalibrated(model.camera, prior)
    best, few, tried = tried_focal_lengths(adjust(refined_points(model, few), few, freedom, 20), few, freedom)
    bent = adjust(best.model, few, replace(freedom, radial=True))
    zoomed = adjust(best.model, few, replace(freedom, zoom=True))
    lens_spread = float(np.std([log_focal(each) for each in (best, bent, zoomed)]))
    spread = combined(spread_over_video(best, few, freedom), lens_spread, profile_spread(tried, few))
    tried += at_focal_lengths(best, few, best.model.camera.fx * np.exp(spread * np.array([-2, -1, 1, 2])), freedom)
    tried.append(best)
    focals = np.array([each.model.camera.fx for each in tried])
    costs = np.array([each.cost for each in tried])
    curve = focal_curve(focals, costs, spread, prior, few.track_count * OF_A_TRACK)
    low, high = curve.interval()
    log.info("focal length %.1f px (%.1f to %.1f), tracks alone %.1f", curve.median, low, high, best.model.camera.fx)
    words = lens_doubts(best, bent, zoomed, measured_shutter(best, few, freedom))
    radial = None if words else measured_term(bent, few, freedom)
    return Calibration(curve.median, curve, radial, words, lens_spread)


def as_all_tracks_say(
    found: Calibration, adjusted: Adjustment, seen: Observations, prior: FocalPrior, freedom: Freedom
) -> Calibration:
    """The calibration by a model that was adjusted to all tracks: its focal length, as sure as they are of it."""
    model = adjusted.model
    in_space, in_time = (spread(model, seen, freedom) for spread in (focal_spread, focal_spread_over_time))
    curve = normal_curve(model.camera, combined(in_space, in_time, found.lens_spread), prior)
    low, high = curve.interval()
    log.info("all tracks say %.1f px (%.1f to %.1f)", model.camera.fx, low, high)
    return replace(found, focal_px=model.camera.fx, curve=curve)


def combined(*spreads: float) -> float:
    """The root of the sum of squares of the standard deviations of a logarithm, within what is sane."""
    return float(np.clip(np.linalg.norm(spreads), LEAST_SPREAD, MOST_SPREAD))


def lens_doubts(best: Adjustment, bent: Adjustment, zoomed: Adjustment, shutter: RollingShutter) -> tuple[str, ...]:
    """What contradicts one pinhole that sees all rows at once, the likelier of the two in words; a bent lens comes first."""
    if shutter.cost_ratio * best.cost < min(zoomed.cost, bent.cost):
        return shutter.doubts
    return tuple(zoom_doubts(best, zoomed)) if zoomed.cost < bent.cost else ()


def spread_over_video(best: Adjustment, seen: Observations, freedom: Freedom) -> float:
    """How far thirds of the time and groups of points disagree on the logarithm of the focal length.

    Groups are left out one at a time; of a camera that only turns, quarters of the image tell the focal length alone.
    """
    if not freedom.translation:
        return spread_over_parts(best, seen, freedom, log_focal)
    return float(np.hypot(spread_over_time(best, seen, freedom, log_focal), focal_spread(best.model, seen, freedom)))


def uncalibrated(camera: Intrinsics, prior: FocalPrior) -> Calibration:
    """What is known before any track."""
    curve = flat_curve(camera, prior)
    return Calibration(curve.median, curve)


def tried_focal_lengths(
    start: Adjustment, seen: Observations, freedom: Freedom
) -> tuple[Adjustment, Observations, list[Adjustment]]:
    """The best model over a grid of focal lengths, the tracks that some focal length explains, and every model of the grid."""
    grid, best = np.geomspace(*focal_range(start.model.camera), FIELDS), start
    for _ in range(ROUNDS):
        seen = with_honest_errors(best.model, seen)
        tried = at_focal_lengths(best, seen, grid, freedom)
        kept = explained(tried, seen)
        if kept.sum() < FEWEST_TRACKS:
            kept = np.ones(seen.track_count, bool)
        seen, top = seen.of_tracks(kept), min(tried, key=lambda each: each.cost)
        best = adjust(replace(top.model, points=top.model.points[kept]), seen, freedom)
    return best, seen, at_focal_lengths(best, seen, grid, freedom)


def with_honest_errors(model: RigidModel, seen: Observations) -> Observations:
    """Observations whose stated errors are as large as the median residual says."""
    part = seen.kept(usable(model, seen))
    factor = float(np.median((residuals(model, part) ** 2).sum(1))) / MEDIAN_SQUARE if len(part.track) else 1.0
    return replace(seen, covariance=seen.covariance * max(factor, 1e-6))


def explained(tried: list[Adjustment], seen: Observations) -> Bool[np.ndarray, "track"]:
    """Tracks that at least one focal length explains: to ask only the best one would make it look surer than it is."""
    least = np.full(seen.track_count, np.inf)
    for each in tried:
        part = seen.kept(usable(each.model, seen))
        cost = np.bincount(part.track, robust_costs(each.model, part), minlength=seen.track_count)
        count = np.bincount(part.track, minlength=seen.track_count)
        least = np.minimum(least, np.where(count > 0, cost / np.maximum(count, 1), np.inf))
    return least < UNEXPLAINED


def at_focal_lengths(
    start: Adjustment, seen: Observations, focals: Float[np.ndarray, "focal"], freedom: Freedom
) -> list[Adjustment]:
    """The model adjusted at each of some focal lengths, each from its neighbour that is nearer to the start's."""
    held, found = replace(freedom, focal=False), []
    own = start.model.camera.fx
    for side in (np.sort(focals[focals >= own]), np.sort(focals[focals < own])[::-1]):
        model = start.model
        for focal in side:
            near = stretched(model, float(focal) / model.camera.fx)
            found.append(adjust(near, seen, held, iterations=12, tolerance=1e-4))
            model = found[-1].model
    return found


def stretched(model: RigidModel, factor: float) -> RigidModel:
    """The model under another focal length, as nearly as images can tell: depth grows alike, turning out of the image shrinks.

    The bas-relief ambiguity, exact for a camera that does not turn.
    """
    frames = np.flatnonzero(model.registered)
    middle = model.camera_from_object[frames[len(frames) // 2]]
    relative = model.camera_from_object[frames] @ inverse(middle)
    turn = Rotation.from_matrix(relative[:, :3, :3]).as_rotvec() / [factor, factor, 1]
    centre = inverse(relative)[:, :3, 3] * [1, 1, factor]
    poses = np.full_like(model.camera_from_object, np.nan)
    poses[frames] = inverse(rigid(np.swapaxes(Rotation.from_rotvec(turn).as_matrix(), 1, 2), centre))
    camera = replace(model.camera, fx=model.camera.fx * factor, fy=model.camera.fy * factor)
    return replace(
        model, camera_from_object=poses, points=transform(middle, model.points) * [1, 1, factor], camera=camera
    )


def profile_spread(tried: list[Adjustment], seen: Observations) -> float:
    """How far the logarithm of the focal length may go until the cost has risen by what one standard deviation may."""
    order = np.argsort([each.model.camera.fx for each in tried])
    known = np.log([tried[i].model.camera.fx for i in order])
    rise = np.array([tried[i].cost for i in order])
    fine = np.linspace(known[0], known[-1], FINE)
    curve = PchipInterpolator(known, (rise - rise.min()) * seen.track_count * OF_A_TRACK)(fine)
    inside = fine[curve < 0.5]
    return float(np.ptp(inside)) / 2 if len(inside) else 0.0


def log_focal(found: Adjustment) -> float:
    """Logarithm of the focal length of an adjusted model."""
    return float(np.log(found.model.camera.fx))


def zoom_doubts(best: Adjustment, zoomed: Adjustment) -> Iterable[str]:
    """A sentence where a focal length of each frame explains the tracks far better; a camera that moves on leaves none."""
    shape = zoomed.shape or Shape.straight(len(best.model.registered))
    frames = np.flatnonzero(zoomed.model.registered)
    focals = zoomed.model.camera.fx * shape.zoom[frames]
    first, last = (int(index) for index in sorted((np.argmin(focals), np.argmax(focals))))
    factor = float(focals[last] / focals[first])
    if zoomed.cost < ZOOMED_COST * best.cost and max(factor, 1 / factor) > LEAST_ZOOM:
        yield (
            f"{ZOOMS} by a factor {max(factor, 1 / factor):.1f} from frame {frames[first]} to "
            f"{frames[last]} ({focals[first]:.0f} to {focals[last]:.0f} px): poses and depth of one focal length are wrong; "
            "take a part of the video that does not zoom (`start` and `end` of the scene, in seconds)"
        )
