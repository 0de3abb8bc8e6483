"""A pixel of a held-out view counts where enough frames of the video show its surface point."""

import dataclasses

import numpy as np

from pipeline.truth.covisibility import covisible, dycheck_rule, osn_rule, times_seen
from tests.synthetic import synthetic_truth


def test_a_view_that_is_a_frame_of_the_video_is_seen_there() -> None:
    truth = synthetic_truth()
    same = dataclasses.replace(truth, test=truth.train)
    seen = times_seen(same, 3, np.array([3]))
    assert seen.mean() > 0.99
    assert (times_seen(same, 3, np.array([3, 3, 3])) == 3 * seen).all()


def test_a_frame_that_looks_away_sees_nothing() -> None:
    truth = synthetic_truth()
    away = truth.train.world_from_camera.copy()
    away[:, :3, :3] = away[:, :3, :3] @ np.diag([-1.0, 1.0, -1.0])
    blind = dataclasses.replace(truth, train=dataclasses.replace(truth.train, world_from_camera=away))
    assert not times_seen(blind, 3, np.arange(len(away))).any()


def test_points_move_with_their_object() -> None:
    truth = synthetic_truth()
    same = dataclasses.replace(truth, test=truth.train)
    frames = np.arange(len(truth.train.images))
    first_box = truth.train.object_ids[3] == 1
    turned = truth.train.world_from_object.copy()
    turned[:, 0] = turned[3, 0]  # as if the box had stood still
    still = dataclasses.replace(same, train=dataclasses.replace(truth.train, world_from_object=turned))
    with_motion, without = (times_seen(scene, 3, frames)[first_box].mean() for scene in (same, still))
    assert with_motion > 1.3 * without


def test_five_frames_or_a_tenth_must_have_seen_it() -> None:
    truth = dataclasses.replace(synthetic_truth(), test=synthetic_truth().train)
    few, enough = np.full(4, 3), np.full(5, 3)
    assert not covisible(truth, 3, few).any() and covisible(truth, 3, enough).mean() > 0.99
    mostly_away = np.concatenate([np.full(5, 3), np.full(75, 0)])  # 80 frames: 8 must have seen it
    seen = times_seen(truth, 3, np.array([0])) > 0
    np.testing.assert_array_equal(covisible(truth, 3, mostly_away), seen)
    assert covisible(truth, 3, np.full(2, 3), osn_rule).mean() > 0.99


def test_rules_are_those_of_the_papers() -> None:
    assert [dycheck_rule(count) for count in (3, 59, 65)] == [5, 5, 6]
    assert [osn_rule(count) for count in (3, 20, 25)] == [2, 2, 3]
