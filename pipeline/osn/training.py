"""The phases of OSN's training that train fields: one step after another, kept now and then, with a history."""

import logging
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from models.ops.host_draws import host_seeds
from models.ops.parallel import ParallelMap
from models.ops.recorded_pass import PassRecorder
from models.osn.gradients import LossWeights, accumulate_gradients
from models.osn.loops import SampleGradients
from models.osn.object_scene import Grids, ObjectScene
from models.osn.pose_refinement import prior_gradient, without_common_motion
from models.osn.training import CompositeLosses, StepLosses, bootstrap_losses, composite_losses
from models.osn.training_pixels import PixelBatch
from models.rays import TensorFields
from pipeline.config import TrainOsnConfig
from pipeline.formats.scene_file import Scene
from pipeline.osn.pixels import PixelSource
from pipeline.osn.setup import Phase, field_optimiser, grid_resolutions, grid_steps
from pipeline.osn.training_state import TrainingState, keep
from pipeline.runtime.errors import StageError
from pipeline.runtime.progress import SECONDS_BETWEEN_LINES, progress_line

log = logging.getLogger(__name__)
STEPS_PER_ROW = 25
FEWEST_RAYS = 64
RAYS_EVERY, RECORDED_RAYS_EVERY = 8, 200  # steps with one number of rays, on GPUs; there where steps are recorded
SETTLING = 100  # steps of the fields before which steps are not recorded, as their number of rays changes most
CAPACITY = 4  # times the samples that a step aims at: room for those of all objects, on GPUs


@dataclass(frozen=True)
class TrainingContext:
    """Training context: what a run trains on, and where and when it keeps its state."""

    scene: Scene
    pixels: PixelSource
    config: TrainOsnConfig
    resume: Path
    fingerprint: str
    parallel_map: ParallelMap
    watch: Callable[[Any, Phase], None] | None = None  # sees the run after each of its steps; benchmarks look on
    composite: CompositeLosses = composite_losses  # what the composite phase minimises; a baseline has its own

    @cached_property
    def recorder(self) -> PassRecorder:
        """What runs passes on a GPU."""
        return PassRecorder(self.config.capture_steps)


@dataclass
class Clock:
    """Wall time of the whole training and of this process. It decides nothing that is computed."""

    started: float
    here: float
    kept: float
    logged: float
    field_steps_before: int


def train_fields(state: TrainingState, phase: Phase, context: TrainingContext, clock: Clock) -> None:
    """One phase of the fields, from the step at which it stands."""
    context.recorder.forget()
    while state.step < phase.steps:
        refine_grids(state, context)
        set_rates(state, context.config)
        losses = measured_losses(state, phase, context)
        values = update(state, losses, phase, context.config)
        state.step, state.field_step = state.step + 1, state.field_step + 1
        state.seconds = time.monotonic() - clock.started
        note(state, phase, values)
        housekeeping(state, phase, context, clock)
        if context.watch:
            context.watch(state, phase)


def refine_grids(state: TrainingState, context: TrainingContext) -> None:
    """Go to the next finer grids where the schedule says so; the optimiser begins anew with them."""
    starts = grid_steps(context.config)
    if state.field_step == 0 or state.field_step not in starts[1:]:
        return
    nodes = context.config.grids[starts.index(state.field_step)]
    for k, resolution in enumerate(grid_resolutions(context.scene, nodes)):
        if resolution != state.fields.fields[k].resolution:
            state.fields.fields[k] = state.fields.fields[k].upsampled(resolution, state.generator)
    state.optimiser = field_optimiser(state.fields, context.config)
    context.recorder.forget()


def set_rates(state: TrainingState, config: TrainOsnConfig) -> None:
    """Exponential decay over all steps of the fields."""
    done = state.field_step / (config.bootstrap_steps + config.steps)
    for group in state.optimiser.param_groups:
        group["lr"] = group["first_rate"] * config.final_lr_ratio**done


@dataclass(frozen=True)
class Drawn(TensorFields):
    """What a step looks at: pixels, and under which scales."""

    pixels: PixelBatch
    scales: Float[Tensor, "ray object"]


def measured_losses(state: TrainingState, phase: Phase, context: TrainingContext) -> StepLosses:
    """Draw rays and scales, render, compare: losses, and gradients in the parameters."""
    config, device = context.config, state.generator.device
    shards = config.shards if device.type == "cpu" else 1
    state.fields.most_samples = CAPACITY * config.samples_per_step
    batch = context.pixels(state.field_step).draw(state.rays, state.generator)
    rows = torch.randint(len(state.pool.scales), (len(batch.frames),), generator=state.generator, device=device)
    seeds = host_seeds(shards, state.field_step, state.generator)
    drawn = Drawn(batch, state.pool.scales[rows])
    if device.type == "cpu":
        return run_pass(state, phase, context, drawn, [torch.Generator(device).manual_seed(seed) for seed in seeds])
    return recorded_pass(state, phase, context, drawn, seeds[0])


def run_pass(
    state: TrainingState, phase: Phase, context: TrainingContext, drawn: Drawn, generators: list[torch.Generator]
) -> StepLosses:
    """The pass forwards and backwards, in as many shards as there are generators."""
    shards = len(generators)

    def shard(index: int, grids: Grids, buffer: list[SampleGradients]) -> StepLosses:
        mine = slice(index, None, shards)
        if phase.name == "bootstrap":
            return bootstrap_losses(state.fields, grids, drawn.pixels[mine], generators[index], buffer)
        return context.composite(state.fields, grids, drawn.pixels[mine], drawn.scales[mine], generators[index], buffer)

    return accumulate_gradients(state.fields, shard, shards, loss_weights(context.config), context.parallel_map)


