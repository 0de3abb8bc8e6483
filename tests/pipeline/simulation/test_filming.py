"""What is filmed through lens, zoom and shutter is where truth says: points of one frame reappear in another."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

from pipeline.cameras import rotation_angle_deg
from pipeline.config import RecordingConfig, SimulateSceneConfig
from pipeline.runtime.errors import StageError
from pipeline.simulate_scene import random_world, render_truth
from pipeline.simulation.camera_work import walk
from pipeline.simulation.filming import poses_at
from pipeline.truth.correspondences import true_flow
from pipeline.truth.truth_file import Truth, read_truth, write_truth


@cache
def filmed(**recording) -> Truth:
    config = SimulateSceneConfig(
        seed=1, objects=1, height=48, width=64, frames=3, held_out_views=1, recording=RecordingConfig(**recording)
    )
    return render_truth(random_world(config, torch.device("cpu")), config)


def warped_error(truth: Truth) -> float:
    """Mean difference of colours of points that two frames show, by truth's flow."""
    flow, seen = true_flow(truth, 0, 2)
    row, column = np.nonzero(seen)
    there = np.round(flow[row, column] + np.stack([column, row], -1)).astype(int)
    height, width = truth.size
    there = there.clip(0, [width - 1, height - 1])
    images = truth.train.images.astype(float)
    return float(np.abs(images[0, row, column] - images[2, there[:, 1], there[:, 0]]).mean())


@pytest.mark.parametrize(
    "recording",
    [
        {"lens": "radial", "k1": -0.14, "focal": 0.75},
        {"lens": "fisheye", "focal": 0.6},
        {"zoom": 1.5},
        {"zoom": 1.5, "digital_zoom": True},
    ],
    ids=lambda values: values.get("lens", "digital" if "digital_zoom" in values else "zoom"),
)
def test_flow_by_truth_leads_to_the_same_colours(recording) -> None:
    truth = filmed(**recording)
    assert warped_error(truth) < 1.35 * warped_error(filmed()) + 2
    blind = replace(truth, train=replace(truth.train, lens=None, intrinsics=None))
    assert warped_error(blind) > 1.2 * warped_error(truth)  # without lens and focal lengths it does not


def test_truth_keeps_lens_zoom_and_readout_in_its_file(tmp_path) -> None:
    for recording in ({"lens": "fisheye", "focal": 0.6}, {"zoom": 1.5}):
        write_truth(tmp_path / "truth.h5", truth := filmed(**recording))
        read = read_truth(tmp_path / "truth.h5")
        assert read.train.lens == truth.train.lens and read.test.lens is None
        if "zoom" in recording:
            np.testing.assert_array_equal(read.train.intrinsics, truth.train.intrinsics)
            assert truth.camera(truth.train, 2).fx == pytest.approx(1.5 * truth.camera(truth.train, 0).fx)
    assert filmed().train.lens is None and filmed().train.intrinsics is None


def test_a_long_exposure_blurs_what_moves_and_keeps_depth() -> None:
    sharp, blurred = filmed(), filmed(motion_blur=1.0)
    np.testing.assert_array_equal(sharp.train.object_ids, blurred.train.object_ids)
    contrast = [np.abs(np.diff(truth.train.images.astype(float), axis=2)).mean() for truth in (sharp, blurred)]
    assert contrast[1] < 0.9 * contrast[0]


def test_a_rolling_shutter_shows_the_middle_row_in_time_and_others_early_or_late() -> None:
    still, rolling = (truth.train.depth[1] for truth in (filmed(), filmed(rolling_shutter=1.0)))
    error = np.median(np.abs(np.log(still / rolling)), axis=1)  # of the walls: objects stand still within a band
    assert error[22:26].mean() < 0.35 * max(error[:8].mean(), error[-8:].mean())


def test_poses_between_frames_are_half_way() -> None:
    poses = walk(np.random.default_rng(0), SimulateSceneConfig(frames=6))
    between = poses_at(poses, np.array([2.0, 2.5, 3.0]))
    np.testing.assert_allclose(between[[0, 2]], poses[2:4], atol=1e-12)
    np.testing.assert_allclose(between[1, :3, 3], poses[2:4, :3, 3].mean(0), atol=1e-12)
    half = rotation_angle_deg(poses[2, :3, :3].T @ between[1, :3, :3][None])
    assert half == pytest.approx(rotation_angle_deg(poses[2, :3, :3].T @ poses[3, :3, :3][None]) / 2)


def test_a_barrel_that_folds_the_corners_is_refused() -> None:
    with pytest.raises(StageError, match=r"k1: -0.25 folds"):
        filmed(lens="radial", k1=-0.25, focal=0.7)
