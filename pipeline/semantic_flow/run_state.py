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

from models.semantic_flow.model import SemanticFlow
from pipeline.config import TrainSemanticFlowConfig
from pipeline.runtime.atomic import whole
from pipeline.semantic_flow.checkpoint import model_from_state, model_state
from pipeline.semantic_flow.setup import optimiser

log = logging.getLogger(__name__)


@dataclass
class Run:
    """The state of training: all that a killed run needs to go on."""

    stage: str
    step: int
    model: SemanticFlow
    optimiser: torch.optim.Adam
    generator: torch.Generator
    scales: Float[np.ndarray, "object"]
    rows: list[dict[str, float | str]]
    broken: int = 0


def run_state(run: Run) -> dict[str, Any]:
    """All of a run as plain values and tensors."""
    return {
        "stage": run.stage,
        "step": run.step,
        "model": model_state(run.model),
        "optimiser": run.optimiser.state_dict(),
        "generator": run.generator.get_state(),
        "scales": run.scales.tolist(),
        "rows": run.rows,
        "broken": run.broken,
    }


def save_state(path: Path, fingerprint: str, run: Run) -> None:
    """Keep everything, so that a killed run can go on."""
    keep(path, {"fingerprint": fingerprint, **run_state(run)})


def write_history(path: Path, rows: Sequence[dict[str, float | str]]) -> None:
    """The losses over the steps; only their names where the run was too short for any."""
    with whole(path) as partial:
        pd.DataFrame(rows or None, columns=None if rows else ["stage", "step", "loss"]).to_csv(partial, index=False)


def keep(path: Path, state: dict[str, Any]) -> None:
    with whole(path) as partial:
        torch.save(state, partial)


def resumed(path: Path, fingerprint: str, config: TrainSemanticFlowConfig, device: torch.device) -> Run | None:
    """The run that was killed, if its state is there, whole, and of the same scene, labels and settings."""
    state = kept(path, fingerprint)
    return None if state is None else run_from_state(state, config, device)


def kept(path: Path, fingerprint: str) -> dict[str, Any] | None:
    """A state that was kept, if it is there, whole, and of the same scene, labels and settings."""
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a torn file makes torch raise
        log.info("%s cannot be read (%s): training begins anew", path, error)
        return None
    if state.get("fingerprint") != fingerprint:
        log.info("%s is of another scene or of other settings: training begins anew", path)
        return None
    return state


def run_from_state(
    state: dict[str, Any], config: TrainSemanticFlowConfig, device: torch.device, with_head: bool = True
) -> Run:
    """The run that `run_state` describes; without its head's optimiser where many runs share one head."""
    model = model_from_state(state["model"], device)
    adam = optimiser(model, config, with_head)
    adam.load_state_dict(state["optimiser"])
    generator = torch.Generator(device)
    generator.set_state(state["generator"])
    log.info("going on at step %d of the %s stage", state["step"], state["stage"])
    return Run(
        state["stage"], state["step"], model, adam, generator, np.array(state["scales"]), state["rows"], state["broken"]
    )
