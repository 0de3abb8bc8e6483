"""The curve over focal lengths against normals whose product one can write down."""

import numpy as np
import pytest

from pipeline.cameras import Intrinsics
from pipeline.sfm.focal_curve import FocalPrior, flat_curve, focal_curve, focal_range, normal_curve

CAMERA = Intrinsics.centred(300.0, 300, 400)
NOTHING_KNOWN = FocalPrior(300.0, 1e3, 1e3)
FOCALS = np.geomspace(100, 900, 61)


def parabola(middle: float, spread: float) -> np.ndarray:
    """The cost of a normal of the logarithm, in a unit of its own."""
    return 7.0 * (np.log(FOCALS / middle) / spread) ** 2


def test_the_interval_is_as_wide_as_the_spread_whatever_the_unit_of_the_cost() -> None:
    curve = focal_curve(FOCALS, parabola(300.0, 0.1), 0.1, NOTHING_KNOWN)
    np.testing.assert_allclose(curve.interval(), [300 * np.exp(-0.1), 300 * np.exp(0.1)], rtol=0.01)
    assert curve.median == pytest.approx(300, rel=0.005) and curve.std_px == pytest.approx(30, rel=0.05)
    assert curve.relative_width == pytest.approx(0.2, rel=0.05)


def test_prior_and_tracks_that_are_equally_sure_meet_in_the_middle() -> None:
    curve = focal_curve(FOCALS, parabola(300.0, 0.1), 0.1, FocalPrior(200.0, 0.1, 0.1))
    assert curve.median == pytest.approx(np.sqrt(200 * 300), rel=0.01)
    assert curve.std_px == pytest.approx(np.sqrt(200 * 300) * 0.1 / np.sqrt(2), rel=0.05)


def test_tracks_that_are_sure_overrule_the_prior() -> None:
    curve = focal_curve(FOCALS, parabola(300.0, 0.005), 0.005, FocalPrior.of_common_cameras(CAMERA))
    assert curve.median == pytest.approx(300, rel=0.003) and curve.std_px < 3


def test_a_normal_of_the_logarithm_has_one_and_two_deviations_where_they_belong() -> None:
    curve = normal_curve(CAMERA, 0.02, NOTHING_KNOWN)
    np.testing.assert_allclose(curve.interval(), [300 * np.exp(-0.02), 300 * np.exp(0.02)], rtol=1e-4)
    np.testing.assert_allclose(curve.interval(0.9545), [300 * np.exp(-0.04), 300 * np.exp(0.04)], rtol=1e-4)
    # Precisions add up: 1 / 0.02^2 of the tracks and as much of the prior, so the middle and 0.02 / 2^(1/2).
    both = normal_curve(CAMERA, 0.02, FocalPrior(300 * np.exp(0.02), 0.02, 0.02))
    assert both.median == pytest.approx(300 * np.exp(0.01), rel=1e-4)
    assert both.relative_std == pytest.approx(0.02 / np.sqrt(2), rel=1e-3)


def test_without_tracks_the_prior_is_all_there_is() -> None:
    curve = flat_curve(CAMERA, FocalPrior.of_common_cameras(CAMERA))
    assert curve.median == pytest.approx(0.75 * 500, rel=0.02)  # the diagonal is 500 px
    low, high = curve.interval()
    assert low < 0.75 * curve.median and high > 1.25 * curve.median


def test_a_cropped_image_has_a_longer_focal_length_than_its_metadata_says() -> None:
    prior = FocalPrior.of_metadata(300.0)
    shorter, longer = prior.log_density(300 * np.exp(np.array([-0.15, 0.15])))
    assert longer == pytest.approx(-0.5) and shorter == pytest.approx(-4.5)


def test_the_range_is_of_20_to_120_degrees() -> None:
    wide, narrow = focal_range(CAMERA)
    assert wide == pytest.approx(200 / np.sqrt(3)) and narrow == pytest.approx(200 / np.tan(np.radians(10)))


def test_a_cost_that_falls_on_and_on_is_no_surer_of_short_focal_lengths_than_its_rise_says() -> None:
    costs = 0.001 * (300 / FOCALS) ** 2  # no longest focal length is the best: nothing bends at the end
    curve = focal_curve(FOCALS, costs, 1.0, NOTHING_KNOWN, most_unit=200.0)
    assert curve.likelihood[0] == pytest.approx(-200 * 0.001 * (9 - 1 / 9), rel=1e-3)
    assert focal_curve(FOCALS, costs, 0.1, NOTHING_KNOWN).likelihood[0] < 20 * curve.likelihood[0]
