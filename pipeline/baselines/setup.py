"""From the settings to a baseline's model, its optimiser and its schedule."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import torch

from models.baselines.field import LearnedField
from models.baselines.hexplane import HexPlane, HexPlaneSizes
from models.baselines.losses import LossWeights
from models.baselines.model import Baseline, RadianceBaseline, SampleBudget, SceneExtent
from models.baselines.scene_flow_field import DynnerfSizes, NsffSizes, SceneFlowSizes
from models.baselines.scene_flow_model import SceneFlowBaseline, scene_flow_field
from models.baselines.tineuvox import TiNeuVox, TiNeuVoxSizes
from pipeline.config import BaselineConfig, BaselineName, DynnerfConfig, SceneFlowConfig, TrainBaselineConfig


class FieldOf(NamedTuple):
    """How a baseline's field is made, the momenta of its optimiser, and how rays go through the field."""

    sizes: type[HexPlaneSizes] | type[TiNeuVoxSizes] | type[SceneFlowSizes]
    field: Callable[[Any, int, torch.Generator], LearnedField]
    betas: tuple[float, float]
    model: Callable[[Any, SceneExtent, SampleBudget], Baseline] = RadianceBaseline


FIELDS: Mapping[BaselineName, FieldOf] = {
    "hexplane": FieldOf(HexPlaneSizes, HexPlane, (0.9, 0.99)),
    "tineuvox": FieldOf(TiNeuVoxSizes, TiNeuVox, (0.9, 0.999)),
    "nsff": FieldOf(NsffSizes, scene_flow_field, (0.9, 0.999), SceneFlowBaseline),
    "dynnerf": FieldOf(DynnerfSizes, scene_flow_field, (0.9, 0.999), SceneFlowBaseline),
}


@dataclass(frozen=True)
class Architecture:
    """What a baseline's model is made by, as plain values: all that its weights need beside them."""

    method: BaselineName
    sizes: Mapping[str, Any]
    budget: Mapping[str, int]


def own_settings(config: TrainBaselineConfig) -> BaselineConfig:
    """The settings of the baseline that is trained."""
    settings: BaselineConfig = getattr(config, config.method)
    return settings


def architecture(config: TrainBaselineConfig, extent: SceneExtent) -> Architecture:
    """The model that the settings ask for; planes in time have no more nodes than there are frames, voxels are cubes."""
    own = own_settings(config)
    sizes: dict[str, Any] = own.model_dump(include={field.name for field in fields(FIELDS[config.method].sizes)})
    if "time_grids" in sizes:
        sizes["time_grids"] = [max(min(nodes, extent.frames), 2) for nodes in sizes["time_grids"]]
    if config.method == "tineuvox":
        sizes["sides"] = extent.region.half_extent.tolist()
    return Architecture(config.method, sizes, {"coarse": own.coarse_samples, "fine": own.fine_samples})


def create_model(made_by: Architecture, extent: SceneExtent, stage: int, seed: int, device: torch.device) -> Baseline:
    """A model at a stage of coarse to fine, with seeded weights, the same on every device."""
    generator = torch.Generator().manual_seed(seed)
    kind = FIELDS[made_by.method]
    field = kind.field(kind.sizes(**made_by.sizes), stage, generator)
    model = kind.model(field, extent, SampleBudget(**made_by.budget)).to(device)
    model.extent = extent.to(device)
    return model


def optimiser(model: Baseline, method: BaselineName) -> torch.optim.Adam:
    """Adam with the field's own rates."""
    own = dict(model.field.named_parameters())
    groups = [
        {
            "params": [value for name, value in own.items() if name == part or name.startswith(f"{part}.")],
            "lr": rate,
            "initial_lr": rate,
        }
        for part, rate in model.field.rates().items()
    ]
    return torch.optim.Adam(groups, betas=FIELDS[method].betas, fused=True)


def set_rates(adam: torch.optim.Adam, ratio: float, done: float) -> None:
    """Exponential decay to a ratio of the first rates."""
    for group in adam.param_groups:
        group["lr"] = group["initial_lr"] * ratio**done


def rate_progress(own: BaselineConfig, step: int) -> float:
    """How much of the decay of learning rates is done; it begins anew where DynNeRF's static part has learned."""
    if not isinstance(own, DynnerfConfig):
        return step / own.steps
    alone = static_steps(own)
    return step / alone if step < alone else (step - alone) / (own.steps - alone)


def static_steps(own: DynnerfConfig) -> int:
    """Steps in which the static part learns alone: one at least, and not all."""
    return min(max(round(own.static_part * own.steps), 1), own.steps - 1)


def stage_at(config: TrainBaselineConfig, step: int) -> int:
    """Which of its grids a run is on at a step."""
    own = own_settings(config)
    return sum(step >= round(part * own.steps) for part in own.refinements)


def loss_weights(config: TrainBaselineConfig) -> LossWeights:
    """Weights of the losses of a baseline of one radiance field."""
    own = own_settings(config)
    depth = config.depth_weight if config.depth_supervision != "none" else 0.0
    own_losses = own.model_dump(include={"background", "point_colour"})
    return LossWeights(depth, **own_losses)


def learns_motion(config: TrainBaselineConfig) -> bool:
    """Whether the baseline that is trained learns from flow and masks."""
    return isinstance(own_settings(config), SceneFlowConfig)
