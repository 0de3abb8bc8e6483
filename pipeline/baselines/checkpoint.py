"""The checkpoint of a baseline: the model with all that rendering needs."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from models.baselines.model import Baseline, SceneExtent
from models.ops.space import Region
from pipeline.baselines.setup import Architecture, create_model
from pipeline.runtime.tensor_file import save_tensors

SCHEMA_VERSION = 1


def model_state(model: Baseline, made_by: Architecture, stage: int) -> dict[str, Any]:
    """A model as plain values and tensors; `stage` is that of its grids."""
    extent = model.extent.to("cpu")
    region = extent.region
    return {
        "made_by": asdict(made_by),
        "stage": stage,
        "extent": {
            "centre": region.centre,
            "half_extent": region.half_extent,
            "shell": region.shell,
            "bounds": [extent.near, extent.far],
            "frames": extent.frames,
        },
        "weights": {name: value.cpu() for name, value in model.state_dict().items()},
    }


def model_from_state(state: dict[str, Any], device: torch.device) -> Baseline:
    """The model that `model_state` describes."""
    told = state["extent"]
    region = Region(told["centre"], told["half_extent"], told["shell"])
    near, far = told["bounds"]
    extent = SceneExtent(region, near, far, told["frames"])
    model = create_model(Architecture(**state["made_by"]), extent, state["stage"], 0, device)
    model.load_state_dict(state["weights"])
    return model


def save_checkpoint(path: Path, model: Baseline, made_by: Architecture, stage: int, facts: dict[str, Any]) -> None:
    """Write the checkpoint, whole or not at all; `facts` are plain values beside the model."""
    contents = {"method": made_by.method, "schema_version": SCHEMA_VERSION, **facts}
    save_tensors(path, {**contents, "model": model_state(model, made_by, stage)})
