"""Training of a baseline step by step."""

import logging
import math
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from models.baselines.gradients import accumulate_gradients
from models.baselines.losses import Losses
from models.baselines.model import Found
from models.ops.parallel import ParallelMap, workers
from pipeline.baselines.data import TrainingViews
from pipeline.baselines.objectives import shard_losses
from pipeline.baselines.setup import optimiser, own_settings, rate_progress, set_rates, stage_at
from pipeline.baselines.training_state import TrainingState, save_state
from pipeline.config import TrainBaselineConfig
from pipeline.runtime.errors import StageError
from pipeline.runtime.progress import progress

log = logging.getLogger(__name__)
STEPS_PER_ROW = 50
SMOOTH_EVERY = 4  # steps between two uses of the field's regulariser, which then counts as many times
MOST_BROKEN_STEPS = 20


@dataclass(frozen=True)
class TrainingContext:
    """Training context: what a run trains on, and where it keeps its state."""

    views: TrainingViews
    resume: Path
    fingerprint: str
    config: TrainBaselineConfig


def train(state: TrainingState, context: TrainingContext) -> None:
    """All remaining steps."""
    config, saved = context.config, time.monotonic()
    own = own_settings(config)
    sums: dict[str, float] = {}
    with workers(state.generator.device) as parallel_map:
        for _ in progress(range(state.step, own.steps), config.method, unit="steps"):
            refine(state, config)
            set_rates(state.optimiser, own.final_lr_ratio, rate_progress(own, state.step))
            state.optimiser.zero_grad(set_to_none=True)
            losses, samples = measured_losses(state, context, parallel_map)
            for name, value in update(state, losses, samples, config).items():
                sums[name] = sums.get(name, 0.0) + value / STEPS_PER_ROW
            state.step += 1
            if state.step % STEPS_PER_ROW == 0:
                state.rows.append({"step": state.step, "loss": sum(sums.values()), **sums})
                sums = {}
                if time.monotonic() - saved > config.resume_seconds:
                    save_state(context.resume, context.fingerprint, state, config)
                    saved = time.monotonic()


def refine(state: TrainingState, config: TrainBaselineConfig) -> None:
    """Where a stage of coarse to fine begins: finer grids, and a fresh optimiser, as in the papers' code."""
    stage = stage_at(config, state.step)
    if state.step and stage != stage_at(config, state.step - 1):
        state.model.field.refined(stage)
        state.optimiser = optimiser(state.model, config.method)


def measured_losses(
    state: TrainingState, context: TrainingContext, parallel_map: ParallelMap
) -> tuple[Losses, list[Found]]:
    """Draw a batch, render, compare: the named losses, what was found, and gradients added to those of the parameters."""
    config, device = context.config, state.generator.device
    shards = config.shards if device.type == "cpu" else 1
    losses_of = shard_losses(state, context.views, config, shards)
    seeds = torch.randint(1 << 62, (shards,), generator=state.generator, device=device).tolist()

    def shard(index: int) -> tuple[Losses, Found]:
        return losses_of(index, torch.Generator(device).manual_seed(seeds[index]))

    penalty = 0.0 if state.step % SMOOTH_EVERY else float(SMOOTH_EVERY)
    return accumulate_gradients(state.model, shard, shards, penalty, parallel_map)


def update(
    state: TrainingState, losses: dict[str, Float[Tensor, ""]], samples: list[Found], config: TrainBaselineConfig
) -> dict[str, float]:
    """One step downhill; a step whose loss is no number is left out, and many of them end the run. Gives the losses read."""
    values = dict(zip(losses, torch.stack(list(losses.values())).tolist(), strict=True))  # read at once: a GPU waits
    if all(math.isfinite(value) for value in values.values()):
        state.optimiser.step()
        state.model.remember(samples)
        return values
    state.broken += 1
    names = ", ".join(name for name, value in values.items() if not math.isfinite(value))
    log.warning("step %d: the loss is no number (%s); the step is left out", state.step, names)
    if state.broken > MOST_BROKEN_STEPS:
        section = f"train_baseline.{config.method}"
        raise StageError(f"training broke down ({names}); lower {section}.grid_lr or network_lr")
    return dict.fromkeys(values, 0.0)
