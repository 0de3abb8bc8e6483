"""The checkpoint of Semantic Flow: the model with all that rendering needs."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from models.ops.parallel import workers
from models.rays import Rays
from models.rendering import Rendering
from models.semantic_flow.decoding import rendering
from models.semantic_flow.flow_features import FrameMaps
from models.semantic_flow.frame_memory import FrameMemory
from models.semantic_flow.model import SceneBounds, SemanticFlow, Sizes
from models.semantic_flow.ndc import NdcRegion
from models.semantic_flow.space import Cameras, Region
from pipeline.runtime.renamed_keys import with_new_names
from pipeline.semantic_flow.setup import create_model

METHOD, SECTION, SCHEMA_VERSION = "semantic_flow", "train_semantic_flow", 2
RAYS_AT_ONCE = 4096


class SemanticFlowMethod:
    """A trained model as every other stage sees it. It has one scene, so one row of scales, all ones."""

    def __init__(self, model: SemanticFlow, facts: dict[str, Any], memory: FrameMemory | None = None) -> None:
        self.model, self.facts, self.memory = model, facts, memory
        self.class_names = list(facts["class_names"])
        objects = int(facts["objects"])
        # A class is shown under the id of its first object; `object_weights` has one column a class.
        first = {int(column): int(identity) for identity, column in sorted(facts["class_of"].items(), reverse=True)}
        self.column_ids = [first[column] for column in range(len(self.class_names))]
        device = model.bounds.cameras.world_from_camera.device
        self.scales = torch.ones(1, objects, device=device)
        self.scores = torch.ones(1, device=device)
        with torch.no_grad():
            self.nodes = model.static.nodes()

    @property
    def remarks(self) -> dict[str, str]:
        """What the report says of how it was trained."""
        options, frames = self.facts["options"], self.model.bounds.cameras.frame_count
        labels = f"{options['task']}: those of {len(self.facts['labelled_frames'])} of {frames} frames"
        features, start = self.facts["features"]["encoder"], self.facts.get("start", "nothing")
        return {
            "labels": labels,
            "classes": ", ".join(self.class_names),
            "semantic head": options["ablation"]["head"],
            "encoder": features,
            "colours": "of the fields alone" if self.memory is None else "of the frames that see the same point",
            "started from": start,
        }

    def render(self, rays: Rays, scales: Float[Tensor, "object"] | None = None) -> Rendering:
        """Render rays; `object_weights` has one column a class, and scales change nothing."""

        def part(chosen: Int64[Tensor, "chunk"]) -> Rendering:
            with torch.no_grad():
                return rendering(self.model, self.nodes, rays[chosen], self.memory)

        chunks = torch.arange(len(rays.frames), device=rays.frames.device).split(RAYS_AT_ONCE)
        with workers(rays.frames.device) as parallel_map:
            parts = list(parallel_map(part, chunks))
        return Rendering(*(torch.cat([getattr(one, name) for one in parts]) for name in vars(parts[0])))


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
    """Write the checkpoint."""
    torch.save(checkpoint_state(model, facts, memory), path)


def method_from_checkpoint(state: dict[str, Any], device: torch.device) -> SemanticFlowMethod:
    """The trained method in a checkpoint's contents."""
    model = model_from_state(state["model"], device)
    model.requires_grad_(False)
    memory = FrameMemory(**state["memory"]).to(device) if "memory" in state else None
    facts = {name: value for name, value in state.items() if name not in ("model", "memory")}
    facts["options"] = with_new_names(SECTION, facts["options"])
    return SemanticFlowMethod(model, facts, memory)
