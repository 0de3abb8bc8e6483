"""Verdicts on reconstructions: numbers measured on a model, and what they mean in words."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from pipeline.formats.geometry_file import Verdict
from pipeline.sfm.mapping import inliers
from pipeline.sfm.pose_uncertainty import Rival
from pipeline.sfm.rigid_model import Observations, RigidModel, reprojection_errors_px, triangulation_angles_deg, usable

# An object more than 3 degrees or 10 % of the path off must not be called ok: what is ok is right by 95 %. Errors are root mean
# squares over frames and over some three ways to be off, so that 95 % lie within 1.6 deviations and not within two (the root of
# chi-squared of 3 degrees of freedom over 3; measured by `benchmarks.geometry`: within 1.7 of turns and 1.9 of paths).
SIGMAS_OF_95_PERCENT = 1.6
ROTATION_STD_DEG = 3.0 / SIGMAS_OF_95_PERCENT
TRAJECTORY_STD_PERCENT = 10.0 / SIGMAS_OF_95_PERCENT
INLIER_RATIO_PERCENT = 85.0  # of a rigid thing's observations, 97 and more are
NORMALISED_RESIDUAL = 1.5  # a rigid thing leaves less than one
ANGLE_DEG = 3.0
FEWEST_TRACKS = 30
FEWEST_REGISTERED_SHARE = 0.7
FOCAL_WIDTH_PERCENT = 25.0  # of the interval of one standard deviation to both sides
PLANARITY = 0.96
REPROJECTION_PX = 0.8
REVERSED_DEG = 15.0  # a mirrored shape turns the other way, hardly ever by less than this
Numbers = Mapping[str, float | int]
AT_FOCAL = "_at_focal"  # ends the names of standard deviations that take the focal length as known


@dataclass(frozen=True)
class Judgement:
    """A verdict, why, and the numbers behind it."""

    verdict: Verdict
    reason: str
    numbers: Numbers

    def doubted(self, words: str) -> "Judgement":
        """The same with one more doubt."""
        if self.verdict == "ok":
            return Judgement("weak", words, self.numbers)
        return Judgement(self.verdict, f"{self.reason}; {words}", self.numbers)


def fit_numbers(model: RigidModel, seen: Observations) -> dict[str, float | int]:
    """How many observations are inliers, and how well the points are placed."""
    kept = usable(model, seen)
    error = reprojection_errors_px(model, seen)[kept]
    numbers = {
        "registered_frames": int(model.registered.sum()),
        "frames_with_tracks": int((seen.per_frame > 0).sum()),
        "tracks": seen.track_count,
        "points": int(model.has_point.sum()),
        "observations": int(kept.sum()),
        "reprojection_error_px": median(error),
        "normalised_residual": median(error / seen.sigma_px[kept]),
        "inlier_ratio_percent": 100 * float(inliers(model, seen)[kept].mean()) if kept.any() else 0.0,
        "triangulation_angle_deg": median(triangulation_angles_deg(model, seen)),
        "planarity": planarity(model),
    }
    return {name: round(float(value), 5) for name, value in numbers.items()}


def frame_residuals_px(model: RigidModel, seen: Observations) -> list[float | None]:
    """Median reprojection error of every frame; None where there is no pose or no point."""
    kept = usable(model, seen)
    error, frame = reprojection_errors_px(model, seen)[kept], seen.frame[kept]
    own = (error[frame == index] for index in range(seen.frame_count))
    return [round(median(values), 4) if np.isfinite(values).any() else None for values in own]


def frame_points(model: RigidModel, seen: Observations) -> list[int]:
    """How many of the model's points each frame shows."""
    return np.bincount(seen.frame[usable(model, seen)], minlength=seen.frame_count).tolist()


def uncertainty_numbers(rotation_deg: float, trajectory_percent: float) -> dict[str, float | int]:
    """How far poses may be off, by the names that the report shows."""
    return {"rotation_std_deg": round(rotation_deg, 5), "trajectory_std_percent": round(trajectory_percent, 5)}


def depth_number(depth_percent: float) -> dict[str, float | int]:
    """How far the distance to an object may be off; to a background, which is all around, there is none."""
    return {"depth_std_percent": round(depth_percent, 5)}


