"""A lens that bends lines is undone before geometry: focal length, term and poses are those that made the tracks."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.cameras import Intrinsics
from pipeline.sfm import straight_background as module
from pipeline.sfm.background import Reconstructed, calibrated, prior_of
from pipeline.sfm.bundle_adjustment import Freedom, adjust
from pipeline.sfm.focal_curve import FocalPrior
from pipeline.sfm.mapping import MappingOptions
from pipeline.sfm.radial_term import RadialTerm
from pipeline.sfm.rigid_model import Observations
from pipeline.sfm.self_calibration import Calibration, uncalibrated
from pipeline.sfm.straight_background import straight_background, undone
from pipeline.sfm.verdicts import Judgement
from tests.pipeline.sfm.test_radial_term import bent
from tests.pipeline.tracked_body import CAMERA, orbit, pose_errors, room, tracked

BLIND = MappingOptions(Intrinsics.centred(256.0, 192, 256), False, 0, 150, 150)
POSES = orbit(8, turn=0.5, shift=2.5)
TRUE, SEEN = tracked(POSES, room(60), noise=0.05)
OK = Judgement("ok", "well determined", {})


def mapped(seen: Observations, options: MappingOptions) -> tuple[Reconstructed, str]:
    """The background without the search for a first model, which is there already: bundle adjustment and calibration."""
    start = adjust(replace(TRUE, camera=options.camera), seen, Freedom(focal=True))
    adjusted, calibration = calibrated(start, seen, options, prior_of(options) or FocalPrior(1.0, 1.0, 1.0))
    return Reconstructed(adjusted.model, seen, OK, calibration.curve.std_px, calibration), "moving"


def told(*terms: RadialTerm | None):
    """Backgrounds whose calibrations meet one term after the other."""
    left = list(terms)

    def background(seen: Observations, options: MappingOptions) -> tuple[Reconstructed, str]:
        term = left.pop(0)
        calibration: Calibration | None = None
        if term is not None:
            calibration = replace(uncalibrated(options.camera, FocalPrior.of_common_cameras(CAMERA)), radial=term)
        return Reconstructed(replace(TRUE, camera=options.camera), seen, OK, None, calibration), "moving"

    return background


def test_an_unknown_lens_of_unknown_focal_length_is_found_and_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "reconstruct_background", mapped)
    done = straight_background(replace(SEEN, xy=bent(SEEN.xy, k1=-0.2)), BLIND)
    assert done.view is not None and done.term is not None
    focal, _, _, k1 = done.view.lens.params
    assert abs(focal - CAMERA.fx) < 6 and abs(k1 + 0.2) < 0.015 and abs(k1 + 0.2) < 2 * done.term.std
    assert max(pose_errors(done.found.model, POSES)) < 1.0
    # The pinhole of the model is the one that undoing this lens leaves, and all that is kept lies in its image.
    assert done.view.camera == done.found.model.camera
    xy = done.found.seen.xy
    assert (xy >= 0).all() and (xy < [256, 192]).all()


def test_a_term_within_its_error_is_measured_and_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "reconstruct_background", told(RadialTerm(-0.05, 0.04, 250.0)))
    done = straight_background(SEEN, BLIND)
    assert done.view is None and done.term == RadialTerm(-0.05, 0.04, 250.0) and done.found.seen is SEEN


def test_a_camera_that_was_given_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "reconstruct_background", told(None))
    done = straight_background(SEEN, replace(BLIND, camera=CAMERA, focal_known=True))
    assert done.view is None and done.term is None


def test_what_is_known_of_the_focal_length_follows_the_zoom_of_the_view(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[MappingOptions] = []

    def background(seen: Observations, options: MappingOptions) -> tuple[Reconstructed, str]:
        asked.append(options)
        return told(RadialTerm(0.0, 0.01, options.camera.fx))(seen, options)

    monkeypatch.setattr(module, "reconstruct_background", background)
    done = undone(SEEN, replace(BLIND, focal_prior=FocalPrior.of_metadata(256.0)), RadialTerm(-0.2, 0.01, 256.0))
    assert done.view is not None and asked[0].focal_prior is not None
    zoom = asked[0].camera.fx / 256
    assert zoom < 0.98 and asked[0].focal_prior.focal_px == pytest.approx(256 * zoom)
    assert done.view.lens.camera.fx == pytest.approx(256)


def test_a_lens_that_one_term_does_not_undo_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    bend = RadialTerm(-0.4, 0.01, 256.0)  # folds the image over before its corners: less is undone, and told
    monkeypatch.setattr(module, "reconstruct_background", told(bend, bend, bend))
    done = straight_background(SEEN, BLIND)
    judgement = done.found.judgement
    assert judgement.verdict == "weak" and "in a way that one radial term does not undo" in judgement.reason
    assert done.view is not None and done.term is not None and done.term.k1 == done.view.lens.params[3] > -0.4
    assert not np.array_equal(done.found.seen.xy, SEEN.xy)
