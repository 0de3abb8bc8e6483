"""Poses of single frames that leave the motion of all others: each is tried anew from where that motion leads.

A frame that sees little more than one flat side has two poses that its points hardly tell apart (Schweighofer and Pinz,
Robust Pose Estimation from a Planar Target, PAMI 2006). Bundle adjustment stays in the one that it starts from; where the
other one costs less, it is taken. What moves by fits and starts keeps its poses: the tracks decide.
"""

import logging
from dataclasses import replace

import numpy as np
from jaxtyping import Bool

from pipeline.cameras import rotation_angle_deg
from pipeline.sfm.bundle_adjustment import Adjustment, Freedom, adjust
from pipeline.sfm.motion_prior import PosePrediction, World, predicted_pose
from pipeline.sfm.registration import FEWEST_INLIERS
from pipeline.sfm.rigid_model import Observations, RigidModel, usable

log = logging.getLogger(__name__)
LEAST_JUMP_DEG = 10.0  # the two poses of a flat side lie farther apart
JUMP_SIGMAS = 3.0  # of what the motion predicts
MOST_TRIED = 6


def without_pose_outliers(adjusted: Adjustment, seen: Observations, world: World) -> Adjustment:
    """The model with poses near the motion of all others in place of those that leave it, where these explain the tracks better."""
    tried = np.zeros(len(adjusted.model.registered), bool)
    while tried.sum() < MOST_TRIED:
        outlier = farthest_outlier(adjusted.model, world, ~tried)
        if outlier is None:
            break
        frame, expected = outlier
        tried[frame] = True
        poses = adjusted.model.camera_from_object.copy()
        poses[frame] = expected.camera_from_object
        other = adjust(replace(adjusted.model, camera_from_object=poses), seen, Freedom())
        if other.cost < adjusted.cost:
            log.info("the pose of frame %d was another minimum: cost %.4f, now %.4f", frame, adjusted.cost, other.cost)
            adjusted = other
    return adjusted


def farthest_outlier(
    model: RigidModel, world: World, asked: Bool[np.ndarray, "frame"]
) -> tuple[int, PosePrediction] | None:
    """The frame whose turn is farthest from what the others predict, beside how sure they are; None where all agree."""
    found, farthest = None, 1.0
    for frame in np.flatnonzero(model.registered & asked).tolist():
        expected = predicted_pose(model, world, frame)
        if expected is None:
            continue
        off = expected.camera_from_object[:3, :3] @ model.camera_from_object[frame, :3, :3].T
        limit = max(LEAST_JUMP_DEG, JUMP_SIGMAS * float(np.degrees(expected.turn_std)))
        jump = float(rotation_angle_deg(off[None])[0]) / limit
        if jump > farthest:
            found, farthest = (frame, expected), jump
    return found


def without_unseen_frames(model: RigidModel, seen: Observations) -> RigidModel:
    """The model without poses of frames that show fewer points than registration asks for; all are kept where none shows enough."""
    shown = np.bincount(seen.frame[usable(model, seen)], minlength=seen.frame_count) >= FEWEST_INLIERS
    if not (model.registered & shown).any():
        return model
    return replace(model, camera_from_object=np.where(shown[:, None, None], model.camera_from_object, np.nan))
