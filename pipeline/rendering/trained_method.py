"""A trained method, whichever it is, from its checkpoint."""

from pathlib import Path
from typing import Any

import torch

from models.rendering import TrainedMethod
from pipeline.osn import checkpoint as osn_checkpoint
from pipeline.runtime.errors import StageError
from pipeline.semantic_flow import checkpoint as semantic_flow_checkpoint

METHODS = {module.METHOD: module for module in (osn_checkpoint, semantic_flow_checkpoint)}


def load_method(checkpoint: Path, device: torch.device) -> TrainedMethod:
    """The method in a checkpoint, ready to render."""
    state = read_checkpoint(checkpoint)
    module = METHODS[state["method"]]
    try:
        method: TrainedMethod = module.method_from_checkpoint(state, device)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise StageError(f"{checkpoint} is damaged ({error}); delete it and train again") from error
    return method


def read_checkpoint(checkpoint: Path) -> dict[str, Any]:
    """The contents of a checkpoint of a known method and version."""
    if not checkpoint.exists():
        raise StageError(f"{checkpoint} does not exist; train first")
    try:
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a torn file makes torch raise
        reason = str(error).splitlines()[0]
        raise StageError(f"{checkpoint} is not a readable checkpoint ({reason}); delete it and train again") from error
    if not isinstance(state, dict) or state.get("method") not in METHODS:
        found = state.get("method") if isinstance(state, dict) else type(state).__name__
        raise StageError(
            f"{checkpoint} holds method {found}, known are {', '.join(METHODS)}; delete it and train again"
        )
    expected = METHODS[state["method"]].SCHEMA_VERSION
    if state.get("schema_version") != expected:
        raise StageError(
            f"{checkpoint} has schema {state['method']} {state.get('schema_version')}, expected {expected}; "
            "delete it and train again"
        )
    return state
