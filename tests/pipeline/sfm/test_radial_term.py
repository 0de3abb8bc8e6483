"""One radial term: what it does to an image, and how points are brought back from it."""

import numpy as np
import pytest

from pipeline.cameras import Intrinsics, directions_at_unit_depth, project
from pipeline.formats.lens import undistortion
from pipeline.sfm.radial_term import RadialTerm, straightened, within_image
from pipeline.sfm.rigid_model import Observations, equal_errors
from tests.pipeline.tracked_body import CAMERA, orbit, room, tracked

K1 = -0.18
VIEW = undistortion(RadialTerm(K1, 0.01, CAMERA.fx).lens(CAMERA))


def bent(xy: np.ndarray, camera: Intrinsics = CAMERA, k1: float = K1) -> np.ndarray:
    """Where SIMPLE_RADIAL sees pinhole points: (u, v) (1 + k1 (u^2 + v^2)) at unit depth."""
    ray = directions_at_unit_depth(camera, xy)[:, :2]
    return (ray * (1 + k1 * (ray**2).sum(1, keepdims=True))) * camera.fx + [camera.cx, camera.cy]


def test_points_seen_through_the_lens_become_those_of_the_pinhole_to_a_millionth() -> None:
    points = np.array([[0.0, 0.0, 2.0], [0.3, -0.2, 1.0], [-0.8, 0.6, 2.0], [0.9, 0.7, 2.0], [-0.5, -0.37, 1.0]])
    found = VIEW.points(bent(project(CAMERA, points)))
    np.testing.assert_allclose(found, project(VIEW.camera, points), atol=1e-6)


def test_corners_move_by_what_the_formula_says() -> None:
    # Half a diagonal of 160 px at 250 px: 0.64 at unit depth, moved by 0.1 * 0.64^3 * 250 px.
    assert RadialTerm(-0.1, 0.0, 250.0).corner_px(CAMERA) == pytest.approx(0.1 * 0.64**3 * 250)


def test_a_term_is_the_same_bend_at_any_focal_length() -> None:
    term = RadialTerm(-0.1, 0.02, 250.0)
    other = term.at(200.0)
    assert (other.k1, other.std) == (pytest.approx(-0.064), pytest.approx(0.0128))
    assert other.corner_px(CAMERA) == pytest.approx(term.corner_px(CAMERA))


def test_only_what_is_sure_and_can_be_seen_matters() -> None:
    assert RadialTerm(-0.1, 0.016, 250.0).matters(CAMERA)
    assert not RadialTerm(-0.1, 0.025, 250.0).matters(CAMERA)  # within five of its own standard deviations
    assert not RadialTerm(-0.01, 0.0001, 250.0).matters(CAMERA)  # 0.66 px at the corners


def test_what_is_left_of_a_term_adds_to_it() -> None:
    """Undoing too little leaves a lens of the rest: both together are the whole, but for terms of the fifth order."""
    first = undistortion(RadialTerm(K1 / 2, 0.0, CAMERA.fx).lens(CAMERA))
    rays = np.random.default_rng(0).uniform(-0.15, 0.15, (50, 2))
    pinhole = rays * CAMERA.fx + [CAMERA.cx, CAMERA.cy]
    half = (first.points(bent(pinhole)) - first.camera.values[2:]) / first.camera.fx
    left = ((half / rays - 1) / (rays**2).sum(1, keepdims=True)).mean()
    whole = RadialTerm(K1 / 2, 0.0, CAMERA.fx).followed_by(RadialTerm(left, 0.01, first.camera.fx), CAMERA.fx)
    assert whole.k1 == pytest.approx(K1, rel=0.03) and whole.std == 0.01


def test_errors_grow_as_the_image_is_stretched() -> None:
    _, seen = tracked(orbit(4), room(30))
    found = straightened(Observations(**{**vars_of(seen), "xy": bent(seen.xy)}), VIEW)
    np.testing.assert_allclose(found.xy, project(VIEW.camera, directions_at_unit_depth(CAMERA, seen.xy)), atol=1e-6)
    step = np.array([0.1, 0.0])
    moved = VIEW.points(bent(seen.xy) + step) - found.xy  # what an error of 0.1 px to the right becomes
    variance = np.einsum("oi,oij,oj->o", moved, np.linalg.inv(found.covariance), moved)
    sigma = np.sqrt(seen.covariance[:, 0, 0])
    np.testing.assert_allclose(variance, (0.1 / sigma) ** 2, rtol=0.02)


def vars_of(seen: Observations) -> dict[str, object]:
    names = ("track", "frame", "xy", "covariance", "track_count", "frame_count")
    return {name: getattr(seen, name) for name in names}


def test_what_lies_beside_the_image_is_left_out_and_tracks_keep_their_numbers() -> None:
    xy = np.array([[-0.1, 5.0], [0.0, 0.0], [255.9, 191.9], [256.0, 5.0], [5.0, 192.5]])
    seen = Observations(np.arange(5), np.zeros(5, int), xy, equal_errors(np.ones(5)), 5, 1)
    assert within_image(seen, CAMERA).track.tolist() == [1, 2] and within_image(seen, CAMERA).track_count == 5
