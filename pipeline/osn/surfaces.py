"""The surface of a trained object, by marching cubes through its field."""

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from skimage.measure import marching_cubes

from models.osn.field import density_at
from models.osn.object_scene import ObjectScene
from pipeline.scene.method_interface import Surface

SURFACE_OPACITY = 0.5  # of a cell: where the surface lies
POINTS_AT_ONCE = 1 << 18


def object_surface(fields: ObjectScene, logits: Float[torch.Tensor, "x y z"], index: int) -> Surface:
    """The surface of one object in its own frame and units, vertices in the colour of the field."""
    vertices, faces = density_surface(fields, logits, index)
    return Surface(vertices, faces, vertex_colours(fields, vertices, index))


def density_surface(
    fields: ObjectScene, logits: Float[torch.Tensor, "x y z"], index: int
) -> tuple[Float[np.ndarray, "vertex xyz=3"], Int[np.ndarray, "face corner=3"]]:
    """Where a cell of the grid would be half opaque; nothing where it is nowhere."""
    space, field = fields.spaces[index], fields.fields[index]
    half = space.half_extent.cpu()
    axes = [torch.linspace(-float(h), float(h), size) for h, size in zip(half, field.resolution, strict=True)]
    nodes = torch.stack(torch.meshgrid(*axes, indexing="ij")).to(logits.device)
    with torch.no_grad():
        density = at_points(lambda points: density_at(logits, space.grid_points(points)), nodes.flatten(1))
    steps = [float(axis[1] - axis[0]) for axis in axes]
    level = -np.log(1 - SURFACE_OPACITY) * space.unit / (fields.shape.density_scale * min(steps))
    # The logarithm changes evenly through a surface, the density itself by leaps.
    volume = np.log(density.view(field.resolution).cpu().numpy() / level + 1e-6)
    if not volume.min() < 0 < volume.max():
        return np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32)
    vertices, faces, _, _ = marching_cubes(np.pad(volume, 1, constant_values=volume.min()), 0.0, spacing=tuple(steps))
    vertices = (vertices - np.array(steps) - half.numpy()).astype(np.float32)  # the padding shifts by a cell
    return vertices, faces[:, ::-1].copy()


def vertex_colours(
    fields: ObjectScene, vertices: Float[np.ndarray, "vertex xyz=3"], index: int
) -> UInt8[np.ndarray, "vertex rgba=4"]:
    """The field's own colour, without what direction and light add."""
    space, field = fields.spaces[index], fields.fields[index]
    points = torch.from_numpy(vertices.T.copy()).to(space.half_extent.device)
    with torch.no_grad():
        colours = at_points(lambda part: field.colour_features(space.grid_points(part))[:, :3].sigmoid(), points)
    rgba = np.concatenate([colours.cpu().numpy(), np.ones((len(vertices), 1))], axis=1)
    return (255 * rgba).round().astype(np.uint8)


def at_points(function, points: Float[torch.Tensor, "xyz=3 point"]) -> torch.Tensor:  # type: ignore[no-untyped-def]
    """A function of points, in pieces that fit into memory."""
    return torch.cat([function(part) for part in points.split(POINTS_AT_ONCE, dim=1)])
