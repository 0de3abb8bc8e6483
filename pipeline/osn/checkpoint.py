"""The checkpoint of OSN as plain values and tensors: the fields, the scale network, and what judges scales."""

from dataclasses import asdict
from typing import Any

import torch

from models.osn.object_scene import FieldShape, ObjectScene, SceneGeometry
from models.osn.scale_network import ScaleNetwork
from models.osn.z_buffer import SoloViews

METHOD, SCHEMA, SCHEMA_VERSION = "osn", "monoverse-osn", 4


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
