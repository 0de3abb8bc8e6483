"""Train OSN: a field per object and the network that knows which scales of the objects explain the video.

Reads   scene.h5
Writes  checkpoint.pt   the trained method
        history.csv     losses, PSNR and cost over the steps
        scales.csv      valid scenes: a scale per object, and the network's score

Fields and network are trained in turn. While it runs, resume.pt beside the checkpoint keeps the state: a run that was
killed goes on from there and ends with the same parameters as one that was not.
"""

import logging
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from models.osn.scale_network import NetworkTraining, train_network
from models.osn.scale_sampling import ScaleSamples, sample_valid, valid_region
from models.osn.solo_views import solo_views
from models.osn.training import StepLosses, bootstrap_losses, composite_losses
from models.osn.training_pixels import SparseDepths, TrainingPixels
from models.osn.z_buffer import explained
from pipeline.atomic import whole
from pipeline.cli import commit, run_stage, stage_device
from pipeline.config import TrainOsnConfig
from pipeline.errors import StageError
from pipeline.osn_checkpoint import METHOD, SCHEMA, SCHEMA_VERSION, fields_state, network_state, views_state
from pipeline.osn_run import POOL, Run, identity, keep, resumed, started
from pipeline.osn_setup import (
    Phase,
    field_optimiser,
    grid_resolutions,
    grid_steps,
    scale_bank,
    schedule,
    sparse_depths,
    training_pixels,
)
from pipeline.progress import SECONDS_BETWEEN_LINES, progress_line
from pipeline.scene_file import Scene, read_scene

log = logging.getLogger(__name__)
RESUME = "resume.pt"
STEPS_PER_ROW = 25
DEPTH_SHARE = 0.25  # rays for sparse depths, per colour ray
BANK, VIEW_RAYS = 16384, 24576


@dataclass(frozen=True)
class Material:
    """What a run trains on, and where and when it keeps its state."""

    scene: Scene
    pixels: TrainingPixels
    depths: SparseDepths
    config: TrainOsnConfig
    resume: Path
    fingerprint: str


@dataclass
class Clock:
    """Wall time: when the state was kept last, when a line was logged last. It decides nothing that is computed."""

    started: float
    kept: float
    logged: float
    field_steps_before: int


def train_osn(scene: Path, checkpoint: Path, history: Path, scales: Path, config: TrainOsnConfig) -> None:
    packed, device = read_scene(scene), stage_device()
    resume = checkpoint.with_name(RESUME)
    resume.parent.mkdir(parents=True, exist_ok=True)
    fingerprint = identity(scene, config)
    material = Material(
        packed, training_pixels(packed, device), sparse_depths(packed, device), config, resume, fingerprint
    )
    run = resumed(resume, fingerprint, config, device) or started(packed, config, device)
    train(run, material)
    samples = draw_scenes(run, config)
    with whole(scales) as partial:
        scales_table(samples, packed).to_csv(partial, index=False)
    with whole(history) as partial:
        pd.DataFrame(run.rows).to_csv(partial, index=False)
    with whole(checkpoint) as partial:
        torch.save(checkpoint_state(run, samples, packed, config, fingerprint), partial)
    resume.unlink(missing_ok=True)


def train(run: Run, material: Material) -> None:
    """All phases that are left."""
    now = time.monotonic()
    clock = Clock(now - run.seconds, now, now, run.field_step)
    phases = schedule(material.config, material.scene.object_count)
    while run.phase < len(phases):
        phase = phases[run.phase]
        if phase.name == "network":
            train_scales(run, phase, material)
        else:
            train_fields(run, phase, material, clock)
        run.phase, run.step = run.phase + 1, 0
        run.seconds = time.monotonic() - clock.started


def train_fields(run: Run, phase: Phase, material: Material, clock: Clock) -> None:
    """One phase of the fields, from the step at which it stands."""
    config = material.config
    while run.step < phase.steps:
        refine_grids(run, material)
        set_rates(run, config)
        losses = step_losses(run, phase, material)
        update(run, losses, phase, config)
        run.step, run.field_step = run.step + 1, run.field_step + 1
        run.seconds = time.monotonic() - clock.started
        note(run, phase, losses)
        housekeeping(run, phase, material, clock)


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
        group["lr"] = group["first_rate"] * config.last_rate**done


def step_losses(run: Run, phase: Phase, material: Material) -> StepLosses:
    """Draw rays and scales, render, compare."""
    batch = material.pixels.draw(run.rays, run.generator)
    depths = drawn_depths(material.depths, max(16, round(DEPTH_SHARE * run.rays)), run.generator)
    if phase.name == "bootstrap":
        return bootstrap_losses(run.fields, batch, depths, run.generator)
    rows = torch.randint(
        len(run.pool.scales), (len(batch.frames),), generator=run.generator, device=batch.frames.device
    )
    return composite_losses(run.fields, batch, depths, run.pool.scales[rows], run.generator)


def drawn_depths(depths: SparseDepths, count: int, generator: torch.Generator) -> SparseDepths:
    """Random sparse points."""
    if not len(depths.depth):
        return depths
    return depths[torch.randint(len(depths.depth), (count,), generator=generator, device=generator.device)]


