"""A focal length is as sure as the tracks make it, and lenses that are no pinhole are named."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.cameras import inverse, rigid
from pipeline.sfm.bundle_adjustment import Freedom, adjust, rotation_exp
from pipeline.sfm.focal_curve import FocalPrior
from pipeline.sfm.radial_term import RadialTerm
from pipeline.sfm.rigid_model import Observations, RigidModel
from pipeline.sfm.self_calibration import Calibration, as_all_tracks_say, combined, self_calibration, stretched
from tests.pipeline.tracked_body import CAMERA, orbit, room, tracked

FRAMES, POINTS = 9, 70
CENTRE = np.array([CAMERA.cx, CAMERA.cy])


def calibrated(model: RigidModel, seen: Observations, start: float = 1.0) -> Calibration:
    """The calibration of a model that starts at `start` times the true focal length."""
    prior = FocalPrior.of_common_cameras(CAMERA)
    return self_calibration(stretched(model, start), seen, prior, Freedom(focal=True), seed=0)


def scene(turn: float = 0.5, shift: float = 2.5) -> tuple[RigidModel, Observations]:
    """A camera that turns as it goes past points at many depths."""
    return tracked(orbit(FRAMES, turn, shift), room(POINTS), noise=0.1)


def test_a_turning_camera_tells_its_focal_length_from_a_start_far_off() -> None:
    found = calibrated(*scene(), start=2.0)
    low, high = found.curve.interval(0.95)
    assert found.focal_px == pytest.approx(CAMERA.fx, rel=0.02) and low < CAMERA.fx < high
    assert found.curve.relative_width < 0.15 and found.doubts == ()
    assert found.radial is not None and not found.radial.matters(CAMERA)


def test_a_camera_that_does_not_turn_leaves_the_interval_wide() -> None:
    model, seen = scene(turn=0.0, shift=1.0)
    assert calibrated(model, seen).curve.relative_width > 0.25


def test_a_plane_that_faces_the_camera_leaves_the_interval_wide() -> None:
    plane = room(POINTS)
    plane *= 4 / plane[:, 2:]
    model, seen = tracked(orbit(FRAMES, 0.0, 1.0), plane, noise=0.1)
    assert calibrated(model, seen).curve.relative_width > 0.25


def test_a_zoom_is_named() -> None:
    model, seen = scene()
    zoom = np.linspace(1.0, 1.4, FRAMES)[seen.frame, None]
    found = calibrated(model, replace(seen, xy=CENTRE + zoom * (seen.xy - CENTRE)))
    assert len(found.doubts) == 1 and "changes by a factor 1.4 from frame 0 to 8" in found.doubts[0]
    assert "`start` and `end` of the scene" in found.doubts[0]


def test_a_dolly_shot_is_no_zoom() -> None:
    steps = np.linspace(0, 1, FRAMES)
    turn = rotation_exp(0.3 * steps[:, None] * np.array([0.2, 1.0, 0.1]))
    ahead = 1.5 * steps[:, None] * np.array([0.1, 0.0, 1.0])
    model, seen = tracked(inverse(rigid(turn, ahead)), room(POINTS) + np.array([0, 0, 1.0]), noise=0.1)
    assert calibrated(model, seen).doubts == ()


def test_a_radial_term_is_measured_with_its_error() -> None:
    model, seen = scene()
    ray = (seen.xy - CENTRE) / CAMERA.fx
    found = calibrated(model, replace(seen, xy=seen.xy + CAMERA.fx * -0.2 * (ray**2).sum(1, keepdims=True) * ray))
    assert found.radial is not None and found.radial.matters(CAMERA) and found.doubts == ()
    term = found.radial.at(CAMERA.fx)
    assert term.k1 == pytest.approx(-0.2, rel=0.1) and abs(term.k1 + 0.2) < 3 * term.std


def test_few_tracks_leave_what_was_known() -> None:
    model, seen = tracked(orbit(FRAMES, 0.5, 2.5), room(10))
    assert calibrated(model, seen).curve.relative_width > 0.25


def test_deviations_add_up_as_squares_within_what_is_sane() -> None:
    assert combined(0.003, 0.0, 0.004) == pytest.approx(0.005)
    assert combined(0.0) == 0.001 and combined(np.inf, 0.1) == 1.0


def test_all_tracks_are_surer_than_few() -> None:
    model, seen = scene()
    found = calibrated(model, seen)
    adjusted = adjust(model, seen, Freedom(focal=True))
    sure = as_all_tracks_say(found, adjusted, seen, FocalPrior.of_common_cameras(CAMERA), Freedom(focal=True))
    assert sure.focal_px == adjusted.model.camera.fx == pytest.approx(sure.curve.median, rel=1e-4)
    assert sure.curve.relative_std < found.curve.relative_std
    assert abs(sure.focal_px - CAMERA.fx) < 3 * sure.curve.std_px


def test_a_camera_is_contradicted_by_a_zoom_or_by_a_term_that_matters() -> None:
    model, seen = scene()
    found = calibrated(model, seen)
    assert not found.contradicts(CAMERA) and replace(found, doubts=("it zooms",)).contradicts(CAMERA)
    bent = replace(found, radial=RadialTerm(-0.2, 0.01, CAMERA.fx))
    assert bent.contradicts(CAMERA) and not replace(found, radial=RadialTerm(-0.2, 0.1, CAMERA.fx)).contradicts(CAMERA)