def recorded_pass(state: TrainingState, phase: Phase, context: TrainingContext, drawn: Drawn, seed: int) -> StepLosses:
    """The same on a GPU, in one shard: as a CUDA graph where that is wanted, once the number of rays has settled."""
    state.fields.zero_grad(set_to_none=True)
    key = phase.name if state.field_step >= SETTLING else None

    def run(given: Drawn, generator: torch.Generator) -> dict[str, Tensor]:
        return vars(run_pass(state, phase, context, given, [generator]))

    return StepLosses(**context.recorder(key, seed, drawn, list(state.fields.parameters()), run))


def loss_weights(config: TrainOsnConfig) -> LossWeights:
    return LossWeights(
        depth=config.depth_weight,
        objects=config.segmentation_weight,
        distortion=config.distortion_weight,
        variation=config.total_variation_weight,
        density=config.density_weight,
    )


def update(state: TrainingState, losses: StepLosses, phase: Phase, config: TrainOsnConfig) -> dict[str, float]:
    """One step of the optimiser, unless the loss is no number; and as many rays in the next as the samples allow.

    Gives the losses, which are read at once: on a GPU the host waits for each reading.
    """
    total, *read = torch.stack([loss_weights(config).total(losses), *vars(losses).values()]).tolist()
    values = dict(zip(vars(losses), read, strict=True))
    if not math.isfinite(total):
        parts = ", ".join(f"{name} {value:.4g}" for name, value in values.items())
        raise StageError(
            f"step {state.step} of phase {phase.name} (round {phase.round}) has loss {total} ({parts}); resume.pt "
            "keeps an earlier good state; lower train_osn.grid_lr or train_osn.network_lr"
        )
    with held_poses(state.fields, config.pose_prior if phase.name == "composite" else None):
        state.optimiser.step()
    samples = max(1.0, values["samples"])
    if not state.fields.loops and samples >= CAPACITY * config.samples_per_step:
        log.warning(
            "step %d: %.0f samples may not have fit into their buffer (%d), so some of its last rays count less; the next step"
            " has fewer rays",
            *(state.step, samples, CAPACITY * config.samples_per_step),
        )
    state.taken = samples / state.rays
    state.rays = next_rays(state, samples, config)
    return values


def next_rays(state: TrainingState, samples: float, config: TrainOsnConfig) -> int:
    """As many rays as the samples allow; on GPUs a new number at set steps only, so that most steps have the last one's shapes."""
    fits = state.fields.loops or samples < CAPACITY * config.samples_per_step
    recorded = config.capture_steps and not state.fields.loops and state.field_step >= SETTLING
    if fits and not state.fields.loops and state.field_step % (RECORDED_RAYS_EVERY if recorded else RAYS_EVERY):
        return state.rays
    return int(min(config.max_rays, max(FEWEST_RAYS, state.rays * min(1.5, config.samples_per_step / samples))))


@contextmanager
def held_poses(fields: ObjectScene, prior: float | None) -> Iterator[None]:
    """A step in which corrections of poses stay small and without common motion; without a prior poses stay."""
    corrections = fields.corrections
    if corrections is not None and corrections.grad is not None:
        if prior is None:
            corrections.grad = None
        else:
            corrections.grad.add_(prior_gradient(corrections), alpha=prior)
    yield
    if corrections is not None:
        with torch.no_grad():
            corrections.copy_(without_common_motion(corrections, fields.visible))


def note(state: TrainingState, phase: Phase, losses: dict[str, float]) -> None:
    """Add a step to the history; a row is the mean of some steps."""
    values = {
        "colour_loss": losses["colour"],
        "depth_loss": losses["depth"],
        "segmentation_loss": losses["objects"],
        "distortion_loss": losses["distortion"],
        "rays": float(state.rays),
        "samples_per_ray": state.taken,
        "steps": 1.0,
    }
    for name, value in values.items():
        state.sums[name] = state.sums.get(name, 0.0) + value
    if state.sums["steps"] >= STEPS_PER_ROW:
        steps = state.sums.pop("steps")
        means = {name: value / steps for name, value in state.sums.items()}
        psnr = -10 * math.log10(max(means["colour_loss"], 1e-10))
        row = {"step": state.field_step, "phase": phase.name, "seconds": round(state.seconds, 2), "psnr_db": psnr}
        state.rows.append({**row, **means})
        state.sums = {}


def housekeeping(state: TrainingState, phase: Phase, context: TrainingContext, clock: Clock) -> None:
    """Keep the state and say how far training is, now and then."""
    now, config = time.monotonic(), context.config
    if now - clock.kept >= config.resume_seconds:
        keep(context.resume, state, context.fingerprint)
        clock.kept = now
    if now - clock.logged >= SECONDS_BETWEEN_LINES:
        clock.logged = now
        speed = max(state.field_step - clock.field_steps_before, 1) / max(now - clock.here, 1e-3)
        total = config.bootstrap_steps + config.steps
        line = progress_line(f"train_osn, {phase.name},", state.field_step, total, state.field_step / speed)
        known = [row["psnr_db"] for row in state.rows if "psnr_db" in row]
        psnr = f", PSNR {known[-1]:.1f} dB" if known else ""
        log.info("%s%s, %.1f steps/s, %d rays a step", line, psnr, speed, state.rays)
