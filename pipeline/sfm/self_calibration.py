"""The background's focal length from its own tracks, with the interval that they support, and what contradicts a plain pinhole.

Bundle adjustment is repeated at focal lengths from 20 to 120 degrees of view; tracks that no focal length explains are left
out. How far the best one may be off, parts of the video tell that are calibrated on their own (thirds of the time, quarters of
the image), and other lenses: one with a radial term, one that zooms.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.interpolate import PchipInterpolator
from scipy.spatial.transform import Rotation

from pipeline.cameras import Intrinsics, inverse, rigid, transform
from pipeline.sfm.bundle_adjustment import Adjustment, Freedom, Shape, adjust, residuals, robust_costs
from pipeline.sfm.focal_curve import FINE, FocalCurve, FocalPrior, flat_curve, focal_curve, focal_range
from pipeline.sfm.mapping import refined_points, subsampled
from pipeline.sfm.pose_uncertainty import INFLATION
from pipeline.sfm.rigid_model import Observations, RigidModel, usable

log = logging.getLogger(__name__)
CALIBRATION_TRACKS = 400
FEWEST_TRACKS, FEWEST_IN_PART = 24, 12
FIELDS = 7  # focal lengths that are tried at first
ROUNDS = 2  # of trying them, tracks that none explains being dropped in between
MEDIAN_SQUARE = 1.386  # of two independent standard normal errors: log 4
UNEXPLAINED = 4.0  # robust cost per observation; of a track that a model explains it is about 1
THIRDS, QUARTERS = 3, 4
LEAST_SPREAD = 0.003
MOST_SPREAD = 1.0
# A lens is named when the cost falls to these shares of a pinhole's. Without zoom or bend it stays above 0.9.
ZOOMED_COST, BENT_COST = 0.7, 0.8
LEAST_ZOOM, LEAST_BEND = 1.08, 0.02  # factor over the video; share by which the corners are displaced


@dataclass(frozen=True)
class Calibration:
    """A focal length in pixels, the curve behind it, how it changes over the video, a radial term, and doubts in words."""

    focal_px: float
    curve: FocalCurve
    radial: float | None = None
    doubts: tuple[str, ...] = ()


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
    lenses = np.log([each.model.camera.fx for each in (best, bent, zoomed)])
    spread = float(np.hypot(part_spread(best, few, freedom), np.hypot(lenses.std(), profile_spread(tried, few))))
    spread = float(np.clip(spread, LEAST_SPREAD, MOST_SPREAD))
    tried += at_focal_lengths(best, few, best.model.camera.fx * np.exp(spread * np.array([-2, -1, 1, 2])), freedom)
    tried.append(best)
    focals = np.array([each.model.camera.fx for each in tried])
    curve = focal_curve(focals, np.array([each.cost for each in tried]), spread, prior)
    low, high = curve.interval()
    log.info("focal length %.1f px (%.1f to %.1f), tracks alone %.1f", curve.median, low, high, best.model.camera.fx)
    bend, words = lens_doubts(best, bent, zoomed)
    return Calibration(curve.median, curve, bend, words)


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
    """How far the logarithm of the focal length may go until the cost has risen by what one standard deviation may.

    A track errs alike all its life: it counts as one observation, however long it is.
    """
    order = np.argsort([each.model.camera.fx for each in tried])
    known = np.log([tried[i].model.camera.fx for i in order])
    rise = np.array([tried[i].cost for i in order])
    fine = np.linspace(known[0], known[-1], FINE)
    curve = PchipInterpolator(known, (rise - rise.min()) * seen.track_count / 2)(fine)
    inside = fine[curve < 0.5]
    return float(np.ptp(inside)) / 2 if len(inside) else 0.0


def part_spread(best: Adjustment, seen: Observations, freedom: Freedom) -> float:
    """Standard deviation of the logarithm of the focal length, by thirds of the time and quarters of the image."""
    first = seen.xy[np.flatnonzero(np.diff(seen.track, prepend=-1))]
    right, below = (first > np.median(first, axis=0)).T
    quarter = (2 * right + below)[seen.track]
    third = seen.frame * THIRDS // seen.frame_count
    own = float(np.log(best.model.camera.fx))
    in_time = disagreement(own, parts_focals(best.model, seen, third, THIRDS, freedom))
    in_image = disagreement(own, parts_focals(best.model, seen, quarter, QUARTERS, freedom))
    return float(INFLATION * np.hypot(in_time, in_image))


def disagreement(own: float, parts: Float[np.ndarray, "part"]) -> float:
    """Standard error of a mean, by how much its parts differ from each other, or all of them from the whole."""
    if len(parts) < 2:
        return MOST_SPREAD
    return float(np.sqrt(((parts - own) ** 2).sum() / (len(parts) - 1) / len(parts)))


def parts_focals(
    model: RigidModel, seen: Observations, part: Int[np.ndarray, "observation"], count: int, freedom: Freedom
) -> Float[np.ndarray, "part"]:
    """Logarithm of the focal length of each part of the observations, calibrated on its own."""
    found = []
    for number in range(count):
        own = seen.kept(part == number)
        kept = own.lengths >= 3
        if kept.sum() < FEWEST_IN_PART:
            continue
        own = own.of_tracks(kept)
        shown = np.isin(np.arange(seen.frame_count), own.frame)
        poses = np.where(shown[:, None, None], model.camera_from_object, np.nan)
        alone = replace(model, camera_from_object=poses, points=model.points[kept])
        found.append(np.log(adjust(alone, own, freedom, iterations=25, tolerance=1e-4).model.camera.fx))
    return np.array(found)


def lens_doubts(best: Adjustment, bent: Adjustment, zoomed: Adjustment) -> tuple[float | None, tuple[str, ...]]:
    """The radial term where the tracks need one, and what they say against a pinhole, in words."""
    zoom_words = tuple(zoom_doubts(best, zoomed))
    if zoom_words or bent.shape is None or bent.cost > BENT_COST * best.cost:
        return None, zoom_words
    camera, radial = bent.model.camera, bent.shape.radial
    displaced = abs(radial) * ((camera.width / 2) ** 2 + (camera.height / 2) ** 2) / camera.fx**2
    if displaced < LEAST_BEND:
        return None, ()
    words = (
        f"the lens bends straight lines (radial term k1 = {radial:.2f} at {camera.fx:.0f} px) and was taken for a pinhole: "
        "undistort the video first, or give poses with their lens",
    )
    return radial, words


def zoom_doubts(best: Adjustment, zoomed: Adjustment) -> Iterable[str]:
    """A sentence where a focal length of each frame explains the tracks far better; a camera that moves on leaves none."""
    shape = zoomed.shape or Shape.straight(len(best.model.registered))
    frames = np.flatnonzero(zoomed.model.registered)
    focals = zoomed.model.camera.fx * shape.zoom[frames]
    first, last = (int(index) for index in sorted((np.argmin(focals), np.argmax(focals))))
    factor = float(focals[last] / focals[first])
    if zoomed.cost < ZOOMED_COST * best.cost and max(factor, 1 / factor) > LEAST_ZOOM:
        yield (
            f"the focal length changes by a factor {max(factor, 1 / factor):.1f} from frame {frames[first]} to "
            f"{frames[last]} ({focals[first]:.0f} to {focals[last]:.0f} px): poses and depth of one focal length are wrong; "
            "cut the video where it zooms, or give poses"
        )
