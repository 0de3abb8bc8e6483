"""One scale for each object, where there is no scale network."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from models.osn.z_buffer import SoloViews
from pipeline.config import OsnAblation, TrainOsnConfig
from pipeline.osn.fixed_scales import fixed_scales, scale_prior
from pipeline.osn.training_state import started
from pipeline.runtime.errors import StageError
from pipeline.scene.object_scales import slowest_scale
from tests.analytic_world import TRUE_SCALES, analytic_scene, analytic_truth

TRUTH = analytic_truth()
SCENE = analytic_scene(TRUTH)


def depth_maps(folder: Path) -> Path:
    folder.mkdir()
    for frame, depth in enumerate(TRUTH.train.depth):
        np.save(folder / f"{frame}.npy", np.where(np.isfinite(depth), depth, 0))
    return folder


def views(*contact: float) -> SoloViews:
    """A wall at depth 4, before which each object is seen once; it meets the wall at its contact scale."""
    count = len(contact) + 1
    depth = torch.tensor([[4.0, *(4.0 / scale for scale in contact)]] * count)
    every = torch.ones(count, dtype=torch.bool)
    return SoloViews(depth, torch.ones(count, count), torch.arange(count), every, torch.zeros(count, dtype=torch.int64))


def test_the_prior_is_the_geometric_mean_of_contact_and_slowest_motion() -> None:
    wide = replace(SCENE, scale_range=np.array([[1, 1], [0.01, 100], [0.01, 100]], np.float32))
    every = np.ones(SCENE.frame_count, bool)
    slowest = [slowest_scale(wide, k, every) for k in (1, 2)]
    assert slowest[0] is not None and slowest[1] is not None
    found = scale_prior(views(2 * slowest[0], 0.5 * slowest[1]), wide)
    # The slowest motion never suggests more than contact allows.
    assert found == pytest.approx([1.0, np.sqrt(2) * slowest[0], 0.5 * slowest[1]], rel=1e-5)


def test_the_prior_stays_within_the_range_of_the_scene() -> None:
    assert scale_prior(views(1e6, 1e-6), SCENE) == pytest.approx(
        [1.0, SCENE.scale_range[1, 1], SCENE.scale_range[2, 0]]
    )


def test_training_at_the_given_scales_knows_no_others() -> None:
    config, device = TrainOsnConfig(ablation=OsnAblation(scales="depth"), grids=[8]), torch.device("cpu")
    state = started(SCENE, config, device, TRUE_SCALES)
    assert state.network is None and state.pool.scales.tolist() == [pytest.approx(TRUE_SCALES)]
    with pytest.raises(StageError, match="needs depth maps"):
        started(SCENE, config, device)


def test_baselines_are_the_middle_of_the_range_the_prior_and_what_depth_maps_say(tmp_path: Path) -> None:
    found = fixed_scales(views(2.0, 4 / 3), SCENE, depth_maps(tmp_path / "depth"))
    assert list(found) == ["middle", "prior", "depth"]
    assert found["middle"] == pytest.approx(SCENE.scale_range.mean(1))
    assert found["prior"] == pytest.approx(scale_prior(views(2.0, 4 / 3), SCENE))
    assert found["depth"] == pytest.approx(TRUE_SCALES, rel=5e-3)
