"""Verdicts on reconstructions: numbers measured on a model, and what they mean in words."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from pipeline.bundle_adjustment import Adjustment
from pipeline.geometry_file import Verdict
from pipeline.model_search import Candidate, explained
from pipeline.rigid_model import Observations, RigidModel, reprojection_errors_px, triangulation_angles_deg, usable

# Errors of neighbouring tracks and frames are correlated; against truth, poses are off by twice what independence predicts.
INFLATION = 2.0
ROTATION_STD_DEG = 2.0
TRAJECTORY_STD_PERCENT = 9.0
EXPLAINED_PERCENT = 70.0
ANGLE_DEG = 3.0
FEWEST_TRACKS = 30
FEWEST_REGISTERED_SHARE = 0.7
FLAT_RATIO = 0.04
MIRROR_MARGIN = 0.1
REPROJECTION_PX = 0.8


@dataclass(frozen=True)
class Judgement:
    """A verdict, why, and the numbers behind it."""

    verdict: Verdict
    reason: str
    numbers: dict[str, float]


def measure(adjusted: Adjustment, seen: Observations) -> dict[str, float]:
    """What can be said of a model without truth."""
    rotation, trajectory = pose_uncertainty(adjusted)
    spread = {"rotation_std_deg": round(rotation, 5), "trajectory_std_percent": round(trajectory, 5)}
    return fit_numbers(adjusted.model, seen) | spread


def fit_numbers(model: RigidModel, seen: Observations) -> dict[str, float]:
    """How much a model explains, and how well its points are placed."""
    kept = usable(model, seen)
    error = reprojection_errors_px(model, seen)[kept]
    numbers = {
        "registered_frames": int(model.registered.sum()),
        "frames_with_tracks": int((seen.per_frame > 0).sum()),
        "tracks": seen.track_count,
        "points": int(model.has_point.sum()),
        "observations": int(kept.sum()),
        "reprojection_error_px": median(error),
        "residual_sigmas": median(error / seen.sigma_px[kept]),
        "explained_percent": 100 * float(explained(model, seen)[kept].mean()) if kept.any() else 0.0,
        "triangulation_angle_deg": median(triangulation_angles_deg(model, seen)),
        "flatness": flatness(model),
    }
    return {name: round(float(value), 5) for name, value in numbers.items()}


def median(values: Float[np.ndarray, "value"]) -> float:
    """Median of the finite values, 0 of none: JSON has no NaN."""
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if len(finite) else 0.0


def flatness(model: RigidModel) -> float:
    """Thickness of the points as a share of their second widest extent."""
    points = model.points[model.has_point]
    if len(points) < 4:
        return 0.0
    centred = points - np.median(points, axis=0)
    near = np.linalg.norm(centred, axis=1) < 4 * np.median(np.linalg.norm(centred, axis=1))
    singular = np.linalg.svd(centred[near], compute_uv=False)
    return float(singular[2] / max(singular[1], 1e-12))


def pose_uncertainty(adjusted: Adjustment) -> tuple[float, float]:
    """Standard deviations of the orientation (degrees) and of the camera's path (% of its radius), up to a similarity.

    The information on the camera centres and orientations is inverted without its seven loosest directions, the gauge.
    """
    model = adjusted.model
    frames = np.flatnonzero(model.registered)
    if len(frames) < 3 or not np.isfinite(adjusted.cost):
        return 180.0, 100.0
    centres = model.object_from_camera[frames, :3, 3]
    radius = float(np.linalg.norm(centres - centres.mean(0), axis=1).mean())
    covariance = centred_covariance(adjusted, frames, max(radius, 1e-9))
    variance = np.diag(covariance).reshape(-1, 6)
    rotation = INFLATION * np.degrees(np.sqrt(variance[:, :3].sum(1).mean()))
    trajectory = INFLATION * 100 * np.sqrt(variance[:, 3:].sum(1).mean())
    return min(float(rotation), 180.0), min(float(trajectory), 100.0)


def centred_covariance(
    adjusted: Adjustment, frames: np.ndarray, radius: float
) -> Float[np.ndarray, "parameter parameter"]:
    """Covariance of (turn of the camera, its centre in units of `radius`) per frame, free of similarities."""
    model, count = adjusted.model, len(frames)
    index = (6 * frames[:, None] + np.arange(6)).ravel()
    information = adjusted.information[np.ix_(index, index)]
    # A pose's twist (w, v) acts in the camera: the centre C = -R'T moves by -R'(v + T x w).
    rotation, place = model.camera_from_object[frames, :3, :3], model.camera_from_object[frames, :3, 3]
    twist_from_centre = np.zeros((6 * count, 6 * count))
    for i in range(count):
        x, y, z = place[i]
        cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
        block = slice(6 * i, 6 * i + 6)
        # v = -R dC - T x w
        twist_from_centre[block, block] = np.block([[np.eye(3), np.zeros((3, 3))], [-cross, -rotation[i] * radius]])
    centred = twist_from_centre.T @ information @ twist_from_centre
    gauge = similarity_directions(model, frames, radius)
    projector = np.eye(6 * count) - gauge @ gauge.T
    values, vectors = np.linalg.eigh(projector @ centred @ projector)
    inverse = np.where(values > 1e-9 * values[-1], 1 / np.maximum(values, 1e-300), 0.0)
    inverse[:7] = 0.0
    return (vectors * inverse) @ vectors.T


def similarity_directions(
    model: RigidModel, frames: np.ndarray, radius: float
) -> Float[np.ndarray, "parameter direction=7"]:
    """How a turn, a shift and a growth of the object's frame move all poses: changes that mean nothing."""
    rotation = model.camera_from_object[frames, :3, :3]
    centres = model.object_from_camera[frames, :3, 3]
    arm = (centres - centres.mean(0)) / radius
    columns = []
    for axis in np.eye(3):
        # Turning the object's frame by `axis` turns camera_from_object by -R axis on its left.
        columns.append(np.concatenate([-(rotation @ axis), np.cross(axis, arm)], axis=1).ravel())
        columns.append(np.concatenate([np.zeros_like(arm), np.tile(axis, (len(frames), 1))], axis=1).ravel())
    columns.append(np.concatenate([np.zeros_like(arm), arm], axis=1).ravel())
    return np.linalg.qr(np.stack(columns, axis=1))[0]


