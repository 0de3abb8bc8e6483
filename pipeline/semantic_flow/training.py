"""Training of Semantic Flow step by step: a run begins, passes through its two stages, and keeps its state."""

import logging
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from models.ops.parallel import Spread, workers
from models.rays import Rays
from models.semantic_flow.flow_features import FrameMaps
from models.semantic_flow.gradients import accumulate_gradients
from models.semantic_flow.model import SemanticFlow
from models.semantic_flow.objectives import Batch, joint_losses, static_losses
from pipeline.config import TrainSemanticFlowConfig
from pipeline.formats.scene_file import Scene
from pipeline.runtime.errors import StageError
from pipeline.runtime.progress import progress
from pipeline.scene.object_scales import object_scales
from pipeline.semantic_flow.data import (
    Pixels,
    Points,
    camera_rays,
    draw,
    scene_cameras,
    training_points,
)
from pipeline.semantic_flow.labels import Labels
from pipeline.semantic_flow.run_state import Run, save_state
from pipeline.semantic_flow.setup import (
    COARSER,
    create_model,
    fields_rate,
    first_place,
    focus,
    loss_weights,
    model_sizes,
    optimiser,
    second_model,
    second_place,
    world_points,
)
from pipeline.semantic_flow.shared_semantics import SharedSemantics, take_head

log = logging.getLogger(__name__)
STEPS_PER_ROW = 50
SMOOTH_EVERY = 8  # steps between two looks at the roughness of grids, which then counts as many times
MOST_BROKEN_STEPS = 20
COARSE_SHARE = 0.3  # of stage 1 on coarse grids
ACTIVE_SAMPLE = 4000


@dataclass(frozen=True)
class Material:
    """What a run trains on, and how often and where it keeps its state."""

    pixels: Pixels
    points: Points
    resume: Path
    fingerprint: str
    config: TrainSemanticFlowConfig


def on_device(scene: Scene, labels: Labels, run: Run, device: torch.device) -> Points:
    return training_points(scene, labels, run.scales).to(device)


def started(
    scene: Scene, labels: Labels, maps: FrameMaps, config: TrainSemanticFlowConfig, device: torch.device
) -> Run:
    """A run at its beginning."""
    place = first_place(scene, scene_cameras(scene), config.space)
    sizes = model_sizes(config, len(labels.names), place, COARSER)
    model = create_model(sizes, place, maps, config.seed, device)
    generator = torch.Generator(device).manual_seed(config.seed)
    return Run("static", 0, model, optimiser(model, config), generator, np.ones(scene.object_count), [])


def second_stage(
    run: Run,
    scene: Scene,
    labels: Labels,
    pixels: Pixels,
    config: TrainSemanticFlowConfig,
    device: torch.device,
    shared: SharedSemantics | None = None,
) -> Run:
    """A run at the beginning of stage 2: objects at their scales, finer grids, shared semantics, a fresh optimiser."""

    def static_depth(xy: np.ndarray, frame: np.ndarray) -> np.ndarray:
        where = torch.from_numpy(xy.astype(np.float32)).to(device), torch.from_numpy(frame.astype(np.int64)).to(device)
        return static_depths(run.model, camera_rays(run.model.place.cameras, *where)).cpu().numpy()

    scales = object_scales(scene, labels.labelled, static_depth)
    moving = (scene.observation_object > 0) & labels.labelled[scene.observation_frame]
    moving &= scene.visible[0, scene.observation_frame]
    active = active_points(run.model, pixels, run.generator)
    place = second_place(run.model.place, np.concatenate([world_points(scene, moving, scales), active]))
    model = second_model(run.model, config, place, device)
    if shared:
        take_head(model.head, shared)
    return Run("joint", 0, model, optimiser(model, config), run.generator, scales, run.rows)


def static_depths(model: SemanticFlow, rays: Rays) -> Float[Tensor, "ray"]:
    """Depth of the static scene along rays."""
    with torch.no_grad():
        nodes = model.static.nodes()
        parts = [
            model.trace(nodes, rays[i : i + 4096], None, moving=False).depth for i in range(0, len(rays.frames), 4096)
        ]
        return torch.cat(parts)


def active_points(model: SemanticFlow, pixels: Pixels, generator: torch.Generator) -> Float[np.ndarray, "point xyz=3"]:
    """Where the static scene lies behind pixels in which something moves: what moves is nearer."""
    if not len(pixels.active):
        return np.zeros((0, 3))
    cameras = model.place.cameras
    index = pixels.active[
        torch.randint(len(pixels.active), (ACTIVE_SAMPLE,), generator=generator, device=generator.device)
    ]
    area = cameras.height * cameras.width
    frame, inside = torch.div(index, area, rounding_mode="floor"), index % area
    xy = torch.stack([inside % cameras.width, torch.div(inside, cameras.width, rounding_mode="floor")], dim=-1) + 0.5
    rays = camera_rays(cameras, xy, frame)
    depth = static_depths(model, rays)
    return (rays.origins + depth[:, None] * rays.directions).cpu().double().numpy()


