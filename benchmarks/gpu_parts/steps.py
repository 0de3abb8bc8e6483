"""Training states that are the same on every device, and single steps of them as functions."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn

from benchmarks.gpu_parts.scene import MadeScene
from models.osn import gradients as osn_gradients
from models.osn.scale_sampling import ScaleSamples
from models.osn.training import bootstrap_losses, composite_losses
from models.semantic_flow import consistency, objectives
from models.semantic_flow import gradients as flow_gradients
from pipeline.config import OsnAblation, TrainOsnConfig, TrainSemanticFlowConfig
from pipeline.osn import training as osn
from pipeline.osn.checkpoint import fields_from_state, fields_state
from pipeline.osn.setup import Phase, field_optimiser, training_pixels
from pipeline.osn.training_state import TrainingState as OsnState
from pipeline.osn.training_state import started
from pipeline.semantic_flow import training as flow
from pipeline.semantic_flow.checkpoint import model_from_state, model_state
from pipeline.semantic_flow.frame_features import chosen_encoder
from pipeline.semantic_flow.setup import loss_weights, optimiser, ray_budget
from pipeline.semantic_flow.training_scene import TrainingScene, begun, prepared, training_context
from pipeline.semantic_flow.training_state import TrainingState as FlowState

CPU = torch.device("cpu")
SETTLING = 40  # steps in which the number of rays may change each time; later on GPUs as in training, at set steps
SHAPING = 6  # steps on the CPU before devices are compared: fields that have a shape
Gradients = dict[str, Tensor]
Measured = tuple[dict[str, float], Gradients]  # losses and gradients of one step


@dataclass(frozen=True)
class Step:
    """One step of training as a function, and how many rays its last call took."""

    take: Callable[[], None]
    rays: Callable[[], int]


def osn_settings(**changes: Any) -> TrainOsnConfig:
    """Settings without a scale network, so that a composite step needs no earlier phase."""
    return TrainOsnConfig(ablation=OsnAblation(scales="uniform"), **changes)


def osn_state(made: MadeScene, config: TrainOsnConfig, device: torch.device) -> OsnState:
    """A beginning that is the same on every device."""
    begun_here = started(made.scene, config, CPU)
    return moved_osn(begun_here, config, device)


def moved_osn(state: OsnState, config: TrainOsnConfig, device: torch.device) -> OsnState:
    fields = fields_from_state(fields_state(state.fields), device)
    pool = ScaleSamples(state.pool.scales.to(device), state.pool.scores.to(device))
    generator = torch.Generator(device).manual_seed(config.seed)
    optimiser = field_optimiser(fields, config)
    return replace(state, fields=fields, optimiser=optimiser, generator=generator, pool=pool)


def osn_step(made: MadeScene, config: TrainOsnConfig, device: torch.device, phase: str) -> Step:
    """A whole step: drawing, rendering, gradients, the optimiser, the history."""
    state, pixels = osn_state(made, config, device), training_pixels(made.scene, config, device)
    context = osn.TrainingContext(made.scene, lambda step: pixels, config, Path("unused"), "", map)
    stretch, taken = Phase(phase, 1), [0]

    def take() -> None:
        values = osn.update(state, osn.measured_losses(state, stretch, context), stretch, config)
        osn.note(state, stretch, values)
        taken[0] += 1
        settled = taken[0] - SETTLING
        state.field_step = osn.SETTLING + settled if settled > 0 else 0

    return Step(take, lambda: state.rays)


def osn_losses(made: MadeScene, phase: str, devices: list[torch.device], rays: int) -> list[Measured]:
    """The same batch, scales and fields on each device, without chance: losses and gradients."""
    config = osn_settings(shards=1, grids=[24], samples_per_step=max(1024, 16 * rays))
    state, pixels = started(made.scene, config, CPU), training_pixels(made.scene, config, CPU)
    context = osn.TrainingContext(made.scene, lambda step: pixels, config, Path("unused"), "", map)
    for _ in range(SHAPING):
        stretch = Phase("bootstrap", 1)
        osn.update(state, osn.measured_losses(state, stretch, context), stretch, config)
    drawn = pixels.draw(rays, state.generator)
    scales = state.pool.scales[: len(drawn.frames)].repeat(-(-rays // len(state.pool.scales)) + 1, 1)
    scales = scales[: len(drawn.frames)]

    def measured(device: torch.device) -> Measured:
        mine = moved_osn(state, config, device)
        mine.fields.most_samples = None
        batch, under = drawn.to(device), scales.to(device)

        def losses(_: int, grids: Any, buffer: Any) -> Any:
            if phase == "bootstrap":
                return bootstrap_losses(mine.fields, grids, batch, None, buffer)  # type: ignore[arg-type]
            return composite_losses(mine.fields, grids, batch, under, None, buffer)  # type: ignore[arg-type]

        found = osn_gradients.accumulate_gradients(mine.fields, losses, 1, osn.loss_weights(config), map)
        return {name: float(value) for name, value in vars(found).items()}, gradients_of(mine.fields)

    return [measured(device) for device in devices]


def flow_scene(made: MadeScene, config: TrainSemanticFlowConfig, device: torch.device) -> TrainingScene:
    return prepared(made.path, None, None, chosen_encoder("embedded", None), None, config, device)


def flow_joint(scene: TrainingScene, config: TrainSemanticFlowConfig, device: torch.device) -> FlowState:
    """A state at the beginning of stage 2, after as much of stage 1 as the settings say."""
    state = begun(scene, device)
    with tempfile.TemporaryDirectory() as folder:
        context = training_context(scene, state, Path(folder) / "resume.pt", device)
        flow.train_stage(state, context)
    return flow.second_stage(state, scene.packed, scene.labels, context.pixels, config, device)


def flow_step(scene: TrainingScene, state: FlowState, device: torch.device) -> Step:
    """A whole step of a state's stage: drawing, rendering, gradients, the optimiser."""
    context, config = training_context(scene, state, Path("unused"), device), scene.config
    learned = state.stage == "static" or not config.ablation.static_frozen
    state.model.static.requires_grad_(learned)
    nodes = None if learned else state.model.static.nodes()

    def take() -> None:
        state.optimiser.zero_grad(set_to_none=True)
        flow.update(state, flow.measured_losses(state, context, map, nodes))
        state.step += 1

    rays = config.static_rays if state.stage == "static" else config.rays
    return Step(take, lambda: rays + config.sparse_points)


