"""Poses of frames that leave the motion of all others: tried anew from where that motion leads.

A frame that sees little more than one flat side has two poses that its points hardly tell apart (Schweighofer and Pinz,
Robust Pose Estimation from a Planar Target, PAMI 2006). Bundle adjustment stays in the one that it starts from; where the
other one costs less, it is taken. What moves by fits and starts keeps its poses: the tracks decide.
"""

import logging
from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int

from pipeline.cameras import rotation_angle_deg
from pipeline.sfm.bundle_adjustment import Adjustment, Freedom, adjust
from pipeline.sfm.motion_prior import PosePrediction, World, predicted_pose
from pipeline.sfm.registration import FEWEST_INLIERS
from pipeline.sfm.rigid_model import Observations, RigidModel, usable

log = logging.getLogger(__name__)
LEAST_JUMP_DEG = 10.0  # the two poses of a flat side lie farther apart
JUMP_SIGMAS = 3.0  # of what the motion predicts
MOST_TRIED, MOST_TOGETHER = 6, 4
Stretch = tuple[int, ...]  # frames whose poses are tried anew together


def without_pose_outliers(adjusted: Adjustment, seen: Observations, world: World) -> Adjustment:
    """The model with poses near the motion of all others in place of those that leave it, where these explain the tracks better."""
    tried: set[Stretch] = set()
    while len(tried) < MOST_TRIED:
        outliers = farthest_outliers(adjusted.model, world, tried)
        if outliers is None:
            break
        stretch, expected = outliers
        tried.add(stretch)
        poses = adjusted.model.camera_from_object.copy()
        poses[list(stretch)] = expected
        other = adjust(replace(adjusted.model, camera_from_object=poses), seen, Freedom())
        if other.cost < adjusted.cost:
            named = ", ".join(map(str, stretch))
            log.info("the pose of frame %s was another minimum: cost %.4f, now %.4f", named, adjusted.cost, other.cost)
            adjusted = other
    return adjusted


def farthest_outliers(
    model: RigidModel, world: World, tried: set[Stretch]
) -> tuple[Stretch, Float[np.ndarray, "frame 4 4"]] | None:
    """The frames whose turns are farthest from what the others predict, beside how sure they are; None where all agree."""
    found, farthest = None, 1.0
    for stretch in stretches(np.flatnonzero(model.registered)):
        others = model.camera_from_object.copy()
        others[list(stretch)] = np.nan
        without = replace(model, camera_from_object=others)
        expected = [predicted_pose(without, world, frame) for frame in stretch] if stretch not in tried else []
        told = [pose for pose in expected if pose is not None]
        if len(told) < len(stretch):
            continue
        jump = min(jumped(model, frame, pose) for frame, pose in zip(stretch, told, strict=True))
        if jump > farthest:
            found, farthest = (stretch, np.array([pose.camera_from_object for pose in told])), jump
    return found


def stretches(known: Int[np.ndarray, "known"]) -> list[Stretch]:
    """Every frame alone, and a few at either end of the known ones: these lean on others on one side only, and fall together."""
    alone = [(int(frame),) for frame in known]
    lengths = range(2, min(MOST_TOGETHER, len(known) // 2) + 1)
    ends = [tuple(part.tolist()) for length in lengths for part in (known[:length], known[-length:])]
    return alone + ends


def jumped(model: RigidModel, frame: int, expected: PosePrediction) -> float:
    """By how many times the limit the turn of a frame is off what is expected."""
    off = expected.camera_from_object[:3, :3] @ model.camera_from_object[frame, :3, :3].T
    limit = max(LEAST_JUMP_DEG, JUMP_SIGMAS * float(np.degrees(expected.turn_std)))
    return float(rotation_angle_deg(off[None])[0]) / limit


def without_unseen_frames(model: RigidModel, seen: Observations) -> RigidModel:
    """The model without poses of frames that show fewer points than registration asks for; all are kept where none shows enough."""
    shown = np.bincount(seen.frame[usable(model, seen)], minlength=seen.frame_count) >= FEWEST_INLIERS
    if not (model.registered & shown).any():
        return model
    return replace(model, camera_from_object=np.where(shown[:, None, None], model.camera_from_object, np.nan))