def train_stage(run: Run, material: Material) -> None:
    """All remaining steps of the run's stage."""
    config, saved = material.config, time.monotonic()
    total = config.static_steps if run.stage == "static" else config.steps
    sums: dict[str, float] = {}
    learned = run.stage == "static" or not config.ablation.static_frozen
    run.model.static.requires_grad_(learned)
    with workers(run.generator.device) as spread:
        nodes = None if learned else run.model.static.nodes()
        for _ in progress(range(run.step, total), f"{run.stage} stage", unit="steps"):
            refine_static(run, config)
            set_rates(run.optimiser, config, run.step / total)
            run.optimiser.zero_grad(set_to_none=True)
            parts = measured_losses(run, material, spread, nodes)
            update(run, parts)
            run.step += 1
            for name, value in parts.items():
                sums[name] = sums.get(name, 0.0) + float(value) / STEPS_PER_ROW
            if run.step % STEPS_PER_ROW == 0:
                run.rows.append({"stage": run.stage, "step": run.step, "loss": sum(sums.values()), **sums})
                sums = {}
                if time.monotonic() - saved > config.resume_seconds:
                    save_state(material.resume, material.fingerprint, run)
                    saved = time.monotonic()


def refine_static(run: Run, config: TrainSemanticFlowConfig) -> None:
    """In the middle of stage 1: from coarse grids to those of the rest of training, with a fresh optimiser."""
    if config.body == "grids" and run.stage == "static" and run.step == round(COARSE_SHARE * config.static_steps):
        run.model = second_model(run.model, config, run.model.place, run.generator.device)
        run.optimiser = optimiser(run.model, config)


def draw_batch(run: Run, material: Material) -> Batch:
    config = material.config
    return draw(
        material.pixels,
        material.points,
        run.model.place.cameras,
        config.static_rays if run.stage == "static" else config.rays,
        config.moving_fraction,
        config.sparse_points,
        run.generator,
        still_only=run.stage == "static",
    )


def measured_losses(
    run: Run, material: Material, spread: Spread, known_nodes: Float[Tensor, "x y z"] | None
) -> dict[str, Float[Tensor, ""]]:
    """Draw a batch, render, compare: the named losses, and gradients added to those of the parameters."""
    config, device = material.config, run.generator.device
    shards = config.shards if device.type == "cpu" else 1
    batch = draw_batch(run, material)
    seeds = torch.randint(1 << 62, (shards + 1,), generator=run.generator, device=device).tolist()
    rough = SMOOTH_EVERY * config.loss_weights.smooth if seeds[-1] % SMOOTH_EVERY == 0 else 0.0
    shown = torch.empty(len(batch.xy), device=device)
    weights, looks = loss_weights(config), focus(config, shards)

    def shard(index: int, nodes: Float[Tensor, "x y z"]) -> dict[str, Float[Tensor, ""]]:
        mine = slice(index, None, shards)
        generator = torch.Generator(device).manual_seed(seeds[index])
        if run.stage == "static":
            return static_losses(run.model, nodes, batch[mine], weights, generator)

        def show_depth(depth: Float[Tensor, "ray"]) -> None:
            shown[mine] = depth

        return joint_losses(run.model, nodes, batch[mine], weights, looks, generator, show_depth)

    parts = accumulate_gradients(run.model, shard, shards, rough, spread, known_nodes)
    if run.stage == "joint":
        run.model.remember_depth(batch.rays.frames, batch.xy, shown)
    return parts


def update(run: Run, parts: dict[str, Float[Tensor, ""]]) -> None:
    """One step downhill; a step whose loss is no number is left out, and many of them end the run."""
    if all(bool(torch.isfinite(value)) for value in parts.values()):
        run.optimiser.step()
        return
    run.broken += 1
    names = ", ".join(name for name, value in parts.items() if not bool(torch.isfinite(value)))
    log.warning("step %d of the %s stage: the loss is no number (%s); the step is left out", run.step, run.stage, names)
    if run.broken > MOST_BROKEN_STEPS:
        raise StageError(
            f"training broke down ({names}); lower train_semantic_flow.grid_lr, reference_lr or network_lr"
        )


def set_rates(adam: torch.optim.Adam, config: TrainSemanticFlowConfig, done: float) -> None:
    """Exponential decay over a stage."""
    for group, rate in zip(adam.param_groups, (fields_rate(config), config.network_lr), strict=True):
        group["lr"] = rate * config.final_lr_ratio**done
