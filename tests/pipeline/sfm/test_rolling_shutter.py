"""Rows that are seen one after another: the readout is found again, and a shutter that opens at once stays one."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.cameras import inverse, project, rigid, transform
from pipeline.formats.geometry_file import ROLLS
from pipeline.sfm.bundle_adjustment import Freedom, adjust, rotation_exp
from pipeline.sfm.rigid_model import Observations, RigidModel
from pipeline.sfm.rolling_shutter import RollingShutter, lowest, measured_shutter, motion_px
from tests.pipeline.tracked_body import CAMERA, room, tracked


def shaken(time: np.ndarray) -> np.ndarray:
    """camera_from_world of a hand that shakes while it goes sideways, at any time in frames."""
    turn = 0.03 * np.stack([np.sin(0.6 * time), np.cos(0.5 * time), 0.5 * np.sin(0.4 * time)], axis=-1)
    centre = np.stack([0.15 * time, 0.05 * np.sin(0.7 * time), 0.02 * time], axis=-1)
    return inverse(rigid(np.swapaxes(rotation_exp(turn), -1, -2), centre))


def rolled(share: float) -> tuple[RigidModel, Observations]:
    """Tracks of a shutter whose readout takes a share of a frame, solved for the time at which each point is seen."""
    model, seen = tracked(shaken(np.arange(10.0)), room(80), noise=0.05)
    noise = seen.xy - project(CAMERA, transform(model.camera_from_object[seen.frame], model.points[seen.track]))
    xy = seen.xy
    for _ in range(10):
        time = seen.frame + share * (xy[:, 1] / CAMERA.height - 0.5)
        xy = project(CAMERA, transform(shaken(time), model.points[seen.track])) + noise
    return model, replace(seen, xy=xy)


@pytest.mark.parametrize("share", [0.7, -0.4])
def test_the_readout_is_found_and_named(share: float) -> None:
    model, seen = rolled(share)
    found = measured_shutter(adjust(model, seen, Freedom()), seen, Freedom())
    assert found.share == pytest.approx(share, abs=0.2)
    assert len(found.doubts) == 1 and found.doubts[0].startswith(ROLLS)


def test_a_shutter_that_opens_at_once_is_no_doubt() -> None:
    model, seen = rolled(0.0)
    found = measured_shutter(adjust(model, seen, Freedom()), seen, Freedom())
    assert abs(found.share) < 0.15 and found.cost_ratio > 0.97 and found.doubts == ()
    assert RollingShutter(0.05, 0.5).doubts == ()  # too little of a frame to be seen


def test_points_move_as_far_as_between_the_frames_about_them() -> None:
    model, seen = tracked(shaken(np.arange(4.0)), room(5))
    moved, xy = motion_px(model, seen), seen.xy.reshape(5, 4, 2)
    np.testing.assert_allclose(moved.reshape(5, 4, 2)[:, 1], (xy[:, 2] - xy[:, 0]) / 2)
    np.testing.assert_allclose(moved.reshape(5, 4, 2)[:, 3], xy[:, 3] - xy[:, 2])


def test_the_lowest_point_of_a_parabola() -> None:
    shares = np.array([-1.0, -0.5, 0.5, 1.0, 0.0])
    assert lowest(shares, (shares - 0.3) ** 2) == pytest.approx(0.3)
    assert lowest(shares, -shares) == 1.0
