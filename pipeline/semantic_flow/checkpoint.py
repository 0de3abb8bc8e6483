"""The checkpoint of Semantic Flow: the model with all that rendering needs."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from models.ops.space import Cameras, Region
from models.semantic_flow.flow_features import FrameMaps
from models.semantic_flow.frame_memory import FrameMemory
from models.semantic_flow.model import SceneBounds, SemanticFlow, Sizes
from models.semantic_flow.ndc import NdcRegion
from pipeline.runtime.renamed_keys import with_new_names
from pipeline.runtime.tensor_file import save_tensors
from pipeline.semantic_flow.setup import create_model

METHOD, SECTION, SCHEMA_VERSION = "semantic_flow", "train_semantic_flow", 2


@dataclass(frozen=True)
class TrainedModel:
    """A trained model, plain values beside it, the frames that it takes colours from, and its static density's nodes."""

    model: SemanticFlow
    facts: dict[str, Any]
    memory: FrameMemory | None
    nodes: Float[Tensor, "x y z"]

    @property
    def device(self) -> torch.device:
        return self.model.bounds.cameras.world_from_camera.device


def model_state(model: SemanticFlow) -> dict[str, Any]:
    """A model as plain values and tensors."""
    bounds = model.bounds.to("cpu")
    regions = {
        name: vars(region) for name, region in (("static", bounds.static_region), ("dynamic", bounds.dynamic_region))
    }
    cameras = bounds.cameras
    return {
        "sizes": asdict(model.sizes),
        "regions": regions,
        "cameras": {
            "world_from_camera": cameras.world_from_camera,
            "intrinsics": cameras.intrinsics,
            "height": cameras.height,
            "width": cameras.width,
        },
        "depth_bounds": [bounds.near, bounds.far],
        "weights": {name: value.cpu() for name, value in model.state_dict().items()},
    }


def model_from_state(state: dict[str, Any], device: torch.device) -> SemanticFlow:
    """The model that `model_state` describes."""
    regions = {
        name: (NdcRegion if "world_from_view" in values else Region)(**values)
        for name, values in state["regions"].items()
    }
    near, far = state["depth_bounds"]
    bounds = SceneBounds(Cameras(**state["cameras"]), regions["static"], regions["dynamic"], near, far)
    weights = state["weights"]
    maps = FrameMaps(weights["frame_features"], weights["frame_depth"])
    model = create_model(Sizes(**state["sizes"]), bounds, maps, 0, device)
    model.load_state_dict(weights)
    return model


def checkpoint_state(model: SemanticFlow, facts: dict[str, Any], memory: FrameMemory | None = None) -> dict[str, Any]:
    """The contents of a checkpoint; `facts` are plain values beside the model."""
    kept = {} if memory is None else {"memory": vars(memory.to("cpu"))}
    return {"method": METHOD, "schema_version": SCHEMA_VERSION, **facts, "model": model_state(model), **kept}


def save_checkpoint(path: Path, model: SemanticFlow, facts: dict[str, Any], memory: FrameMemory | None = None) -> None:
    """Write the checkpoint, whole or not at all."""
    save_tensors(path, checkpoint_state(model, facts, memory))


def trained_model(state: dict[str, Any], device: torch.device) -> TrainedModel:
    """The trained model in a checkpoint's contents."""
    model = model_from_state(state["model"], device)
    model.requires_grad_(False)
    memory = FrameMemory(**state["memory"]).to(device) if "memory" in state else None
    facts = {name: value for name, value in state.items() if name not in ("model", "memory")}
    facts["options"] = with_new_names(SECTION, facts["options"])
    with torch.no_grad():
        return TrainedModel(model, facts, memory, model.static.nodes())
