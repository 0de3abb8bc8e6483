"""A hemisphere bulges towards the camera, over the tracks of one frame."""

import numpy as np
import pytest

from pipeline.sfm.hemisphere_init import (
    WINDOW,
    frames_around,
    hemisphere_depth,
    hemisphere_initialisation,
    reference_frames,
)
from pipeline.sfm.rigid_model import reprojection_errors_px
from tests.pipeline.tracked_body import CAMERA, FRAMES, solid, tracked, turning_poses


def test_a_hemisphere_is_nearest_in_the_middle() -> None:
    depth = hemisphere_depth(np.array([[0.0, 0.0], [0.1, 0.0], [-0.1, 0.0], [0.0, 0.1], [0.0, -0.1]]))
    assert depth[0] == pytest.approx(1.0) and (depth[1:] > 1.05).all()


def test_the_depth_is_that_of_a_ball_around_the_outline() -> None:
    ring = np.stack([np.cos(np.linspace(0, 6, 99)), np.sin(np.linspace(0, 6, 99))], axis=1)
    places = np.concatenate([ring, -ring, [[0.5, 0.0], [0.0, 0.0]]])
    depth = hemisphere_depth(places)
    assert depth[-1] == pytest.approx(1.0, abs=1e-3)
    assert depth[-2] == pytest.approx(1 + 1.15 - np.sqrt(1.15**2 - 0.25), abs=1e-3)
    assert depth[0] == pytest.approx(1 + 1.15 - np.sqrt(1.15**2 - 1), abs=1e-2)


def test_only_the_reference_has_a_pose_and_its_points_are_where_it_sees_them() -> None:
    _, seen = tracked(turning_poses(), solid(30), length=4)
    model = hemisphere_initialisation(seen, CAMERA, 6)
    assert np.flatnonzero(model.registered).tolist() == [6]
    own = seen.frame == 6
    assert np.flatnonzero(model.has_point).tolist() == sorted(seen.track[own])
    np.testing.assert_allclose(reprojection_errors_px(model, seen)[own], 0, atol=1e-9)


def test_references_lie_evenly_among_frames_that_see_enough() -> None:
    _, seen = tracked(turning_poses(), solid(40))
    hidden = seen.kept((seen.frame > 3) | (seen.track < 5))
    assert reference_frames(hidden, 4).tolist() == [5, 7, 9, 11]
    assert len(reference_frames(seen.kept(seen.track < 5), 4)) == 0


def test_frames_around_one_are_within_the_window() -> None:
    _, seen = tracked(turning_poses(), solid(3))
    assert np.unique(frames_around(seen, 1).frame).tolist() == list(range(0, 2 + WINDOW))
    assert FRAMES > 2 + WINDOW
