"""Leaving out a group of points: one Newton step against adjusting anew, and what no image shows."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.sfm import jackknife
from pipeline.sfm.bundle_adjustment import Freedom, adjust
from pipeline.sfm.jackknife import (
    FEWEST_IN_GROUP,
    GROUPS,
    LinearSystem,
    focal_spread,
    focal_spread_over_time,
    point_groups,
)
from pipeline.sfm.pose_uncertainty import pose_difference, spread_of_poses
from tests.pipeline.tracked_body import CAMERA, FRAMES, orbit, room, solid, tracked, turning_poses


def test_groups_are_of_points_near_each_other_and_not_of_too_few() -> None:
    model, _ = tracked(turning_poses(), solid(90))
    label, count = point_groups(model, 0)
    inside = np.concatenate([model.points[label == k] - model.points[label == k].mean(0) for k in range(count)])
    assert count == GROUPS and (inside**2).sum() < 0.6 * ((model.points - model.points.mean(0)) ** 2).sum()
    few, _ = tracked(turning_poses(), solid(2 * FEWEST_IN_GROUP + 1))
    assert point_groups(few, 0)[1] == 2


def test_a_newton_step_finds_what_adjusting_anew_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jackknife, "PARTITIONS", 1)
    monkeypatch.setattr(jackknife, "KEPT", 0.0)
    true, seen = tracked(turning_poses(), solid(80), noise=0.1)
    found = adjust(true, seen, Freedom(), tolerance=1e-9).model
    system = LinearSystem.of_model(found, seen, Freedom())
    steps, (label, count) = system.without_groups(), point_groups(found, 0)
    assert len(steps) == count == GROUPS
    for number, step in enumerate(steps[:2]):
        kept = label != number  # one step of a robust loss is not the whole way, and turns are measured by their mean
        part = replace(found, points=found.points[kept])
        alone = adjust(part, seen.of_tracks(kept), Freedom(), tolerance=1e-9).model
        np.testing.assert_allclose(spread_of_poses(system.at, step[None]), pose_difference(found, alone), rtol=0.4)


def test_similarities_change_no_image_and_count_as_no_spread() -> None:
    true, seen = tracked(turning_poses(), solid(60))
    system = LinearSystem.of_model(true, seen, Freedom())
    gauge, information = system.at.gauge, system.information(seen)
    assert np.abs(information @ gauge).max() < 1e-5 * np.abs(information).max()
    np.testing.assert_allclose(spread_of_poses(system.at, gauge.T), 0.0, atol=1e-8)


def test_a_turn_of_one_frame_is_a_turn_of_one_frame() -> None:
    true, seen = tracked(turning_poses(), solid(60))
    step = np.zeros((1, 6 * FRAMES))
    step[0, :3] = [0.0, 0.1, 0.0]
    # One of n frames turned: after alignment it is off by 1 - 1/n of the turn, the others by 1/n.
    wanted = 0.1 * np.sqrt((1 - 1 / FRAMES) ** 2 + (FRAMES - 1) / FRAMES**2) / np.sqrt(FRAMES)
    rotation, path = spread_of_poses(LinearSystem.of_model(true, seen, Freedom()).at, step)
    np.testing.assert_allclose([rotation, path], [np.degrees(wanted), 0.0], atol=1e-9)


def test_the_focal_length_is_as_far_off_as_groups_disagree() -> None:
    errors, deviations = [], []
    for seed in range(5):
        model, seen = tracked(orbit(9, 0.5, 2.5), room(100, seed), noise=0.2, seed=seed)
        found = adjust(replace(model, points=room(100, seed)), seen, Freedom(focal=True))
        errors.append(np.log(found.model.camera.fx / CAMERA.fx))
        deviations.append(focal_spread(found.model, seen, Freedom(focal=True)))
    ratio = np.linalg.norm(errors) / np.linalg.norm(deviations)
    assert 0.3 < ratio < 1.6  # five draws: between 0.4 and 1.5 with 95 %, if the deviations are right


def test_a_newton_step_without_a_part_of_the_time_finds_what_adjusting_anew_finds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(jackknife, "KEPT", 1e-6)
    free = Freedom(focal=True)
    model, seen = tracked(orbit(12, 0.5, 2.5), room(100, 4), noise=0.2, seed=4)
    found = adjust(replace(model, points=room(100, 4)), seen, free, iterations=300, tolerance=1e-13).model
    steps = LinearSystem.of_model(found, seen, free).without_times()[:, -1]
    assert len(steps) == GROUPS  # two frames each
    alone = []
    for number in range(GROUPS):
        gone = np.arange(12) // 2 == number
        poses = np.where(gone[:, None, None], np.nan, found.camera_from_object)
        part = replace(found, camera_from_object=poses)
        part = adjust(part, seen.kept(~gone[seen.frame]), free, iterations=300, tolerance=1e-13).model
        alone.append(np.log(part.camera.fx / found.camera.fx))
    assert np.linalg.norm(steps - alone) < 0.3 * np.linalg.norm(alone)


def test_parts_of_the_time_that_are_left_out_tell_the_error_of_the_whole() -> None:
    errors, deviations = [], []
    for seed in range(8):
        model, seen = tracked(orbit(12, 0.5, 2.5), room(100, seed), noise=0.2, seed=seed)
        found = adjust(replace(model, points=room(100, seed)), seen, Freedom(focal=True))
        errors.append(np.log(found.model.camera.fx / CAMERA.fx))
        deviations.append(focal_spread_over_time(found.model, seen, Freedom(focal=True)))
    ratio = np.linalg.norm(errors) / np.linalg.norm(deviations)
    assert 0.4 < ratio < 1.5  # eight draws: between 0.5 and 1.4 with 95 %, if the deviations are right
