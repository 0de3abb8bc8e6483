"""Training of Semantic Flow step by step: a run begins, passes through its two stages, and keeps its state."""

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from models.ops.host_draws import host_seeds
from models.ops.parallel import ParallelMap, workers
from models.ops.recorded_pass import PassRecorder
from models.rays import Rays
from models.semantic_flow.batch import Batch
from models.semantic_flow.flow_features import FrameMaps
from models.semantic_flow.gradients import accumulate_gradients
from models.semantic_flow.model import SemanticFlow
from models.semantic_flow.objectives import joint_losses, static_losses
from pipeline.config import TrainSemanticFlowConfig
from pipeline.formats.scene_file import Scene
from pipeline.runtime.errors import StageError
from pipeline.runtime.progress import progress
from pipeline.scene.object_scales import object_scales
from pipeline.scene.region import scene_cameras, world_points
from pipeline.semantic_flow.data import Pixels, Points, draw, pick, training_points
from pipeline.semantic_flow.labels import Labels
from pipeline.semantic_flow.pixels import PixelSource, PointSource
from pipeline.semantic_flow.setup import (
    COARSER,
    create_model,
    fields_rate,
    first_bounds,
    loss_weights,
    model_sizes,
    optimiser,
    ray_budget,
    second_bounds,
    second_model,
)
from pipeline.semantic_flow.shared_semantics import SharedSemantics, take_head
from pipeline.semantic_flow.training_state import TrainingState, save_state

log = logging.getLogger(__name__)
STEPS_PER_ROW = 50
SMOOTH_EVERY = 8  # steps between two uses of the smoothness regulariser, which then counts as many times
MOST_BROKEN_STEPS = 20
COARSE_SHARE = 0.3  # of stage 1 on coarse grids
ACTIVE_SAMPLE = 4000
DEPTHS = "depths"  # of the rays of a pass, among its losses


@dataclass(frozen=True)
class TrainingContext:
    """Training context: what a run trains on, and how often and where it keeps its state.

    `facts` are what a checkpoint says of the run: they are kept, too, for those who look at it while it trains.
    """

    pixels: PixelSource
    points: PointSource
    resume: Path
    fingerprint: str
    config: TrainSemanticFlowConfig
    facts: dict[str, Any] = field(default_factory=dict)
    watch: Callable[[TrainingState], None] | None = None  # sees the run after each of its steps; benchmarks look on

    @cached_property
    def recorder(self) -> PassRecorder:
        """What runs passes on a GPU."""
        return PassRecorder(self.config.capture_steps)


def on_device(scene: Scene, labels: Labels, state: TrainingState, device: torch.device) -> Points:
    return training_points(scene, labels, state.scales).to(device)


def started(
    scene: Scene, labels: Labels, maps: FrameMaps, config: TrainSemanticFlowConfig, device: torch.device
) -> TrainingState:
    """The state of a run at its beginning."""
    bounds = first_bounds(scene, scene_cameras(scene), config.space)
    sizes = model_sizes(config, len(labels.names), bounds, COARSER)
    model = create_model(sizes, bounds, maps, config.seed, device)
    generator = torch.Generator(device).manual_seed(config.seed)
    return TrainingState("static", 0, model, optimiser(model, config), generator, np.ones(scene.object_count), [])


def second_stage(
    state: TrainingState,
    scene: Scene,
    labels: Labels,
    pixels: PixelSource,
    config: TrainSemanticFlowConfig,
    device: torch.device,
    shared: SharedSemantics | None = None,
) -> TrainingState:
    """The state at the beginning of stage 2: objects at their scales, finer grids, shared semantics, a fresh optimiser."""

    def static_depth(xy: np.ndarray, frame: np.ndarray) -> np.ndarray:
        where = torch.from_numpy(xy.astype(np.float32)).to(device), torch.from_numpy(frame.astype(np.int64)).to(device)
        return static_depths(state.model, state.model.bounds.cameras.rays(*where)).cpu().numpy()

    scales = object_scales(scene, labels.labelled, static_depth)
    moving = (scene.observation_object > 0) & labels.labelled[scene.observation_frame]
    moving &= scene.visible[0, scene.observation_frame]
    active = active_points(state.model, pixels, state.generator)
    bounds = second_bounds(state.model.bounds, np.concatenate([world_points(scene, moving, scales), active]))
    model = second_model(state.model, config, bounds, device)
    if shared:
        take_head(model.head, shared)
    return TrainingState("joint", 0, model, optimiser(model, config), state.generator, scales, state.rows)


