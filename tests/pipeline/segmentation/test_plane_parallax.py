"""Views of points whose places are known, without any calibration."""

import numpy as np

from pipeline.segmentation.plane_parallax import canonical, fitted_plane_parallax


def views_of_points(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Image points of one camera and of three others that are moved and turned; the fundamental matrix of the last."""
    rng = np.random.default_rng(seed)
    points = rng.uniform([-2, -1.5, 4], [2, 1.5, 8], (300, 3))
    landed = []
    for number in (1, 2, 3):
        angle = 0.03 * number
        turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
        shift = number * np.array([0.2, 0.05, -0.03])
        moved = points @ turn.T + shift
        landed.append(moved[:, :2] / moved[:, 2:])
    x, y, z = shift
    fundamental = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]]) @ turn
    return points[:, :2] / points[:, 2:], np.stack(landed), fundamental


def test_still_points_fit_one_depth_in_all_views_and_moving_ones_do_not() -> None:
    xy, landed, fundamental = views_of_points(0)
    along = landed[2, :20] - xy[:20]
    landed[:, :20] += np.array([0.3, -0.3, 0.3])[:, None, None] * along
    seen, still = np.ones(landed.shape[:2], bool), np.ones(300, bool)
    views = fitted_plane_parallax(xy, landed, seen, still, 2, fundamental)
    assert views is not None
    error = np.linalg.norm(views.landing(xy, views.depths(xy, landed, seen)) - landed, axis=-1)
    assert np.percentile(error[:, 20:], 95) < 1e-3
    assert np.median(error[:, :20].max(0)) > 0.005


def test_a_view_in_which_a_point_is_hidden_does_not_disturb_its_depth() -> None:
    xy, landed, fundamental = views_of_points(1)
    seen = np.ones(landed.shape[:2], bool)
    landed[1, :30] += 0.5
    seen[1, :30] = False
    views = fitted_plane_parallax(xy, landed, seen, np.ones(300, bool), 2, fundamental)
    assert views is not None
    error = np.linalg.norm(views.landing(xy, views.depths(xy, landed, seen)) - landed, axis=-1)
    assert error[[0, 2], :30].max() < 2e-3


def test_too_few_points_give_no_views() -> None:
    xy, landed, fundamental = views_of_points(2)
    seen = np.ones((3, 20), bool)
    assert fitted_plane_parallax(xy[:20], landed[:, :20], seen, np.ones(20, bool), 2, fundamental) is None


def test_plane_and_epipole_give_the_fundamental_matrix_back() -> None:
    _, _, fundamental = views_of_points(3)
    plane, epipole = canonical(fundamental)
    x, y, z = epipole
    again = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]]) @ plane
    again, fundamental = again / np.linalg.norm(again), fundamental / np.linalg.norm(fundamental)
    assert min(np.abs(again - fundamental).max(), np.abs(again + fundamental).max()) < 1e-6


def test_a_view_that_sees_only_points_that_fit_less_well_has_no_endless_numbers() -> None:
    xy, landed, fundamental = views_of_points(4)
    seen = np.ones(landed.shape[:2], bool)
    landed[1, :40] += np.random.default_rng(0).uniform(-0.02, 0.02, (40, 2))  # trimmed, and all that view 1 sees
    seen[1, 40:] = False
    views = fitted_plane_parallax(xy, landed, seen, np.ones(300, bool), 2, fundamental)
    assert views is not None and np.isfinite(views.plane).all() and np.isfinite(views.epipole).all()