def moved_flow(state: FlowState, config: TrainSemanticFlowConfig, device: torch.device) -> FlowState:
    model = model_from_state(model_state(state.model), device)
    return replace(state, model=model, optimiser=optimiser(model, config), generator=torch.Generator(device))


def flow_losses(scene: TrainingScene, state: FlowState, devices: list[torch.device]) -> list[Measured]:
    """The same batch and model on each device, without chance: losses and gradients of a step of the state's stage."""
    config = scene.config
    context = training_context(scene, state, Path("unused"), CPU)
    drawn = flow.draw_batch(state, context)
    static = state.stage == "static"

    def measured(device: torch.device) -> Measured:
        mine = moved_flow(state, config, device)
        batch, weights, looks = drawn.to(device), loss_weights(config), ray_budget(config, 1)
        with torch.no_grad():
            nodes = None if static else mine.model.static.nodes()
        mine.model.static.requires_grad_(static)

        def losses(_: int, grid: Any) -> Any:
            if static:
                return objectives.static_losses(mine.model, grid, batch, weights, None)  # type: ignore[arg-type]
            return objectives.joint_losses(mine.model, grid, batch, weights, looks, None, lambda _: None)  # type: ignore[arg-type]

        with mock.patch.object(consistency, "host_randint", lambda *_: 1):
            found = flow_gradients.accumulate_gradients(mine.model, losses, 1, 0.0, map, nodes)
        return {name: float(value) for name, value in found.items()}, gradients_of(mine.model)

    return [measured(device) for device in devices]


def gradients_of(module: nn.Module) -> Gradients:
    return {
        name: parameter.grad.detach().cpu()
        for name, parameter in module.named_parameters()
        if parameter.grad is not None
    }
