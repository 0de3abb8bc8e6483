"""The phases of OSN's training that train fields: one step after another, kept now and then, with a history."""

import logging
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from models.ops.parallel import Spread
from models.osn.gradients import LossWeights, accumulate_gradients
from models.osn.loops import SampleGradients
from models.osn.object_scene import DensityLogits, ObjectScene
from models.osn.pose_refinement import prior_gradient, without_common_motion
from models.osn.training import StepLosses, bootstrap_losses, composite_losses
from pipeline.config import TrainOsnConfig
from pipeline.formats.scene_file import Scene
from pipeline.osn.pixels import PixelSource
from pipeline.osn.run_state import Run, keep
from pipeline.osn.setup import Phase, field_optimiser, grid_resolutions, grid_steps
from pipeline.runtime.errors import StageError
from pipeline.runtime.progress import SECONDS_BETWEEN_LINES, progress_line

log = logging.getLogger(__name__)
STEPS_PER_ROW = 25
FEWEST_RAYS = 64


@dataclass(frozen=True)
class Material:
    """What a run trains on, and where and when it keeps its state."""

    scene: Scene
    pixels: PixelSource
    config: TrainOsnConfig
    resume: Path
    fingerprint: str
    spread: Spread
    watch: Callable[[Any, Phase], None] | None = None  # sees the run after each of its steps; benchmarks look on


@dataclass
class Clock:
    """Wall time of the whole training and of this process. It decides nothing that is computed."""

    started: float
    here: float
    kept: float
    logged: float
    field_steps_before: int


def train_fields(run: Run, phase: Phase, material: Material, clock: Clock) -> None:
    """One phase of the fields, from the step at which it stands."""
    while run.step < phase.steps:
        refine_grids(run, material)
        set_rates(run, material.config)
        losses = measured_losses(run, phase, material)
        update(run, losses, phase, material.config)
        run.step, run.field_step = run.step + 1, run.field_step + 1
        run.seconds = time.monotonic() - clock.started
        note(run, phase, losses)
        housekeeping(run, phase, material, clock)
        if material.watch:
            material.watch(run, phase)


def refine_grids(run: Run, material: Material) -> None:
    """Go to the next finer grids where the schedule says so; the optimiser begins anew with them."""
    starts = grid_steps(material.config)
    if run.field_step == 0 or run.field_step not in starts[1:]:
        return
    nodes = material.config.grids[starts.index(run.field_step)]
    for k, resolution in enumerate(grid_resolutions(material.scene, nodes)):
        if resolution != run.fields.fields[k].resolution:
            run.fields.fields[k] = run.fields.fields[k].upsampled(resolution, run.generator)
    run.optimiser = field_optimiser(run.fields, material.config)


def set_rates(run: Run, config: TrainOsnConfig) -> None:
    """Exponential decay over all steps of the fields."""
    done = run.field_step / (config.bootstrap_steps + config.steps)
    for group in run.optimiser.param_groups:
        group["lr"] = group["first_rate"] * config.final_lr_ratio**done


def measured_losses(run: Run, phase: Phase, material: Material) -> StepLosses:
    """Draw rays and scales, render, compare: losses, and gradients in the parameters."""
    config, device = material.config, run.generator.device
    shards = config.shards if device.type == "cpu" else 1
    batch = material.pixels(run.field_step).draw(run.rays, run.generator)
    rows = torch.randint(len(run.pool.scales), (len(batch.frames),), generator=run.generator, device=device)
    seeds = torch.randint(1 << 62, (shards,), generator=run.generator, device=device).tolist()
    scales = run.pool.scales[rows]

    def shard(index: int, grids: list[DensityLogits], sink: list[SampleGradients]) -> StepLosses:
        mine = slice(index, None, shards)
        jitter = torch.Generator(device).manual_seed(seeds[index])
        if phase.name == "bootstrap":
            return bootstrap_losses(run.fields, grids, batch[mine], jitter, sink)
        return composite_losses(run.fields, grids, batch[mine], scales[mine], jitter, sink)

    return accumulate_gradients(run.fields, shard, shards, loss_weights(config), material.spread)


def loss_weights(config: TrainOsnConfig) -> LossWeights:
    return LossWeights(
        depth=config.depth_weight,
        objects=config.segmentation_weight,
        spread=config.distortion_weight,
        variation=config.total_variation_weight,
        density=config.density_weight,
    )


def update(run: Run, losses: StepLosses, phase: Phase, config: TrainOsnConfig) -> None:
    """One step of the optimiser, unless the loss is no number; and as many rays in the next as the samples allow."""
    total = float(loss_weights(config).total(losses))
    if not math.isfinite(total):
        parts = ", ".join(f"{name} {float(value):.4g}" for name, value in vars(losses).items())
        raise StageError(
            f"step {run.step} of phase {phase.name} (round {phase.round}) has loss {total} ({parts}); resume.pt "
            "keeps an earlier good state; lower train_osn.grid_lr or train_osn.network_lr"
        )
    with held_poses(run.fields, config.pose_prior if phase.name == "composite" else None):
        run.optimiser.step()
    samples = max(1.0, float(losses.samples))
    run.taken = samples / run.rays
    run.rays = int(min(config.max_rays, max(FEWEST_RAYS, run.rays * min(1.5, config.samples_per_step / samples))))


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


def note(run: Run, phase: Phase, losses: StepLosses) -> None:
    """Add a step to the history; a row is the mean of some steps."""
    values = {
        "colour_loss": float(losses.colour),
        "depth_loss": float(losses.depth),
        "segmentation_loss": float(losses.objects),
        "spread_loss": float(losses.spread),
        "rays": float(run.rays),
        "samples_per_ray": run.taken,
        "steps": 1.0,
    }
    for name, value in values.items():
        run.sums[name] = run.sums.get(name, 0.0) + value
    if run.sums["steps"] >= STEPS_PER_ROW:
        steps = run.sums.pop("steps")
        means = {name: value / steps for name, value in run.sums.items()}
        psnr = -10 * math.log10(max(means["colour_loss"], 1e-10))
        row = {"step": run.field_step, "phase": phase.name, "seconds": round(run.seconds, 2), "psnr_db": psnr}
        run.rows.append({**row, **means})
        run.sums = {}


def housekeeping(run: Run, phase: Phase, material: Material, clock: Clock) -> None:
    """Keep the state and say how far training is, now and then."""
    now, config = time.monotonic(), material.config
    if now - clock.kept >= config.resume_seconds:
        keep(material.resume, run, material.fingerprint)
        clock.kept = now
    if now - clock.logged >= SECONDS_BETWEEN_LINES:
        clock.logged = now
        speed = max(run.field_step - clock.field_steps_before, 1) / max(now - clock.here, 1e-3)
        total = config.bootstrap_steps + config.steps
        line = progress_line(f"train_osn, {phase.name},", run.field_step, total, run.field_step / speed)
        known = [row["psnr_db"] for row in run.rows if "psnr_db" in row]
        psnr = f", PSNR {known[-1]:.1f} dB" if known else ""
        log.info("%s%s, %.1f steps/s, %d rays a step", line, psnr, speed, run.rays)