def median(values: Float[np.ndarray, "value"]) -> float:
    """Median of the finite values, 0 of none: JSON has no NaN."""
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if len(finite) else 0.0


def planarity(model: RigidModel) -> float:
    """1 less the thickness of the points over their second widest extent: 1 of a plane; of less than 4 points, too."""
    points = model.points[model.has_point]
    if len(points) < 4:
        return 1.0
    centred = points - np.median(points, axis=0)
    near = np.linalg.norm(centred, axis=1) < 4 * np.median(np.linalg.norm(centred, axis=1))
    singular = np.linalg.svd(centred[near], compute_uv=False)
    return float(1 - singular[2] / max(singular[1], 1e-12))


def judge(numbers: Numbers, rival: Rival | None = None, doubts: Iterable[str] = ()) -> Judgement:
    """ok, or weak with every doubt in words; `doubts` are those that are known already."""
    found = [*doubts_about(numbers), *doubts]
    if rival is not None:
        found.append(
            f"another shape explains the video as well, {rival.rotation_deg:.0f} degrees and "
            f"{rival.trajectory_percent:.0f} % of the path away"
            + (": depth may be reversed" if rival.rotation_deg > REVERSED_DEG else "")
        )
    return Judgement("weak" if found else "ok", "; ".join(found) or "well determined", numbers)


def bends(numbers: Numbers) -> bool:
    """Whether no one rigid motion explains the tracks of a thing."""
    return (
        numbers["inlier_ratio_percent"] < INLIER_RATIO_PERCENT or numbers["normalised_residual"] > NORMALISED_RESIDUAL
    )


def only_focal_length_doubted(reason: str, numbers: Numbers) -> bool:
    """Whether a verdict would be ok if the focal length were known: depths may be stretched, and all else agrees.

    A background without depth, whose camera only turns, was not judged by these numbers, and has not all of them.
    """
    if not {"focal_std_percent", "inlier_ratio_percent"} <= numbers.keys():
        return False
    known = {name.removesuffix(AT_FOCAL): value for name, value in numbers.items() if name.endswith(AT_FOCAL)}
    return reason == "; ".join(doubts_about(numbers)) and not doubts_about(
        {**numbers, **known, "focal_std_percent": 0.0}
    )


def doubts_about(numbers: Numbers) -> list[str]:
    """What makes a model doubtful."""
    registered, wanted = numbers["registered_frames"], numbers["frames_with_tracks"]
    # Imported poses have no uncertainty of their own.
    rotation, trajectory = numbers.get("rotation_std_deg", 0.0), numbers.get("trajectory_std_percent", 0.0)
    focal = numbers.get("focal_std_percent", 0.0)
    checks = (
        (
            2 * focal > FOCAL_WIDTH_PERCENT,
            f"the focal length is uncertain (± {focal:.0f} %): the shape may be stretched along depth",
        ),
        (registered < FEWEST_REGISTERED_SHARE * wanted, f"only {registered:.0f} of {wanted:.0f} frames are registered"),
        (numbers["points"] < FEWEST_TRACKS, f"only {numbers['points']:.0f} points: small or without texture"),
        (
            numbers["inlier_ratio_percent"] < INLIER_RATIO_PERCENT,
            f"only {numbers['inlier_ratio_percent']:.0f} % of the observations follow one rigid motion: not rigid",
        ),
        (
            numbers["normalised_residual"] > NORMALISED_RESIDUAL,
            f"residuals are {numbers['normalised_residual']:.1f} times the tracks' own errors: it bends, or poses are wrong",
        ),
        (numbers["reprojection_error_px"] > REPROJECTION_PX, f"residuals of {numbers['reprojection_error_px']:.2f} px"),
        (
            numbers["triangulation_angle_deg"] < ANGLE_DEG,
            f"it is seen under {numbers['triangulation_angle_deg']:.1f} degrees only: depth is uncertain",
        ),
        (numbers["planarity"] > PLANARITY, "its points are nearly planar"),
        (
            rotation > ROTATION_STD_DEG or trajectory > TRAJECTORY_STD_PERCENT,
            f"turning and depth are nearly ambiguous (± {rotation:.1f} degrees, ± {trajectory:.0f} % of the path)",
        ),
    )
    return [text for is_so, text in checks if is_so]
