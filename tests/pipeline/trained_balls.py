"""A trained OSN whose objects are balls in the middle of their boxes: no training, everything known."""

import torch

from models.osn.object_scene import FieldShape, ObjectScene
from models.osn.scale_network import ScaleNetwork
from pipeline.formats.scene_file import Scene
from pipeline.osn.method import OsnMethod
from pipeline.osn.setup import scene_geometry

RESOLUTION = (30, 31, 32)
RADIUS = 0.6  # of the smallest half extent of the box
SCALES = torch.tensor([[1.0, 1.5, 0.7], [1.0, 0.8, 1.2]])


def ball(half: torch.Tensor, radius: float) -> torch.Tensor:
    """Logits of a dense ball in the middle of a box."""
    axes = [torch.linspace(-float(h), float(h), size) for h, size in zip(half, RESOLUTION, strict=True)]
    distance = torch.stack(torch.meshgrid(*axes, indexing="ij")).norm(dim=0)
    return (radius - distance) / radius * 100


def trained_balls(scene: Scene, network: ScaleNetwork | None = None) -> OsnMethod:
    """The method, with two valid scenes of three objects."""
    shape = FieldShape(density_channels=2, colour_channels=2, shell=0.0)
    generator = torch.Generator().manual_seed(0)
    fields = ObjectScene(scene_geometry(scene, torch.device("cpu")), shape, [RESOLUTION] * 3, generator)
    method = OsnMethod(scene, fields, network, None, SCALES, torch.ones(2))
    method.grids = [ball(space.half_extent, RADIUS * float(space.half_extent.min())) for space in fields.spaces]
    return method
