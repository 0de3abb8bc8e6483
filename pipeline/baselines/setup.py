"""From the settings to a baseline's model, its optimiser and its schedule."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import torch

from models.baselines.field import BaselineField
from models.baselines.hexplane import HexPlane, HexPlaneSizes
from models.baselines.losses import LossWeights
from models.baselines.model import Baseline, SampleBudget, SceneExtent
from models.baselines.tineuvox import TiNeuVox, TiNeuVoxSizes
from pipeline.config import BaselineConfig, BaselineName, TrainBaselineConfig


class FieldOf(NamedTuple):
    """How a baseline's field is made, and the momenta of its optimiser."""

    sizes: type[HexPlaneSizes] | type[TiNeuVoxSizes]
    field: Callable[[Any, int, torch.Generator], BaselineField]
    betas: tuple[float, float]


FIELDS: Mapping[BaselineName, FieldOf] = {
    "hexplane": FieldOf(HexPlaneSizes, HexPlane, (0.9, 0.99)),
    "tineuvox": FieldOf(TiNeuVoxSizes, TiNeuVox, (0.9, 0.999)),
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


def architecture(config: TrainBaselineConfig, frames: int) -> Architecture:
    """The model that the settings ask for; planes in time have no more nodes than there are frames."""
    own = own_settings(config)
    sizes = own.model_dump(include={field.name for field in fields(FIELDS[config.method].sizes)})
    if "time_grids" in sizes:
        sizes["time_grids"] = [max(min(nodes, frames), 2) for nodes in sizes["time_grids"]]
    return Architecture(config.method, sizes, {"coarse": own.coarse_samples, "fine": own.fine_samples})


def create_model(made_by: Architecture, extent: SceneExtent, stage: int, seed: int, device: torch.device) -> Baseline:
    """A model at a stage of coarse to fine, with seeded weights, the same on every device."""
    generator = torch.Generator().manual_seed(seed)
    kind = FIELDS[made_by.method]
    field = kind.field(kind.sizes(**made_by.sizes), stage, generator)
    model = Baseline(field, extent, SampleBudget(**made_by.budget)).to(device)
    model.extent = extent.to(device)
    return model


def optimiser(model: Baseline, method: BaselineName) -> torch.optim.Adam:
    """Adam with the field's own rates."""
    groups = [
        {"params": list(getattr(model.field, name).parameters()), "lr": rate, "initial_lr": rate}
        if isinstance(getattr(model.field, name), torch.nn.Module)
        else {"params": [getattr(model.field, name)], "lr": rate, "initial_lr": rate}
        for name, rate in model.field.rates().items()
    ]
    return torch.optim.Adam(groups, betas=FIELDS[method].betas, fused=True)


def set_rates(adam: torch.optim.Adam, ratio: float, done: float) -> None:
    """Exponential decay to a ratio of the first rates."""
    for group in adam.param_groups:
        group["lr"] = group["initial_lr"] * ratio**done


def stage_at(config: TrainBaselineConfig, step: int) -> int:
    """Which of its grids a run is on at a step."""
    own = own_settings(config)
    return sum(step >= round(part * own.steps) for part in own.refine_at)


def loss_weights(config: TrainBaselineConfig) -> LossWeights:
    """Weights of the losses of the baseline that is trained."""
    own = own_settings(config)
    depth = config.depth_weight if config.depth_supervision != "none" else 0.0
    own_losses = own.model_dump(include={"background", "point_colour"})
    return LossWeights(depth, **own_losses)