def static_depths(model: SemanticFlow, rays: Rays) -> Float[Tensor, "ray"]:
    """Depth of the static scene along rays."""
    with torch.no_grad():
        nodes = model.static.nodes()
        parts = [
            model.trace(nodes, rays[i : i + 4096], None, moving=False).depth for i in range(0, len(rays.frames), 4096)
        ]
        return torch.cat(parts)


def active_points(
    model: SemanticFlow, pixels: PixelSource, generator: torch.Generator
) -> Float[np.ndarray, "point xyz=3"]:
    """Where the static scene lies behind pixels in which something moves: what moves is nearer."""
    each = -(-ACTIVE_SAMPLE // pixels.windows)
    parts = [active_points_of(model, pixels.window(number), each, generator) for number in range(pixels.windows)]
    return np.concatenate(parts)


def active_points_of(
    model: SemanticFlow, pixels: Pixels, count: int, generator: torch.Generator
) -> Float[np.ndarray, "point xyz=3"]:
    """The same of the frames that are in memory."""
    if not len(pixels.active):
        return np.zeros((0, 3))
    cameras = model.bounds.cameras
    index = pick(pixels.active, count, generator)
    area = cameras.height * cameras.width
    frame, inside = pixels.numbers[torch.div(index, area, rounding_mode="floor")], index % area
    xy = torch.stack([inside % cameras.width, torch.div(inside, cameras.width, rounding_mode="floor")], dim=-1) + 0.5
    rays = cameras.rays(xy, frame)
    depth = static_depths(model, rays)
    return (rays.origins + depth[:, None] * rays.directions).cpu().double().numpy()


def train_stage(state: TrainingState, context: TrainingContext) -> None:
    """All remaining steps of the state's stage."""
    config, saved = context.config, time.monotonic()
    total = config.static_steps if state.stage == "static" else config.steps
    sums: dict[str, float] = {}
    choose_learned(state.model, state.stage, config)
    static_known = state.stage == "joint" and config.ablation.static_frozen
    with workers(state.generator.device) as parallel_map:
        nodes = state.model.static.nodes() if static_known else None
        for _ in progress(range(state.step, total), f"{state.stage} stage", unit="steps"):
            refine_static(state, context)
            set_rates(state.optimiser, config, state.step / total)
            state.optimiser.zero_grad(set_to_none=True)
            parts = measured_losses(state, context, parallel_map, nodes)
            values = update(state, parts)
            state.step += 1
            for name, value in values.items():
                sums[name] = sums.get(name, 0.0) + value / STEPS_PER_ROW
            if state.step % STEPS_PER_ROW == 0:
                state.rows.append({"stage": state.stage, "step": state.step, "loss": sum(sums.values()), **sums})
                sums = {}
                if time.monotonic() - saved > config.resume_seconds:
                    save_state(context.resume, context.fingerprint, state, context.facts)
                    saved = time.monotonic()
            if context.watch:
                context.watch(state)


def choose_learned(model: SemanticFlow, stage: str, config: TrainSemanticFlowConfig) -> None:
    """Stage 1 learns the static field alone; stage 2 the rest, and the static field where it is not frozen."""
    if stage == "static":
        model.requires_grad_(False)
    model.static.requires_grad_(stage == "static" or not config.ablation.static_frozen)


def refine_static(state: TrainingState, context: TrainingContext) -> None:
    """In the middle of stage 1: from coarse grids to those of the rest of training, with a fresh optimiser."""
    config = context.config
    if config.body == "grids" and state.stage == "static" and state.step == round(COARSE_SHARE * config.static_steps):
        state.model = second_model(state.model, config, state.model.bounds, state.generator.device)
        choose_learned(state.model, state.stage, config)
        state.optimiser = optimiser(state.model, config)
        context.recorder.forget()


def draw_batch(state: TrainingState, context: TrainingContext) -> Batch:
    config, pixels = context.config, context.pixels(state.step)
    return draw(
        pixels,
        context.points(pixels, still_only=state.stage == "static"),
        state.model.bounds.cameras,
        config.static_rays if state.stage == "static" else config.rays,
        config.moving_fraction,
        config.sparse_points,
        state.generator,
        still_only=state.stage == "static",
    )


def measured_losses(
    state: TrainingState,
    context: TrainingContext,
    parallel_map: ParallelMap,
    known_nodes: Float[Tensor, "x y z"] | None,
) -> dict[str, Float[Tensor, ""]]:
    """Draw a batch, render, compare: the named losses, and gradients added to those of the parameters."""
    config, device = context.config, state.generator.device
    shards = config.shards if device.type == "cpu" else 1
    batch = draw_batch(state, context)
    seeds = host_seeds(shards + 1, state.step, state.generator)
    smooth = SMOOTH_EVERY * config.loss_weights.smooth if seeds[-1] % SMOOTH_EVERY == 0 else 0.0
    if device.type == "cpu":
        generators = [torch.Generator(device).manual_seed(seed) for seed in seeds[:-1]]
        found = run_pass(state, context, batch, generators, smooth, parallel_map, known_nodes)
    else:
        found = recorded_pass(state, context, batch, seeds[0], smooth, known_nodes)
    depths = found.pop(DEPTHS)
    if state.stage == "joint":
        state.model.remember_depth(batch.rays.frames, batch.xy, depths)
    return found


def run_pass(
    state: TrainingState,
    context: TrainingContext,
    batch: Batch,
    generators: list[torch.Generator],
    smooth: float,
    parallel_map: ParallelMap,
    known_nodes: Float[Tensor, "x y z"] | None,
) -> dict[str, Tensor]:
    """The pass forwards and backwards, in as many shards as there are generators: losses, and the depths that rays show."""
    depths, shards = torch.empty(len(batch.xy), device=batch.xy.device), len(generators)
    weights, looks = loss_weights(context.config), ray_budget(context.config, shards)

    def shard(index: int, nodes: Float[Tensor, "x y z"]) -> dict[str, Float[Tensor, ""]]:
        mine = slice(index, None, shards)
        if state.stage == "static":
            return static_losses(state.model, nodes, batch[mine], weights, generators[index])

        def keep_depth(depth: Float[Tensor, "ray"]) -> None:
            depths[mine] = depth

        return joint_losses(state.model, nodes, batch[mine], weights, looks, generators[index], keep_depth)

    parts = accumulate_gradients(state.model, shard, shards, smooth, parallel_map, known_nodes)
    return {**parts, DEPTHS: depths}


def recorded_pass(
    state: TrainingState,
    context: TrainingContext,
    batch: Batch,
    seed: int,
    smooth: float,
    known_nodes: Float[Tensor, "x y z"] | None,
) -> dict[str, Tensor]:
    """The same on a GPU, in one shard: as a CUDA graph where that is wanted."""
    learned = [parameter for parameter in state.model.parameters() if parameter.requires_grad]
    key = state.stage, seed % context.config.consistency_frames, smooth

    def run(given: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        return run_pass(state, context, given, [generator], smooth, map, known_nodes)

    return dict(context.recorder(key, seed, batch, learned, run))


def update(state: TrainingState, parts: dict[str, Float[Tensor, ""]]) -> dict[str, float]:
    """One step downhill; a step whose loss is no number is left out, and many of them end the run. Gives the losses read."""
    values = dict(zip(parts, torch.stack(list(parts.values())).tolist(), strict=True))  # read at once: a GPU waits
    if all(math.isfinite(value) for value in values.values()):
        state.optimiser.step()
        return values
    state.broken += 1
    names = ", ".join(name for name, value in values.items() if not math.isfinite(value))
    log.warning(
        "step %d of the %s stage: the loss is no number (%s); the step is left out", state.step, state.stage, names
    )
    if state.broken > MOST_BROKEN_STEPS:
        raise StageError(
            f"training broke down ({names}); lower train_semantic_flow.grid_lr, reference_lr or network_lr"
        )
    return values


def set_rates(adam: torch.optim.Adam, config: TrainSemanticFlowConfig, done: float) -> None:
    """Exponential decay over a stage."""
    for group, rate in zip(adam.param_groups, (fields_rate(config), config.network_lr), strict=True):
        group["lr"] = rate * config.final_lr_ratio**done
