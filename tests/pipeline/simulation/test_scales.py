"""Scenes with other scales that show the same video."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config import SimulateSceneConfig
from pipeline.runtime.errors import StageError
from pipeline.simulate_scene import SimulatedWorld, film, random_world, render_truth
from pipeline.simulation.scales import draw_scales, ratio_limits, scaled_action
from pipeline.truth.truth_file import Truth, read_truth, write_truth

CONFIG = SimulateSceneConfig(seed=1, objects=2, frames=3, height=48, width=64, combinations=3)
SIZE = (CONFIG.height, CONFIG.width)


@cache
def world() -> SimulatedWorld:
    return random_world(CONFIG, torch.device("cpu"))


@cache
def truth() -> Truth:
    return render_truth(world(), CONFIG)


def test_every_scene_shows_exactly_the_same_video():
    for scales in truth().scenes.scales:
        moved = replace(world(), action=scaled_action(world().action, scales))
        views, solo = film(moved, world().action.train_cameras, SIZE, "again")
        np.testing.assert_array_equal(views.object_ids, truth().train.object_ids)
        difference = np.abs(views.images.astype(int) - truth().train.images)
        assert difference.max() <= 2 and (difference > 0).mean() < 1e-3
        np.testing.assert_allclose(solo, truth().solo_depth * scales[:, None, None, None], rtol=1e-3)


def test_scenes_differ_from_where_the_camera_was_not():
    images = truth().scenes.images.astype(float)
    assert np.abs(images[1:] - images[:1]).mean() > 1
    assert images.shape == (3, 3, 48, 64, 3)
    np.testing.assert_array_equal(truth().scenes.rows, range(3))


def test_a_scene_at_the_scales_of_the_video_is_the_one_that_was_filmed():
    views, _ = film(
        replace(world(), action=scaled_action(world().action, np.ones(3))), world().action.test_cameras, SIZE, "test"
    )
    assert np.abs(views.images.astype(int) - truth().test.images).max() <= 2


def test_a_limit_is_where_the_first_pixel_changes():
    solo = np.zeros((2, 1, 1, 3))
    solo[0], solo[1, 0, 0, :2] = 4.0, [2.0, 5.0]  # the object is seen in the first pixel, hidden in the second
    limits = ratio_limits(solo, np.array([[[1, 0, 0]]], np.uint8))
    np.testing.assert_allclose(limits, [[np.inf, 1.25], [2.0, np.inf]])


@given(st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_drawn_scales_leave_every_pixel_its_object(seed: int):
    random = np.random.default_rng(seed)
    solo = random.uniform(1, 3, (4, 1, 4, 4)) * (random.random((4, 1, 4, 4)) < 0.5)
    solo[0] = 3.5
    ids = np.where(solo > 0, solo, np.inf).argmin(0).astype(np.uint8)
    for scales in draw_scales(random, ratio_limits(solo, ids), 3):
        scaled = solo * scales[:, None, None, None]
        np.testing.assert_array_equal(np.where(scaled > 0, scaled, np.inf).argmin(0), ids)


def test_a_video_with_a_single_explanation_ends_in_one_clear_error():
    limits = np.array([[np.inf, 1.0], [1.0, np.inf]])
    with pytest.raises(StageError, match="0 of 3 combinations"):
        draw_scales(np.random.default_rng(0), limits, 3)


def test_scenes_survive_the_truth_file(tmp_path: Path):
    write_truth(tmp_path / "truth.h5", truth())
    again = read_truth(tmp_path / "truth.h5").scenes
    for name in ("scales", "rows", "images", "depth", "object_ids"):
        np.testing.assert_array_equal(getattr(again, name), getattr(truth().scenes, name))
    write_truth(tmp_path / "plain.h5", replace(truth(), scenes=None))
    assert read_truth(tmp_path / "plain.h5").scenes is None
