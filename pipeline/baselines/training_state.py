"""The state of a baseline's training: begun, kept in a file, and gone on from."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from models.baselines.model import Baseline, SceneExtent
from pipeline.baselines.checkpoint import model_from_state, model_state
from pipeline.baselines.setup import architecture, create_model, optimiser, stage_at
from pipeline.config import TrainBaselineConfig
from pipeline.runtime.atomic import whole
from pipeline.runtime.resume_file import keep_state, kept_state

log = logging.getLogger(__name__)


@dataclass
class TrainingState:
    """Training state: all that a killed run needs to go on."""

    step: int
    model: Baseline
    optimiser: torch.optim.Adam
    generator: torch.Generator
    rows: list[dict[str, float | int]]
    broken: int = 0


def started(extent: SceneExtent, config: TrainBaselineConfig, device: torch.device) -> TrainingState:
    """The state of a run at its beginning."""
    made_by = architecture(config, extent)
    model = create_model(made_by, extent, stage_at(config, 0), config.seed, device)
    generator = torch.Generator(device).manual_seed(config.seed)
    return TrainingState(0, model, optimiser(model, config.method), generator, [])


def save_state(
    path: Path, fingerprint: str, state: TrainingState, config: TrainBaselineConfig, done_by: str = ""
) -> None:
    """Keep everything, so that a killed run can go on; `done_by` is the digest of the code that has finished it."""
    stored = {
        "step": state.step,
        "model": model_state(
            state.model, architecture(config, state.model.extent), stage_at(config, max(state.step - 1, 0))
        ),
        "optimiser": state.optimiser.state_dict(),
        "generator": state.generator.get_state(),
        "rows": state.rows,
        "broken": state.broken,
    }
    keep_state(path, fingerprint, stored, done_by)


def resumed(
    path: Path, fingerprint: str, config: TrainBaselineConfig, device: torch.device, code: str = ""
) -> TrainingState | None:
    """The state of the run that was killed, if it is there, whole, and of the same scene and settings."""
    stored = kept_state(path, fingerprint, code)
    return None if stored is None else restored(stored, config, device)


def restored(stored: dict[str, Any], config: TrainBaselineConfig, device: torch.device) -> TrainingState:
    """The state that was stored."""
    model = model_from_state(stored["model"], device)
    adam = optimiser(model, config.method)
    adam.load_state_dict(stored["optimiser"])
    generator = torch.Generator(device)
    generator.set_state(stored["generator"])
    log.info("going on at step %d", stored["step"])
    return TrainingState(stored["step"], model, adam, generator, stored["rows"], stored["broken"])


def write_history(path: Path, rows: Sequence[dict[str, float | int]]) -> None:
    """The losses over the steps; only their names where the run was too short for any."""
    with whole(path) as partial:
        pd.DataFrame(rows or None, columns=None if rows else ["step", "loss"]).to_csv(partial, index=False)
