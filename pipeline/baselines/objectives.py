"""What a step of a baseline asks of its model: the losses of each shard of a batch."""

from collections.abc import Callable

import torch

from models.baselines.losses import Losses, step_losses
from models.baselines.model import Found, RadianceBaseline
from models.baselines.scene_flow_model import SceneFlowBaseline
from models.baselines.scene_flow_objectives import scene_flow_losses
from pipeline.baselines.data import TrainingViews, draw
from pipeline.baselines.motion import KnownMotion
from pipeline.baselines.moving_batches import draw_moving
from pipeline.baselines.scene_flow_schedule import phase_at, ray_plan, scene_flow_weights
from pipeline.baselines.setup import loss_weights, own_settings
from pipeline.baselines.training_state import TrainingState
from pipeline.config import SceneFlowConfig, TrainBaselineConfig

LossesOfShard = Callable[[int, torch.Generator], tuple[Losses, Found]]


def shard_losses(state: TrainingState, views: TrainingViews, config: TrainBaselineConfig, shards: int) -> LossesOfShard:
    """Draw the batch of a step; gives the losses of each of its shards, and what they found."""
    own = own_settings(config)
    if isinstance(own, SceneFlowConfig):
        assert isinstance(state.model, SceneFlowBaseline) and views.motion is not None, "motion is read for these"
        return moving_losses(state, state.model, views, views.motion, config, own, shards)
    assert isinstance(state.model, RadianceBaseline), "all others are one radiance field"
    return radiance_losses(state, state.model, views, config, shards)


def radiance_losses(
    state: TrainingState, model: RadianceBaseline, views: TrainingViews, config: TrainBaselineConfig, shards: int
) -> LossesOfShard:
    """Of one radiance field: rays of all frames."""
    depth_rays = config.depth_rays if config.depth_supervision != "none" else 0
    batch = draw(views, own_settings(config).rays, depth_rays, state.generator)
    weights = loss_weights(config)
    return lambda index, generator: step_losses(model, batch[index::shards], weights, generator)


def moving_losses(
    state: TrainingState,
    model: SceneFlowBaseline,
    views: TrainingViews,
    motion: KnownMotion,
    config: TrainBaselineConfig,
    own: SceneFlowConfig,
    shards: int,
) -> LossesOfShard:
    """Of NSFF and DynNeRF: a shard sees one frame."""
    phase, field = phase_at(own, state.step, views.extent.frames), model.field
    field.learn(*([] if phase.static_frozen else [field.static]), *([] if phase.static_alone else [field.dynamic]))
    depth_rays = config.depth_rays if config.depth_supervision != "none" else 0
    batch = draw_moving(views, motion, ray_plan(own, phase, depth_rays), shards, state.generator)
    weights = scene_flow_weights(config, own)
    return lambda index, generator: scene_flow_losses(
        model, batch[index::shards], views.cameras, weights, phase, generator
    )
