"""A trained baseline as every other stage sees it."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from models.baselines.model import Baseline
from models.rays import Rays
from models.rendering import Rendering, in_chunks
from pipeline.baselines.checkpoint import model_from_state
from pipeline.formats.scene_file import Scene
from pipeline.scene.method_interface import TrainedMethod


class BaselineMethod(TrainedMethod):
    """A field without objects of its own: all that it shows counts as the background. It knows one row of scales, ones."""

    knows_objects = False

    def __init__(self, scene: Scene, model: Baseline, facts: dict[str, Any], device: torch.device) -> None:
        ones = torch.ones(1, scene.object_count, device=device)
        super().__init__(scene, ones, ones[:, 0])
        self.model, self.facts = model, facts

    def render(self, rays: Rays, scales: Float[Tensor, "object"] | None = None) -> Rendering:
        """Render rays; scales change nothing."""
        return in_chunks(lambda part: shown(self.model, part, self.scales.shape[1]), rays)

    @property
    def remarks(self) -> dict[str, str]:
        said = {"depth supervision": self.facts["depth_supervision"], "steps": str(self.facts["steps"])}
        body = self.facts["options"][self.facts["method"]].get("body")
        return said if body is None else said | {"body": "grid body" if body == "grids" else "the paper's networks"}


def shown(model: Baseline, rays: Rays, objects: int) -> Rendering:
    """What a few thousand rays see; the wall behind the last sample makes every ray opaque."""
    seen, _ = model.look(rays, None)
    opacity = torch.ones_like(seen.depth)
    weights = torch.nn.functional.pad(opacity[:, None], (0, objects - 1))
    return Rendering(seen.colour.clamp(0, 1), seen.depth, opacity, weights)


def method_from_checkpoint(state: dict[str, Any], scene: Scene, device: torch.device) -> BaselineMethod:
    """The trained method in a checkpoint's contents."""
    model = model_from_state(state["model"], device)
    model.requires_grad_(False)
    return BaselineMethod(scene, model, {name: value for name, value in state.items() if name != "model"}, device)