def update(run: Run, losses: StepLosses, phase: Phase, config: TrainOsnConfig) -> None:
    """One step of the optimiser, unless the loss is no number."""
    total = (
        losses.colour
        + config.depth_weight * losses.depth
        + config.segmentation_weight * losses.objects
        + config.spread_weight * losses.spread
        + config.variation_weight * losses.variation
    )
    if not math.isfinite(float(total.detach())):
        parts = ", ".join(f"{name} {float(value):.4g}" for name, value in vars(losses).items())
        raise StageError(
            f"step {run.step} of phase {phase.name} has a loss that is no number ({parts}); the state of the last good "
            f"step kept is beside the checkpoint; lower train_osn.grid_rate or network_rate"
        )
    run.optimiser.zero_grad(set_to_none=True)
    total.backward()
    run.optimiser.step()
    if losses.samples:
        growth = min(1.5, config.samples_per_step / losses.samples)
        run.rays = int(min(config.most_rays, max(64, run.rays * growth)))


def note(run: Run, phase: Phase, losses: StepLosses) -> None:
    """Add a step to the history; a row is the mean of some steps."""
    values = {
        "colour_loss": float(losses.colour.detach()),
        "depth_loss": float(losses.depth.detach()),
        "segmentation_loss": float(losses.objects.detach()),
        "spread_loss": float(losses.spread.detach()),
        "variation_loss": float(losses.variation.detach()),
        "rays": float(run.rays),
        "samples_per_ray": losses.samples / max(1, losses.rays),
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
        here = run.field_step - clock.field_steps_before
        seconds = now - clock.started
        total = config.bootstrap_steps + config.steps
        line = progress_line(
            f"train_osn, {phase.name},", run.field_step, total, seconds * run.field_step / max(1, here)
        )
        known = [row["psnr_db"] for row in run.rows if "psnr_db" in row]
        psnr = f", PSNR {known[-1]:.1f} dB" if known else ""
        log.info("%s%s, %.1f steps/s, %d rays a step", line, psnr, here / max(seconds, 1e-3), run.rays)


def train_scales(run: Run, phase: Phase, material: Material) -> None:
    """One phase of the scale network: explain the segmentation under many scales while the fields stand still."""
    assert run.network is not None and run.network_optimiser is not None
    config, network = material.config, run.network
    run.views = solo_views(run.fields, material.pixels.draw_evenly(VIEW_RAYS, run.generator))
    bank = scale_bank(BANK, len(network.low) - 1, config.seed, network.low.device)
    sharpness = config.soft_sharpness if config.z_buffer == "soft" else None
    accuracy = explained(run.views, network.scales(bank), sharpness)
    late = min(1, phase.round)
    training = NetworkTraining(
        phase.steps, config.network_batch, config.network_loss, config.tolerance[late], config.top_share[late]
    )
    loss = train_network(network, run.network_optimiser, bank, accuracy, training, run.generator)
    run.pool = sample_valid(network, POOL, run.generator)
    region = valid_region(network, bank)
    run.facts = {
        "valid_fraction": region.fraction,
        "valid_bounds": region.bounds.tolist(),
        "best_explained": float(accuracy.max()),
    }
    run.rows.append(
        {"step": run.field_step, "phase": phase.name, "seconds": round(run.seconds, 2), "network_loss": loss}
        | {"valid_fraction": region.fraction, "best_explained": float(accuracy.max())}
    )
    log.info("scales, round %d: %.1f %% of the range is valid", phase.round + 1, 100 * region.fraction)


def draw_scenes(run: Run, config: TrainOsnConfig) -> ScaleSamples:
    """The valid scenes that go into the checkpoint."""
    if run.network is None:
        return run.pool
    return sample_valid(run.network, config.scale_samples, run.generator)


def scales_table(samples: ScaleSamples, scene: Scene) -> pd.DataFrame:
    """A row per valid scene: its score and the scale of each object."""
    table = pd.DataFrame({"score": samples.scores.cpu().numpy()})
    for k in range(scene.object_count):
        table[f"scale_{k}"] = samples.scales[:, k].cpu().numpy()
    return table


def checkpoint_state(
    run: Run, samples: ScaleSamples, scene: Scene, config: TrainOsnConfig, fingerprint: str
) -> dict[str, Any]:
    """All that rendering and the report need."""
    return {
        "method": METHOD,
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "fields": fields_state(run.fields),
        "network": network_state(run.network),
        "views": views_state(run.views),
        "scales": samples.scales.cpu(),
        "scores": samples.scores.cpu(),
        "facts": run.facts,
        "objects": [str(entry["name"]) for entry in scene.objects],
        "intrinsics": torch.from_numpy(scene.intrinsics),
        "scale_range": torch.from_numpy(scene.scale_range),
        "scene_digest": fingerprint,
        "commit": commit(),
        "options": config.model_dump(mode="json"),
        "seconds": run.seconds,
    }


if __name__ == "__main__":
    run_stage(train_osn)
