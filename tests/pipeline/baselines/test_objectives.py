"""Motion is learned: none where nothing moves, that of the flow where something does."""

from pathlib import Path

import numpy as np
import pytest
import torch

from models.baselines.model import SceneExtent
from models.baselines.scene_flow_losses import induced_pixels
from models.baselines.scene_flow_model import SceneFlowBaseline
from models.baselines.scene_flow_objectives import look
from models.ops.space import Cameras, Region
from pipeline.baselines.data import TrainingViews
from pipeline.baselines.motion import motion_of_views
from pipeline.baselines.moving_batches import RayPlan, draw_moving
from pipeline.baselines.training import TrainingContext, train
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


def film(speed: float) -> TrainingViews:
    """A texture that fills the picture of a camera that stands still, and moves to the right by so many pixels a frame."""
    column = np.arange(WIDTH)[None] - speed * np.arange(FRAMES)[:, None]
    wave = 127 + 100 * np.sin(0.7 * column)[:, None, :, None] * np.array([1.0, 0.5, -0.8])
    images = np.broadcast_to(wave, (FRAMES, HEIGHT, WIDTH, 3)).round().astype(np.uint8)
    flow = np.zeros((FRAMES - 1, HEIGHT, WIDTH, 2))
    flow[..., 0] = speed
    valid = np.ones(flow.shape[:3], bool)
    moving = np.full(images.shape[:3], speed != 0)
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
    train(state, TrainingContext(views, tmp_path / "resume.pt", "", config))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        batch = draw_moving(views, views.motion, RayPlan(200, 0, 0, 0), 1, generator)
        looked = look(state.model, batch, generator, False)
        carried = looked.traced.places + looked.motion.flow[:, :, 0]
        pixels = induced_pixels(looked.alone_weights, carried, views.cameras, batch.neighbours[:, 0])
    moved = (pixels - batch.xy)[batch.flow_valid[:, 0]].median(0).values
    torch.testing.assert_close(moved, torch.tensor([speed, 0.0]), rtol=0, atol=0.25)
