"""Every trained object as a mesh and as coloured points, in its own frame, with its place in the world at each time.

Reads   checkpoint.pt, scene.h5
Writes  objects/
          {id}.glb     the surface by marching cubes, vertices in the colour of the field
          {id}.ply     its vertices as coloured points
          poses.json   the scales, and per object and frame the 4x4 world_from_object that holds scale, turn and place

The scene is the checkpoint's first valid one, or the one nearest to given scales. Units are the background's; null
where an object was not registered.
"""

import json
import logging
from pathlib import Path

import numpy as np
import torch
import trimesh
from jaxtyping import Float, Int, UInt8
from skimage.measure import marching_cubes

from models.osn.field import density_at
from models.osn.object_scene import ObjectScene
from models.osn.scale_sampling import VALID_SCORE, ScaleSamples, nearest_first
from pipeline.cameras import inverse
from pipeline.cli import run_stage
from pipeline.config import ExportObjectsConfig
from pipeline.formats.scene_file import Scene, read_scene
from pipeline.osn.checkpoint import OsnMethod
from pipeline.rendering.trained_method import load_method
from pipeline.runtime.atomic import whole
from pipeline.runtime.device import stage_device
from pipeline.runtime.errors import StageError

log = logging.getLogger("pipeline.export_objects")
SURFACE_OPACITY = 0.5  # of a cell: where the surface lies
POINTS_AT_ONCE = 1 << 18


def export_objects(checkpoint: Path, scene: Path, objects: Path, config: ExportObjectsConfig) -> None:
    """Write mesh, points and poses of every object."""
    packed, method = read_scene(scene), load_method(checkpoint, stage_device())
    if not isinstance(method, OsnMethod):
        raise StageError(f"{checkpoint} is of a method without objects of their own; export those of osn")
    scales = chosen_scales(method, config.scales)
    with whole(objects) as partial:
        partial.mkdir()
        for k, entry in enumerate(packed.objects):
            vertices, faces = surface(method.fields, method.grids[k].detach(), k)
            if not len(vertices):
                log.warning("object %s has no surface: its field is empty", entry["name"])
                continue
            colours = vertex_colours(method.fields, vertices, k)
            mesh = trimesh.Trimesh(vertices, faces, vertex_colors=colours, process=False)
            mesh.export(partial / f"{entry['id']}.glb")
            trimesh.PointCloud(vertices, colours).export(partial / f"{entry['id']}.ply")
        poses = object_poses(packed, scales)
        (partial / "poses.json").write_text(json.dumps(poses, indent=1))
    log.info("%d objects are in %s, at scales %s", packed.object_count, objects, scales[1:].round(3).tolist())


def chosen_scales(method: OsnMethod, wanted: list[float]) -> Float[np.ndarray, "object"]:
    """Of the valid scenes the first, or the one nearest to wanted scales of the moving objects."""
    scales = method.scales
    if wanted:
        if len(wanted) != scales.shape[1] - 1:
            raise StageError(
                f"export_objects.scales has {len(wanted)} scales, the scene {scales.shape[1] - 1} moving objects"
            )
        target = scales.new_tensor([1.0, *wanted])
        scales = nearest_first(ScaleSamples(scales, method.scores), target).scales
        if float(method.validity(target[None])[0]) < VALID_SCORE:
            nearest = scales[0, 1:].cpu().numpy().round(3).tolist()
            log.warning("the scales %s do not explain the video; the objects are exported at %s", wanted, nearest)
    return scales[0].double().cpu().numpy()


def surface(
    fields: ObjectScene, logits: Float[torch.Tensor, "x y z"], index: int
) -> tuple[Float[np.ndarray, "vertex xyz=3"], Int[np.ndarray, "face corner=3"]]:
    """The surface of one object in its own frame and units."""
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


def object_poses(scene: Scene, scales: Float[np.ndarray, "object"]) -> dict[str, object]:
    """Where each object is at each time, under the scales: x_world = P0 (s camera_from_object X)."""
    listed = []
    for k, entry in enumerate(scene.objects):
        placed: list[object] = []
        for t in range(len(scene.images)):
            if not (scene.visible[k, t] and scene.visible[0, t]):
                placed.append(None)
                continue
            grown = np.diag([scales[k], scales[k], scales[k], 1.0])
            own = inverse(scene.object_from_camera[k, t].astype(np.float64))
            placed.append((scene.object_from_camera[0, t].astype(np.float64) @ grown @ own).tolist())
        listed.append({"id": entry["id"], "name": entry["name"], "scale": scales[k], "world_from_object": placed})
    return {"intrinsics": scene.intrinsics.tolist(), "objects": listed}


if __name__ == "__main__":
    run_stage(export_objects)
