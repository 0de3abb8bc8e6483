"""The checkpoint of OSN: the fields, all that rendering needs, the scale network, and valid scenes drawn from it."""

from dataclasses import asdict
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from models.osn.object_scene import FieldShape, ObjectScene, SceneGeometry
from models.osn.rendering import render_world
from models.osn.scale_network import ScaleNetwork
from models.osn.z_buffer import SoloViews, visibility_accuracy
from models.rays import Rays
from models.rendering import Rendering

CLEAR = 2e-3  # of the pixels
METHOD, SCHEMA, SCHEMA_VERSION = "osn", "monoverse-osn", 3


class OsnMethod:
    """A trained scene as every other stage sees it."""

    def __init__(
        self,
        fields: ObjectScene,
        network: ScaleNetwork | None,
        views: SoloViews | None,
        scales: Float[Tensor, "sample object"],
        scores: Float[Tensor, "sample"],
    ) -> None:
        self.fields, self.network, self.views, self.scales, self.scores = fields, network, views, scales, scores
        with torch.no_grad():
            self.grids = fields.density_grids()

    def render(self, rays: Rays, scales: Float[Tensor, "object"] | None = None) -> Rendering:
        """Render rays under one scale vector; the best valid one by default."""
        return render_world(self.fields, self.grids, rays, self.scales[0] if scales is None else scales)

    def validity(self, scales: Float[Tensor, "sample object"]) -> Float[Tensor, "sample"]:
        """The scale network's score; a scene without moving objects is always valid."""
        if self.network is None:
            return torch.ones_like(scales[:, 0])
        with torch.no_grad():
            return self.network(self.network.normalised(scales))

    def clear(self) -> Bool[Tensor, "sample"]:
        """The valid scenes that explain the video nearly as well as the best of them; others have begun to fail."""
        if self.views is None:
            return torch.ones_like(self.scores, dtype=torch.bool)
        accuracy = visibility_accuracy(self.views, self.scales, None)
        return accuracy >= accuracy.max() - CLEAR


def fields_state(fields: ObjectScene) -> dict[str, Any]:
    """Fields as plain values and tensors."""
    return {
        "shape": asdict(fields.shape),
        "bounds": [fields.near, fields.far],
        "resolutions": [list(field.resolution) for field in fields.fields],
        "weights": {name: value.detach().cpu() for name, value in fields.state_dict().items()},
    }


def fields_from_state(state: dict[str, Any], device: torch.device) -> ObjectScene:
    """The fields that `fields_state` describes."""
    weights = {name: value.to(device) for name, value in state["weights"].items()}
    geometry = SceneGeometry(
        weights["object_from_camera"], weights["visible"], weights["half_extent"], *state["bounds"]
    )
    resolutions = [(x, y, z) for x, y, z in state["resolutions"]]
    fields = ObjectScene(geometry, FieldShape(**state["shape"]), resolutions, torch.Generator(device))
    fields.load_state_dict(weights)
    return fields


def network_state(network: ScaleNetwork | None) -> dict[str, Any] | None:
    return None if network is None else {name: value.cpu() for name, value in network.state_dict().items()}


def network_from_state(state: dict[str, Any] | None, device: torch.device) -> ScaleNetwork | None:
    if state is None:
        return None
    scale_range = torch.stack([state["low"], state["low"] + state["width"]], dim=1).to(device)
    network = ScaleNetwork(scale_range, torch.Generator(device))
    network.load_state_dict(state)
    return network


def views_state(views: SoloViews | None) -> dict[str, Any] | None:
    return None if views is None else {name: getattr(views, name).cpu() for name in SoloViews.__dataclass_fields__}


def method_from_checkpoint(state: dict[str, Any], device: torch.device) -> OsnMethod:
    """The trained method in a checkpoint's contents."""
    fields = fields_from_state(state["fields"], device)
    fields.requires_grad_(False)
    network = network_from_state(state["network"], device)
    if network is not None:
        network.requires_grad_(False)
    views = SoloViews(**state["views"]).to(device) if state["views"] is not None else None
    return OsnMethod(fields, network, views, state["scales"].to(device), state["scores"].to(device))
