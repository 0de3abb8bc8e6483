"""The state of a training run of Semantic Flow: kept in a file, and gone on from."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from models.semantic_flow.model import SemanticFlow
from pipeline.config import TrainSemanticFlowConfig
from pipeline.runtime.atomic import whole
from pipeline.runtime.resume_file import keep_state, kept_state
from pipeline.semantic_flow.checkpoint import model_from_state, model_state
from pipeline.semantic_flow.setup import optimiser

log = logging.getLogger(__name__)
FEATURES = "frame_features"  # the model's buffer that is kept once, by frame_features.py


@dataclass
class TrainingState:
    """Training state: all that a killed run needs to go on."""

    stage: str
    step: int
    model: SemanticFlow
    optimiser: torch.optim.Adam
    generator: torch.Generator
    scales: Float[np.ndarray, "object"]
    rows: list[dict[str, float | str]]
    broken: int = 0


def stored_state(state: TrainingState) -> dict[str, Any]:
    """A state as plain values and tensors, without the frames' features: they never change, and are most of it."""
    model = model_state(state.model)
    del model["weights"][FEATURES]
    return {
        "stage": state.stage,
        "step": state.step,
        "model": model,
        "optimiser": state.optimiser.state_dict(),
        "generator": state.generator.get_state(),
        "scales": state.scales.tolist(),
        "rows": state.rows,
        "broken": state.broken,
    }


def save_state(
    path: Path, fingerprint: str, state: TrainingState, facts: dict[str, Any] | None = None, done_by: str = ""
) -> None:
    """Keep everything, so that a killed run can go on; `done_by` is the digest of the code that has finished it.

    `facts` are what the checkpoint will say beside the model, for those who look at a model that is still trained.
    """
    keep_state(path, fingerprint, {**stored_state(state), "facts": facts or {}}, done_by)


def write_history(path: Path, rows: Sequence[dict[str, float | str]]) -> None:
    """The losses over the steps; only their names where the run was too short for any."""
    with whole(path) as partial:
        pd.DataFrame(rows or None, columns=None if rows else ["stage", "step", "loss"]).to_csv(partial, index=False)


def resumed(
    path: Path,
    fingerprint: str,
    features: Tensor,
    config: TrainSemanticFlowConfig,
    device: torch.device,
    code: str = "",
) -> TrainingState | None:
    """The state of the run that was killed, if it is there, whole, and of the same scene, labels and settings."""
    stored = kept_state(path, fingerprint, code)
    return None if stored is None else restored_state(stored, features, config, device)


def restored_state(
    stored: dict[str, Any],
    features: Tensor,
    config: TrainSemanticFlowConfig,
    device: torch.device,
    with_head: bool = True,
) -> TrainingState:
    """The state that `stored_state` describes; without its head's optimiser where several scenes share one head."""
    stored["model"]["weights"][FEATURES] = features
    model = model_from_state(stored["model"], device)
    adam = optimiser(model, config, with_head)
    adam.load_state_dict(stored["optimiser"])
    generator = torch.Generator(device)
    generator.set_state(stored["generator"])
    log.info("going on at step %d of the %s stage", stored["step"], stored["stage"])
    return TrainingState(
        stored["stage"],
        stored["step"],
        model,
        adam,
        generator,
        np.array(stored["scales"]),
        stored["rows"],
        stored["broken"],
    )
