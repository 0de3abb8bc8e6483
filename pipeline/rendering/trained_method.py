"""A trained method, whichever it is, from its checkpoint: the one list of all methods."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from pipeline.baselines import checkpoint as baseline_checkpoint
from pipeline.baselines import method as baselines
from pipeline.baselines import total_recon
from pipeline.config import BASELINES
from pipeline.formats.scene_file import Scene
from pipeline.osn import checkpoint as osn_checkpoint
from pipeline.osn import method as osn
from pipeline.runtime.errors import StageError
from pipeline.runtime.tensor_file import load_tensors
from pipeline.scene.method_interface import Classes, ScaleJudge, ScaleLimit, Surface, TrainedMethod
from pipeline.semantic_flow import checkpoint as semantic_flow_checkpoint
from pipeline.semantic_flow import method as semantic_flow

__all__ = [
    "METHODS",
    "Classes",
    "Method",
    "ScaleJudge",
    "ScaleLimit",
    "Surface",
    "TrainedMethod",
    "load_method",
    "load_training",
    "read_checkpoint",
]


def only_when_trained(kept: dict[str, Any], resume: Path, scene: Scene, device: torch.device) -> TrainedMethod:
    """A method that keeps nothing which could be shown before it is trained."""
    raise ValueError("this method is shown when it is trained")


@dataclass(frozen=True)
class Method:
    """How a method's checkpoint is read: the version that is understood, and from its contents to the trained method.

    `from_training` takes what a training that still runs has kept last, and where: it may keep other files beside it.
    """

    schema_version: int
    from_checkpoint: Callable[[dict[str, Any], Scene, torch.device], TrainedMethod]
    from_training: Callable[[dict[str, Any], Path, Scene, torch.device], TrainedMethod] = only_when_trained


METHODS: dict[str, Method] = {
    osn_checkpoint.METHOD: Method(osn_checkpoint.SCHEMA_VERSION, osn.method_from_checkpoint, osn.method_from_training),
    semantic_flow_checkpoint.METHOD: Method(
        semantic_flow_checkpoint.SCHEMA_VERSION,
        semantic_flow.method_from_checkpoint,
        semantic_flow.method_from_training,
    ),
    **dict.fromkeys(BASELINES, Method(baseline_checkpoint.SCHEMA_VERSION, baselines.method_from_checkpoint)),
    total_recon.METHOD: Method(total_recon.SCHEMA_VERSION, total_recon.method_from_checkpoint),
}


def load_method(checkpoint: Path, scene: Scene, device: torch.device) -> TrainedMethod:
    """The method in a checkpoint, ready to render the scene that it was trained on."""
    state = read_checkpoint(checkpoint)
    try:
        return METHODS[state["method"]].from_checkpoint(state, scene, device)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise StageError(f"{checkpoint} is damaged ({error}); delete it and train again") from error


def load_training(resume: Path, name: str, scene: Scene, device: torch.device) -> TrainedMethod:
    """A method of a name as far as it is trained: from the state that its training keeps."""
    state = load_tensors(resume)
    try:
        return METHODS[name].from_training(state, resume, scene, device)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise StageError(f"{resume} holds no state of {name} that can be shown ({error}); wait for the next") from error


def read_checkpoint(checkpoint: Path) -> dict[str, Any]:
    """The contents of a checkpoint of a known method and version."""
    if not checkpoint.exists():
        raise StageError(f"{checkpoint} does not exist; train first")
    try:
        state = load_tensors(checkpoint)
    except StageError as error:
        raise StageError(f"{error}; delete it and train again") from error
    if not isinstance(state, dict) or state.get("method") not in METHODS:
        found = state.get("method") if isinstance(state, dict) else type(state).__name__
        raise StageError(
            f"{checkpoint} holds method {found}, known are {', '.join(METHODS)}; delete it and train again"
        )
    expected = METHODS[state["method"]].schema_version
    if state.get("schema_version") != expected:
        raise StageError(
            f"{checkpoint} has schema {state['method']} {state.get('schema_version')}, expected {expected}; "
            "delete it and train again"
        )
    return state