def judge(numbers: dict[str, float], candidates: list[Candidate]) -> Judgement:
    """ok, or weak with every doubt in words."""
    doubts = list(doubts_about(numbers))
    if mirror_is_as_good(candidates):
        doubts.append("the mirrored shape explains the video as well, its depth may be reversed")
    return Judgement("weak" if doubts else "ok", "; ".join(doubts) or "well determined", numbers)


def doubts_about(numbers: dict[str, float]) -> list[str]:
    """What makes a model doubtful."""
    registered, wanted = numbers["registered_frames"], numbers["frames_with_tracks"]
    # Imported poses have no spread of their own.
    rotation, trajectory = numbers.get("rotation_std_deg", 0.0), numbers.get("trajectory_std_percent", 0.0)
    checks = (
        (registered < FEWEST_REGISTERED_SHARE * wanted, f"only {registered:.0f} of {wanted:.0f} frames are registered"),
        (numbers["points"] < FEWEST_TRACKS, f"only {numbers['points']:.0f} points: small or without texture"),
        (
            numbers["explained_percent"] < EXPLAINED_PERCENT,
            f"only {numbers['explained_percent']:.0f} % of the observations follow one rigid motion: not rigid",
        ),
        (numbers["reprojection_error_px"] > REPROJECTION_PX, f"residuals of {numbers['reprojection_error_px']:.2f} px"),
        (
            numbers["triangulation_angle_deg"] < ANGLE_DEG,
            f"it is seen under {numbers['triangulation_angle_deg']:.1f} degrees only: depth is uncertain",
        ),
        (numbers["flatness"] < FLAT_RATIO, "its points are nearly planar"),
        (
            rotation > ROTATION_STD_DEG or trajectory > TRAJECTORY_STD_PERCENT,
            f"turning and depth are nearly ambiguous (± {rotation:.1f} degrees, ± {trajectory:.0f} % of the path)",
        ),
    )
    return [text for is_so, text in checks if is_so]


def mirror_is_as_good(candidates: list[Candidate]) -> bool:
    """Whether the best model and its mirror image differ too little in cost to choose."""
    if len(candidates) < 2:
        return False
    best, name = candidates[0], candidates[0].adjusted.model.method
    others = [c for c in candidates[1:] if c.adjusted.model.method.endswith("mirrored") != name.endswith("mirrored")]
    same_frames = [c for c in others if c.merit[0] == best.merit[0]]
    return any(
        is_another_shape(c, best) and c.adjusted.cost < (1 + MIRROR_MARGIN) * best.adjusted.cost for c in same_frames
    )


def is_another_shape(one: Candidate, other: Candidate) -> bool:
    """Whether two models turn differently: a mirrored start that came back to the same minimum is no second shape."""
    a, b = one.adjusted.model.camera_from_object, other.adjusted.model.camera_from_object
    frames = np.flatnonzero(one.adjusted.model.registered & other.adjusted.model.registered)
    turn_a, turn_b = (p[frames, :3, :3] @ p[frames[0], :3, :3].T for p in (a, b))
    return bool(np.abs(turn_a - turn_b).max() > 0.02)
