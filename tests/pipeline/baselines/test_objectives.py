"""Motion is learned: none where nothing moves, that of the flow where something does; and what is frozen stays as it is."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.baselines.model import SceneExtent
from models.baselines.scene_flow_losses import induced_pixels
from models.baselines.scene_flow_model import SceneFlowBaseline
from models.baselines.scene_flow_objectives import look
from models.ops.space import Cameras, Region
from pipeline.baselines import training
from pipeline.baselines.data import TrainingViews
from pipeline.baselines.motion import motion_of_views
from pipeline.baselines.moving_batches import RayPlan, draw_moving
from pipeline.baselines.training import TrainingContext
from pipeline.baselines.training_state import started
from pipeline.config import TrainBaselineConfig

FRAMES, HEIGHT, WIDTH = 4, 16, 24
TINY = {
    "steps": 50,
    "rays": 64,
    "moving_rays": 0,
    "coarse_samples": 12,
    "fine_samples": 8,
    "grids": [8],
    "dynamic_grids": [12],
    "time_grids": [4],
    "refine_at": [],
    "flow_grid": 5,
    "density_channels": 2,
    "colour_channels": 4,
    "width": 8,
    "grid_lr": 0.04,
    "decay": 0.9,
}


def film(speed: float, still: int = 0) -> TrainingViews:
    """A texture that fills the picture of a camera that stands still, and moves to the right by so many pixels a frame.

    So many columns are said to stand still.
    """
    column = np.arange(WIDTH)[None] - speed * np.arange(FRAMES)[:, None]
    wave = 127 + 100 * np.sin(0.7 * column)[:, None, :, None] * np.array([1.0, 0.5, -0.8])
    images = np.broadcast_to(wave, (FRAMES, HEIGHT, WIDTH, 3)).round().astype(np.uint8)
    flow = np.zeros((FRAMES - 1, HEIGHT, WIDTH, 2))
    flow[..., 0] = speed
    valid = np.ones(flow.shape[:3], bool)
    moving = np.full(images.shape[:3], speed != 0)
    moving[:, :, :still] = False
    cameras = Cameras(
        torch.eye(4).repeat(FRAMES, 1, 1), torch.tensor([24.0, 24.0, WIDTH / 2, HEIGHT / 2]), HEIGHT, WIDTH
    )
    extent = SceneExtent(Region(torch.zeros(3), torch.full((3,), 4.0)), 2.0, 4.0, FRAMES)
    frames = torch.arange(FRAMES)
    motion = motion_of_views(flow, -flow, valid, valid, moving)
    return TrainingViews(torch.from_numpy(images.copy()), cameras, frames, frames, None, extent, motion)


@pytest.mark.parametrize("speed", [0.0, 1.5])
def test_motion_that_is_learned_is_that_of_the_film(speed: float, tmp_path: Path) -> None:
    config = TrainBaselineConfig.model_validate({"method": "nsff", "nsff": TINY, "shards": 1, "resume_seconds": 1e6})
    views = film(speed)
    assert views.motion is not None
    state = started(views.extent, config, torch.device("cpu"))
    assert isinstance(state.model, SceneFlowBaseline)
    training.train(state, TrainingContext(views, tmp_path / "resume.pt", "", config))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        batch = draw_moving(views, views.motion, RayPlan(200, 0, 0, 0), 1, generator)
        looked = look(state.model, batch, generator)
        carried = looked.traced.places + looked.motion.flow[:, :, 0]
        pixels = induced_pixels(looked.alone_weights, carried, views.cameras, batch.neighbours[:, 0])
    moved = (pixels - batch.xy)[batch.flow_valid[:, 0]].median(0).values
    torch.testing.assert_close(moved, torch.tensor([speed, 0.0]), rtol=0, atol=0.25)


def test_what_does_not_learn_is_not_smoothed_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """DynNeRF's dynamic part waits while the static one learns alone, which is frozen from then on."""
    own = {key: value for key, value in TINY.items() if key != "moving_rays"} | {"steps": 12, "static_part": 0.5}
    config = TrainBaselineConfig.model_validate(
        {"method": "dynnerf", "dynnerf": own, "shards": 1, "resume_seconds": 1e6}
    )
    views = film(1.5, still=WIDTH // 2)
    state = started(views.extent, config, torch.device("cpu"))
    assert isinstance(state.model, SceneFlowBaseline)
    field, seen = state.model.field, list[list[torch.Tensor]]()
    update = training.update

    def noted(*arguments: Any) -> dict[str, float]:
        seen.append(
            [torch.cat([p.detach().flatten() for p in part.parameters()]) for part in (field.static, field.dynamic)]
        )
        return update(*arguments)

    monkeypatch.setattr(training, "update", noted)
    training.train(state, TrainingContext(views, tmp_path / "resume.pt", "", config))
    (static, dynamic), (static_half, dynamic_half), (static_end, dynamic_end) = seen[0], seen[6], seen[11]
    assert not torch.equal(static, static_half) and torch.equal(static_half, static_end)
    assert torch.equal(dynamic, dynamic_half) and not torch.equal(dynamic_half, dynamic_end)
